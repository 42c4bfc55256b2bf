"""The measures that need a whole evaluation: calibration and grouping, crossings.

Each is fn(evaluation, log_q (n, k)) -> {name: Value}, empty where it doesn't apply.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from benchmarks.binning import Bins, Sorter, bin_starts
from benchmarks.evaluation import Evaluation, kl
from benchmarks.layout import at_class, most_probable
from benchmarks.task import Array, logsumexp

CALIBRATION_BINS = 100
ECE_BINS = 15


class Value(NamedTuple):
    """A shape metric's result: NaN where there is none, with the reason; and what each check rule says."""

    value: float
    reason: str = ""
    checks: tuple[float, ...] = ()


# --- calibration: the split of expected KL by what q itself distinguishes ---------------------------------


def calibration_split(evaluation: Evaluation, log_q: Array) -> dict[str, Value]:
    """Return calibration loss, grouping loss and what the bins blur, in nats; two classes, else nothing.

    log_q (n, k): the model's at the evaluation's points.
    E KL(p || q) = E KL(E[p|q] || q) + E KL(p || E[p|q]) (Kull and Flach 2015, ECML), with E[p|q] taken over
    100 equal-mass bins of q's log-odds. Grouping is what no recalibration of q can mend.
    """
    if evaluation.classes != 2:
        return {}
    return _named("", _split(evaluation, evaluation.by_class.T, log_q.T))


def split_by_class(evaluation: Evaluation, log_q: Array) -> dict[str, Value]:
    """Return the split of each class against the rest, the mean over classes; more than two, else nothing.

    log_q (n, k): the model's at the evaluation's points; in nats, see `calibration_split`.
    """
    if evaluation.classes <= 2:
        return {}
    # Class by class each is read in one piece.
    log_p, rest_p = _against_the_rest(evaluation)
    own, rest_q = np.ascontiguousarray(log_q.T), np.ascontiguousarray(_rest(log_q).T)
    splits = [
        _split(evaluation, np.stack([rest_p[c], log_p[c]]), np.stack([rest_q[c], own[c]]))
        for c in range(evaluation.classes)
    ]
    return _named("_ovr", np.mean(splits, axis=0))


def _named(suffix: str, split: Array) -> dict[str, Value]:
    names = ("calibration_loss", "grouping_loss", "binning_residual")
    return {name + suffix: _value(values) for name, values in zip(names, split, strict=True)}


def _value(rules: Array) -> Value:
    first, *checks = rules.tolist()
    return Value(first, "", tuple(checks))


@functools.lru_cache(maxsize=2)
def _against_the_rest(evaluation: Evaluation) -> tuple[Array, Array]:
    """Return the exact log probability of each class and of all others, both (k, n)."""
    log_p = evaluation.log_posterior
    return np.ascontiguousarray(log_p.T), np.ascontiguousarray(_rest(log_p).T)


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


def _split(evaluation: Evaluation, log_p: Array, log_q: Array) -> Array:
    """Return calibration loss, grouping loss and residual (3, rules) of two classes' logs (2, n)."""
    with np.errstate(invalid="ignore"):
        bins = _sorter(evaluation)(log_q[1] - log_q[0], CALIBRATION_BINS)
    p = np.exp(log_p)
    weighted = np.take(np.concatenate([p, np.exp(log_q)]), bins.points, axis=1)
    weighted *= bins.weights
    mass = bins.sums(bins.weights)
    means = bins.sums(weighted) / np.where(mass > 0, mass, 1)
    with np.errstate(divide="ignore"):
        log_means = np.log(means)
    calibration = bins.of_rules(np.where(mass > 0, mass * kl(log_means[:2].T, log_means[2:].T), 0.0))
    grouping = _grouping(bins, log_p, weighted[:2], log_means[:2])
    whole = evaluation.overall(kl(log_p.T, log_q.T)[None])[0, : len(grouping)]
    with np.errstate(invalid="ignore"):
        return np.stack([calibration, grouping, whole - calibration - grouping])


def _grouping(bins: Bins, log_p: Array, weighted: Array, log_means: Array) -> Array:
    """Return E KL(p || its bin's mean p) under each rule; weighted p (2, m), log means (2, bins)."""
    terms = np.take(log_p, bins.points, axis=1)
    with np.errstate(invalid="ignore"):
        terms -= bins.spread(log_means)
        terms *= weighted
    if not np.isfinite(log_means).all() or np.isnan(terms).any():
        terms = np.where(weighted > 0, terms, 0.0)
    return bins.of_rules(bins.sums(terms[0] + terms[1]))


@functools.lru_cache(maxsize=64)
def _sorter(evaluation: Evaluation) -> Sorter:
    return Sorter(evaluation.rules)


def ece(evaluation: Evaluation, log_q: Array) -> dict[str, Value]:
    """Return the expected calibration error of the top label, 15 equal-mass bins, accuracy from exact p.

    log_q (n, k): the model's at the evaluation's points. The sum over bins of their mass times the distance
    between mean accuracy and mean confidence (Naeini, Cooper and Hauskrecht 2015, AAAI).
    """
    choice = most_probable(log_q)
    confidence = np.exp(at_class(log_q, choice))
    gap = np.exp(at_class(evaluation.by_class, choice)) - confidence
    bins = _sorter(evaluation)(confidence, ECE_BINS)
    return {"ece": _value(bins.of_rules(np.abs(bins.sums(bins.weights * gap[bins.points]))))}


def equal_mass_bins(key: Array, weights: Array, count: int) -> Array:
    """Return the bin (n,) of each point when points are sorted by key into bins of equal mass.

    Points with the same key are never parted, so that a constant q has one bin.
    """
    order = np.argsort(key, kind="stable")
    starts, number, _ = bin_starts(key[order], weights[order], np.zeros(1, dtype=np.int64), count)
    bins = np.empty(len(key), dtype=np.int64)
    bins[order] = np.repeat(number, np.diff(starts, append=len(key)))
    return bins


# --- crossings: where the most probable class changes along a line ----------------------------------------


class Crossings(NamedTuple):
    """Positions (m,) along x, and the classes left and right of each, (m, 2)."""

    x: Array
    pair: Array


class _Line(NamedTuple):
    """The points inside the window under one rule after the other, and the true crossings there.

    x (n,): positions; points and rule (m,): which point, under which rule; inner (m - 1,): whether the next
    point is the same rule's; true: crossings, with their rules and tolerances (t,); rules: how many.
    """

    points: Array
    x: Array
    rule: Array
    inner: Array
    true: Crossings
    true_rule: Array
    tolerance: Array
    rules: int


def crossings(evaluation: Evaluation, log_p: Array) -> Crossings:
    """Return where the most probable class changes inside the window, by linear interpolation of log-odds.

    log_p (n, k): a log posterior at the evaluation's points, of one input; positions are in units of x.
    """
    inside = _inside(evaluation, np.arange(len(evaluation.x)))
    top = most_probable(log_p)[inside]
    return _changes(evaluation.x[:, 0], log_p, inside, np.flatnonzero(top[1:] != top[:-1]))


def _inside(evaluation: Evaluation, points: Array) -> Array:
    low, high = (-np.inf, np.inf) if evaluation.window is None else evaluation.window[0]
    x = evaluation.x[points, 0]
    return np.asarray(points[(x >= low) & (x <= high)])


def _changes(x: Array, log_p: Array, index: Array, at: Array) -> Crossings:
    """Return the crossings between the points index[at] and index[at + 1] of x (n,) and log_p (n, k)."""
    left, right = index[at], index[at + 1]
    before, after, span = log_p[left], log_p[right], x[right] - x[left]
    from_, to = most_probable(before), most_probable(after)
    rows = np.arange(len(at))
    with np.errstate(invalid="ignore"):
        lead = before[rows, from_] - before[rows, to]
        whole = lead + (after[rows, to] - after[rows, from_])
        share = np.where(np.isfinite(whole) & (whole > 0), lead / np.where(whole > 0, whole, 1), 0.5)
    return Crossings(x[left] + share * span, np.stack([from_, to], axis=1))


@functools.lru_cache(maxsize=64)
def _line(evaluation: Evaluation) -> _Line:
    parts = [_inside(evaluation, np.asarray(rule.points)) for rule in evaluation.rules]
    index = np.concatenate(parts)
    rule = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    x, log_p, inner = evaluation.x[:, 0], evaluation.log_posterior, rule[1:] == rule[:-1]
    top = most_probable(log_p)[index]
    at = np.flatnonzero((top[1:] != top[:-1]) & inner)
    true = _changes(x, log_p, index, at)
    apart = np.abs(true.x[:, None] - true.x)
    apart[(rule[at][:, None] != rule[at]) | np.eye(len(at), dtype=bool)] = np.inf
    tolerance = np.minimum(0.25, 0.4 * apart.min(axis=1, initial=np.inf))
    return _Line(index, x, rule, inner, true, rule[at], tolerance, len(parts))


def crossing_measures(evaluation: Evaluation, log_q: Array) -> dict[str, Value]:
    """Return how many true crossings the model has, how far those are off, and how many it has besides.

    log_q (n, k): the model's at the evaluation's points; distances are in units of x.
    A crossing is found where the model has one with the same classes on the same sides within the smaller
    of 0.25 and 0.4 of the distance to the nearest other true crossing. Tolerances never overlap, so the
    nearest is the only candidate and the matching is one to one. Blank where the task has none.
    """
    if evaluation.x.shape[1] != 1:
        return {}
    names = ("crossings_found", "crossing_error", "crossings_spurious")
    line = _line(evaluation)
    there = np.bincount(line.true_rule, minlength=line.rules) > 0
    if not there[0]:
        nothing = Value(np.nan, "the task has no crossing", (np.nan,) * (line.rules - 1))
        return dict.fromkeys(names, nothing)
    found, distance, besides = (np.where(there, each, np.nan) for each in _matched(line, log_q))
    with np.errstate(invalid="ignore"):
        error = _value(distance / found)
    if not found[0]:
        error = error._replace(reason="no crossing found")
    return dict(zip(names, (_value(found), error, _value(besides)), strict=True))


def _matched(line: _Line, log_q: Array) -> tuple[Array, Array, Array]:
    """Return found crossings, their distances' sum, and the model's other ones, each (rules,)."""
    top = most_probable(log_q)[line.points]
    at = np.flatnonzero((top[1:] != top[:-1]) & line.inner)
    model = _changes(line.x, log_q, line.points, at)
    distance = np.abs(model.x - line.true.x[:, None])
    same = (line.rule[at] == line.true_rule[:, None]) & (model.pair == line.true.pair[:, None]).all(axis=2)
    distance = np.where(same, distance, np.inf).min(axis=1, initial=np.inf)
    hit = distance <= line.tolerance
    found = np.bincount(line.true_rule, weights=hit, minlength=line.rules)
    total = np.bincount(line.true_rule, weights=np.where(hit, distance, 0.0), minlength=line.rules)
    return found, total, np.bincount(line.rule[at], minlength=line.rules) - found
