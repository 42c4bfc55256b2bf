"""The measures that need a whole evaluation: information gap, calibration and grouping, crossings.

Each is fn(evaluation, log_q (n, k)) -> {name: Value}, empty where it doesn't apply.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from benchmarks.evaluation import Evaluation, expectation, kl
from benchmarks.task import Array, logsumexp

CALIBRATION_BINS = 100
ECE_BINS = 15
ZEROS = "q has zeros"  # why expected KL is infinite
NO_INFORMATION = 1e-12  # nats
ON_A_LINE = 10_000  # points: more than a quadrature over one input has


class Value(NamedTuple):
    """A shape metric's result: NaN where there is none, with the reason."""

    value: float
    reason: str = ""


def information_gap(evaluation: Evaluation, log_q: Array) -> dict[str, Value]:
    """Return E KL(p || q) / I(X;C), so that predicting the class priors costs exactly 1.

    Blank where x says nothing about the class, to rounding.
    """
    if evaluation.information < NO_INFORMATION:
        return {"information_gap": Value(np.nan, "x says nothing about the class: I(X;C) is 0")}
    gap = _expected_kl(evaluation, log_q) / evaluation.information
    return {"information_gap": Value(gap, ZEROS if gap == np.inf else "")}


def _expected_kl(evaluation: Evaluation, log_q: Array) -> float:
    return float(expectation(kl(evaluation.log_posterior, log_q), evaluation.weights["all"]))


# --- calibration: the split of expected KL by what q itself distinguishes ---------------------------------


def calibration_split(evaluation: Evaluation, log_q: Array) -> dict[str, Value]:
    """Return calibration loss, grouping loss and what the bins blur; two classes, else nothing.

    E KL(p || q) = E KL(E[p|q] || q) + E KL(p || E[p|q]) (Kull and Flach 2015, ECML), with E[p|q] taken over
    100 equal-mass bins of q's log-odds. Grouping is what no recalibration of q can mend.
    """
    if evaluation.classes != 2:
        return {}
    return _named("", _split(evaluation.log_posterior, log_q, evaluation.weights["all"]))


def split_by_class(evaluation: Evaluation, log_q: Array) -> dict[str, Value]:
    """Return the split of each class against the rest, the mean over classes; more than two, else nothing."""
    if evaluation.classes <= 2:
        return {}
    weights, log_p = evaluation.weights["all"], evaluation.log_posterior
    rest_p, rest_q = _rest(log_p), _rest(log_q)
    splits = [
        _split(_pair(rest_p, log_p, c), _pair(rest_q, log_q, c), weights) for c in range(evaluation.classes)
    ]
    return _named("_ovr", np.mean(splits, axis=0))


def _named(suffix: str, split: Array) -> dict[str, Value]:
    names = ("calibration_loss", "grouping_loss", "binning_residual")
    return {name + suffix: Value(float(value)) for name, value in zip(names, split, strict=True)}


def _pair(rest: Array, log_p: Array, c: int) -> Array:
    return np.stack([rest[:, c], log_p[:, c]], axis=1)


def _rest(log_p: Array) -> Array:
    """Return the log probability (n, k) of all classes but each.

    Of the most probable class that is summed, because 1 - p loses all digits where p is nearly 1.
    """
    with np.errstate(divide="ignore"):
        rest = np.log(-np.expm1(np.minimum(log_p, 0)))
    top = np.argmax(log_p, axis=1)[:, None]
    others = log_p.copy()
    np.put_along_axis(others, top, -np.inf, axis=1)
    np.put_along_axis(rest, top, logsumexp(others)[:, None], axis=1)
    return rest


def _split(log_p: Array, log_q: Array, weights: Array) -> Array:
    """Return calibration loss, grouping loss and residual (3,) of two classes."""
    with np.errstate(invalid="ignore"):
        bins = equal_mass_bins(log_q[:, 1] - log_q[:, 0], weights, CALIBRATION_BINS)
    mass = np.bincount(bins, weights=weights, minlength=CALIBRATION_BINS)
    used = mass > 0
    with np.errstate(divide="ignore"):
        mean_p, mean_q = (np.log(_bin_means(np.exp(v), bins, weights, mass)) for v in (log_p, log_q))
    calibration = float((mass[used] * kl(mean_p[used], mean_q[used])).sum())
    grouping = float(expectation(kl(log_p, mean_p[bins]), weights))
    whole = float(expectation(kl(log_p, log_q), weights))
    return np.array([calibration, grouping, whole - calibration - grouping])


def _bin_means(values: Array, bins: Array, weights: Array, mass: Array) -> Array:
    """Return the weighted mean (bins, k) of values (n, k) in each bin, 0 in empty ones."""
    sums = [np.bincount(bins, weights=weights * column, minlength=len(mass)) for column in values.T]
    return np.stack(sums, axis=1) / np.where(mass > 0, mass, 1)[:, None]


def equal_mass_bins(key: Array, weights: Array, count: int) -> Array:
    """Return the bin (n,) of each point when points are sorted by key into bins of equal mass.

    Points with the same key are never parted, so that a constant q has one bin.
    """
    # Along a line q is sorted in long runs, which a stable sort finds; elsewhere the other is twice as fast.
    order = np.argsort(key, kind="stable" if len(key) < ON_A_LINE else "quicksort")
    ordered = key[order]
    group = np.concatenate([[0], np.cumsum(ordered[1:] != ordered[:-1])])
    mass = np.bincount(group, weights=weights[order])
    middle = np.cumsum(mass) - mass / 2
    bins = np.empty(len(key), dtype=np.int64)
    bins[order] = np.minimum((middle / mass.sum() * count).astype(np.int64), count - 1)[group]
    return bins


def ece(evaluation: Evaluation, log_q: Array) -> dict[str, Value]:
    """Return the expected calibration error of the top label, 15 equal-mass bins, accuracy from exact p."""
    weights = evaluation.weights["all"]
    choice = np.argmax(log_q, axis=1)
    points = np.arange(len(choice))
    confidence = np.exp(log_q[points, choice])
    accuracy = np.exp(evaluation.log_posterior[points, choice])
    bins = equal_mass_bins(confidence, weights, ECE_BINS)
    gaps = np.bincount(bins, weights=weights * (accuracy - confidence), minlength=ECE_BINS)
    return {"ece": Value(float(np.abs(gaps).sum()))}


# --- crossings: where the most probable class changes along a line ----------------------------------------


class Crossings(NamedTuple):
    """Positions (m,) along x, and the classes left and right of each, (m, 2)."""

    x: Array
    pair: Array


def crossings(evaluation: Evaluation, log_p: Array) -> Crossings:
    """Return where the most probable class changes inside the window, by linear interpolation of log-odds."""
    low, high = (-np.inf, np.inf) if evaluation.window is None else evaluation.window[0]
    x = evaluation.x[:, 0]
    inside = np.flatnonzero((x >= low) & (x <= high))
    x, log_p = x[inside], log_p[inside]
    top = np.argmax(log_p, axis=1)
    at = np.flatnonzero(top[1:] != top[:-1])
    pair = np.stack([top[at], top[at + 1]], axis=1)
    with np.errstate(invalid="ignore"):
        before = log_p[at, pair[:, 0]] - log_p[at, pair[:, 1]]
        after = log_p[at + 1, pair[:, 1]] - log_p[at + 1, pair[:, 0]]
        span = before + after
        share = np.where(np.isfinite(span) & (span > 0), before / np.where(span > 0, span, 1), 0.5)
    return Crossings(x[at] + share * (x[at + 1] - x[at]), pair)


@functools.lru_cache(maxsize=64)
def _true_crossings(evaluation: Evaluation) -> Crossings:
    return crossings(evaluation, evaluation.log_posterior)


def crossing_measures(evaluation: Evaluation, log_q: Array) -> dict[str, Value]:
    """Return how many true crossings the model has, how far those are off, and how many it has besides.

    A crossing is found where the model has one with the same classes on the same sides within the smaller
    of 0.25 and 0.4 of the distance to the nearest other true crossing. Tolerances never overlap, so the
    nearest is the only candidate and the matching is one to one. Blank where the task has none.
    """
    if evaluation.x.shape[1] != 1:
        return {}
    names = ("crossings_found", "crossing_error", "crossings_spurious")
    true, model = _true_crossings(evaluation), crossings(evaluation, log_q)
    if not len(true.x):
        return dict.fromkeys(names, Value(np.nan, "the task has no crossing"))
    distances = []
    for i, (x, pair) in enumerate(zip(true.x, true.pair, strict=True)):
        others = np.abs(np.delete(true.x, i) - x)
        tolerance = min(0.25, 0.4 * others.min()) if len(others) else 0.25
        same = np.abs(model.x[(model.pair == pair).all(axis=1)] - x)
        distances.extend(same[same <= tolerance][np.argsort(same[same <= tolerance])][:1])
    error = Value(float(np.mean(distances))) if distances else Value(np.nan, "no crossing found")
    found = len(distances)
    return dict(zip(names, (Value(float(found)), error, Value(float(len(model.x) - found))), strict=True))
