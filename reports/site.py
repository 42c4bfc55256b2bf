"""A run's pages as files: every page, the data of its charts, style and scripts."""

from __future__ import annotations

import itertools
import posixpath
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from reports import render
from reports.charts import Style, line_styles
from reports.figures import svg
from reports.leaderboard import Summary
from reports.pages import architecture, compare, leaderboard, method, task
from reports.pages.page import Chart, Page, Run
from reports.results import Results
from reports.spreadsheets import harmless
from reports.trials import names

STATIC = ("report.css", "board.js", "charts.js", "compare.js", "explorer.js")
NAVIGATION = (
    ("Leaderboard", "index.html"),
    ("Tasks", "tasks/index.html"),
    ("Architectures", "architectures/index.html"),
    ("Head to head", "compare.html"),
    ("Method", "method.html"),
)
AHEAD = 4  # pages that are made while the charts of those before them are drawn
_HERE = Path(__file__).parent
Begun: TypeAlias = Callable[[], svg.Figure]


@dataclass(frozen=True)
class Place:
    """Where a suite's pages stand: paths relative to the suite's folder, empty where there is no such page.

    static: the folder of style and scripts; data: the folder with records.csv and its like; home: the page
    that lists all suites; history: the page that lists all runs of this suite; newest: where the newest of
    these is, if it isn't this one; started: when this one was, in words.
    """

    static: str = "static"
    data: str = ".."
    home: str = ""
    history: str = ""
    newest: str = ""
    started: str = ""


def suite_files(
    results: Results,
    summary: Summary,
    place: Place | None = None,
    styles: Mapping[str, Style] | None = None,
) -> Iterator[tuple[str, str]]:
    """Yield (path in the suite's folder, text) of every page and of its charts' data.

    styles: how each row's line looks; the run's own, where its pages stand alone.
    """
    run = Run(results, summary, styles) if styles else run_of(results, summary)
    clips = itertools.count(1)
    for page, begun in _ahead(pages(run)):
        figures = svg.numbered({name: finish() for name, finish in begun.items()}, clips)
        yield from page_files(run, page, place, figures)


def _ahead(made: Iterable[Page]) -> Iterator[tuple[Page, Mapping[str, Begun]]]:
    """Pages with their charts begun, each a few pages after that, so that these are drawn when it comes."""
    waiting: deque[tuple[Page, Mapping[str, Begun]]] = deque()
    for page in made:
        waiting.append((page, {chart.name: svg.begun(chart, _csv(page, chart)) for chart in page.charts}))
        if len(waiting) > AHEAD:
            yield waiting.popleft()
    yield from waiting


def page_files(
    run: Run, page: Page, place: Place | None = None, figures: Mapping[str, svg.Figure] | None = None
) -> Iterator[tuple[str, str]]:
    """Yield (path in the suite's folder, text) of a page and of its charts' data."""
    yield page.path, page_text(run, page, place, figures)
    yield from page.files.items()
    for chart in page.charts:
        yield data_path(page, chart), harmless(chart.data).to_csv(index=False, lineterminator="\n")


def run_of(results: Results, summary: Summary) -> Run:
    """A run with the styles that its own rows have, in the suite's order."""
    return Run(results, summary, line_styles(names(results)[1]))


def static_files() -> Iterator[tuple[str, str]]:
    """Yield (name, text) of the style and the scripts that all pages share."""
    for name in STATIC:
        yield name, (_HERE / "static" / name).read_text(encoding="utf-8")
    yield "vega.js", svg.bundle()


def pages(run: Run) -> Iterator[Page]:
    """Yield every page of a run, each made when it is asked for, the leaderboard first."""
    yield leaderboard.page(run)
    yield method.page(run)
    yield compare.page(run)
    yield from task.pages(run)
    yield from architecture.pages(run)


def page_text(
    run: Run, page: Page, place: Place | None = None, figures: Mapping[str, svg.Figure] | None = None
) -> str:
    """A page as HTML; figures: its charts where they are drawn already, by name."""
    place = place or Place()
    navigation = [*NAVIGATION, *([("History", place.history)] if place.history else [])]
    values: dict[str, Any] = {
        "title": page.title,
        "suite": run.results.suite,
        "manifest": run.results.manifest,
        "figures": figures or _drawn(page),
        "blocks": page.blocks,
        "navigation": [(text, _href(page, path), path == page.path) for text, path in navigation],
        "static": _href(page, place.static),
        "data": _href(page, place.data),
        "home": _href(page, place.home) if place.home else "",
        "newest": _href(page, place.newest) if place.newest else "",
        "started": place.started,
        "to": lambda path: _href(page, path),
    }
    return render.template(page.template).render(values | dict(page.values))


def _drawn(page: Page) -> dict[str, svg.Figure]:
    figures = {chart.name: svg.drawn(chart, _csv(page, chart)) for chart in page.charts}
    return svg.numbered(figures, itertools.count(1))


def _csv(page: Page, chart: Chart) -> str:
    return _href(page, data_path(page, chart))


def data_path(page: Page, chart: Chart) -> str:
    """Where a chart's numbers stand in the suite's folder.

    The point is in no slug: behind a hyphen, the sparse KL of `x` would be the KL of `x-sparse`.
    """
    return f"data/{PurePosixPath(page.path).with_suffix('').as_posix().replace('/', '-')}.{chart.name}.csv"


def _href(page: Page, path: str) -> str:
    """A path in the suite's folder as a link from a page."""
    # Below folders of no meaning, so that a path that leads out of the suite's is told without our own place.
    deep = "/a/b/c/d/e/f"
    return posixpath.relpath(f"{deep}/{path}", f"{deep}/{PurePosixPath(page.path).parent}")
