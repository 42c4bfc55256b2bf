"""Measures that are computed from records: budget to target, efficiency; and all derived rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from reports.results import RECORD_COLUMNS

TARGETS = (0.1, 0.01)


def budget_to_target(budgets: Sequence[int], gaps: Sequence[float], target: float) -> tuple[float, str, str]:
    """First budget after which a curve of information gaps stays below a target.

    budgets: increasing, examples; gaps: the geometric mean over seeds at each, NaN where there is none (it
    counts as not below). Returns (budget in examples, status, reason), the budget interpolated on log-log
    axes; status `censored` and NaN where the curve doesn't stay below by the last budget.
    """
    values = np.asarray(gaps, dtype=float)
    if values.size == 0:
        return float("nan"), "censored", "no budget was run"
    above = ~(values < target)
    if above[-1]:
        last = f"{budgets[-1]:,} examples"
        if np.isnan(values[-1]):
            return float("nan"), "censored", f"no mean at the last budget, {last}"
        return float("nan"), "censored", f"not below {target:g} at the last budget, {last}"
    if not above.any():
        return float(budgets[0]), "ok", "at or before the first budget"
    before = int(np.flatnonzero(above)[-1])
    after = before + 1
    if not np.isfinite(values[before]) or values[after] == 0:
        # The line between the two is unknown, or drops to 0: only its upper end can be stated.
        return float(budgets[after]), "ok", "at or before this budget: no line to interpolate on"
    x0, x1 = np.log(budgets[before]), np.log(budgets[after])
    y0, y1 = np.log(values[before]), np.log(values[after])
    return float(np.exp(x0 + (x1 - x0) * (y0 - np.log(target)) / (y0 - y1))), "ok", ""


def derived_records(
    table: pd.DataFrame, tasks: pd.DataFrame, others: Iterable[tuple[object, ...]] = ()
) -> pd.DataFrame:
    """Derived rows with the columns of records.csv; `seed` is empty: they are about the mean over seeds.

    table: from `cells`; tasks: as in `Results`. `budget_to_target` (examples; region `gap-0.1` or
    `gap-0.01`; `budget` empty) for each task and architecture, `efficiency` (region `all`) for each cell of
    a task that has a k, and then the rows `others`.
    """
    rows = [*_targets(table), *_efficiencies(table, tasks), *others]
    frame = pd.DataFrame(rows, columns=list(RECORD_COLUMNS))
    return frame.astype({"seed": "Int64", "budget": "Int64", "value": float, "error": float})


def efficiency(parameters: float, examples: float, kl: float) -> float:
    """Efficiency k / (2 N E KL) against conditional maximum likelihood in the true family.

    parameters: k; examples: N distinct ones; kl: arithmetic mean over seeds of expected_kl, nats. Infinite
    where kl is 0, 0 where it is infinite (White 1982 for the k/2N law).
    """
    if kl == 0:
        return float("inf")
    return float(parameters / (2 * examples * kl))


def _targets(table: pd.DataFrame) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for (task, architecture), group in table.groupby(level=["task", "architecture"], sort=False):
        curve = group.sort_index(level="budget")
        budgets = [int(budget) for budget in curve.index.get_level_values("budget")]
        note = str(curve["note"].iloc[-1])
        for target in TARGETS:
            value, status, reason = budget_to_target(budgets, curve["gap"].tolist(), target)
            if status == "censored" and note:
                reason = f"{reason} ({note})"
            key = (task, architecture, pd.NA, pd.NA, "budget_to_target", f"gap-{target:g}")
            rows.append((*key, value, np.nan, status, reason))
    return rows


def _efficiencies(table: pd.DataFrame, tasks: pd.DataFrame) -> list[tuple[object, ...]]:
    known = {str(task): float(k) for task, k in tasks["parameters"].dropna().items()}
    rows: list[tuple[object, ...]] = []
    cells = table[["kl", "distinct", "failed", "skipped", "note"]].reset_index()
    for cell in cells[cells["task"].isin(list(known))].to_dict("records"):
        value, status, reason = float("nan"), "ok", ""
        if cell["failed"] or cell["skipped"]:
            status, reason = "failed" if cell["failed"] else "skipped", cell["note"]
        elif np.isnan(cell["distinct"]):
            continue  # learned from no examples, as the oracle does
        else:
            value = efficiency(known[cell["task"]], cell["distinct"], cell["kl"])
        key = (cell["task"], cell["architecture"], pd.NA, cell["budget"], "efficiency", "all")
        rows.append((*key, value, np.nan, status, reason))
    return rows
