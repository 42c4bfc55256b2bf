"""Where in a task's input space a number is averaged: the weights of every region over a rule's points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from benchmarks.task import Array

STRATA = 10
WINDOW = "sparse99-uniform"  # the sparse region inside the display window, each part of it alike
SPARSE = {"sparse99": 0.99, "sparse95": 0.95}  # region: mass of the highest-density region that it leaves out


@dataclass(frozen=True)
class Rule:
    """A coarser or shorter rule on some points of an evaluation, kept to measure the integration error.

    points: which points it uses, a slice or (m,) indices; weights: {region: (m,), sums to 1}; factor: what
    share of its disagreement with the full rule counts as the full rule's error.
    """

    points: slice | Array
    weights: Mapping[str, Array]
    factor: float = 1.0

    @cached_property
    def table(self) -> Array:
        """The weights of all regions as rows, (regions, m)."""
        return np.stack(list(self.weights.values()))


@dataclass(frozen=True)
class Averages:
    """Weighted sums under many rows of weights at once, of which only those above 0 are kept.

    index and weight (m,): the points of the rows, one row behind the other, and their weights; starts (s,):
    where each row that has any begins; rows (s,): which these are of all `count`.
    """

    index: Array
    weight: Array
    starts: Array
    rows: Array
    count: int

    @classmethod
    def of(cls, rows: Sequence[tuple[Array, Array]]) -> Averages:
        """Return those of rows of points (m,) and weights (m,)."""
        index = [points[weights > 0] for points, weights in rows]
        sizes = np.array([len(each) for each in index])
        there = np.flatnonzero(sizes)
        return cls(
            np.concatenate(index),
            np.concatenate([weights[weights > 0] for _, weights in rows]),
            (np.cumsum(sizes) - sizes)[there],
            there,
            len(rows),
        )

    def __call__(self, values: Array) -> Array:
        """Return the sums (r, rows) of values (r, n); points without weight don't count, whatever is there.

        Each row of values is summed by itself, so that no result depends on what is summed beside it.
        """
        found = np.zeros((len(values), self.count))
        with np.errstate(invalid="ignore"):
            for own, each in zip(found, values, strict=True):
                own[self.rows] = np.add.reduceat(each[self.index] * self.weight, self.starts)
        return found


class Points(NamedTuple):
    """What a way to integrate hands to an evaluation.

    x (n, d), rounded as networks see it; log_joint (n, k) nats; weights: {region: (n,), sums to 1}; method,
    in words; error: how far the density's integral is from 1, NaN where it isn't integrated; checks: rules
    that tell the integration error; replicates: whether these are independent and make up the whole, rather
    than coarser versions of it; window (d, 2): what figures show, or None; tails: for each tail, from near
    to far, zones of indices of equal width.
    """

    x: Array
    log_joint: Array
    weights: Mapping[str, Array]
    method: str
    error: float
    checks: tuple[Rule, ...] = ()
    replicates: bool = False
    window: Array | None = None
    tails: tuple[tuple[Array, ...], ...] = ()


class Cells(NamedTuple):
    """What each point of a rule stands for: its mass (n,), and the least and largest density there (n,).

    Of an atom both are the same. window (n,): the cell's volume inside the display window, or None.
    Densities may be relative to any one constant.
    """

    mass: Array
    low: Array
    high: Array
    window: Array | None = None


def as_networks_see(x: Array) -> Array:
    """Return x (n, d) rounded to float32, as float64: where a network and the exact posterior meet."""
    return x.astype(np.float32).astype(np.float64)


def atoms(mass: Array, log_density: Array) -> Cells:
    """Return points that stand for themselves alone, of mass (n,) and log density (n,)."""
    # Probabilities that are equal on paper differ in the last bits; rounded, they stay tied.
    density = np.exp(np.round(log_density - log_density.max(), 9))
    return Cells(mass, density, density)


def region_weights(cells: Cells) -> dict[str, Array]:
    """Return the weights (n,) of every region, each summing to 1; regions without mass are left out.

    Sparse regions are what highest-density regions (Hyndman 1996, The American Statistician 50(2):120-126)
    leave out; strata lie between two of these.
    """
    shares = {region: share_below(cells, round(1 - inner, 12)) for region, inner in SPARSE.items()}
    below = [share_below(cells, round(1 - i / STRATA, 12)) for i in range(STRATA + 1)]
    for i in range(STRATA):
        shares[f"stratum-{i + 1}"] = below[i] - below[i + 1]
    weights = {"all": cells.mass} | {region: cells.mass * share for region, share in shares.items()}
    if cells.window is not None:
        weights[WINDOW] = cells.window * shares["sparse99"]
    return {region: weight / weight.sum() for region, weight in weights.items() if weight.sum() > 0}


def share_below(cells: Cells, quantile: float) -> Array:
    """Return the share (n,) of each cell where the density is below its quantile, so that the mass is exact.

    Within a cell the density counts as linear between its extremes, so that a region's boundary needn't lie
    between two points; atoms and cells of one density across the boundary all have the same share.
    """
    if quantile in (0, 1):
        return np.full(len(cells.mass), float(quantile))
    return _atoms_below(cells, quantile) if cells.low is cells.high else _cells_below(cells, quantile)


def _atoms_below(cells: Cells, quantile: float) -> Array:
    _, tied = np.unique(cells.low, return_inverse=True)
    mass = np.bincount(tied, weights=cells.mass)
    before = np.cumsum(mass) - mass
    share = (quantile * mass.sum() - before) / np.where(mass > 0, mass, 1)
    return np.asarray(np.clip(share, 0, 1)[tied])


def _cells_below(cells: Cells, quantile: float) -> Array:
    from scipy.optimize import brentq

    low, high = cells.low, cells.high
    width = np.where(high > low, high - low, 1.0)

    def share(log_threshold: float) -> Array:
        threshold = np.exp(log_threshold)
        with np.errstate(over="ignore"):  # cells far out, whose densities are subnormal
            part = np.clip((threshold - low) / width, 0, 1)
        return np.asarray(np.where(high > low, part, threshold > low))

    def excess(log_threshold: float) -> float:
        return float(cells.mass @ share(log_threshold)) - quantile * float(cells.mass.sum())

    bracket = np.log(np.finfo(float).tiny), np.log(high.max()) + 1e-6
    root = brentq(excess, *bracket, xtol=1e-13)
    under, over = root - 1e-9, root + 1e-9
    mix = excess(under) / (excess(under) - excess(over))
    return np.asarray(share(under) + mix * (share(over) - share(under)))
