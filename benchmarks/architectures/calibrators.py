"""Maps of log q that are fitted to held-out examples: temperature and vector scaling, isotonic regression.

Each returns log q (n, k), normalised, from log q (n, k), and never NaN where a class has probability 0: with
temperature and vector scaling it keeps that.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from benchmarks.architecture import FitFailed
from benchmarks.evaluation import normalised
from benchmarks.task import Array, logsumexp

Calibrator: TypeAlias = Callable[[Array], Array]  # log q (n, k) -> log q (n, k)

LEAST_SCALE, MOST_SCALE = 0.01, 100.0  # 1/T, and the scales of vector scaling
MOST_BIAS = 100.0  # nats, of vector scaling, relative to class 0
MOST_LOG_ODDS = 1_000.0  # isotonic regression sees log-odds beyond it as it
GAIN = 1e-11  # nats an example that may still be gained where a search ends
STEPS = 500
LEAST_DAMPING, MOST_DAMPING = 1e-10, 1e12
LEAST_CURVATURE = 1e-9


def fit(method: str, log_q: Array, y: Array) -> Calibrator:
    """Return a calibrator fitted to held-out log q (m, k) and labels y (m,).

    method: "temperature", "vector" or "isotonic". Raises FitFailed where it can't be fitted, ValueError
    where there is no such method.
    """
    if method not in METHODS:
        near = difflib.get_close_matches(method, METHODS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ValueError(f"unknown calibration {method!r}; {hint}there are: {', '.join(METHODS)}")
    log_q = np.asarray(log_q, dtype=np.float64)
    if len(y) == 0:
        raise FitFailed(f"{method} calibration needs held-out examples, found none")
    if log_q.ndim != 2 or len(log_q) != len(y):
        raise FitFailed(f"{method} calibration needs log q ({len(y)}, k), found {log_q.shape}")
    void = np.isnan(log_q).any(axis=1)
    if void.any():
        raise FitFailed(f"{method} calibration found NaN in log q of {void.sum():,} of {len(y):,} examples")
    return METHODS[method](log_q, np.asarray(y))


def temperature(log_q: Array, y: Array) -> Calibrator:
    """Return temperature scaling: log q / T, normalised, whose T has the least NLL (Guo et al. 2017).

    log_q (m, k) and labels y (m,) are held-out examples; raises FitFailed where none can be used.
    1/T is between 0.01 and 100; at 100 where the model gets every held-out example right. Examples of one
    class alone are enough. Those whose own class has q = 0 have infinite NLL at any T and are left out.
    """
    log_q, y = _informative(normalised(log_q), y, "temperature")
    scale = _least_on_interval(log_q, y)
    return lambda found: normalised(scale * found)


def vector(log_q: Array, y: Array) -> Calibrator:
    """Return vector scaling: a_c log q_c + b_c, normalised, with the least NLL (Guo et al. 2017).

    log_q (m, k) and labels y (m,) are held-out examples; raises FitFailed where they aren't enough.
    On log probabilities rather than on logits, so with two classes it is beta calibration (Kull, Silva
    Filho and Flach 2017, AISTATS). b_0 = 0 since a shift of all biases changes nothing; 0.01 <= a_c <= 100
    and |b_c| <= 100 give an optimum to separable examples too. Temperature scaling is a case of it, so its
    NLL can't be larger. Needs an example of every class, as without one its bias would run off. Examples
    whose own class has q = 0 are left out.
    """
    classes = log_q.shape[1]
    _every_class(y, classes, "vector")
    log_q, y = _informative(normalised(log_q), y, "vector")
    start = np.concatenate([np.full(classes, _least_on_interval(log_q, y)), np.zeros(classes - 1)])
    scales, biases = _scaled_by_class(_least_in_box(log_q, y, start), classes)
    return lambda found: normalised(scales * normalised(found) + biases)


def isotonic(log_q: Array, y: Array) -> Calibrator:
    """Return isotonic regression of the labels on the log-odds (Zadrozny and Elkan 2002, KDD).

    log_q (m, k) and labels y (m,) are held-out examples; raises FitFailed where they aren't enough.
    Between examples it is linear in the log-odds, beyond them constant. More than two classes: each against
    the rest, then normalised, uniform where all are 0. Where the labels below some log-odds are all of
    another class, q is 0 there. Needs an example of every class, as it has nothing to say of one without.
    """
    from sklearn.isotonic import IsotonicRegression

    classes = log_q.shape[1]
    _every_class(y, classes, "isotonic")
    which = [1] if classes == 2 else list(range(classes))
    maps = {
        c: IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(
            _log_odds(log_q, c), (y == c).astype(np.float64)
        )
        for c in which
    }

    def calibrate(found: Array) -> Array:
        found = np.asarray(found, dtype=np.float64)
        if not len(found):
            return found
        q = np.stack([maps[c].predict(_log_odds(found, c)) for c in which], axis=1)
        if classes == 2:
            q = np.concatenate([1 - q, q], axis=1)
        q[(q == 0).all(axis=1)] = 1
        with np.errstate(divide="ignore"):
            return normalised(np.log(q))

    return calibrate


METHODS: dict[str, Callable[[Array, Array], Calibrator]] = {
    "temperature": temperature,
    "vector": vector,
    "isotonic": isotonic,
}


def _every_class(y: Array, classes: int, method: str) -> None:
    missing = sorted(set(range(classes)) - set(np.unique(y).tolist()))
    if missing:
        raise FitFailed(
            f"{method} calibration needs a held-out example of each of {classes} classes, found none of"
            f" {', '.join(map(str, missing[:5]))}{' and others' if len(missing) > 5 else ''}"
            f" among {len(y):,}"
        )


def _informative(log_q: Array, y: Array, method: str) -> tuple[Array, Array]:
    """Return the examples whose own class has q > 0."""
    there = np.isfinite(log_q[np.arange(len(y)), y])
    if not there.any():
        raise FitFailed(f"{method} calibration: q of the true class is 0 in all {len(y):,} held-out examples")
    return log_q[there], y[there]


def _log_odds(log_q: Array, c: int) -> Array:
    """Return the log-odds of a class against the rest, (n,), within the range that is told apart."""
    odds = log_q[:, c] - logsumexp(np.delete(log_q, c, axis=1))
    return np.asarray(np.clip(odds, -MOST_LOG_ODDS, MOST_LOG_ODDS))


# --- least NLL: convex in the scales and biases ----------------------------------------------------------


def _least_on_interval(log_q: Array, y: Array) -> float:
    """Return the scale with the least NLL, by Newton's method within a bracket that bisection narrows."""
    finite = np.where(np.isneginf(log_q), 0.0, log_q)
    own = finite[np.arange(len(y)), y].mean()

    def slopes(scale: float) -> tuple[float, float]:
        q = np.exp(normalised(scale * log_q))
        mean = (q * finite).sum(axis=1)
        return float(mean.mean() - own), float(((q * finite**2).sum(axis=1) - mean**2).mean())

    low, high = LEAST_SCALE, MOST_SCALE
    if slopes(low)[0] >= 0:
        return low
    if slopes(high)[0] <= 0:
        return high
    scale = 1.0
    for _ in range(STEPS):
        slope, curvature = slopes(scale)
        low, high = (low, scale) if slope > 0 else (scale, high)
        if abs(slope) * (high - low) < GAIN:
            break
        step = scale - slope / curvature if curvature > 0 else low
        if slope**2 < GAIN * curvature:
            return float(np.clip(step, low, high))
        scale = step if low < step < high else 0.5 * (low + high)
    return scale


def _scaled_by_class(parameters: Array, classes: int) -> tuple[Array, Array]:
    """Return scales (k,) and biases (k,), of which the first is 0, from 2k - 1 numbers."""
    return parameters[:classes], np.concatenate([[0.0], parameters[classes:]])


def _least_in_box(log_q: Array, y: Array, start: Array) -> Array:
    """Return scales and biases with the least NLL, by projected Newton steps (Bertsekas 1982)."""
    count, classes = log_q.shape
    finite = np.where(np.isneginf(log_q), 0.0, log_q)
    low = np.concatenate([np.full(classes, LEAST_SCALE), np.full(classes - 1, -MOST_BIAS)])
    high = np.concatenate([np.full(classes, MOST_SCALE), np.full(classes - 1, MOST_BIAS)])
    rows = np.arange(count)

    def nll(parameters: Array) -> tuple[float, Array]:
        scales, biases = _scaled_by_class(parameters, classes)
        found = normalised(scales * log_q + biases)
        return float(-found[rows, y].mean()), np.exp(found)

    def slopes(q: Array) -> tuple[Array, Array]:
        rest = q.copy()
        rest[rows, y] -= 1
        weighted = np.concatenate([q * finite, q[:, 1:]], axis=1)
        own = weighted.T @ np.concatenate([finite, np.ones((count, classes - 1))], axis=1)
        curvature = (own * _same_class(classes) - weighted.T @ weighted) / count
        return np.concatenate([(rest * finite).mean(axis=0), rest.mean(axis=0)[1:]]), curvature

    parameters, (value, q), damping = start, nll(start), LEAST_DAMPING
    for _ in range(STEPS):
        gradient, curvature = slopes(q)
        free = ~(((parameters <= low) & (gradient > 0)) | ((parameters >= high) & (gradient < 0)))
        if _gain(gradient[free], _newton_step(gradient, curvature, free, LEAST_DAMPING)[free]) < GAIN:
            break
        while damping < MOST_DAMPING:
            step = _newton_step(gradient, curvature, free, damping)
            trial = np.clip(parameters + step, low, high)
            trial_value, trial_q = nll(trial)
            if value - trial_value >= 1e-4 * _gain(gradient, trial - parameters):
                break
            damping *= 10
        else:
            break
        parameters, value, q = trial, trial_value, trial_q
        damping = max(damping / 100, LEAST_DAMPING)
    return parameters


def _gain(gradient: Array, step: Array) -> float:
    return float(-gradient @ step)


def _newton_step(gradient: Array, curvature: Array, free: Array, damping: float) -> Array:
    """Return Newton's step in the free directions, damped relative to the curvature along each."""
    along = np.diag(curvature)[free]
    damped = curvature[np.ix_(free, free)] + np.diag(damping * np.maximum(along, LEAST_CURVATURE))
    step = np.zeros_like(gradient)
    step[free] = -np.linalg.solve(damped, gradient[free])
    return step


def _same_class(classes: int) -> Array:
    """Return which pairs of the 2k - 1 scales and biases belong to one class."""
    owner = np.concatenate([np.arange(classes), np.arange(1, classes)])
    return np.asarray(owner[:, None] == owner)
