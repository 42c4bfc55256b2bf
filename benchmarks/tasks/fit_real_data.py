"""Fit the mixtures of real_data.py, say how well they describe the data, and write their parameter files.

Run as `python -m benchmarks.tasks.fit_real_data [TASK ...]`; it takes minutes and needs scikit-learn. Where a
file changes, the task's SHA-256 in real_data.py has to follow, and its version. The data are
scikit-learn's copies of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998) and "Wine"
(Aeberhard and Forina 1991) from the UCI repository, CC BY 4.0.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from threadpoolctl import threadpool_limits

from benchmarks.task import Array, log_posterior
from benchmarks.tasks.mixture import Mixture
from benchmarks.tasks.real_data import mixture

GREY_LEVELS = 8  # of a pixel's 0 to 16, that are 1 in a task's inputs
COPIES = 4  # noisy copies of each held-out example
STEPS = 100  # of expectation maximisation, at most; it converges in fewer


@dataclass(frozen=True)
class Settings:
    """How a class's mixture is fitted.

    components: how many; rank: how many factors a covariance keeps beside the variances, None for all;
    pooling: how far the covariance of a component moves to the mean one of its class, 0 to 1; rounding: how
    far it moves to a multiple of the identity, 0 to 1; noise: standard deviation of the normal noise that
    the model puts on every input.
    """

    components: int = 1
    rank: int | None = None
    pooling: float = 0.0
    rounding: float = 0.0
    noise: float = 0.0


@dataclass(frozen=True)
class Source:
    """Real data, x (n, d) and y (n,) without noise, and the settings to choose among; the first is plain."""

    load: Callable[[], tuple[Array, Array]]
    settings: tuple[Settings, ...]


def digits() -> tuple[Array, Array]:
    """Return the digits, x (1797, 64) and y (1797,): pixels row by row, (grey level - 8) / 8."""
    x, y = load_digits(return_X_y=True)
    return (x - 8) / GREY_LEVELS, y


def digit_components() -> tuple[Array, Array]:
    """Return the digits' first 16 principal components, x (1797, 16) in 8 grey levels, and y (1797,)."""
    x, y = digits()
    axes = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)[2][:16]
    axes *= np.sign(axes[np.arange(16), np.abs(axes).argmax(axis=1)])[:, None]  # else the signs are arbitrary
    return (x - x.mean(axis=0)) @ axes.T, y


def wine() -> tuple[Array, Array]:
    """Return the wines, x (178, 13) and y (178,), each measurement with mean 0 and variance 1."""
    x, y = load_wine(return_X_y=True)
    return (x - x.mean(axis=0)) / x.std(axis=0), y


def grid(noise: float, ranks: tuple[int | None, ...]) -> tuple[Settings, ...]:
    """Return one normal density for each class, and the mixtures that may do better."""
    choices = itertools.product((2, 3, 4), ranks, (0.1, 0.2, 0.3, 0.5, 0.7))
    return (Settings(noise=noise), *(Settings(k, rank, pooling, noise=noise) for k, rank, pooling in choices))


SOURCES = {
    "digits-d64": Source(digits, grid(5 / GREY_LEVELS, (8, 12))),
    "digits-pca-d16": Source(digit_components, grid(4 / GREY_LEVELS, (None,))),
    "wine-d13": Source(
        wine, tuple(Settings(rounding=r, noise=0.5) for r in (0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4))
    ),
}


def fit(x: Array, y: Array, settings: Settings) -> dict[str, Any]:
    """Return a mixture for each class of x (n, d), y (n,), as parameters that real_data.mixture reads."""
    with threadpool_limits(1):  # on small matrices, threads mostly wait for each other
        fitted = [_fit_class(x[y == c], settings) for c in range(y.max() + 1)]
    names = ("shares", "means", "factors", "variances")
    return {
        "labels": np.repeat(np.arange(len(fitted)), settings.components).tolist(),
        "frequencies": np.bincount(y).tolist(),
        **{
            name: np.round(np.concatenate(part), 4).tolist()
            for name, part in zip(names, zip(*fitted, strict=True), strict=True)
        },
    }


def _fit_class(x: Array, settings: Settings) -> tuple[Array, ...]:
    """Return shares (m,), means (m, d), factors (m, d, r) and variances (m, d) of one class.

    By expectation maximisation (Dempster, Laird and Rubin 1977) from slices across the first principal axis:
    nothing in it is random, so the fit is the same each time.
    """
    axis = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)[2][0]
    order = np.argsort(np.argsort(x @ axis, kind="stable"), kind="stable")
    responsibility = np.eye(settings.components)[order * settings.components // len(x)]
    for _ in range(STEPS):
        parts = _maximised(x, responsibility, settings)
        before, responsibility = responsibility, np.exp(log_posterior(_components(*parts), x))
        if np.abs(responsibility - before).max() < 1e-6:
            break
    return parts


def _components(shares: Array, means: Array, factors: Array, variances: Array) -> Mixture:
    """Return the components of one class as the classes of a mixture, whose posterior is wanted."""
    labels, one = np.arange(len(shares)), np.ones(len(shares))
    named = {"labels": labels, "frequencies": shares, "shares": one}
    return mixture("fit", {**named, "means": means, "factors": factors, "variances": variances})


def _maximised(x: Array, responsibility: Array, settings: Settings) -> tuple[Array, ...]:
    """Return shares, means, factors and variances, given P(component | x), (n, m)."""
    weights = responsibility.sum(axis=0)
    shares = weights / weights.sum()
    means = responsibility.T @ x / weights[:, None]
    centred = x - means[:, None]
    own = np.einsum("nm,mni,mnj->mij", responsibility, centred, centred, optimize=True)
    own /= weights[:, None, None]
    mean = np.einsum("m,mij->ij", shares, own)
    covariances = (1 - settings.pooling) * own + settings.pooling * mean
    parts = [_factored(covariance, settings) for covariance in covariances]
    return shares, means, np.stack([f for f, _ in parts]), np.stack([v for _, v in parts])


def _factored(covariance: Array, settings: Settings) -> tuple[Array, Array]:
    """Return F (d, r) and v (d,) such that F F^T + diag(v) is the covariance with its noise.

    Where factors are left out, v makes up for the variances that they had.
    """
    d = len(covariance)
    values, vectors = np.linalg.eigh((1 - settings.rounding) * covariance)
    kept = slice(d - (settings.rank or d), None)
    factors = vectors[:, kept] * np.sqrt(np.maximum(values[kept], 0))
    factors *= np.sign(factors[np.abs(factors).argmax(axis=0), np.arange(factors.shape[1])])
    left = (1 - settings.rounding) * np.diag(covariance) - (factors**2).sum(axis=1)
    floor = settings.rounding * np.trace(covariance) / d + settings.noise**2
    return factors, np.maximum(left, 0) + floor


# --- how well it describes the data -----------------------------------------------------------------------


def folds(
    x: Array, y: Array, settings: Settings
) -> Iterator[tuple[Mixture, Array, Array, np.random.Generator]]:
    """Yield, for each of three folds, the fit to the others, the fold's noisy copies, and their labels.

    Of x (n, d), y (n,); the copies are (m, d) and their labels (m,), with the generator that made the noise.
    """
    rng = np.random.default_rng(0)
    for fitted, held_out in StratifiedKFold(3, shuffle=True, random_state=0).split(x, y):
        rows = np.tile(held_out, COPIES)
        noisy = x[rows] + settings.noise * rng.standard_normal((len(rows), x.shape[1]))
        yield mixture("fold", fit(x[fitted], y[fitted], settings)), noisy, y[rows], rng


def log_likelihood(x: Array, y: Array, settings: Settings) -> float:
    """Return the mean log p(x | its class) in nats over held-out ones of the examples x (n, d), y (n,)."""
    found = []
    for model, noisy, labels, _ in folds(x, y, settings):
        joint = model.log_joint(noisy)[np.arange(len(labels)), labels]
        found.append((joint - np.log(model.priors[labels])).mean())
    return float(np.mean(found))


def quality(x: Array, y: Array, settings: Settings) -> dict[str, float]:
    """Return held-out measures: the posterior as a classifier of real data, and data told from samples.

    Of x (n, d), y (n,): mean log-likelihood and NLL in nats, accuracy, and a random forest's AUC.
    """
    right, surprise, auc = [], [], []
    for model, noisy, labels, rng in folds(x, y, settings):
        log_p = log_posterior(model, noisy)
        right.append((log_p.argmax(axis=1) == labels).mean())
        surprise.append(-log_p[np.arange(len(labels)), labels].mean())
        auc += [_auc(real, model.sample(len(real), rng)[0]) for real in np.split(noisy, COPIES)]
    return {
        "held_out_log_likelihood": log_likelihood(x, y, settings),
        "held_out_accuracy": float(np.mean(right)),
        "held_out_nll": float(np.mean(surprise)),
        "forest_auc": float(np.mean(auc)),
    }


def _auc(real: Array, sampled: Array) -> float:
    """Return the area under the ROC curve of a forest that tells real from sampled, in five folds."""
    x, is_real = np.concatenate([real, sampled]), np.repeat((True, False), (len(real), len(sampled)))
    forest = RandomForestClassifier(200, min_samples_leaf=3, n_jobs=2, random_state=0)
    five = StratifiedKFold(5, shuffle=True, random_state=0)
    guess = cross_val_predict(forest, x, is_real, cv=five, method="predict_proba")
    return float(roc_auc_score(is_real, guess[:, 1]))


def truths(model: Mixture) -> dict[str, float]:
    """Return what is true of the model itself, from 200,000 samples: Bayes error, I(X;C), conditioning."""
    log_p = log_posterior(model, model.sample(200_000, np.random.default_rng(0))[0])
    entropy = -(np.exp(log_p) * log_p).sum(axis=1).mean()
    return {
        "bayes_error": float(1 - np.exp(log_p).max(axis=1).mean()),
        "conditional_entropy": float(entropy),
        "information": float(-(model.priors * np.log(model.priors)).sum() - entropy),
        "largest_condition_number": float(max(np.linalg.cond(each) for each in model.covariances)),
    }


def main() -> None:
    """Choose settings by held-out log-likelihood, fit to all data, and write the file of each task named."""
    for name in sys.argv[1:] or SOURCES:
        source = SOURCES[name]
        x, y = source.load()
        best = max(source.settings, key=lambda each: log_likelihood(x, y, each))
        parameters = fit(x, y, best)
        report = {
            "settings": asdict(best),
            "model": truths(mixture(name, parameters)),
            "quality": quality(x, y, best),
            "quality_of_one_normal_density_a_class": quality(x, y, source.settings[0]),
        }
        content = json.dumps({**report, **parameters}, separators=(",", ":")) + "\n"
        Path(__file__).with_name(f"{name}.json").write_text(content, encoding="utf-8")
        print(
            name,
            json.dumps(report, indent=2),
            f"sha256 {hashlib.sha256(content.encode()).hexdigest()}",
            sep="\n",
        )


if __name__ == "__main__":
    main()
