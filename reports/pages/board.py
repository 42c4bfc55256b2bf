"""The leaderboard's table: one definition of its columns and cells for the page and for its script."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from reports import numbers
from reports.charts import decades
from reports.pages.page import Run
from reports.ranking.measures import BOARD, GAP, Measure
from reports.rows import SKIPPED, Cell, Row, board
from reports.trials import budgets_of, largest_budget, names
from reports.words import at, in_batches

SHADES = 6
FEW_TASKS = 4  # above this, tasks' cells have no room for intervals
SCRIPT = "data/board.js"
Boards = Mapping[str, Mapping[int, list[Row]]]  # by a measure's key and a budget


@dataclass(frozen=True)
class Column:
    """A column: its key, heading, what stands small below, and the class of its heading."""

    key: str
    heading: str
    small: str = ""
    look: str = ""
    title: str = ""


class Shown(NamedTuple):
    """A cell: its text, what stands small below, what it says when pointed at, and its classes."""

    text: str
    small: str = ""
    title: str = ""
    look: str = ""


@dataclass(frozen=True)
class Table:
    """The table at one measure and budget: (row, cells, bar in percent or None), and the bar's ticks."""

    rows: list[tuple[Row, list[Shown], tuple[float, float, float] | None]]
    ticks: list[tuple[float, str]]


def columns(run: Run) -> list[Column]:
    """The table's columns, from left to right."""
    tasks = names(run.results)[0]
    few = "task" if len(tasks) <= FEW_TASKS else "task many"
    crossings = bool(run.results.tasks["crossings"].reindex(tasks).astype(float).gt(0).any())
    counted = bool(run.summary.leaderboard["multiply_adds"].notna().any())
    return [
        Column("rank", "#", look="rank", title="rank, with its 95 % interval"),
        Column("letters", "Ties", look="ties", title="rows that share a letter can't be told apart"),
        Column("name", "Architecture", look="name"),
        Column("value", _heading(BOARD[0]), BOARD[0].unit, look="value"),
        Column("bar", "", look="axis"),
        *(Column(f"task-{place}", task, look=few) for place, task in enumerate(tasks)),
        Column("sparse", "Sparse KL", "nats"),
        *([Column("crossings", "Crossings", "found / true")] if crossings else []),
        Column("target", "Examples to gap 0.01", "to gap 0.1", look="target"),
        Column("cost", "Training", "s / model"),
        Column("parameters", "Para\u00admeters"),
        *([Column("multiply_adds", "Multiply-adds", "a step", look="narrow")] if counted else []),
        Column("trials", "Trials", "ok / all"),
    ]


def boards(run: Run) -> Boards:
    """Every measure's rows at every budget."""
    return {
        measure.key: {
            budget: board(run.results, run.summary, 3, budget, measure.key)
            for budget in budgets_of(run.results)
        }
        for measure in BOARD
    }


def table(run: Run, found: Boards, measure: Measure, budget: int) -> Table:
    """The table by a measure at a budget; found: from `boards`."""
    tops = found[measure.key]
    return _table(run, tops[budget], _scale(list(tops.values())))


def script(run: Run, found: Boards) -> str:
    """Every measure's table at every budget as a script that gives them to the page's own one."""
    measures = {}
    for measure in BOARD:
        rows = found[measure.key]
        scale = _scale(list(rows.values()))
        tables = {budget: _table(run, each, scale) for budget, each in rows.items()}
        measures[measure.key] = {
            "title": _heading(measure),
            "unit": measure.unit,
            "ticks": next(iter(tables.values())).ticks,
            "budgets": {str(budget): [_plain(row) for row in each.rows] for budget, each in tables.items()},
        }
    plain = {
        "measure": BOARD[0].key,
        "budget": str(largest_budget(run.results)),
        "at": {str(budget): at(run.results.suite, budget) for budget in budgets_of(run.results)},
        "measures": measures,
    }
    return f"window.posteriorBoard={json.dumps(plain, separators=(',', ':'), allow_nan=False)};\n"


def shader(found: Boards) -> Callable[[Cell], int]:
    """Shades of gaps in tables of all budgets; found: from `boards`."""
    wide = _scale(list(found[GAP.key].values()))[1]
    return lambda cell: shade(wide, cell)


def choices(run: Run) -> list[tuple[str, str, bool]]:
    """Budgets to choose from: (value, text, is the one shown first)."""
    suite, largest = run.results.suite, largest_budget(run.results)
    return [
        (str(budget), f"{budget:,}{in_batches(suite, budget)}", budget == largest)
        for budget in budgets_of(run.results)
    ]


def _heading(measure: Measure) -> str:
    return measure.title[:1].upper() + measure.title[1:]


def _plain(row: tuple[Row, list[Shown], tuple[float, float, float] | None]) -> list[Any]:
    return [row[0].name, [_short(cell) for cell in row[1]], row[2]]


def _short(cell: Shown) -> list[str]:
    """A cell without its empty end."""
    parts = list(cell)
    while parts and not parts[-1]:
        parts.pop()
    return parts


def _table(run: Run, rows: Sequence[Row], scale: tuple[list[float], list[float]]) -> Table:
    axis, wide = scale
    kinds = columns(run)
    few = len(names(run.results)[0]) <= FEW_TASKS
    found = []
    for row in rows:
        by_key = _cells(row, wide, few)
        found.append((row, [by_key.get(column.key, Shown("")) for column in kinds], bar(axis, row.score)))
    return Table(found, [(place(axis, tick), numbers.tick(tick)) for tick in axis])


def _cells(row: Row, wide: list[float], few: bool) -> dict[str, Shown]:
    cells = {
        "rank": Shown(row.rank, row.rank_span, look="rank"),
        "letters": Shown(row.letters, look="ties"),
        "value": _gap(row.score, "value gap", True),
        "sparse": Shown(row.sparse),
        "crossings": Shown(row.crossings),
        "target": Shown(row.targets[-1], row.targets[0]),
        "cost": Shown(row.seconds),
        "parameters": Shown(row.parameters),
        "multiply_adds": Shown(row.multiply_adds),
        "trials": Shown(row.counts, title=row.note, look="" if row.complete else "bad"),
    }
    for number, cell in enumerate(row.tasks):
        shade_ = "" if row.reference else f" s{shade(wide, cell)}"
        cells[f"task-{number}"] = _gap(cell, f"gap{shade_}", few)
    return cells


def _gap(cell: Cell, look: str, with_span: bool) -> Shown:
    odd = " bad" if " failed" in cell.text else " skipped" if cell.text == SKIPPED else ""
    hidden = f"95 % interval {cell.span}" if cell.span and not with_span else ""
    title = "; ".join(part for part in (hidden, cell.note) if part)
    return Shown(cell.text, cell.span if with_span else "", title, look + odd)


def _scale(tables: list[list[Row]]) -> tuple[list[float], list[float]]:
    """Axes of the bars and of the shades: those of all budgets, so that they stay where they are."""
    ranked = [row for rows in tables for row in rows if not row.reference]
    return gap_axis([row.score for row in ranked]), gap_axis([cell for row in ranked for cell in row.tasks])


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
