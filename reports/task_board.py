"""The leaderboard of one task at the largest budget as rows of text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from reports import numbers
from reports.leaderboard import Summary
from reports.results import Results
from reports.rows import Cell, by_target, cell
from reports.trials import is_reference, largest_budget, names


@dataclass(frozen=True)
class TaskRow:
    """An architecture's row: every field as text but the gap, which is a cell."""

    name: str
    reference: bool
    rank: str
    interval: str  # of the rank, empty where there is none
    gap: Cell
    crossings: str
    targets: tuple[str, ...]
    counts: str
    complete: bool


def task_board(results: Results, summary: Summary, task: str) -> list[TaskRow]:
    """Ranked rows first, reference rows last."""
    budget = largest_budget(results)
    found = _rows(summary, task)
    now = [row for (_, where), row in found.items() if where == budget]
    at = names(results)[0].index(task)
    targets = {name: texts[at] for name, _, texts in by_target(results, summary)}
    return [_row(results, row, targets.get(row["architecture"], ())) for row in now]


def task_cells(summary: Summary, task: str) -> dict[tuple[str, int], Cell]:
    """The gap of every architecture and budget on a task."""
    return {key: cell(row) for key, row in _rows(summary, task).items()}


def _rows(summary: Summary, task: str) -> dict[tuple[str, int], dict[Any, Any]]:
    """Rows of the leaderboard with how many trials failed or were skipped, by (architecture, budget)."""
    board = summary.counted
    rows = board[board["task"] == task].astype(object).to_dict("records")
    return {(row["architecture"], int(row["budget"])): row for row in rows}


def _row(results: Results, row: dict[Any, Any], targets: tuple[str, ...]) -> TaskRow:
    reference = is_reference(results, row["architecture"])
    low, high = row.get("rank_low"), row.get("rank_high")
    known = not reference and not pd.isna(row["rank"])
    interval = "" if not known or pd.isna(low) or pd.isna(high) or low == high else f"{low}–{high}"  # noqa: RUF001
    return TaskRow(
        name=row["architecture"],
        reference=reference,
        rank=str(row["rank"]) if known else "",
        interval=interval,
        gap=cell(row),
        crossings=numbers.found(_number(row["crossings_found"]), _number(row["crossings"])),
        targets=targets,
        counts=f"{row['ok']}/{row['total']}",
        complete=row["total"] > 0 and row["ok"] + row["skipped"] == row["total"],
    )


def _number(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)
