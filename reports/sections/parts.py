"""The parts of a report that only some runs have, as tables of text for the page and for Markdown alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reports import numbers
from reports.leaderboard import Summary
from reports.results import Results
from reports.trials import missing


@dataclass(frozen=True)
class Entry:
    """A table's cell: its text, what stands small below it, what it says when pointed at, and its look."""

    text: str
    small: str = ""
    title: str = ""
    best: bool = False


@dataclass(frozen=True)
class Line:
    """A table's row; one set apart is there for comparison."""

    name: str
    entries: tuple[Entry, ...]
    apart: bool = False


@dataclass(frozen=True)
class Block:
    """Rows under one title; an empty title is none."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Table:
    """A table: columns (heading, what stands small below), repeated below every group, if there are any."""

    name: str
    heading: str
    columns: tuple[tuple[str, str], ...]
    blocks: tuple[Block, ...]
    groups: tuple[str, ...] = ()

    @property
    def headings(self) -> list[tuple[str, str]]:
        """Every column's heading and small text, from left to right."""
        return list(self.columns) * max(len(self.groups), 1)


@dataclass(frozen=True)
class Section:
    """A part of a report: name (an anchor), title, short title, the finding in a sentence, a note, tables.

    A table without a name of its own is the section's only one or first.
    """

    name: str
    title: str
    short: str
    note: str
    tables: tuple[Table, ...]
    lead: str = ""


def sections(results: Results, summary: Summary) -> list[Section]:
    """Return the parts that this run has something to show in."""
    from reports.sections.comparisons import calibration, infinite, labels, variance
    from reports.sections.rates import rates

    builders: Sequence[Callable[[Results, Summary], Section | None]] = (
        infinite,
        variance,
        labels,
        calibration,
        rates,
    )
    built = (builder(results, summary) for builder in builders)
    return [section for section in built if section is not None]


def entry(value: float | None, error: float = 0.0, why: str = "") -> Entry:
    """A number as a cell; one that isn't there says why when pointed at.

    A number whose size isn't above its error, be it below 0, is shown as `< error`.
    """
    if value is None or missing(value):
        return Entry(numbers.BLANK, title=why)
    if 0 < abs(value) <= error:
        return Entry(f"< {numbers.number(error, digits=1)}")
    return Entry(numbers.number(value))


def reasons(texts: Sequence[str]) -> str:
    """Why cells are blank, as the end of a note; empty where none is."""
    known = list(dict.fromkeys(text for text in texts if text))
    return f" Blank where {'; or where '.join(known)}." if known else ""
