"""Integration over one or two inputs: the trapezoidal rule on a grid with sinh-spaced axes."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from benchmarks.regions import Cells, Points, Rule, as_networks_see, region_weights
from benchmarks.task import Array, Task, TaskError, checked_log_joint, checked_sample, log_density

NODES = {1: 4097, 2: 257}  # an axis: about 0.005 and 0.03 standard deviations apart in the bulk
SHARE = {1: 1e-20, 2: 1e-10}  # of the mass for a unit of t, which ends the range that is then doubled
COARSE = {1: (4, 0.5), 2: (2, 1.0)}  # every which node a check rule takes, and its factor
NEGLIGIBLE = {1: 0.0, 2: 1e-16}  # mass of all nodes together that is left out where no window shows them
TOLERANCE = 1e-2  # of the density's integral: weights sum to 1 whatever it is, and every error includes it
ROWS = 65_536  # of the fine grid that are worked on at once
ZONES = 4  # of equal width, in the outer half of the range: do contributions settle there?


class _Axis(NamedTuple):
    """Nodes t and x (n,), dx = jacobian dt (n,), and x at the nodes and midway between them (2n - 1,)."""

    t: Array
    x: Array
    dx: Array
    fine: Array


class _Grid(NamedTuple):
    """Axes, and of every node (n_1, ..., n_d): mass; density on the fine grid (2 n_1 - 1, ...)."""

    axes: list[_Axis]
    reach: Array
    mass: Array
    density: Array


def integrate(task: Task) -> Points:
    """Return the points of a task with one or two inputs.

    x = centre + scale sinh(t) with even steps in t reaches far tails with few points, and for smooth
    integrands that decay on both sides the trapezoidal rule converges geometrically (Trefethen and
    Weideman 2014, SIAM Review 56(3):385-458). At a kink or a jump, where it converges slower, its error
    depends on where between two nodes that lies; so a number's error is the largest disagreement with the
    rules that take a quarter of the nodes, times a factor (with one input 0.5: at a kink they err 16 times
    as much, at a jump four times), or with half the range. Raises TaskError where the density doesn't
    integrate to 1, or the window isn't one.
    """
    centre, scale = _bulk(task)
    reach = _reach(task, centre, scale)
    nodes = NODES[task.features]
    axes = [_axis(*each, nodes) for each in zip(centre, scale, np.arcsinh(2 * np.sinh(reach)), strict=True)]
    fine = _mesh([axis.fine for axis in axes])
    log_p = np.concatenate([log_density(task, fine[i : i + ROWS]) for i in range(0, len(fine), ROWS)])
    density = np.exp(log_p).reshape([len(axis.fine) for axis in axes])
    mass = density[(slice(None, None, 2),) * len(axes)]
    for i, axis in enumerate(axes):
        mass = mass * np.expand_dims(axis.dx, tuple(j for j in range(len(axes)) if j != i))
    total = float(mass.sum())
    if not abs(total - 1) < TOLERANCE:
        raise TaskError(
            f"task {task.name}: the density should integrate to 1, it integrates to {total:.9g}; it isn't"
            " normalised, too narrow for the grid, or discrete (then the task needs a `support`)"
        )
    return _points(task, _Grid(axes, reach, mass, density), _mesh([axis.x for axis in axes]))


def _points(task: Task, grid: _Grid, x: Array) -> Points:
    """Return what the grid says, without the nodes that neither carry mass nor are shown."""
    window = _window(task)
    indices = np.indices(grid.mass.shape).reshape(grid.mass.ndim, -1)
    shown = np.zeros(len(x), dtype=bool) if window is None else _inside(x, window)
    kept = np.flatnonzero(shown | (grid.mass.ravel() >= NEGLIGIBLE[task.features] / grid.mass.size))
    node = indices[:, kept]
    t = np.stack([axis.t[i] for axis, i in zip(grid.axes, node, strict=True)])
    step, factor = COARSE[len(grid.axes)]
    near = np.flatnonzero((np.abs(t) <= grid.reach[:, None]).all(axis=0))
    rules = [Rule(near, region_weights(_cells(grid, node[:, near], 1, window)))]
    for first in itertools.product(range(step), repeat=len(grid.axes)):
        every = np.flatnonzero((node % step == np.array(first)[:, None]).all(axis=0))
        rules.append(Rule(every, region_weights(_cells(grid, node[:, every], step, window)), factor))
    ranges = " x ".join(f"[{axis.x[0]:.4g}, {axis.x[-1]:.4g}]" for axis in grid.axes)
    counts = " x ".join(f"{len(axis.t):,}" for axis in grid.axes)
    return Points(
        x=x[kept],
        log_joint=checked_log_joint(task, x[kept]),
        weights=region_weights(_cells(grid, node, 1, window)),
        method=f"quadrature, {counts} nodes on {ranges}",
        error=abs(float(grid.mass.sum()) - 1),
        checks=tuple(rules),
        window=window,
        tails=_tails(t / np.array([axis.t[-1] for axis in grid.axes])[:, None]),
    )


def _cells(grid: _Grid, node: Array, step: int, window: Array | None) -> Cells:
    """Return the cells around nodes (d, m) of which every `step`-th is used, from midpoint to midpoint."""
    lengths = np.array(grid.density.shape)[:, None]
    low, high = np.maximum(2 * node - step, 0), np.minimum(2 * node + step, lengths - 1)
    corners = np.stack([grid.density[tuple(at)] for at in itertools.product(*zip(low, high, strict=True))])
    shown = None
    if window is not None:
        shown = (grid.mass[tuple(node)] > 0).astype(np.float64)  # in a void there is no posterior to miss
        for axis, a, b, (left, right) in zip(grid.axes, low, high, window, strict=True):
            shown *= np.clip(np.minimum(axis.fine[b], right) - np.maximum(axis.fine[a], left), 0, None)
    return Cells(grid.mass[tuple(node)], corners.min(axis=0), corners.max(axis=0), shown)


def _tails(share: Array) -> tuple[tuple[Array, ...], ...]:
    """Return the zones of each tail: left and right of a line, the frame of a plane; share (d, n) in t."""
    edges = np.linspace(0.5, 1, ZONES + 1)
    sides = [-share[0], share[0]] if len(share) == 1 else [np.abs(share).max(axis=0)]
    zones = list(itertools.pairwise(edges))
    return tuple(tuple(np.flatnonzero((side > a) & (side <= b)) for a, b in zones) for side in sides)


def _axis(centre: float, scale: float, end: float, nodes: int) -> _Axis:
    t = np.linspace(-end, end, nodes)
    fine = centre + scale * np.sinh(np.linspace(-end, end, 2 * nodes - 1))
    return _Axis(t, as_networks_see(fine[::2]), scale * np.cosh(t) * (t[1] - t[0]), fine)


def _bulk(task: Task) -> tuple[Array, Array]:
    """Return centre and scale (d,) of the bulk of the density."""
    x, _ = checked_sample(task, 4096, np.random.default_rng(0))
    low, centre, high = np.quantile(x, [0.16, 0.5, 0.84], axis=0)
    return centre, np.maximum((high - low) / 2, np.finfo(np.float32).tiny)


def _reach(task: Task, centre: Array, scale: Array) -> Array:
    """Return the t (d,) of each axis beyond which the density has no share left.

    Looked for on coarse grids that grow until their edge has no share.
    """
    d = len(centre)
    end, count = 3.75, 2401 if d == 1 else 129
    while True:
        t = np.linspace(-end, end, count)
        x = _mesh([c + s * np.sinh(t) for c, s in zip(centre, scale, strict=True)])
        jacobian = sum(_mesh([np.log(s * np.cosh(t)) for s in scale]).T)
        share = (log_density(task, x) + jacobian).reshape((count,) * d)
        counts = share > np.log(SHARE[d])
        along = [counts.any(axis=tuple(j for j in range(d) if j != i)) for i in range(d)]
        far = np.array([np.abs(t[each]).max(initial=0) for each in along])
        if far.max() < end or end >= 60:
            return np.asarray(np.minimum(far + (t[1] - t[0]), end))
        end *= 2


def _mesh(axes: list[Array]) -> Array:
    """Return every combination of the axes' values, (product of lengths, d), the last axis fastest."""
    return np.stack([part.ravel() for part in np.meshgrid(*axes, indexing="ij")], axis=1)


def _window(task: Task) -> Array | None:
    """Return the display window (d, 2), None where there is none; raises TaskError."""
    stated = getattr(task, "window", None)
    if stated is None:
        return None
    expected = "(low, high)" if task.features == 1 else "((low, high), (low, high))"
    try:
        window = np.reshape(np.asarray(stated, dtype=np.float64), (task.features, 2))
    except (TypeError, ValueError):
        raise TaskError(f"task {task.name}: expected a window {expected}, found {stated!r}") from None
    if not (np.isfinite(window).all() and (window[:, 0] < window[:, 1]).all()):
        raise TaskError(f"task {task.name}: expected a window {expected} with low < high, found {stated!r}")
    return window


def _inside(x: Array, window: Array) -> Array:
    return np.asarray(((x >= window[:, 0]) & (x <= window[:, 1])).all(axis=1))
