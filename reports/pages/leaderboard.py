"""The leaderboard page, and what it shares with `leaderboard.md`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from reports import numbers
from reports.charts import decades
from reports.derived import TARGETS
from reports.failures import failures
from reports.figures import leaderboard_charts, legend
from reports.headline import headline, integration_error
from reports.leaderboard import Summary
from reports.pages.page import Page, Run
from reports.plain import board_table, budget_table
from reports.results import Results
from reports.rows import Cell, Row, board, by_budget, by_target
from reports.sections import sections
from reports.statistics import BOOTSTRAP_FROM, FEWEST_SEEDS
from reports.trials import kind, largest_budget, names
from reports.words import at, batches, fixed, learned

SHADES = 6
CENTRES = (
    "A gap is the geometric mean over seeds",
    "A task's gap is the geometric mean over seeds, the overall gap the geometric mean of these over tasks",
)


def table_context(results: Results, summary: Summary) -> dict[str, Any]:
    """What both the page and the Markdown file show: headline, tables, method."""
    budgets = sorted(int(budget) for budget in results.suite["budgets"])
    rows, gaps, tasks = board(results, summary), by_budget(results, summary), names(results)[0]
    targets = [f"{target:g}" for target in TARGETS]
    return {
        "suite": results.suite,
        "headline": headline(results, summary),
        "at": at(results.suite, largest_budget(results)),
        "learned": learned(results.suite),
        "fixed": fixed(results.suite),
        "estimators": any(kind(results, name) == "estimator" for name in names(results)[1]),
        "sections": sections(results, summary),
        "budgets": [(budget, batches(results.suite, budget)) for budget in budgets],
        "tasks": tasks,
        "rows": rows,
        "gap_by_budget": gaps,
        "targets": targets,
        "board_table": board_table(rows, tasks, targets),
        "budget_table": budget_table(gaps, budgets),
        "centre": CENTRES[len(tasks) > 1],
        "target_rows": by_target(results, summary),
        "interval_method": interval_method(int(results.suite["seeds"])),
        "failures": failures(results),
        "architecture_rows": _architectures(results),
        "facts": list(_facts(results.manifest)),
        "integration": integration_error(results),
        "crossings": any(row.crossings != numbers.BLANK for row in rows),
        "manifest": results.manifest,
        "wall_time": numbers.seconds(results.manifest.get("wall_seconds")),
    }


def page(run: Run) -> Page:
    """Return the page of a suite's leaderboard."""
    values = table_context(run.results, run.summary)
    rows: list[Row] = values["rows"]
    ranked = [row for row in rows if not row.reference]
    axis = gap_axis([row.overall for row in ranked])
    wide = gap_axis([cell for row in ranked for cell in row.tasks])
    charts = leaderboard_charts(run)
    values |= {
        "axis": axis,
        "axis_ticks": [(place(axis, tick), numbers.tick(tick)) for tick in axis],
        "shade": lambda cell: shade(wide, cell),
        "bar": lambda cell: bar(axis, cell),
        "legend_keys": legend(run),
    }
    return Page("index.html", run.results.suite["title"], "leaderboard.html.j2", values, charts)


def gap_axis(cells: list[Cell]) -> list[float]:
    """Decades of a gap axis: those of the cells' gaps and intervals."""
    values = [value for cell in cells for value in (cell.value, cell.low, cell.high)]
    return decades([value for value in values if not math.isnan(value)])


def place(axis: list[float], value: float) -> float:
    """Where a gap lies on the log axis, in percent from the left; beyond it where it is off the axis."""
    low, high = math.log10(axis[0]), math.log10(axis[-1])
    return round(100 * (math.log10(value) - low) / (high - low), 2)


def bar(axis: list[float], cell: Cell) -> tuple[float, float, float] | None:
    """Low, centre and high of a cell on the axis, in percent; None where the centre isn't on it."""
    if not (0 < cell.value < math.inf) or cell.text.startswith("<"):
        return None
    at = place(axis, cell.value)
    if not 0 <= at <= 100:
        return None
    if math.isnan(cell.low) or math.isnan(cell.high) or cell.low <= 0:
        return at, at, at
    return max(place(axis, cell.low), 0.0), at, min(place(axis, cell.high), 100.0)


def shade(axis: list[float], cell: Cell) -> int:
    """Shade of a cell, 0 (knows nothing, or no number) to `SHADES` (the best end of the axis)."""
    if math.isnan(cell.value) or math.isinf(cell.value):
        return 0
    if cell.value <= axis[0]:
        return SHADES
    return round(SHADES * (1 - min(max(place(axis, cell.value) / 100, 0.0), 1.0)))


def interval_method(seeds: int) -> str:
    """How intervals were computed for so many seeds, in words."""
    if seeds < FEWEST_SEEDS:
        return f"no intervals: they need at least {FEWEST_SEEDS} seeds"
    if seeds < BOOTSTRAP_FROM:
        return "95 % intervals are Student's t over seeds on the log scale"
    return "95 % intervals are BCa bootstraps over seeds on the log scale"


def _architectures(results: Results) -> list[dict[str, str]]:
    _, ranked, reference = names(results)
    table = results.architectures
    return [
        {
            "name": name,
            "description": str(table.loc[name, "description"]),
            "kind": kind(results, name),
        }
        for name in [*ranked, *reference]
        if name in table.index
    ]


def _facts(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The manifest as pairs of words, whatever it holds."""
    facts = []
    for key, value in manifest.items():
        if value is None or (isinstance(value, float) and pd.isna(value)):
            continue
        if key == "wall_seconds" and isinstance(value, int | float):
            facts.append(("wall time", numbers.seconds(float(value))))
        elif key == "environments" and isinstance(value, list):
            facts.extend(_environments(value))
        elif isinstance(value, Mapping):
            facts.append((key, _words(value)))
        elif key != "command":
            facts.append((key.replace("_", " "), str(value)))
    return facts


def _words(pairs: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {part}" for name, part in pairs.items() if part is not None)


def _environments(found: list[Any]) -> list[tuple[str, str]]:
    """A line for each environment that trials were trained in; several may differ in a number's last bits."""
    words = [_words(each) if isinstance(each, Mapping) else str(each) for each in found]
    if len(words) == 1:
        return [("environment", words[0])]
    mixed = f"of {len(words)}, whose numbers may differ in their last bits"
    return [(f"environment {place} {mixed}", each) for place, each in enumerate(words, 1)]
