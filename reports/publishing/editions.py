"""Runs to publish: which is a suite's newest, where each stands, and what is said of it beside its pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from reports.headline import headline
from reports.leaderboard import Summary
from reports.pages.page import slug
from reports.ranking.pairs import OVERALL_NAME
from reports.results import Results
from reports.rows import Row, board
from reports.trials import largest_budget, names, told

SHARED = "static"  # the site's folder of style and scripts, which no suite may have
LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Source:
    """A run to publish: what can be told without its numbers, and how to get these.

    suite, manifest: as in `Results`; learned: its architectures without reference rows; identity: hex digest
    of all that the run is; load: reads everything, each time it is called.
    """

    suite: Mapping[str, Any]
    manifest: Mapping[str, Any]
    learned: tuple[str, ...]
    identity: str
    load: Callable[[], Results]


@dataclass(frozen=True)
class Edition:
    """A run of a suite on a site: when it was started (None: not known) and where it stands.

    folder: the suite's; stamp: the run's own in `runs` of that, for good; newest: whether it is the suite's
    newest, whose pages stand in the suite's folder itself.
    """

    source: Source
    started: datetime | None
    folder: str
    stamp: str
    newest: bool

    @property
    def permanent(self) -> str:
        """The address that stays this run's."""
        return f"{self.folder}/runs/{self.stamp}"

    @property
    def address(self) -> str:
        """The folder that its pages are in now."""
        return self.folder if self.newest else self.permanent

    @property
    def day(self) -> str:
        """The day it was started."""
        return self.started.date().isoformat() if self.started else "undated"

    @property
    def minute(self) -> str:
        """The minute it was started, in words."""
        return f"{self.day} {self.started:%H:%M} UTC" if self.started else "undated"


@dataclass(frozen=True)
class Card:
    """What overview, history and feed say of a run.

    rows: its board without reference rows; told: those of them that learned from exact posteriors; gaps:
    {(architecture, budget): overall gap}; ok, total: trials at the largest budget; size: of records.csv,
    bytes; paths: of its pages, in its folder.
    """

    edition: Edition
    headline: tuple[str, ...]
    rows: tuple[Row, ...]
    told: frozenset[str]
    gaps: Mapping[tuple[str, int], float]
    budget: int
    ok: int
    total: int
    size: int
    paths: frozenset[str]

    @property
    def suite(self) -> Mapping[str, Any]:
        """The suite as the run had it."""
        return self.edition.source.suite


def editions(sources: Sequence[Source]) -> list[list[Edition]]:
    """The runs of each suite, newest first; suites by name.

    The same in whatever order they are given. A run that is given twice, or as a copy, is there once.
    """
    runs = {source.identity: source for source in sources}.values()
    ordered = sorted(runs, key=lambda run: (run.suite["name"], started(run) or LONG_AGO, run.identity))
    return [_of_suite(list(group)) for _, group in groupby(ordered, key=lambda run: run.suite["name"])]


def started(source: Source) -> datetime | None:
    """When a run was started, in UTC; None where its manifest doesn't say."""
    try:
        found = datetime.fromisoformat(str(source.manifest.get("started")))
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def card(edition: Edition, results: Results, summary: Summary, size: int, paths: frozenset[str]) -> Card:
    """What is said of a run beside its pages."""
    table = summary.leaderboard[summary.leaderboard["task"] == OVERALL_NAME]
    budget, learned = largest_budget(results), names(results)[1]
    now = table[(table["budget"] == budget) & table["architecture"].isin(learned)]
    keys = zip(table["architecture"], table["budget"].astype(int), strict=True)
    return Card(
        edition=edition,
        headline=tuple(headline(results, summary)),
        rows=tuple(row for row in board(results, summary) if not row.reference),
        told=frozenset(told(results)),
        gaps=dict(zip(keys, table["information_gap"].astype(float), strict=True)),
        budget=budget,
        ok=int(now["ok"].sum()),
        total=int(now["total"].sum()),
        size=size,
        paths=paths,
    )


def _of_suite(oldest_first: list[Source]) -> list[Edition]:
    folder = slug(oldest_first[0].suite["name"])
    if folder == SHARED:
        folder = slug(f"{SHARED} ")  # with a digest behind
    taken: set[str] = set()
    found = []
    for source in oldest_first:
        when = started(source)
        base = f"{when.date()}T{when:%H%M}" if when else "undated"
        stamp, number = base, 2
        while stamp in taken:
            stamp, number = f"{base}-{number}", number + 1
        taken.add(stamp)
        found.append(Edition(source, when, folder, stamp, source is oldest_first[-1]))
    return found[::-1]
