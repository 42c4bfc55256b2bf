"""What a trial leaves: its records, posterior curves and predictions, scored on its task's evaluation."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from benchmarks import registry
from benchmarks.architecture import Predict
from benchmarks.errors import one_line
from benchmarks.evaluation import Evaluation, corrected, evaluate, representatives
from benchmarks.metrics import Score, scores
from benchmarks.regions import as_networks_see
from benchmarks.task import Array
from runner.plan import Trial

CURVE_POINTS = 201  # of the display window, kept for every trial and budget
AT_ONCE = 2**15  # numbers in the log q of models that are scored together: some such arrays fit the cache
SIDE = 40  # of the grid over the display window of a plane, kept likewise


@dataclass(frozen=True)
class Record:
    """One number of one trial: value and error are NaN where there is none; again: a run should retry it."""

    budget: int
    metric: str
    region: str
    value: float
    error: float
    status: str = "ok"
    reason: str = ""
    again: bool = False


@dataclass
class TrialResult:
    """A finished trial: status "ok", "failed", "timeout" or "skipped".

    curves and predictions: {budget: log q (m, k)} at the curve's points and at the representatives of P(x),
    float32, but float16 on a plane's grid: a thousandth of log q is more than a picture shows. note: what to
    tell the user about how it was trained.
    """

    trial: Trial
    records: list[Record] = field(default_factory=list)
    curves: dict[int, Array] = field(default_factory=dict)
    predictions: dict[int, Array] = field(default_factory=dict)
    note: str = ""

    @property
    def status(self) -> str:
        """The worst status of its records."""
        found = {record.status for record in self.records}
        return next((status for status in ("failed", "timeout", "skipped") if status in found), "ok")

    def blank(self, budget: int, status: str, reason: str, *, again: bool = False) -> None:
        """Record that a budget has no number, why, and whether a run should try it again."""
        nan, why = float("nan"), one_line(reason)  # it may hold what somebody else's code says
        self.records.append(Record(budget, "information_gap", "all", nan, nan, status, why, again))

    def add(self, budget: int, evaluation: Evaluation, log_q: Array, **measured: float) -> None:
        """Record every measure of log q (n + m, k) at the evaluation's n points and the curve's m points."""
        _score(evaluation, [Found(self, budget, log_q, measured)])

    def keep(self, budget: int, evaluation: Evaluation, log_q: Array, found: Sequence[Score]) -> None:
        """Record what log q (n + m, k) scores, and log q itself where it is drawn and at representatives."""
        n = len(evaluation.x)
        self.predictions[budget] = log_q[representatives_of(self.trial.task)[0]].astype(np.float32)
        self.records += [Record(budget, *numbers[:4], "ok", numbers.reason) for numbers in found]
        if len(log_q) > n:
            plane = evaluation.x.shape[1] == 2
            with np.errstate(over="ignore"):  # below float16's range a probability is 0
                self.curves[budget] = log_q[n:].astype(np.float16 if plane else np.float32)

    def repeat(self, other: TrialResult, budget: int) -> None:
        """Record at a budget what another trial has at its only one."""
        self.records += [replace(record, budget=budget) for record in other.records]
        for curve in other.curves.values():
            self.curves[budget] = curve


@dataclass(frozen=True)
class Rows:
    """A trial's own result and that of its twin, corrected for the test law's class priors, if it has one."""

    own: TrialResult
    twin: TrialResult | None

    @classmethod
    def of(cls, trial: Trial) -> Rows:
        """Return empty results of a trial."""
        return cls(TrialResult(trial), TrialResult(trial.corrected) if trial.corrected else None)

    @property
    def all(self) -> list[TrialResult]:
        """Both, or the one there is."""
        return [self.own] if self.twin is None else [self.own, self.twin]

    @property
    def budgets(self) -> set[int]:
        """Those that are done, with or without a number."""
        return {record.budget for record in self.own.records}

    def blank(self, budget: int, status: str, reason: str, *, again: bool = False) -> None:
        """Record for each that a budget has no number, and why."""
        for each in self.all:
            each.blank(budget, status, reason, again=again)

    def add(self, budget: int, log_q: Array, **measured: float) -> None:
        """Record every measure of log q (n + m, k) at a budget, and of what it is when corrected."""
        scoring = Scoring()
        scoring.add(self, budget, log_q, **measured)
        scoring.finish()


def unscored(trials: Sequence[Trial], status: str, reason: str, *, again: bool) -> list[TrialResult]:
    """Return results that have no numbers, and why, in the order of a stack's: twins behind all others."""
    rows = [Rows.of(trial) for trial in trials]
    for row in rows:
        for budget in row.own.trial.budgets:
            row.blank(budget, status, reason, again=again)
    return in_order(rows)


def in_order(rows: Sequence[Rows]) -> list[TrialResult]:
    """Return the results of a stack's trials, twins behind all others."""
    return [each.own for each in rows] + [each.twin for each in rows if each.twin]


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
    for (result, budget, log_q, measured), numbers in zip(sound, every, strict=True):
        result.keep(budget, evaluation, log_q, numbers)
        result.records += [Record(budget, name, "all", value, 0.0) for name, value in measured.items()]


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
