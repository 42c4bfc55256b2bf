"""The leaderboard of one budget as rows of text, for the page, for Markdown and for the terminal alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reports import numbers
from reports.derived import TARGETS
from reports.leaderboard import Summary
from reports.ranking.pairs import OVERALL_NAME
from reports.results import Results
from reports.trials import is_reference, largest_budget, names

SKIPPED = "skipped"


@dataclass(frozen=True)
class Cell:
    """A gap as text, with its 95 % interval as text (empty where there is none) and as numbers."""

    text: str
    span: str
    value: float
    low: float
    high: float
    note: str
    sparse: str


@dataclass(frozen=True)
class Row:
    """An architecture's row: every field as text but `overall` and `tasks`, which are cells."""

    name: str
    reference: bool
    rank: str
    overall: Cell
    tasks: tuple[Cell, ...]
    sparse: str
    crossings: str
    targets: tuple[str, ...]
    parameters: str
    multiply_adds: str
    seconds: str
    counts: str
    complete: bool  # every trial that was to run did, and none failed
    note: str
    rank_span: str  # ranks it may have by the tests, such as 1-3; empty where there were none
    letters: str  # shared by rows that can't be told apart


def board(
    results: Results, summary: Summary, digits: int = 3, budget: int | None = None, measure: str = "gap"
) -> list[Row]:
    """Rows of a budget, or else of the largest: ranked by a measure, reference rows last.

    By another measure than the gap, its values stand in the gap's place.
    """
    table = summary.counted if measure == "gap" else _measured(summary, measure)
    table = table[table["budget"] == (budget or largest_budget(results))]
    by_task = {(row["task"], row["architecture"]): row for row in table.astype(object).to_dict("records")}
    order = table.loc[table["task"] == OVERALL_NAME, "architecture"]
    return [_row(results, by_task, name, digits) for name in order]


def by_budget(results: Results, summary: Summary, digits: int = 3) -> list[tuple[str, bool, list[Cell]]]:
    """Overall gap at every budget: (name, is a reference row, cells), in the board's order."""
    table = summary.counted
    table = table[table["task"] == OVERALL_NAME]
    found = {(row["architecture"], row["budget"]): row for row in table.astype(object).to_dict("records")}
    order = table.loc[table["budget"] == largest_budget(results), "architecture"]
    budgets = sorted(int(budget) for budget in results.suite["budgets"])
    return [
        (
            name,
            is_reference(results, name),
            [cell(found.get((name, budget), {}), digits) for budget in budgets],
        )
        for name in order
    ]


def by_target(results: Results, summary: Summary) -> list[tuple[str, bool, list[tuple[str, ...]]]]:
    """Budget to target of each task: (name, is a reference row, a tuple a task of a text a target)."""
    table = summary.leaderboard[summary.leaderboard["budget"] == largest_budget(results)]
    found = {(row["task"], row["architecture"]): row for row in table.astype(object).to_dict("records")}
    tasks = names(results)[0]
    order = table.loc[table["task"] == OVERALL_NAME, "architecture"]
    return [
        (
            name,
            is_reference(results, name),
            [_targets(results, found.get((task, name), {})) for task in tasks],
        )
        for name in order
    ]


def overall_cells(results: Results, summary: Summary) -> dict[str, Cell]:
    """Overall gap at the largest budget, {architecture: cell}, of rows that were run or skipped."""
    return {name: cells[-1] for name, _, cells in by_budget(results, summary) if cells[-1].note != "not run"}


def cell(row: dict[Any, Any], digits: int = 3) -> Cell:
    """A leaderboard row's gap as a cell; an empty row gives a blank one."""
    value, error = _float(row, "information_gap"), _float(row, "error")
    low, high = _float(row, "low"), _float(row, "high")
    text = numbers.bounded(value, error, digits)
    below = text.startswith("<")
    note = str(row.get("note") or "")
    if math.isnan(value) and row.get("failed"):
        text = f"{row['failed']} failed"
    elif math.isnan(value) and row.get("skipped"):
        text = SKIPPED
    return Cell(
        text=text,
        span="" if below else numbers.span(low, high),
        value=value,
        low=low,
        high=high,
        note=note,
        sparse=numbers.bounded(_float(row, "sparse_kl"), _float(row, "sparse_kl_error"), digits),
    )


def _row(results: Results, by_task: dict[Any, dict[Any, Any]], name: str, digits: int) -> Row:
    whole = by_task[OVERALL_NAME, name]
    reference = is_reference(results, name)
    tasks = names(results)[0]
    rank = whole["rank"]
    return Row(
        name=name,
        reference=reference,
        rank="" if reference or pd.isna(rank) else str(rank),
        overall=cell(whole, digits),
        tasks=tuple(cell(by_task.get((task, name), {}), digits) for task in tasks),
        sparse=numbers.bounded(_float(whole, "sparse_kl"), _float(whole, "sparse_kl_error"), digits),
        crossings=numbers.found(_float(whole, "crossings_found"), _float(whole, "crossings")),
        targets=_targets(results, whole),
        parameters=numbers.count(_float(whole, "parameters")),
        multiply_adds=numbers.count(_float(whole, "multiply_adds")),
        seconds=numbers.number(_float(whole, "training_seconds"), digits),
        counts=f"{whole['ok']}/{whole['total']}",
        complete=whole["ok"] + whole["skipped"] == whole["total"] and whole["total"] > 0,
        note=str(whole["note"] or ""),
        rank_span="" if reference else numbers.ranks(whole["rank_low"], whole["rank_high"]),
        letters=str(whole["letters"] or ""),
    )


def _measured(summary: Summary, measure: str) -> pd.DataFrame:
    """The leaderboard with another measure's values, intervals and ranks in place of the gap's."""
    own = summary.boards[measure].rename(columns={"value": "information_gap"})
    keys = ["budget", "task", "architecture"]
    rest = summary.counted
    return own.merge(rest[[*keys, *rest.columns.difference(own.columns)]], on=keys, how="left")


def _targets(results: Results, row: dict[Any, Any]) -> tuple[str, ...]:
    budgets: Sequence[int] = sorted(int(budget) for budget in results.suite["budgets"])
    gap = _float(row, "information_gap")
    texts = []
    for target in TARGETS:
        value = _float(row, f"budget_to_{target:g}")
        if math.isnan(value):
            # Censored means "not by the last budget"; a mean that's missing there says nothing.
            texts.append(numbers.BLANK if math.isnan(gap) else f"> {budgets[-1]:,}")
        else:
            texts.append(f"≤ {budgets[0]:,}" if value <= budgets[0] else numbers.examples(value))
    return tuple(texts)


def _float(row: dict[Any, Any], name: str) -> float:
    value = row.get(name)
    return float("nan") if value is None or pd.isna(value) else float(value)
