"""Two rows of one run head to head: how they compare on every task and budget, and what to say of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import pandas as pd

from reports.ranking.blocks import Blocks, blocks
from reports.ranking.measures import GAP, Measure
from reports.ranking.paired import ALPHA, holm, seeds_to_separate
from reports.ranking.pairs import OVERALL_NAME, pair_table
from reports.results import Results
from reports.statistics import FEWEST_SEEDS, grouped_geometric_mean
from reports.trials import CELL, is_reference, listed, names, trials

NAN = float("nan")


@dataclass(frozen=True)
class Line:
    """Two rows at one budget, on one task or `overall`.

    first, second: geometric means of the measure (NaN where a trial has none). ratio: the geometric mean over
    seeds of first / second, with low and high (95 %); seeds that both have; p (paired t), flip (sign flips);
    holm: p adjusted over the tasks of the budget, NaN of `overall`; wins: the share of (task, seed) where the
    first is lower. better: 1 where the first is significantly better, -1 where the second is, else 0.
    compared: whether both were run there, with nothing skipped.
    """

    task: str
    budget: int
    first: float = NAN
    second: float = NAN
    seeds: int = 0
    ratio: float = NAN
    low: float = NAN
    high: float = NAN
    p: float = NAN
    flip: float = NAN
    holm: float = NAN
    wins: float = NAN
    better: int = 0
    compared: bool = False


@dataclass(frozen=True)
class Trouble:
    """Trials of a row at the largest budget that have no finite number: how many of how many, and why."""

    failed: int
    skipped: int
    infinite: int
    total: int
    reason: str


@dataclass(frozen=True)
class Comparison:
    """Two rows head to head.

    lines: {(budget, task): line}, `overall` and every task at every budget; more: how many seeds would tell
    them apart at the largest budget, None for more than 1,000; troubles and reference: of first and second.
    """

    first: str
    second: str
    measure: Measure
    suite: Mapping[str, Any]
    lines: Mapping[tuple[int, str], Line]
    more: int | None
    troubles: tuple[Trouble, Trouble]
    reference: tuple[bool, bool]

    @property
    def budget(self) -> int:
        """The largest budget, which the verdict is about."""
        return max(budget for budget, _ in self.lines)

    @property
    def overall(self) -> Line:
        """All tasks at the largest budget."""
        return self.lines[self.budget, OVERALL_NAME]

    @property
    def by_task(self) -> list[Line]:
        """Each task at the largest budget."""
        return [self.lines[self.budget, task] for task in self.suite["tasks"]]

    @property
    def by_budget(self) -> list[Line]:
        """All tasks at each budget, the smallest first."""
        return [line for (_, task), line in sorted(self.lines.items()) if task == OVERALL_NAME]


def compare(results: Results, first: str, second: str, measure: Measure = GAP) -> Comparison:
    """Compare two rows of a run, learned or reference, each among the suite's own."""
    suite = {**results.suite, "architectures": [first, second], "reference": []}
    kinds = results.architectures.assign(kind="network")  # so that reference rows are compared like any other
    two = replace(results, suite=suite, architectures=kinds)
    frame = trials(listed(results))  # all of it: what a value of 0 counts as follows from its task's others
    reference = (is_reference(results, first), is_reference(results, second))
    found = compare_all(two, frame, measure, learned=names(results)[1])
    return replace(found[0], reference=reference)


def compare_all(
    results: Results,
    frame: pd.DataFrame,
    measure: Measure = GAP,
    table: pd.DataFrame | None = None,
    learned: Sequence[str] | None = None,
) -> list[Comparison]:
    """Compare every two learned rows, in the suite's order.

    frame: from `trials`; table: from `pairs`; learned: as `blocks` takes it.
    """
    found = blocks(results, frame, measure, learned)
    budgets, rows = found.budgets, found.rows
    means = _means(frame, measure)
    rows_of = _by_pair(pair_table(found) if table is None else table)
    trouble = {name: _trouble(frame, measure, name, budgets[-1]) for name in rows}
    compared = []
    for one, other in zip(*np.triu_indices(len(rows), 1), strict=True):
        pair = (rows[one], rows[other])
        lines = {
            key: _line(key, (means.get((*key, pair[0]), NAN), means.get((*key, pair[1]), NAN)), row)
            for key, row in _grid(budgets, found.tasks, rows_of.get(pair, {})).items()
        }
        more = _more(found, int(one), int(other))
        both = (trouble[pair[0]], trouble[pair[1]])
        told = _able(_told(lines), found, (int(one), int(other)))
        compared.append(Comparison(*pair, measure, results.suite, told, more, both, (False, False)))
    return compared


def _grid(
    budgets: Sequence[int], tasks: Sequence[str], rows: Mapping[tuple[int, str], Mapping[str, Any]]
) -> dict[tuple[int, str], Mapping[str, Any]]:
    keys = [(budget, task) for budget in budgets for task in (OVERALL_NAME, *tasks)]
    return {key: rows.get(key, {}) for key in keys}


def _by_pair(table: pd.DataFrame) -> dict[tuple[str, str], dict[tuple[int, str], Mapping[str, Any]]]:
    found: dict[tuple[str, str], dict[tuple[int, str], Mapping[str, Any]]] = {}
    for row in cast(list[dict[str, Any]], table.to_dict("records")):
        found.setdefault((row["a"], row["b"]), {})[row["budget"], row["task"]] = row
    return found


def _means(frame: pd.DataFrame, measure: Measure) -> dict[tuple[int, str, str], float]:
    """Geometric means of a measure, {(budget, task, row): value}, `overall` where every task has one."""
    each = grouped_geometric_mean(frame[measure.key], CELL)
    over = grouped_geometric_mean(each, ("architecture", "budget"))
    found = {(int(key[2]), str(key[0]), str(key[1])): float(value) for key, value in _items(each)}
    return found | {(int(key[1]), OVERALL_NAME, str(key[0])): float(value) for key, value in _items(over)}


def _items(series: pd.Series) -> list[tuple[tuple[Any, ...], float]]:
    return cast(list[tuple[tuple[Any, ...], float]], list(series.items()))


def _line(key: tuple[int, str], means: tuple[float, float], row: Mapping[str, Any]) -> Line:
    line = Line(key[1], key[0], *means)
    if not row:
        return line
    ratio, seeds = float(row["ratio"]), int(row["seeds"])
    # An infinite value can't be tested: a row without one is better by definition.
    certain = {0.0: 1, math.inf: -1}.get(ratio, 0) if seeds >= FEWEST_SEEDS else 0
    low, high, p, flip, wins = (float(row[name]) for name in ("low", "high", "p", "flip", "wins"))
    return replace(
        line,
        seeds=seeds,
        ratio=ratio,
        low=low,
        high=high,
        p=p,
        flip=flip,
        wins=wins,
        better=certain,
        compared=True,
    )


def _told(lines: Mapping[tuple[int, str], Line]) -> dict[tuple[int, str], Line]:
    """Add Holm's adjustment over the tasks of each budget, and who is better."""
    told = dict(lines)
    for budget in {budget for budget, _ in lines}:
        keys = [key for key in lines if key[0] == budget and key[1] != OVERALL_NAME]
        for key, p in zip(keys, holm([lines[key].p for key in keys]), strict=True):
            told[key] = _decided(replace(lines[key], holm=float(p)), float(p))
        whole = lines[budget, OVERALL_NAME]
        told[budget, OVERALL_NAME] = _decided(whole, whole.p)
    return told


def _decided(line: Line, p: float) -> Line:
    return replace(line, better=1 if line.ratio < 1 else -1) if p < ALPHA else line


def _able(
    lines: Mapping[tuple[int, str], Line], found: Blocks, pair: tuple[int, int]
) -> dict[tuple[int, str], Line]:
    """Take back verdicts for a row with too few seeds without failures (`Blocks.can_win`)."""
    able = {}
    for (budget, task), line in lines.items():
        place = 0 if task == OVERALL_NAME else 1 + found.tasks.index(task)
        can = found.can_win[found.budgets.index(budget), place]
        fine = line.better == 0 or can[pair[0] if line.better > 0 else pair[1]]
        able[budget, task] = line if fine else replace(line, better=0)
    return able


def _more(found: Blocks, first: int, second: int) -> int | None:
    """How many seeds would tell two rows apart at the largest budget."""
    one, other = np.array([first]), np.array([second])
    d = found.log_ratios(len(found.budgets) - 1, one, other)[0, 0]
    d = d[np.isfinite(d)]
    return seeds_to_separate(d) if d.size >= FEWEST_SEEDS else None


def _trouble(frame: pd.DataFrame, measure: Measure, name: str, budget: int) -> Trouble:
    """What has no finite number among a row's trials at a budget."""
    levels = frame.index.get_level_values
    mine = frame[(levels("architecture") == name) & (levels("budget") == budget)]
    infinite = (mine["status"] == "ok") & np.isinf(mine[measure.key])
    odd = mine[(mine["status"] != "ok") | infinite]
    reasons = [str(text) for text in odd["reason"].fillna("") if text]
    status = mine["status"]
    return Trouble(
        failed=int(status.isin(["failed", "timeout"]).sum()),
        skipped=int((status == "skipped").sum()),
        infinite=int(infinite.sum()),
        total=len(mine),
        reason=reasons[0] if reasons else "",
    )
