"""Trials as arrays that can be compared seed by seed: what tests of pairs and of ranks are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.ranking.measured import counted
from reports.ranking.measures import Measure
from reports.results import Results
from reports.statistics import FEWEST_SEEDS, log
from reports.trials import names

SAME = 1e-12  # a log-ratio below this is rounding
_Numbers = NDArray[np.float64]
_Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Blocks:
    """One measure of all learned rows, by budget, task and seed.

    logs: (budgets, tasks, rows, seeds), logarithms of `measured.counted`, NaN where there is no value; below:
    the same shape, whether a value isn't larger than its integration error; ok: the same shape, whether the
    trial ended well; ranked: (budgets, 1 + tasks, rows), over all tasks first, whether a row has a place: all
    its cells were run, nothing in them was skipped and not everything failed.
    """

    tasks: tuple[str, ...]
    rows: tuple[str, ...]
    budgets: tuple[int, ...]
    logs: _Numbers
    below: _Flags
    ok: _Flags
    ranked: _Flags

    @property
    def infinite(self) -> _Flags:
        """Whether a row has an infinite value: (budgets, 1 + tasks, rows), over all tasks first."""
        each = (self.logs == np.inf).any(axis=-1)
        return np.concatenate([each.any(axis=1, keepdims=True), each], axis=1)

    @property
    def seeds(self) -> NDArray[np.int64]:
        """How many seeds a row has: (budgets, 1 + tasks, rows), over all tasks (in every one) first."""
        there = ~np.isnan(self.logs)
        return np.concatenate(
            [there.all(axis=1, keepdims=True).sum(axis=-1), there.sum(axis=-1)], axis=1
        ).astype(np.int64)

    @property
    def can_win(self) -> _Flags:
        """Whether a row has 5 seeds all of whose trials ended well: (budgets, 1 + tasks, rows).

        Over all tasks first. What failed trials count as doesn't vary over seeds as measured values do, so
        without these a row can't be called significantly better than another.
        """
        whole = np.concatenate([self.ok.all(axis=1, keepdims=True), self.ok], axis=1)
        return np.asarray(whole.sum(axis=-1) >= FEWEST_SEEDS)

    def shared(self, budget: int, first: NDArray[np.int64], second: NDArray[np.int64]) -> _Flags:
        """Which seeds pairs of rows both have, shaped as `log_ratios`; over all tasks: on every task."""
        there = ~np.isnan(self.logs[budget])
        both = there[:, first] & there[:, second]
        return np.concatenate([both.all(axis=0, keepdims=True), both])

    def log_ratios(self, budget: int, first: NDArray[np.int64], second: NDArray[np.int64]) -> _Numbers:
        """Log-ratios of pairs of rows at one budget: (1 + tasks, pairs, seeds), over all tasks first.

        budget: its position; first, second: (pairs,), positions of rows. 0 where both values are below their
        integration errors or infinite, NaN where either is missing; over all tasks, the mean over tasks.
        """
        logs, below = self.logs[budget], self.below[budget]
        with np.errstate(invalid="ignore"):
            ratios = logs[:, first] - logs[:, second]
        both = below[:, first] & below[:, second]
        endless = (logs[:, first] == np.inf) & (logs[:, second] == np.inf)
        ratios = np.where(both | endless | (np.abs(ratios) < SAME), 0.0, ratios)
        with np.errstate(invalid="ignore"):
            return np.concatenate([ratios.mean(axis=0, keepdims=True), ratios])


def blocks(
    results: Results, frame: pd.DataFrame, measure: Measure, learned: Sequence[str] | None = None
) -> Blocks:
    """Arrange one measure for comparisons; frame: from `trials`.

    learned: rows that `measured.counted` holds a failed trial to, by default all of the results.
    """
    tasks, rows, _ = names(results)
    budgets = sorted(int(budget) for budget in results.suite["budgets"])
    seeds = sorted(set(frame.index.get_level_values("seed")))
    grid = pd.MultiIndex.from_product(
        [tasks, rows, budgets, seeds], names=["task", "architecture", "budget", "seed"]
    )
    values = counted(frame, measure, rows if learned is None else learned)
    table = values.assign(status=frame["status"].map(_status_number)).reindex(grid)
    shape = (len(tasks), len(rows), len(budgets), len(seeds))
    value, below, status = (
        np.moveaxis(table[name].to_numpy(dtype=float).reshape(shape), 2, 0)
        for name in ("value", "below", "status")
    )
    ranked = _ranked(value, status)
    return Blocks(tuple(tasks), tuple(rows), tuple(budgets), log(value), below == 1, status == 1, ranked)


def _status_number(status: object) -> float:
    return {"ok": 1.0, "skipped": -1.0}.get(str(status), 0.0)


def _ranked(value: _Numbers, status: _Numbers) -> _Flags:
    """From (budgets, tasks, rows, seeds); status is 1 where a trial ended well, NaN where none was run."""
    run = ~np.isnan(status)
    whole = np.asarray(run.any(axis=-1) & ~(run & np.isnan(value)).any(axis=-1))
    fine = (status == 1).any(axis=-1)
    over = whole.all(axis=1) & fine.any(axis=1)
    return np.concatenate([over[:, None], whole & fine], axis=1)
