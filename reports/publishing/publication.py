"""Many runs as one site: the newest of each suite, the earlier ones, an overview, a feed and a sitemap."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping, Sequence

from reports import render
from reports.charts import DASHES, HUES, Style, line_styles
from reports.leaderboard import Summary, summarise
from reports.pages import history, overview
from reports.pages.page import Page, Run
from reports.publishing import feeds
from reports.publishing.editions import SHARED, Card, Edition, Source, card, editions
from reports.results import Results
from reports.site import Place, page_files, static_files, suite_files

TITLE = "Posterior Bench"
MANIFEST = "manifest.json"


def site_files(sources: Sequence[Source], title: str = TITLE, url: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path in the site, text) of every file; the same for the same runs in any order.

    url: of the site, with a slash at its end; without it there is no sitemap, which can't do without, and
    the feed's links are relative.
    """
    suites = editions(sources)
    styles = shared_styles(_in_order(suites))
    for name, text in static_files():
        yield f"{SHARED}/{name}", text
    cards: list[list[Card]] = []
    for suite in suites:
        cards.append((yield from _suite(suite, styles)))
    newest = [each[0] for each in cards]
    page = overview.page(title, newest, [len(each) for each in cards])
    yield page.path, _overview_text(page)
    every = [each for suite in cards for each in suite]
    yield "feed.xml", feeds.atom(title, every, url)
    if url:
        yield "sitemap.xml", feeds.sitemap(_addresses(cards), url)


def shared_styles(groups: Sequence[Sequence[str]]) -> dict[str, Style]:
    """One style for each name, the same wherever it is shown, from the order given.

    groups: the names that are shown together, a group a run. There are more names than styles, so a style
    may stand for two names that no run has both of; within a run names share one only where it has more of
    them than there are styles.
    """
    looks = [Style(hue, dash) for dash in DASHES for hue in HUES]
    beside: dict[str, set[str]] = {}
    for group in groups:
        for name in group:
            beside.setdefault(name, set()).update(group)
    taken: dict[str, int] = {}
    for name, others in beside.items():
        near = [taken[other] for other in others if other in taken]
        taken[name] = min(range(len(looks)), key=lambda place: (near.count(place), place))
    return {name: looks[place] for name, place in taken.items()} | line_styles(())


def _in_order(suites: Sequence[Sequence[Edition]]) -> list[tuple[str, ...]]:
    """The names of each run: the newest of every suite first."""
    newest = [suite[0] for suite in suites]
    earlier = [each for suite in suites for each in suite[1:]]
    return [edition.source.learned for edition in [*newest, *earlier]]


def _suite(
    newest_first: Sequence[Edition], styles: Mapping[str, Style]
) -> Generator[tuple[str, str], None, list[Card]]:
    """Yield the files of a suite's runs and return their cards, newest first."""
    cards: list[Card] = []
    many = len(newest_first) > 1
    for edition in reversed(newest_first):
        results = edition.source.load()
        summary = summarise(results)
        cards.append((yield from _edition(edition, results, summary, styles, many)))
    if many:
        run = Run(results, summary, styles)
        page = history.page(run, cards[::-1])
        for path, text in page_files(run, page, _place(newest_first[0], many)):
            yield f"{newest_first[0].folder}/{path}", text
    newest = newest_first[0]
    yield f"{newest.permanent}/index.html", _moved(newest)
    return cards[::-1]


def _edition(
    edition: Edition, results: Results, summary: Summary, styles: Mapping[str, Style], many: bool
) -> Generator[tuple[str, str], None, Card]:
    """Yield the files of one run and return what is said of it elsewhere."""
    size = 0
    for name, text in render.data_files(results, summary, "index.html"):
        if name == "records.csv":
            size = len(text.encode("utf-8", "replace"))
        yield f"{edition.address}/{name}", text
    yield f"{edition.address}/{MANIFEST}", json.dumps(dict(results.manifest), indent=2) + "\n"
    paths = []
    for path, text in suite_files(results, summary, _place(edition, many), styles):
        paths.append(path)
        yield f"{edition.address}/{path}", text
    return card(edition, results, summary, size, frozenset(path for path in paths if path.endswith(".html")))


def _place(edition: Edition, many: bool) -> Place:
    """Where a run's pages stand; many: whether its suite has a history."""
    up = "../" if edition.newest else "../../../"
    return Place(
        static=f"{up}{SHARED}",
        data=".",
        home=f"{up}index.html",
        history=(history.PATH if edition.newest else f"../../{history.PATH}") if many else "",
        newest="" if edition.newest else "../../index.html",
        started=edition.minute,
    )


def _overview_text(page: Page) -> str:
    values = {"title": page.title, "static": SHARED, "figures": {}, "blocks": page.blocks}
    return render.template(page.template).render(values | dict(page.values))


def _moved(edition: Edition) -> str:
    """The page at the address that a run keeps, while it is the newest: a way to its suite's folder."""
    values = {
        "title": edition.source.suite["title"],
        "static": f"../../../{SHARED}",
        "figures": {},
        "blocks": {},
        "target": "../../index.html",
        "started": edition.minute,
    }
    return render.template("moved.html.j2").render(values)


def _addresses(suites: Sequence[Sequence[Card]]) -> list[tuple[str, str]]:
    """Path and day of every page that has content of its own."""
    days = [each.edition.day for cards in suites for each in cards if each.edition.started]
    found = [("index.html", max(days, default=""))]
    for cards in suites:
        if len(cards) > 1:
            found.append((f"{cards[0].edition.folder}/{history.PATH}", _day(cards[0])))
        for each in cards:
            found += [(f"{each.edition.address}/{path}", _day(each)) for path in each.paths]
    return sorted(found)


def _day(card: Card) -> str:
    return card.edition.day if card.edition.started else ""
