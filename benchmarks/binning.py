"""Bins of equal mass of what a model says, under an evaluation's rule and its checks at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.regions import Rule
from benchmarks.task import Array

ON_A_LINE = 10_000  # points: more than a quadrature over one input has
NONE = 255  # stands for no rule; an evaluation has 17 at most


class Bins(NamedTuple):
    """Points sorted by a key under one rule after the other, and where bins of equal mass begin in that.

    points (m,): which stands there; weights (m,); starts (b,): of the bins that hold any points;
    rules (r,): which of these is the first of each rule; order (r,): each rule's place in that.
    """

    points: Array
    weights: Array
    starts: Array
    rules: Array
    order: Array

    def sums(self, values: Array) -> Array:
        """Return the sums (..., b) over each bin of values (..., m)."""
        return np.add.reduceat(values, self.starts, axis=-1)

    def of_rules(self, values: Array) -> Array:
        """Return the sums (r,) over each rule's bins of values (b,), in the order of the rules."""
        return np.add.reduceat(values, self.rules)[self.order]

    def spread(self, values: Array) -> Array:
        """Return each point's bin's value, (..., m), from values (..., b)."""
        return np.repeat(values, np.diff(self.starts, append=len(self.points)), axis=-1)


class Sorter:
    """Sorts an evaluation's points once for all of its rules.

    Rules that share no points are told apart in one pass over the sorted points.
    """

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        """Lay out the rules, of which each has its points as indices and the first has them all."""
        size = len(np.asarray(rules[0].points))
        families: list[tuple[Array, Array, list[int]]] = []
        for number, rule in enumerate(rules):
            free = (each for each in families if (each[0][rule.points] == NONE).all())
            family = next(free, None)
            if family is None:
                family = np.full(size, NONE, dtype=np.uint8), np.zeros(size), []
                families.append(family)
            labels, weights, members = family
            labels[rule.points] = len(members)
            weights[rule.points] = rule.weights["all"]
            members.append(number)
        self._families = [(labels, weights, len(members)) for labels, weights, members in families]
        order = [number for _, _, members in families for number in members]
        sizes = np.array([len(np.asarray(rules[number].points)) for number in order])
        self._starts, self._order = np.cumsum(sizes) - sizes, np.argsort(order)

    def __call__(self, key: Array, count: int) -> Bins:
        """Return `count` bins of a key (n,); points with the same key are never parted."""
        # Along a line q is sorted in long runs, which a stable sort finds; elsewhere the other is faster.
        order = np.argsort(key, kind="stable" if len(key) < ON_A_LINE else "quicksort")
        parts = [order]
        for labels, _, members in self._families[1:]:
            own = labels[order]
            # A stable sort of small whole numbers takes a few passes, however many rules there are.
            part = order[own == 0] if members == 1 else order[np.argsort(own, kind="stable")]
            parts.append(part[: (own < NONE).sum()])
        mass = np.concatenate([family[1][part] for family, part in zip(self._families, parts, strict=True)])
        index = np.concatenate(parts)
        starts, _, rules = bin_starts(key.take(index), mass, self._starts, count)
        return Bins(index, mass, starts, rules, self._order)


def bin_starts(key: Array, weights: Array, rules: Array, count: int) -> tuple[Array, Array, Array]:
    """Return where bins of equal mass begin in sorted keys (m,), their numbers, and each rule's first bin.

    rules (r,): where each rule begins. A bin's number says which of `count` quantiles the middles of its
    groups of equal keys lie in; a quantile that none lies in has no bin.
    """
    fresh = np.ones(len(key), dtype=bool)
    fresh[1:] = key[1:] != key[:-1]
    fresh[rules] = True
    if fresh.all():
        firsts, mass, own = None, weights, rules
    else:
        firsts = np.flatnonzero(fresh)
        mass, own = np.add.reduceat(weights, firsts), np.searchsorted(firsts, rules)
    ends = [*own.tolist()[1:], len(mass)]
    at = np.empty((len(own), count + 1), dtype=np.int64)
    at[:, 0], at[:, -1] = own, ends
    half, edges = mass / 2, np.arange(1.0, count)
    for row, begin, end in zip(at, own.tolist(), ends, strict=True):
        part = mass[begin:end]
        middle = part.cumsum()
        middle -= half[begin:end]
        middle /= part.sum()
        middle *= count
        row[1:-1] = begin + middle.searchsorted(edges)
    there = at[:, 1:] > at[:, :-1]
    starts, bins = at[:, :-1][there], there.sum(axis=1)
    return starts if firsts is None else firsts[starts], np.nonzero(there)[1], np.cumsum(bins) - bins
