"""Integrals of a task's joint density over cells of the line or the plane, refined where they need it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from benchmarks.task import Array, Task, checked_log_joint

REACH = 40.0  # of the chart: 1e17 scales from the centre, beyond which a Cauchy density has 1e-17 of its mass
DEPTHS = {1: 60, 2: 30}  # of the tree, at most, by number of inputs
MOST = {1: 1, 2: 40}  # points of the sample in a leaf, above which it is halved
ORDER = 6  # of the Gauss-Legendre rule in each direction of a box
ROWS = 2**17  # points that a task is asked about at once, at most
ENOUGH = 3_000_000  # points in all; what isn't settled then is in the error
SETTLED = 1e-10  # a box whose halves together change by less isn't halved again


@dataclass(frozen=True)
class Chart:
    """The map x = centre + scale sinh(t) in each direction, whose even steps reach far tails soon.

    centre (d,) and scale (d,), above 0.
    """

    centre: Array
    scale: Array

    @classmethod
    def of(cls, x: Array) -> Chart:
        """Return the chart around the median of a sample x (n, d), of half its interquartile range."""
        low, centre, high = np.quantile(x, (0.25, 0.5, 0.75), axis=0)
        scale = (high - low) / 2
        return cls(centre, np.where(scale > 0, scale, 1.0))

    def back(self, x: Array) -> Array:
        """Return t (n, d) of x (n, d)."""
        return np.asarray(np.arcsinh((x - self.centre) / self.scale))

    def forth(self, t: Array) -> tuple[Array, Array]:
        """Return x (n, d) of t (n, d), and the map's Jacobian determinant there, (n,)."""
        return self.centre + self.scale * np.sinh(t), (self.scale * np.cosh(t)).prod(axis=1)


@dataclass(frozen=True)
class Tree:
    """Boxes that fill a chart of the line or the plane, smaller where a sample has more points.

    starts (m,): the number of each box's first corner on a Z-shaped curve through all corners (Morton 1966),
    ascending; level (m,): how often the whole was halved in every direction to give the box.
    """

    chart: Chart
    starts: Array
    level: Array

    @classmethod
    def of(cls, x: Array) -> Tree:
        """Return the tree of a sample x (n, d), d at most 2.

        Boxes beside each other differ by one level at most (Yerry and Shephard 1983), so that a density which
        ends in a void, and hardly reaches into it, isn't overlooked there.
        """
        chart, d = Chart.of(x), x.shape[1]
        depth = DEPTHS[d]
        code, split = np.sort(_laced(_corner(chart.back(x), depth), depth)), []
        for level in range(depth):
            box, count = np.unique(code >> (d * (depth - level)), return_counts=True)
            split.append(box[count > MOST[d]])
            code = code[np.repeat(count > MOST[d], count)]
        for level in range(depth - 1, 0, -1):
            corner = _unlaced(split[level], d, level)
            beside = np.concatenate([corner + step for step in itertools.product((-1, 0, 1), repeat=d)])
            around = _laced(np.clip(beside, 0, 2**level - 1) >> 1, level)
            split[level - 1] = np.unique(np.concatenate([split[level - 1], around]))
        return cls(chart, *_leaves(split, d))

    @property
    def features(self) -> int:
        """Number of inputs d."""
        return len(self.chart.centre)

    def boxes(self) -> tuple[Array, Array]:
        """Return the boxes' low and high corners in the chart, (m, d)."""
        depth = DEPTHS[self.features]
        low = _unlaced(self.starts, self.features, depth)
        size = 2 * REACH / 2**depth
        return low * size - REACH, (low + (1 << (depth - self.level))[:, None]) * size - REACH

    def place(self, x: Array) -> Array:
        """Return which box each x (n, d) lies in, (n,)."""
        depth = DEPTHS[self.features]
        code = _laced(_corner(self.chart.back(x), depth), depth)
        return np.searchsorted(self.starts, code, side="right") - 1


def _corner(t: Array, depth: int) -> Array:
    """Return the number (n, d) in each direction of the smallest box that t (n, d) is in."""
    return np.asarray(np.clip((t + REACH) / (2 * REACH) * 2**depth, 0, 2**depth - 1), dtype=np.int64)


def _leaves(split: list[Array], d: int) -> tuple[Array, Array]:
    """Return starts and levels of the boxes that aren't split, along the curve; split: those that are."""
    boxes, starts, levels = np.zeros(1, dtype=np.int64), [], []
    for level in range(len(split) + 1):
        inner = np.isin(boxes, split[level] if level < len(split) else ())
        starts.append(boxes[~inner] << (d * (len(split) - level)))
        levels.append(np.full((~inner).sum(), level))
        boxes = ((boxes[inner] << d)[:, None] + np.arange(2**d)).ravel()
    order = np.argsort(np.concatenate(starts))
    return np.concatenate(starts)[order], np.concatenate(levels)[order]


def _laced(corner: Array, depth: int) -> Array:
    """Return numbers (n,) on the curve whose bits are those of the corners (n, d) in turn."""
    d = corner.shape[1]
    if d == 1:
        return corner[:, 0]
    code = np.zeros(len(corner), dtype=np.int64)
    for bit, axis in itertools.product(range(depth), range(d)):
        code |= ((corner[:, axis] >> bit) & 1) << (d * bit + axis)
    return code


def _unlaced(code: Array, d: int, depth: int) -> Array:
    """Return the corners (n, d) of numbers (n,) on the curve."""
    if d == 1:
        return code[:, None]
    corner = np.zeros((len(code), d), dtype=np.int64)
    for bit, axis in itertools.product(range(depth), range(d)):
        corner[:, axis] |= ((code >> (d * bit + axis)) & 1) << bit
    return corner


@dataclass(frozen=True)
class Integral:
    """Integrals of the joint density over boxes, classes (m, k), and how far each may be off, error (m,)."""

    classes: Array
    error: Array

    @cached_property
    def boxes(self) -> Array:
        """The density's integral over each box, (m,)."""
        return np.asarray(self.classes.sum(axis=1))

    @cached_property
    def priors(self) -> Array:
        """The joint density's integral over all boxes, (k,)."""
        return np.asarray(self.classes.sum(axis=0))


def integrate(task: Task, tree: Tree) -> Integral:
    """Return the integrals of a task's joint density over a tree's boxes, by adaptive Gauss-Legendre rules.

    A box is halved in every direction until the sum of the parts agrees with the whole. Raises TaskError
    where `log_joint` breaks its contract.
    """
    low, high = tree.boxes()
    owner, d = np.arange(len(low)), tree.features
    classes, error = np.zeros((len(low), task.classes)), np.zeros(len(low))
    whole, used = _rule(task, tree.chart, low, high), 0
    while len(owner):
        low, high = _split(low, high)
        parts = _rule(task, tree.chart, low, high)
        used += len(low) * ORDER**d
        total = parts.reshape(-1, 2**d, task.classes).sum(axis=1)
        change = np.abs(total - whole).sum(axis=1)
        done = (change < SETTLED) | (used > ENOUGH)
        np.add.at(classes, owner[done], total[done])
        np.add.at(error, owner[done], change[done])
        again = np.repeat(~done, 2**d)
        low, high, whole, owner = low[again], high[again], parts[again], np.repeat(owner[~done], 2**d)
    return Integral(classes, error)


def _split(low: Array, high: Array) -> tuple[Array, Array]:
    """Return each box's 2^d halves in every direction, one box after the other."""
    middle = 0.5 * (low + high)
    upper = np.array(list(itertools.product((False, True), repeat=low.shape[1])))
    starts = np.where(upper, middle[:, None], low[:, None])
    ends = np.where(upper, high[:, None], middle[:, None])
    return starts.reshape(-1, low.shape[1]), ends.reshape(-1, low.shape[1])


def _rule(task: Task, chart: Chart, low: Array, high: Array) -> Array:
    """Return the joint density's integrals over boxes, (m, k), by a product of Gauss-Legendre rules."""
    d = low.shape[1]
    nodes, weights = np.polynomial.legendre.leggauss(ORDER)
    grid = np.array(list(itertools.product(0.5 * (nodes + 1), repeat=d)))
    weight = np.array(list(itertools.product(0.5 * weights, repeat=d))).prod(axis=1)
    step = max(1, ROWS // len(grid))
    found = [np.empty((0, task.classes))]
    for i in range(0, len(low), step):
        size = high[i : i + step] - low[i : i + step]
        t = low[i : i + step, None] + size[:, None] * grid
        x, jacobian = chart.forth(t.reshape(-1, d))
        joint = np.exp(checked_log_joint(task, x)) * jacobian[:, None]
        joint[np.isinf(joint)] = 0.0  # a pole that a node happens to hit has no mass itself
        mass = joint.reshape(len(size), len(grid), task.classes) * weight[:, None]
        found.append(mass.sum(axis=1) * size.prod(axis=1)[:, None])
    return np.concatenate(found)
