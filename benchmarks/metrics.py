"""Every metric, as a weighted sum over an evaluation's points, in nats unless its unit says otherwise.

p is the exact posterior and q the model's, both as logs: log_p (n, k), log_q (r, n, k) for r models.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from benchmarks.evaluation import RESOLUTION, Evaluation, expectation, kl
from benchmarks.layout import at_class, most_probable, stacked
from benchmarks.regions import WINDOW
from benchmarks.shape import calibration_split, crossing_measures, ece, split_by_class
from benchmarks.task import Array, over_classes

ROUNDING = 1e-12  # zeros of q with less p-mass than this are rounding, not belief
RESIDUALS = ("binning_residual", "binning_residual_ovr")
EPSILON = 2.0**-52
LOG_TINY = -745.0  # log of the smallest positive float64, what such zeros become
DIVERGENT = "divergent tail"
ZEROS = "q has zeros"  # why expected KL is infinite
NO_INFORMATION = 1e-12  # nats
NONE_THERE = "x says nothing about the class: I(X;C) is 0"


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
    its regions; "ratio", expected KL over I(X;C); "shape", fn(evaluation, log_q (n, k)) -> {name: Value} for
    this metric and those that share its work, empty where it doesn't apply; "record", measured by the engine
    or computed from records in reports, without fn. direction: -1 where less is better, 1 where more is
    better, 0 for neither.
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
    return np.asarray(over_classes(np.max, p) - at_class(p, most_probable(log_q)))


def nll(log_p: Array, log_q: Array) -> Array:
    """Return -sum of p log q at each point, (r, n) nats."""
    p = np.exp(log_p)
    with np.errstate(invalid="ignore"):
        return over_classes(np.sum, np.where(p > 0, -p * log_q, 0.0))


def infinite_mass(log_p: Array, log_q: Array) -> Array:
    """Return the p-probability of the classes that q excludes at each point, (r, n)."""
    return over_classes(np.sum, np.where(np.isneginf(log_q), np.exp(log_p), 0.0))


def divergent(evaluation: Evaluation, values: Array, weights: Array, total: float) -> bool:
    """Return whether the average of values (n,) under weights (n,) doesn't settle as its range grows.

    That is where the range's end isn't negligible beside the total, and the contributions of equal steps in
    t = arcsinh(x) don't fall towards it. Where p(x) has heavy tails, log q may grow too fast for the
    expectation to exist.
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
        Metric("information_gap", "1", -1, "ratio", "expected KL over I(X;C)"),
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
    """Return every measure of one model with its integration error, from log q (n, k) at the points.

    >>> from benchmarks import registry
    >>> from benchmarks.evaluation import evaluate, normalised
    >>> evaluation = evaluate(registry.task("gauss-separated"))
    >>> unsure = normalised(0.5 * evaluation.log_posterior)  # half of the true log-odds
    >>> values = {(each.metric, each.region): each.value for each in score(evaluation, unsure)}
    >>> [round(values[name, "all"], 4) for name in ("expected_kl", "information_gap", "excess_error")]
    [0.0454, 0.0863, 0.0]
    >>> exact = score(evaluation, evaluation.log_posterior)
    >>> next(each.value for each in exact if each.metric == "expected_kl")
    0.0
    """
    return scores(evaluation, [log_q])[0]


def scores(evaluation: Evaluation, models: Sequence[Array]) -> list[list[Score]]:
    """Return every measure of models with its integration error, from each one's log q (n, k) at the points.

    No score depends on which other models are scored with it.
    """
    kept = [rounded(evaluation, each) for each in models]
    found = [[Score("rounded_mass", "all", mass, 0.0)] for _, mass in kept]
    log_q = stacked([each for each, _ in kept])
    for metric in METRICS.values():
        if metric.kind == "pointwise":
            averaged = _averaged(metric, evaluation, log_q)
            if metric.fn is kl:
                _extend(found, _gap(evaluation, averaged))
            _extend(found, _pointwise_scores(metric, evaluation, averaged))
    _extend(found, _shape_scores(evaluation, log_q))
    for own in found:
        infinite = next(s.reason for s in own if s.metric == "expected_kl" and s.region == "all")
        if infinite:  # then so is what is left of it
            own[:] = [
                s._replace(value=np.inf, error=np.nan, reason=infinite) if s.metric in RESIDUALS else s
                for s in own
            ]
    return found


def _extend(found: list[list[Score]], more: Iterable[list[Score]]) -> None:
    for own, new in zip(found, more, strict=True):
        own.extend(new)


class _Averaged(NamedTuple):
    """Averages of r models in g regions under c check rules.

    values (r, g); checks (r, g, c); diverges (r, g): whether there is no average.
    """

    values: Array
    checks: Array
    diverges: Array


def _averaged(metric: Metric, evaluation: Evaluation, log_q: Array) -> _Averaged:
    assert metric.fn is not None
    at_points = metric.fn(evaluation.by_class, log_q)
    averages = evaluation.everywhere if metric.everywhere else evaluation.overall
    regions = list(evaluation.weights) if metric.everywhere else ["all"]
    found = averages(at_points).reshape(len(log_q), -1, len(regions))
    rules = 1 + len(evaluation.checks)
    values, checks, ends = found[:, 0], found[:, 1:rules], found[:, rules:]
    diverges = np.zeros(values.shape, dtype=bool)
    # Only where the range's end counts is there more to look at.
    for model, region in zip(
        *np.nonzero(~(abs(ends) <= 1e-6 * abs(values[:, None])).all(axis=1)), strict=True
    ):
        if (name := regions[region]) != WINDOW:
            total = float(values[model, region])
            diverges[model, region] = divergent(evaluation, at_points[model], evaluation.weights[name], total)
    return _Averaged(values, np.ascontiguousarray(np.moveaxis(checks, 1, 2)), diverges)


def _pointwise_scores(metric: Metric, evaluation: Evaluation, found: _Averaged) -> Iterator[list[Score]]:
    values, checks, diverges = found
    errors = evaluation.integration_errors(values.ravel(), checks.reshape(values.size, -1)).reshape(
        values.shape
    )
    # Less than a sum of terms near 1 can tell, whatever the rules say.
    errors = np.where((abs(values) > 0) & (abs(values) < EPSILON), np.fmax(errors, EPSILON), errors)
    rows = (each.tolist() for each in (values, errors, diverges))
    for numbers in zip(*rows, strict=True):
        own = zip(evaluation.weights, *numbers, strict=False)  # of the regions, the first or all
        yield [_score(metric.name, region, *each, zeros=metric.fn is kl) for region, *each in own]


def _score(name: str, region: str, value: float, error: float, diverges: bool, *, zeros: bool) -> Score:
    if diverges:
        return Score(name, region, np.inf, np.nan, DIVERGENT)
    return Score(name, region, value, error, ZEROS if zeros and value == np.inf else "")


def _gap(evaluation: Evaluation, found: _Averaged) -> Iterator[list[Score]]:
    """Yield the information gap of each model: expected KL / I(X;C), blank where x says nothing."""
    name, information = "information_gap", evaluation.information_by_rule
    if information[0] < NO_INFORMATION:
        yield from ([Score(name, "all", np.nan, np.nan, NONE_THERE)] for _ in found.values)
        return
    with np.errstate(divide="ignore", invalid="ignore"):
        checks = np.where(information[1:] < NO_INFORMATION, np.nan, found.checks[:, 0] / information[1:])
    values = found.values[:, 0] / information[0]
    errors = evaluation.integration_errors(values, checks)
    for each in zip(values.tolist(), errors.tolist(), found.diverges[:, 0].tolist(), strict=True):
        yield [_score(name, "all", *each, zeros=True)]


def _shape_scores(evaluation: Evaluation, log_q: Array) -> Iterator[list[Score]]:
    shapes = [fn for fn in dict.fromkeys(m.fn for m in METRICS.values() if m.kind == "shape") if fn]
    found = [{name: value for fn in shapes for name, value in fn(evaluation, each).items()} for each in log_q]
    units = [METRICS[name].unit for each in found for name in each]
    errors = evaluation.integration_errors(
        np.array([value.value for each in found for value in each.values()]),
        np.array([value.checks for each in found for value in each.values()]),
        np.where(np.array(units) == "count", 0.0, RESOLUTION),
    )
    later = iter(errors.tolist())
    for each in found:
        yield [Score(name, "all", v.value, next(later), v.reason) for name, v in each.items()]
