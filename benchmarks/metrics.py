"""Every metric, as a weighted sum over an evaluation's points. All in nats unless the unit says otherwise.

p is the exact posterior and q the model's, both as logs: log_p (n, k), log_q (r, n, k) for r models.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from benchmarks.evaluation import Evaluation, expectation, kl
from benchmarks.task import Array, over_classes

ROUNDING = 1e-12  # zeros of q with less p-mass than this are rounding, not belief
LOG_TINY = -745.0  # log of the smallest positive float64, what such zeros become
RESOLUTION = 2.0**-24  # of float32, to which the points are rounded
CALIBRATION_BINS = 100
ECE_BINS = 15


class Value(NamedTuple):
    """A shape metric's result: NaN where there is none, with the reason."""

    value: float
    reason: str = ""


class Score(NamedTuple):
    """One number about one model: value and integration error are NaN where there is none, with a reason."""

    metric: str
    region: str
    value: float
    error: float
    reason: str = ""


@dataclass(frozen=True)
class Metric:
    """A named measure.

    kind: "pointwise", fn(log_p (n, k), log_q (r, n, k)) -> (r, n), averaged under the weights of each of
    its regions; "shape", fn(evaluation, log_q (n, k)) -> {name: Value} for this metric and those that share
    its work, empty where it doesn't apply; "record", measured by the engine or computed from records in
    reports, without fn. direction: -1 where less is better, 1 where more is better, 0 for neither.
    """

    name: str
    unit: str
    direction: int
    kind: str
    description: str
    fn: Callable[..., Any] | None = None
    everywhere: bool = False  # scored in every region rather than in `all` alone


def total_variation(log_p: Array, log_q: Array) -> Array:
    """Return half the sum of |p - q| at each point, (r, n), between 0 and 1."""
    return 0.5 * over_classes(np.sum, np.abs(np.exp(log_p) - np.exp(log_q)))


def squared_error(log_p: Array, log_q: Array) -> Array:
    """Return sum of (p - q)^2 at each point, (r, n): the Brier score's excess over the exact posterior's."""
    return over_classes(np.sum, (np.exp(log_p) - np.exp(log_q)) ** 2)


def excess_error(log_p: Array, log_q: Array) -> Array:
    """Return the error probability of q's choice less that of the best choice at each point, (r, n)."""
    p = np.exp(log_p)
    choice = np.argmax(log_q, axis=-1)
    return np.asarray(over_classes(np.max, p) - p[np.arange(len(p)), choice])


def nll(log_p: Array, log_q: Array) -> Array:
    """Return -sum of p log q at each point, (r, n) nats."""
    p = np.exp(log_p)
    with np.errstate(invalid="ignore"):
        return over_classes(np.sum, np.where(p > 0, -p * log_q, 0.0))


def infinite_mass(log_p: Array, log_q: Array) -> Array:
    """Return the p-probability of the classes that q excludes at each point, (r, n)."""
    return over_classes(np.sum, np.where(np.isneginf(log_q), np.exp(log_p), 0.0))


def information_gap(evaluation: Evaluation, log_q: Array) -> dict[str, Value]:
    """Return E KL(p || q) / I(X;C), so that predicting the class priors costs exactly 1."""
    return {"information_gap": Value(_expected_kl(evaluation, log_q) / evaluation.information)}


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
    weights, log_p = evaluation.weights["all"], evaluation.log_posterior
    with np.errstate(invalid="ignore"):
        bins = equal_mass_bins(log_q[:, 1] - log_q[:, 0], weights, CALIBRATION_BINS)
    mass = np.bincount(bins, weights=weights, minlength=CALIBRATION_BINS)
    used = mass > 0
    with np.errstate(divide="ignore"):
        mean_p, mean_q = (np.log(_bin_means(np.exp(v), bins, weights, mass)) for v in (log_p, log_q))
    calibration = float((mass[used] * kl(mean_p[used], mean_q[used])).sum())
    grouping = float(expectation(kl(log_p, mean_p[bins]), weights))
    residual = _expected_kl(evaluation, log_q) - calibration - grouping
    return {
        "calibration_loss": Value(calibration),
        "grouping_loss": Value(grouping),
        "binning_residual": Value(residual),
    }


def _bin_means(values: Array, bins: Array, weights: Array, mass: Array) -> Array:
    """Return the weighted mean (bins, k) of values (n, k) in each bin, 0 in empty ones."""
    sums = [np.bincount(bins, weights=weights * column, minlength=len(mass)) for column in values.T]
    return np.stack(sums, axis=1) / np.where(mass > 0, mass, 1)[:, None]


def equal_mass_bins(key: Array, weights: Array, count: int) -> Array:
    """Return the bin (n,) of each point when points are sorted by key into bins of equal mass.

    Points with the same key are never parted, so that a constant q has one bin.
    """
    order = np.argsort(key, kind="stable")  # fastest here: along a line, q is sorted in long runs
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
    low, high = evaluation.window or (-np.inf, np.inf)
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


# --- the list, and scoring by it -------------------------------------------------------------------------

METRICS = {
    metric.name: metric
    for metric in (
        Metric("information_gap", "1", -1, "shape", "expected KL over I(X;C)", information_gap),
        Metric("expected_kl", "nats", -1, "pointwise", "E KL(p || q)", kl, everywhere=True),
        Metric("tv", "1", -1, "pointwise", "E total variation", total_variation, everywhere=True),
        Metric("excess_error", "1", -1, "pointwise", "error rate less the Bayes error", excess_error),
        Metric("excess_brier", "1", -1, "pointwise", "E sum of (p - q)^2", squared_error),
        Metric("expected_nll", "nats", -1, "pointwise", "E -log q(C|x) = H(C|X) + expected KL", nll),
        Metric("infinite_mass", "1", -1, "pointwise", "mass that q excludes, so KL = inf", infinite_mass),
        Metric(
            "crossings_found", "count", 1, "shape", "true crossings that the model has", crossing_measures
        ),
        Metric("crossing_error", "x", -1, "shape", "mean distance of the found crossings", crossing_measures),
        Metric("crossings_spurious", "count", -1, "shape", "crossings that aren't there", crossing_measures),
        Metric("calibration_loss", "nats", -1, "shape", "E KL(E[p|q] || q), 100 bins", calibration_split),
        Metric("grouping_loss", "nats", -1, "shape", "E KL(p || E[p|q]), 100 bins", calibration_split),
        Metric("binning_residual", "nats", 0, "shape", "expected KL that the bins blur", calibration_split),
        Metric("ece", "1", -1, "shape", "top-label calibration error, 15 bins", ece),
        Metric("rounded_mass", "1", 0, "record", "mass of q's zeros taken as rounding"),
        Metric("distinct_examples", "examples", 0, "record", "different examples seen so far"),
        Metric("parameters", "count", 0, "record", "trainable parameters"),
        Metric("training_seconds", "s", 0, "record", "training time up to the budget, a network's share"),
        Metric("budget_to_target", "examples", -1, "record", "examples until the gap stays below a target"),
        Metric("efficiency", "1", 1, "record", "k / (2 N expected KL), N distinct examples"),
    )
}


def rounded(evaluation: Evaluation, log_q: Array) -> tuple[Array, float]:
    """Return log_q (n, k) with zeros of negligible p-mass replaced, and that mass.

    Zeros of q whose total p-mass is below 1e-12 take log q = -745; larger ones stay -inf.
    """
    zeros = np.isneginf(log_q)
    if not zeros.any():
        return log_q, 0.0
    mass = float(expectation(infinite_mass(evaluation.log_posterior, log_q), evaluation.weights["all"]))
    return (np.where(zeros, LOG_TINY, log_q), mass) if mass < ROUNDING else (log_q, 0.0)


def score(evaluation: Evaluation, log_q: Array) -> list[Score]:
    """Return every measure of one model with its integration error, from log q (n, k) at the points."""
    log_q, mass = rounded(evaluation, log_q)
    scores = [Score("rounded_mass", "all", mass, 0.0)]
    for metric in METRICS.values():
        if metric.kind == "pointwise":
            scores.extend(_pointwise_scores(metric, evaluation, log_q))
    for fn in dict.fromkeys(metric.fn for metric in METRICS.values() if metric.kind == "shape"):
        assert fn is not None
        scores.extend(_shape_scores(fn, evaluation, log_q))
    return scores


def _pointwise_scores(metric: Metric, evaluation: Evaluation, log_q: Array) -> Iterator[Score]:
    assert metric.fn is not None
    values = metric.fn(evaluation.log_posterior, log_q[None])[0]
    regions = len(evaluation.weights) if metric.everywhere else 1
    averages = expectation(values, evaluation.table[:regions])
    checks = [
        (expectation(values[rule.points], rule.table[:regions]), rule.factor) for rule in evaluation.checks
    ]
    for i, region in enumerate(list(evaluation.weights)[:regions]):
        error = _error(averages[i], [(check[i], factor) for check, factor in checks])
        yield Score(metric.name, region, float(averages[i]), error)


def _shape_scores(fn: Callable[..., Any], evaluation: Evaluation, log_q: Array) -> Iterator[Score]:
    checks = [
        (fn(part, log_q[rule.points]), rule.factor)
        for part, rule in zip(evaluation.restrictions, evaluation.checks, strict=True)
    ]
    for name, (value, reason) in fn(evaluation, log_q).items():
        resolution = 0.0 if METRICS[name].unit == "count" else RESOLUTION
        error = _error(value, [(check[name].value, factor) for check, factor in checks], resolution)
        yield Score(name, "all", value, error, reason)


def _error(value: float, checks: list[tuple[float, float]], resolution: float = RESOLUTION) -> float:
    """Return the largest disagreement with the check rules, each times its factor, and what rounding adds.

    NaN where there is no number, or no rule to check it against.
    """
    if not np.isfinite(value):
        return float("nan")
    differences = [abs(float(value - check)) * factor for check, factor in checks if not np.isnan(check)]
    return max(differences, default=float("nan")) + resolution * abs(float(value))
