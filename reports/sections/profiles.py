"""One architecture's numbers as text: its standing, its tables over tasks, and its nearest rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reports import numbers
from reports.derived import TARGETS
from reports.failures import Failure
from reports.leaderboard import Summary
from reports.means import Means, arithmetic_means
from reports.ranking.measures import GAP
from reports.ranking.pairs import OVERALL_NAME
from reports.results import Results
from reports.rows import Cell, Row, board, by_budget, by_target
from reports.sections.comparisons import mean_entry, split
from reports.sections.parts import Block, Entry, Line, Table
from reports.sections.variants import neighbours
from reports.trials import largest_budget, names
from reports.words import at

MEASURES = {
    "expected_kl": ("Expected KL", "nats"),
    "tv": ("Total variation", ""),
    "excess_error": ("Excess error", ""),
    "excess_brier": ("Excess Brier", ""),
    "ece": ("ECE", ""),
    "calibration_loss": ("Calibration loss", "nats"),
    "grouping_loss": ("Grouping loss", "nats"),
    "binning_residual": ("Binning residual", "nats"),
}
ONE_AGAINST_THE_REST = ("calibration_loss", "grouping_loss", "binning_residual")
SPLIT = (("Bias", "nats"), ("Variance", "nats"), ("Variance", "share"))


@dataclass(frozen=True)
class Everyone:
    """What the pages of all architectures look up, made once.

    rows: the board, in its order; standings: leaderboard rows by (budget, task, architecture); gaps: overall
    cells by architecture, a budget each; targets: texts by architecture, a tuple a task; means: of MEASURES
    at the largest budget; spread: derived rows by (task, architecture, metric); pairs: tests of the overall
    gap at the largest budget, by (a, b).
    """

    results: Results
    summary: Summary
    rows: Mapping[str, Row]
    standings: Mapping[tuple[int, str, str], Mapping[Any, Any]]
    gaps: Mapping[str, list[Cell]]
    targets: Mapping[str, list[tuple[str, ...]]]
    means: Means
    spread: Mapping[Any, Any]
    pairs: Mapping[tuple[str, str], Mapping[Any, Any]]
    failures: list[Failure]

    @property
    def tasks(self) -> list[str]:
        """The suite's tasks."""
        return names(self.results)[0]

    @property
    def budgets(self) -> list[int]:
        """The suite's budgets, in examples, from small to large."""
        return sorted(int(budget) for budget in self.results.suite["budgets"])

    @property
    def ranked(self) -> list[str]:
        """Rows with a rank at the largest budget, best first."""
        return [name for name, row in self.rows.items() if row.rank]


@dataclass(frozen=True)
class Neighbour:
    """A row that differs by one recipe: how, its overall gap, that over the page's own, and the verdict."""

    name: str
    words: str
    gap: Cell
    ratio: Entry
    verdict: str
    rank: str


def everyone(results: Results, summary: Summary) -> Everyone:
    """Return what every page of an architecture looks up."""
    budget = largest_budget(results)
    table = summary.leaderboard.astype(object).to_dict("records")
    derived = summary.derived
    spread = derived[(derived["budget"] == budget) & derived["metric"].isin(["bias", "variance"])]
    pairs = summary.pairs[GAP.key]
    tested = pairs[(pairs["budget"] == budget) & (pairs["task"] == OVERALL_NAME)].to_dict("records")
    metrics = [*MEASURES, *(f"{name}_ovr" for name in ONE_AGAINST_THE_REST)]
    return Everyone(
        results,
        summary,
        rows={row.name: row for row in board(results, summary)},
        standings={(int(row["budget"]), row["task"], row["architecture"]): row for row in table},
        gaps={name: cells for name, _, cells in by_budget(results, summary)},
        targets={name: texts for name, _, texts in by_target(results, summary)},
        means=arithmetic_means(results, metrics, budget),
        spread={(row["task"], row["architecture"], row["metric"]): row for row in spread.to_dict("records")},
        pairs={(row["a"], row["b"]): row for row in tested},
        failures=summary.failures,
    )


def standing(every: Everyone, name: str) -> list[str]:
    """Where a row stands at the largest budget, in sentences of plain text."""
    suite, row = every.results.suite, every.rows[name]
    cell, learned = row.overall, at(suite, every.budgets[-1])
    if cell.text in (numbers.BLANK, "skipped"):
        return [f"It has no overall gap {learned}" + (f": {row.note}." if row.note else ".")]
    where = "A reference row, without a rank" if row.reference else "Without a rank"
    if row.rank:
        where = f"Rank {row.rank} of {len(every.ranked)}"
    span = f" (95 % interval {cell.span})" if cell.span else ""
    seeds = numbers.plural(int(suite["seeds"]), "seed")
    tasks = f"the geometric mean over {len(every.tasks)} tasks and" if len(every.tasks) > 1 else "over"
    gap = f"information gap {cell.text}{span}, {tasks} {seeds}"
    if " failed" in cell.text:
        gap = f"{cell.text.replace(' failed', '')} of its trials failed, so it has no mean"
    sentences = [f"{where}: {learned}, {gap}."]
    sentences += _doubts(every, name)
    return sentences + ([f"{row.note[:1].upper()}{row.note[1:]}."] if row.note else [])


def _doubts(every: Everyone, name: str) -> list[str]:
    """What the tests leave open about a rank; nothing of a row without one, or below five seeds."""
    row = every.standings[every.budgets[-1], OVERALL_NAME, name]
    low, high = row.get("rank_low"), row.get("rank_high")
    if not every.rows[name].rank or low is None or pd.isna(low):
        return []
    if low == high:
        return ["Its rank is certain at 95 %: it differs significantly from every other row."]
    return [f"At 95 % its rank may be anything from {low} to {high}."]


def by_examples(every: Everyone, name: str) -> list[tuple[int, Cell, Entry]]:
    """Overall gap and rank of a row at every budget: (budget, gap, rank with its interval and letters)."""
    cells = every.gaps[name]
    return [
        (budget, cell, rank(every.standings.get((budget, OVERALL_NAME, name), {})))
        for budget, cell in zip(every.budgets, cells, strict=True)
    ]


def rank(row: Mapping[Any, Any]) -> Entry:
    """A leaderboard row's rank as a cell; below it its interval and its letters, where known."""
    place = row.get("rank")
    if place is None or pd.isna(place):
        return Entry(numbers.BLANK)
    span = numbers.ranks(row.get("rank_low"), row.get("rank_high"))
    letters = row.get("letters")
    parts = ("" if span == str(place) else span, letters)
    return Entry(str(place), " ".join(part for part in parts if isinstance(part, str) and part))


def score_table(every: Everyone, name: str) -> Table:
    """The ranking measure on every task at the largest budget, and what goes with it."""
    columns = (
        ("Information gap", ""), ("Rank", ""), ("Sparse KL", "nats"), ("Crossings", "found / true"),
        *((f"Examples to gap {target:g}", "") for target in TARGETS), ("Trials", "ok / all"),
    )  # fmt: skip
    lines = []
    for place, task in enumerate(every.tasks):
        row = every.standings.get((every.budgets[-1], task, name), {})
        cell = every.rows[name].tasks[place]
        entries = (
            Entry(cell.text, cell.span, cell.note),
            rank(row),
            Entry(cell.sparse),
            Entry(numbers.found(row.get("crossings_found"), row.get("crossings"))),
            *(Entry(text) for text in every.targets[name][place]),
            Entry(f"{row.get('ok', 0)}/{row.get('total', 0)}"),
        )
        lines.append(Line(task, entries))
    return _filled(Table("scores", "", columns, (Block("", tuple(lines)),)))


def measure_table(every: Everyone, name: str) -> Table:
    """All other measures on every task at the largest budget: arithmetic means over seeds."""
    many = every.results.tasks["classes"].astype(float) > 2
    lines = []
    for task in every.tasks:
        end = "_ovr" if bool(many.get(task, False)) else ""
        entries = [
            mean_entry(every.means, task, name, metric + (end if metric in ONE_AGAINST_THE_REST else ""))
            for metric in MEASURES
        ]
        lines.append(Line(task, (*entries, *split(every.spread, task, every.tasks, name))))
    columns = (*MEASURES.values(), *SPLIT)
    return _filled(Table("measures", "", columns, (Block("", tuple(lines)),)))


def compared(every: Everyone, name: str) -> list[Neighbour]:
    """Rows that differ by one recipe, with their overall gaps at the largest budget."""
    found = []
    for other, words in neighbours(every.results, name):
        row = every.rows[other]
        found.append(Neighbour(other, words, row.overall, *_against(every, other, name), row.rank))
    return found


def _against(every: Everyone, other: str, name: str) -> tuple[Entry, str]:
    """The gap of one row over another's with its interval, and what the paired test says of them."""
    row = every.pairs.get((other, name)) or every.pairs.get((name, other))
    if row is None:
        return Entry(numbers.BLANK), numbers.BLANK
    ratio, low, high = (float(row[key]) for key in ("ratio", "low", "high"))
    if row["a"] == name and ratio > 0:
        ratio, low, high = 1 / ratio, 1 / high, 1 / low
    text = f"{numbers.number(ratio, 2)} ×" if 0 < ratio < math.inf else numbers.BLANK  # noqa: RUF001
    verdict = {other: "better", name: "worse"}.get(row["better"], "not told apart")
    if not row["better"] and pd.isna(row["p"]):
        verdict = "too few seeds"
    return Entry(text, numbers.span(low, high)), verdict


def rival(every: Everyone, name: str) -> str:
    """The best ranked row that isn't the row itself; empty where there is none, and of a reference row."""
    if every.rows[name].reference:
        return ""
    return next((other for other in every.ranked if other != name), "")


def size(every: Everyone, name: str, column: str) -> str:
    """A count of the leaderboard: one number, or the least and the most over tasks; a dash where unknown."""
    last = every.budgets[-1]
    known: Sequence[Any] = [every.standings.get((last, task, name), {}).get(column) for task in every.tasks]
    counts = [int(count) for count in known if count is not None and not pd.isna(count)]
    if not counts:
        return numbers.BLANK
    low, high = min(counts), max(counts)
    return numbers.count(low) if low == high else f"{low:,}–{high:,}"  # noqa: RUF001


def _filled(table: Table) -> Table:
    """A table without the columns that say nothing in any row."""
    lines = table.blocks[0].lines
    kept = [
        place
        for place in range(len(table.columns))
        if any(line.entries[place].text != numbers.BLANK for line in lines)
    ]
    blocks = (
        Block("", tuple(Line(line.name, tuple(line.entries[place] for place in kept)) for line in lines)),
    )
    return Table(table.name, table.heading, tuple(table.columns[place] for place in kept), blocks)
