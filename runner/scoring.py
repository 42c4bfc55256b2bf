"""What models are scored on: a task's evaluation and where outputs are drawn; and how they are scored."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks import registry
from benchmarks.architecture import Predict
from benchmarks.evaluation import Evaluation, corrected, evaluate, representatives
from benchmarks.metrics import Score, scores
from benchmarks.regions import as_networks_see
from benchmarks.task import Array
from runner.records import Record, Rows, TrialResult

CURVE_POINTS = 201  # of the display window, kept for every trial and budget
AT_ONCE = 2**15  # numbers in the log q of models that are scored together: some such arrays fit the cache
SIDE = 40  # of the grid over the display window of a plane, kept likewise


class Found(NamedTuple):
    """What a model says of a task, log q (n + m, k), and where to record its scores and what was measured."""

    result: TrialResult
    budget: int
    log_q: Array
    measured: Mapping[str, float]


class Scoring:
    """Scores the models of one task together, as many as fit the cache; `finish` scores the last ones.

    That is faster than one by one, and changes no number.
    """

    def __init__(self) -> None:
        self._task, self._waiting = "", list[Found]()

    def add(self, rows: Rows, budget: int, log_q: Array, **measured: float) -> None:
        """Record every measure of log q (n + m, k) at a budget, and when corrected, once `finish` ran."""
        name = rows.own.trial.task
        if name != self._task or sum(found.log_q.size for found in self._waiting) >= AT_ONCE:
            self.finish()
        self._task = name
        self._waiting.append(Found(rows.own, budget, log_q, measured))
        if rows.twin:
            other = corrected(registry.task(name), evaluation_of(name), log_q)
            self._waiting.append(Found(rows.twin, budget, other, measured))

    def finish(self) -> None:
        """Record what waits."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            _score(evaluation_of(self._task), waiting)


def score(rows: Rows, budget: int, log_q: Array, **measured: float) -> None:
    """Record every measure of log q (n + m, k) at a budget, and of what it is when corrected."""
    scoring = Scoring()
    scoring.add(rows, budget, log_q, **measured)
    scoring.finish()


def _score(evaluation: Evaluation, models: Sequence[Found]) -> None:
    """Record the scores of models; one whose output isn't a number anywhere has failed."""
    sound = []
    for found in models:
        finite = np.isfinite(found.log_q)
        bad = np.empty(0) if finite.all() else ~finite & ~np.isneginf(found.log_q)
        if bad.any():
            where = points(evaluation)[np.flatnonzero(bad.any(axis=1))[0]]
            found.result.blank(found.budget, "failed", f"the output at x = {where.tolist()} is not a number")
        else:
            sound.append(found)
    if not sound:
        return
    n = len(evaluation.x)
    every = scores(evaluation, [found.log_q[:n] for found in sound])
    for found, numbers in zip(sound, every, strict=True):
        _keep(found, evaluation, numbers)


def _keep(found: Found, evaluation: Evaluation, numbers: Sequence[Score]) -> None:
    """Record what log q scores, and log q itself where it is drawn and at representatives."""
    result, budget, log_q, measured = found
    n = len(evaluation.x)
    result.predictions[budget] = log_q[representatives_of(result.trial.task)[0]].astype(np.float32)
    result.records += [Record(budget, *each[:4], "ok", each.reason) for each in numbers]
    result.records += [Record(budget, name, "all", value, 0.0) for name, value in measured.items()]
    if len(log_q) > n:
        plane = evaluation.x.shape[1] == 2
        with np.errstate(over="ignore"):  # below float16's range a probability is 0
            result.curves[budget] = log_q[n:].astype(np.float16 if plane else np.float32)


@functools.cache
def evaluation_of(task: str) -> Evaluation:
    """Return the evaluation of a registered task, made once in each process."""
    return evaluate(registry.task(task))


@functools.cache
def representatives_of(task: str) -> tuple[Array, Array]:
    """Return the rows of a task's evaluation that stand for P(x), (m,), and their weights, (m,)."""
    return representatives(evaluation_of(task))


def curve_shape(evaluation: Evaluation) -> tuple[int, ...]:
    """Return the shape of the grid over the display window where curves are kept: of a line or a plane."""
    if evaluation.window is None or (features := evaluation.x.shape[1]) > 2:
        return ()
    return (CURVE_POINTS,) if features == 1 else (SIDE, SIDE)


def curve_points(evaluation: Evaluation) -> Array:
    """Return where outputs are kept to be drawn, (m, d): an even grid over the display window, if it has one.

    Of a plane row by row from low x2 to high, x1 rising along a row.
    """
    shape = curve_shape(evaluation)
    if not shape or evaluation.window is None:
        return np.empty((0, evaluation.x.shape[1]))
    ends = zip(evaluation.window.tolist(), reversed(shape), strict=True)
    axes = [np.linspace(low, high, size) for (low, high), size in ends]
    return as_networks_see(np.stack([part.ravel() for part in np.meshgrid(*axes)], axis=1))


def points(evaluation: Evaluation) -> Array:
    """Return the evaluation's points and the curve's behind them, (n + m, d)."""
    return np.concatenate([evaluation.x, curve_points(evaluation)])


def batches(evaluation: Evaluation) -> list[Array]:
    """Return `points` (n + m, d) in the parts that are predicted at once.

    A plane's grid is one of its own: the rows that a matrix product has beside a row may change its last bit,
    and no score may depend on what is drawn.
    """
    plane = evaluation.x.shape[1] == 2 and evaluation.window is not None
    return [evaluation.x, curve_points(evaluation)] if plane else [points(evaluation)]


def joined(parts: Sequence[Array]) -> Array:
    """Return log q (n + m, k) from that of the parts."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def predicted(evaluation: Evaluation, predict: Predict) -> Array:
    """Return log q (n + m, k) at the evaluation's points and the curve's."""
    return joined([predict(x) for x in batches(evaluation)])
