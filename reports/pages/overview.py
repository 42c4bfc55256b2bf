"""The overview of a site: every suite with its finding and the first rows of its ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reports import numbers
from reports.pages.board import bar, gap_axis, place
from reports.pages.page import Page, architecture_path
from reports.publishing.editions import Card
from reports.rows import Cell
from reports.statistics import FEWEST_SEEDS
from reports.words import fixed

FIRST = 5  # rows of a suite's ranking
QUICK = "a quick run, not to be quoted"
QUESTION = "How close do classifiers come to the Bayesian posterior, and what does it cost in data?"


@dataclass(frozen=True)
class Line:
    """A row of a suite's ranking.

    span: its rank interval; path: of its page in the site, empty where it has none; ends: of its bar; told:
    whether it learned from exact posteriors.
    """

    rank: str
    span: str
    name: str
    path: str
    cell: Cell
    ends: tuple[float, float, float] | None
    told: bool


def page(title: str, newest: Sequence[Card], runs: Sequence[int]) -> Page:
    """Return the overview page.

    newest: of each suite its newest run; runs: of each suite, how many there are.
    """
    axis = gap_axis([row.score for card in newest for row in card.rows[:FIRST]])
    tops = [_lines(card, axis) for card in newest]
    values: dict[str, Any] = {
        "question": QUESTION,
        "facts": _facts(newest),
        "suites": [_suite(card, lines, count) for card, lines, count in zip(newest, tops, runs, strict=True)],
        "axis": {"ticks": [(place(axis, tick), numbers.tick(tick)) for tick in axis]},
    }
    return Page("index.html", title, "overview.html.j2", values)


def size(count: int) -> str:
    """A file's size: 812 B, 16.5 kB, 16.5 MB."""
    for unit, scale in (("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} B"


def trials(card: Card) -> str:
    """How many trials went well: `330 trials`, `328 of 330 trials ok`."""
    whole = numbers.plural(card.total, "trial")
    return whole if card.ok == card.total else f"{card.ok:,} of {whole} ok"


def _lines(card: Card, axis: list[float]) -> list[Line]:
    lines = []
    for row in card.rows[:FIRST]:
        path = architecture_path(row.name)
        there = f"{card.edition.address}/{path}" if path in card.paths else ""
        ends, taught = bar(axis, row.score), row.name in card.told
        lines.append(Line(row.rank, row.rank_span, row.name, there, row.score, ends, taught))
    return lines


def _suite(card: Card, lines: Sequence[Line], runs: int) -> dict[str, Any]:
    suite, seeds = card.suite, int(card.suite["seeds"])
    count = len(suite["tasks"])
    return {
        "anchor": card.edition.folder,
        "name": suite["name"],
        "title": suite["title"],
        "question": suite.get("question") or "",
        "finding": card.headline[0],
        "day": card.edition.day,
        "facts": [
            *([QUICK] if card.edition.source.manifest.get("quick") else []),
            numbers.plural(count, "task"),
            numbers.plural(len(card.rows), "architecture"),
            numbers.plural(seeds, "seed") + (", too few for intervals" if seeds < FEWEST_SEEDS else ""),
            f"{'trained on' if fixed(suite) else 'after'} {numbers.plural(card.budget, 'example')}",
            trials(card),
        ],
        "address": card.edition.address,
        "lines": lines,
        "rows": len(card.rows),
        "runs": runs,
        "size": size(card.size),
    }


def _facts(newest: Sequence[Card]) -> list[str]:
    """What the site holds, counted over the newest run of each suite."""
    tasks = {task for card in newest for task in card.suite["tasks"]}
    architectures = {row.name for card in newest for row in card.rows}
    days = [card.edition.day for card in newest if card.edition.started]
    counted = [
        numbers.plural(len(newest), "suite"),
        numbers.plural(len(tasks), "task"),
        numbers.plural(len(architectures), "architecture"),
        numbers.plural(sum(card.ok for card in newest), "trained model"),
    ]
    return [*counted, f"newest run of {max(days)}"] if days else counted
