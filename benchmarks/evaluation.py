"""Where a task is scored: points, weights of the regions, the exact posterior and its integration error."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from benchmarks.task import Array, Task, TaskError, log_density, log_posterior, logsumexp, over_classes

NODES = 4097  # of the quadrature, about 0.005 standard deviations apart in the bulk
STRATA = 10
SPARSE = {"sparse99": 0.99, "sparse95": 0.95}  # region: mass of the highest-density region that it leaves out


@dataclass(frozen=True)
class Rule:
    """A coarser or shorter rule on some points of an evaluation, kept to measure the integration error.

    points: the slice of points it uses; weights: {region: (m,), sums to 1}; factor: what share of its
    disagreement with the full rule counts as the full rule's error.
    """

    points: slice
    weights: Mapping[str, Array]
    factor: float

    @cached_property
    def table(self) -> Array:
        """The weights of all regions as rows, (regions, m)."""
        return np.stack(list(self.weights.values()))


@dataclass(frozen=True, eq=False)  # compared and hashed as the object it is, so that caches can hold it
class Evaluation:
    """The points, weights and exact log-posteriors that a task is scored on.

    x: (n, d) float64, exactly representable in float32, as the networks see it; weights: {region: (n,),
    sums to 1}; log_posterior: (n, k) nats; error: how far the density's integral is from 1; window: the
    stretch that figures show, or None; checks: the rules whose largest disagreement is a number's error.
    """

    x: Array
    weights: Mapping[str, Array]
    log_posterior: Array
    method: str
    error: float
    window: tuple[float, float] | None = None
    checks: tuple[Rule, ...] = ()

    @cached_property
    def table(self) -> Array:
        """The weights of all regions as rows, (regions, n)."""
        return np.stack(list(self.weights.values()))

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.log_posterior.shape[1])

    @cached_property
    def log_prior(self) -> Array:
        """Log class priors in nats, (k,), integrated over the same points as every measure."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(expectation(np.exp(self.log_posterior.T), self.weights["all"])))

    @cached_property
    def entropy(self) -> float:
        """H(C|X) in nats."""
        p = np.exp(self.log_posterior)
        terms = np.where(p > 0, p * self.log_posterior, 0.0)
        return float(-expectation(terms.sum(axis=1), self.weights["all"]))

    @cached_property
    def bayes_error(self) -> float:
        """The error rate of the exact posterior, the least that any classifier can have."""
        return float(expectation(1 - np.exp(self.log_posterior).max(axis=1), self.weights["all"]))

    @cached_property
    def information(self) -> float:
        """I(X;C) in nats: the expected KL of predicting the class priors everywhere."""
        log_prior = np.broadcast_to(self.log_prior, self.log_posterior.shape)
        return float(expectation(kl(self.log_posterior, log_prior), self.weights["all"]))

    @cached_property
    def restrictions(self) -> tuple[Evaluation, ...]:
        """The evaluation on each of its check rules, for measures that need all of it."""
        return tuple(
            replace(
                self,
                x=self.x[rule.points],
                weights=rule.weights,
                log_posterior=self.log_posterior[rule.points],
                checks=(),
            )
            for rule in self.checks
        )


def expectation(values: Array, weights: Array) -> Array:
    """Return the weighted sum over the last axis of values and weights, which broadcast.

    Points without weight don't count, whatever the value there. NumPy's own summation is used instead of
    a matrix product because its result never depends on how many rows are summed beside each other.
    """
    with np.errstate(invalid="ignore"):
        total = np.asarray((values * weights).sum(axis=-1))
        if np.isfinite(total).all():
            return total
        return np.asarray(np.where(weights > 0, values * weights, 0.0).sum(axis=-1))


def kl(log_p: Array, log_q: Array) -> Array:
    """Return KL(p || q) at each point, over the last axis, in nats; infinite where q is 0 and p isn't."""
    p = np.exp(log_p)
    with np.errstate(invalid="ignore"):
        return over_classes(np.sum, np.where(p > 0, p * (log_p - log_q), 0.0))


def evaluate(task: Task) -> Evaluation:
    """Return the evaluation of a task with one input, by the trapezoidal rule on a sinh-spaced grid.

    x = centre + scale sinh(t) with even steps in t reaches far tails with few points, and for smooth
    integrands that decay on both sides the trapezoidal rule converges geometrically (Trefethen and
    Weideman 2014, SIAM Review 56(3):385-458). At a kink or a jump, where it converges slower, its error
    depends on where between two nodes that lies; so a number's error is the largest disagreement with the
    four rules that take every fourth node, halved (at a kink those err 16 times as much, at a jump four
    times), or with half the range. Raises TaskError where the task has more inputs or its density doesn't
    integrate to 1.
    """
    if task.features != 1:
        raise TaskError(f"task {task.name}: quadrature needs one input, the task has {task.features}")
    window = getattr(task, "window", None)
    grid = _grid(task)
    coarse = [slice(first, None, 4) for first in range(4)]
    short = Rule(grid.inside, _regions(grid.cells(grid.inside), window), 1.0)
    return Evaluation(
        x=grid.x[:, None],
        weights=_regions(grid.cells(slice(None)), window),
        log_posterior=log_posterior(task, grid.x[:, None]),
        method=f"quadrature, {NODES} nodes on [{grid.x[0]:.4g}, {grid.x[-1]:.4g}]",
        error=abs(float(grid.mass.sum()) - 1),
        window=window,
        checks=(short, *(Rule(points, _regions(grid.cells(points), window), 0.5) for points in coarse)),
    )


class _Cells(NamedTuple):
    """What each node of a rule stands for: its mass (n,), and x and density at the ends of its cell."""

    mass: Array
    x: tuple[Array, Array]
    density: tuple[Array, Array]


class _Grid(NamedTuple):
    """Nodes x (n,) and masses; fine: nodes and midpoints between, with density; inside: half the range."""

    x: Array
    mass: Array
    fine: Array
    density: Array
    inside: slice

    def cells(self, points: slice) -> _Cells:
        """Return what the nodes of a rule stand for, each from midpoint to midpoint."""
        node, step = np.arange(len(self.x))[points], points.step or 1
        low, high = np.maximum(2 * node - step, 0), np.minimum(2 * node + step, len(self.fine) - 1)
        ends = (self.fine[low], self.fine[high])
        return _Cells(self.mass[points], ends, (self.density[low], self.density[high]))


def _grid(task: Task) -> _Grid:
    """Return the grid of a task, over twice the range where its density has a share; raises TaskError."""
    centre, scale, reach = _tail_reach(task)
    wide = np.arcsinh(2 * np.sinh(reach))
    t = np.linspace(-wide, wide, NODES)
    fine = centre + scale * np.sinh(np.linspace(-wide, wide, 2 * NODES - 1))
    x = as_networks_see(fine[::2])
    mass = scale * np.cosh(t) * (t[1] - t[0]) * np.exp(log_density(task, x[:, None]))
    total = float(mass.sum())
    if not abs(total - 1) < 1e-6:
        raise TaskError(f"task {task.name}: the density should integrate to 1, it integrates to {total:.9g}")
    inside = np.flatnonzero(np.abs(t) <= reach)
    density = np.exp(log_density(task, fine[:, None]))
    return _Grid(x, mass, fine, density, slice(int(inside[0]), int(inside[-1]) + 1))


def _tail_reach(task: Task) -> tuple[float, float, float]:
    """Return centre and scale of the bulk, and the t beyond which the density has no share left."""
    x, _ = task.sample(4096, np.random.default_rng(0))
    low, centre, high = np.quantile(x[:, 0], [0.16, 0.5, 0.84])
    scale = (high - low) / 2
    t = np.linspace(0, 60, 2401)
    with np.errstate(over="ignore"):
        both_sides = np.stack([centre + scale * np.sinh(t), centre - scale * np.sinh(t)])
        share = log_density(task, both_sides.reshape(-1, 1)).reshape(2, -1) + np.log(scale * np.cosh(t))
    beyond = np.flatnonzero((share > np.log(1e-20)).any(axis=0))
    return float(centre), float(scale), float(t[min(beyond[-1] + 1, len(t) - 1)])


def _regions(cells: _Cells, window: tuple[float, float] | None) -> dict[str, Array]:
    """Return the weights (n,) of every region."""
    below = functools.cache(lambda quantile: _share_below(cells, quantile))
    shares = {region: below(round(1 - inner, 12)) for region, inner in SPARSE.items()}
    for stratum in range(1, STRATA + 1):
        denser, sparser = 1 - (stratum - 1) / STRATA, 1 - stratum / STRATA
        shares[f"stratum-{stratum}"] = below(round(denser, 12)) - below(round(sparser, 12))
    weights = {"all": cells.mass} | {region: cells.mass * share for region, share in shares.items()}
    if window is not None:
        low, high = cells.x
        inside = np.clip(np.minimum(high, window[1]) - np.maximum(low, window[0]), 0, None)
        weights["sparse99-uniform"] = inside * shares["sparse99"]
    return {region: weight / weight.sum() for region, weight in weights.items() if weight.sum() > 0}


def _share_below(cells: _Cells, quantile: float) -> Array:
    """Return the share (n,) of each cell where the density is below its quantile, so that the mass is exact.

    Within a cell the density counts as linear between its ends, so that a region's boundary needn't lie
    between two nodes; cells of one density across the boundary all have the same share.
    """
    from scipy.optimize import brentq

    low, high = np.minimum(*cells.density), np.maximum(*cells.density)
    width = np.where(high > low, high - low, 1.0)

    def share(log_threshold: float) -> Array:
        threshold = np.exp(log_threshold)
        return np.asarray(np.where(high > low, np.clip((threshold - low) / width, 0, 1), threshold > low))

    def excess(log_threshold: float) -> float:
        return float(cells.mass @ share(log_threshold)) - quantile * float(cells.mass.sum())

    if quantile in (0, 1):
        return np.full(len(low), float(quantile))
    bracket = np.log(np.finfo(float).tiny), np.log(high.max()) + 1e-6
    root = brentq(excess, *bracket, xtol=1e-13)
    under, over = root - 1e-9, root + 1e-9
    mix = excess(under) / (excess(under) - excess(over))
    return np.asarray(share(under) + mix * (share(over) - share(under)))


def as_networks_see(x: Array) -> Array:
    """Return x rounded to float32, as float64: the points where a network and the exact posterior meet."""
    return x.astype(np.float32).astype(np.float64)


def normalised(log_q: Array) -> Array:
    """Return log probabilities whose exponentials sum to 1 over the last axis."""
    return np.asarray(log_q - logsumexp(log_q)[..., None])
