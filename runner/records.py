"""What a trial leaves: its records, posterior curves and predictions, and why there may be none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from benchmarks.errors import one_line
from benchmarks.task import Array
from runner.plan import Trial


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
