"""Every metric, as a weighted sum over an evaluation's points. All in nats unless the unit says otherwise.

p is the exact posterior and q the model's, both as logs: log_p (n, k), log_q (r, n, k) for r models.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from benchmarks.evaluation import RESOLUTION, Evaluation, expectation, kl
from benchmarks.regions import WINDOW
from benchmarks.shape import (
    ZEROS,
    calibration_split,
    crossing_measures,
    ece,
    information_gap,
    split_by_class,
)
from benchmarks.task import Array, over_classes

ROUNDING = 1e-12  # zeros of q with less p-mass than this are rounding, not belief
HAVE_EXPECTED_KL = ("information_gap", "binning_residual", "binning_residual_ovr")
EPSILON = 2.0**-52
LOG_TINY = -745.0  # log of the smallest positive float64, what such zeros become
DIVERGENT = "divergent tail"


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


def divergent(evaluation: Evaluation, values: Array, weights: Array, total: float) -> bool:
    """Return whether an average (n,) doesn't settle as its range grows: is the range's end not negligible,

    and are the contributions of equal steps in t = arcsinh(x) not falling towards it? Where p(x) has heavy
    tails, log q may grow too fast for the expectation to exist.
    """
    for tail in evaluation.tails:
        if abs(float(expectation(values[tail[-1]], weights[tail[-1]]))) <= 1e-6 * abs(total):
            continue
        parts = [abs(float(expectation(values[zone], weights[zone]))) for zone in tail[1:]]
        if all(later > 0.5 * earlier for earlier, later in itertools.pairwise(parts)):
            return True
    return False


# --- the list, and scoring by it -------------------------------------------------------------------------

_OVR = "more than two classes: one against the rest, their mean: "

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
        Metric("calibration_loss_ovr", "nats", -1, "shape", _OVR + "calibration loss", split_by_class),
        Metric("grouping_loss_ovr", "nats", -1, "shape", _OVR + "grouping loss", split_by_class),
        Metric("binning_residual_ovr", "nats", 0, "shape", _OVR + "residual", split_by_class),
        Metric("ece", "1", -1, "shape", "top-label calibration error, 15 bins", ece),
        Metric("rounded_mass", "1", 0, "record", "mass of q's zeros taken as rounding"),
        Metric("distinct_examples", "examples", 0, "record", "different examples seen so far"),
        Metric("parameters", "count", 0, "record", "trainable parameters"),
        Metric("multiply_adds", "count", 0, "record", "multiply-adds of one optimiser step, all members"),
        Metric("best_step", "steps", 0, "record", "step whose state was kept, by held-out loss"),
        Metric("training_seconds", "s", 0, "record", "training time up to the budget, a network's share"),
        Metric("budget_to_target", "examples", -1, "record", "examples until the gap stays below a target"),
        Metric("efficiency", "1", 1, "record", "k / (2 N expected KL), N distinct examples"),
        Metric("bias", "nats", -1, "record", "expected KL of the seeds' geometric-mean prediction"),
        Metric("variance", "nats", -1, "record", "expected KL from that mean prediction to each seed's"),
        Metric("label_noise_share", "1", 0, "record", "share of expected KL that exact labels would save"),
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
    settles = not any(s.metric == "expected_kl" and s.region == "all" and s.reason for s in scores)
    for fn in dict.fromkeys(metric.fn for metric in METRICS.values() if metric.kind == "shape"):
        assert fn is not None
        scores.extend(_shape_scores(fn, evaluation, log_q, settles))
    return scores


def _pointwise_scores(metric: Metric, evaluation: Evaluation, log_q: Array) -> Iterator[Score]:
    assert metric.fn is not None
    values = metric.fn(evaluation.log_posterior, log_q[None])[0]
    regions = len(evaluation.weights) if metric.everywhere else 1
    averages = expectation(values, evaluation.table[:regions])
    checks = [expectation(values[rule.points], rule.table[:regions]) for rule in evaluation.checks]
    for i, (region, weights) in enumerate(list(evaluation.weights.items())[:regions]):
        value = float(averages[i])
        if region != WINDOW and divergent(evaluation, values, weights, value):
            yield Score(metric.name, region, np.inf, np.nan, DIVERGENT)
        else:
            error = evaluation.integration_error(value, [check[i] for check in checks])
            zeros = metric.fn is kl and value == np.inf
            if 0 < abs(value) < EPSILON:  # less than a sum of terms near 1 can tell, whatever the rules say
                error = max(error, EPSILON)
            yield Score(metric.name, region, value, error, ZEROS if zeros else "")


def _shape_scores(
    fn: Callable[..., Any], evaluation: Evaluation, log_q: Array, settles: bool
) -> Iterator[Score]:
    parts = zip(evaluation.restrictions, evaluation.checks, strict=True)
    checks = [fn(part, log_q[rule.points]) for part, rule in parts]
    for name, (value, reason) in fn(evaluation, log_q).items():
        if name in HAVE_EXPECTED_KL and not settles:
            yield Score(name, "all", np.inf, np.nan, DIVERGENT)
            continue
        resolution = 0.0 if METRICS[name].unit == "count" else RESOLUTION
        error = evaluation.integration_error(value, [check[name].value for check in checks], resolution)
        yield Score(name, "all", value, error, reason)
