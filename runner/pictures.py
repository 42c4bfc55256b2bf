"""Where a task's densities, exact posterior and outputs are drawn, so that pages need no torch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks import registry
from benchmarks.evaluation import Evaluation
from benchmarks.regions import SPARSE
from benchmarks.task import Array, Task, checked_log_joint, log_density
from runner.scoring import curve_points, curve_shape, evaluation_of, representatives_of

SCATTERED = 600  # representatives of P(x) that are drawn of a task with many inputs
REGION = "sparse99"


class Drawing(NamedTuple):
    """What `reports.results.Picture` shows of a task before any output is known.

    axes, shape, x, log_joint, sparse and shares as there; rows: which of the task's representatives the
    points are, whose predictions are kept; empty where the points are those of the curve.
    """

    axes: tuple[str, ...]
    shape: tuple[int, ...]
    x: Array
    log_joint: Array
    sparse: Array
    shares: tuple[float, ...] = ()
    rows: tuple[int, ...] = ()


def drawing(name: str) -> Drawing | None:
    """Return where a registered task is drawn; None of one discrete input.

    A grid over the display window of one or two inputs; else representatives of P(x) on its two strongest
    principal components.
    """
    task, evaluation = registry.task(name), evaluation_of(name)
    x = curve_points(evaluation)
    if len(x):
        axes = ("x",) if task.features == 1 else ("x1", "x2")
        sparse = log_density(task, x) < boundary(task, evaluation)
        return Drawing(axes, curve_shape(evaluation), x, checked_log_joint(task, x), sparse)
    return None if task.features == 1 else _scattered(task, evaluation, *representatives_of(name))


def _scattered(task: Task, evaluation: Evaluation, chosen: Array, weights: Array) -> Drawing:
    x = evaluation.x[chosen]
    rows = np.unique(np.linspace(0, len(x) - 1, min(len(x), SCATTERED)).round().astype(int))
    onto, shares = components(x, weights)
    return Drawing(
        axes=("component 1", "component 2"),
        shape=(),
        x=(x[rows] - weights @ x) @ onto,
        log_joint=checked_log_joint(task, x[rows]),
        sparse=_sparse_share(evaluation)[chosen[rows]] > 0.5,
        shares=tuple(shares.tolist()),
        rows=tuple(rows.tolist()),
    )


def components(x: Array, weights: Array) -> tuple[Array, Array]:
    """Return the two strongest principal components of weighted points x (n, d), and their shares.

    Columns (d, 2) of unit length, the largest entry of each positive; shares (2,) of the variance.
    """
    centred = x - weights @ x
    variances, directions = np.linalg.eigh((centred * weights[:, None]).T @ centred)
    strongest = directions[:, :-3:-1]
    largest = np.abs(strongest).argmax(axis=0)
    signs = np.where(np.take_along_axis(strongest, largest[None], axis=0) < 0, -1.0, 1.0)
    return strongest * signs, variances[:-3:-1] / variances.sum()


def boundary(task: Task, evaluation: Evaluation) -> float:
    """Return the log density in nats below which P(x) holds 1 %, interpolated between points."""
    log_p, mass = log_density(task, evaluation.x), evaluation.weights["all"]
    order = np.argsort(log_p)
    below = np.cumsum(mass[order]) - mass[order] / 2
    return float(np.interp(1 - SPARSE[REGION], below, log_p[order]))


def _sparse_share(evaluation: Evaluation) -> Array:
    """Return the share (n,) of what each point of an evaluation stands for that is in the sparse region."""
    mass = evaluation.weights["all"]
    part = evaluation.weights.get(REGION, np.zeros_like(mass)) * (1 - SPARSE[REGION])
    return np.divide(part, mass, out=np.zeros_like(mass), where=mass > 0)
