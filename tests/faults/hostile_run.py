"""A synthetic run whose every text comes from a stranger, and what must hold of all that is made from it."""

import csv
import dataclasses
import importlib.util
import io
import json
import re
from collections import Counter
from functools import lru_cache
from html.parser import HTMLParser
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

from markdown_it import MarkdownIt

from reports import spreadsheets
from reports.comparing.compare import compare
from reports.comparing.compare_page import page_text
from reports.comparing.compare_text import json_text as compare_json
from reports.comparing.compare_text import markdown_text as compare_markdown
from reports.comparing.compare_text import terminal_text
from reports.figures import svg
from reports.leaderboard import summarise
from reports.pages import method
from reports.pages.page import slug
from reports.publishing import publication
from reports.publishing.editions import Source
from reports.render import markdown_text, terminal
from reports.site import page_text as page_text_of
from reports.site import run_of
from reports.texts import LONGEST_TEXT, markdown, printable, shown

CONFTEST = Path(__file__).resolve().parents[1] / "reports" / "conftest.py"
LOCAL = re.compile(r"[A-Za-z0-9._/-]+")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?inf")
UNSHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
OURS = ("https://example.org/bench/", "http://www.w3.org/", "https://www.w3.org/")


def synthetic():
    """Return a small run: a task, two networks with a failure, and two reference rows."""
    spec = importlib.util.spec_from_file_location("synthetic_run", CONFTEST)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    whole = module.build_results(seeds=5)
    tasks, networks = ["gauss-nested"], ["mlp-16x16", "fourier-64"]
    rows, budgets = [*networks, "oracle", "prior"], [640, 32_000]
    records = whole.records
    kept = records["task"].isin(tasks) & records["architecture"].isin(rows) & records["budget"].isin(budgets)
    given = {"tasks": tasks, "architectures": networks, "reference": rows[2:], "budgets": budgets}
    return dataclasses.replace(
        whole,
        suite={**whole.suite, **given},
        records=records[kept],
        tasks=whole.tasks.loc[tasks],
        architectures=whole.architectures.loc[rows].assign(limit="a limit", base="b", recipes=[["r"]] * 4),
        pictures={task: whole.pictures[task] for task in tasks},
    )


def renamed(results, text):
    """Return a run whose every text is text(what it was), different for each name."""
    learned = {name: text(name) for name in results.suite["architectures"]}
    names = learned | {name: name for name in results.suite["reference"]}
    tasks = {name: text(name) for name in results.suite["tasks"]}
    pictures = {}
    for task, picture in results.pictures.items():
        kept = {(names[key[0]], key[1]): q for key, q in picture.outputs.items() if key[0] in names}
        pictures[tasks[task]] = dataclasses.replace(picture, outputs=kept)
    suite = results.suite
    records = results.records
    said = {reason: text(reason) for reason in records["reason"].unique() if reason}
    architectures = results.architectures.rename(index=names)
    return dataclasses.replace(
        results,
        suite={
            **suite,
            "title": text(suite["title"]),
            "question": text(suite["question"]),
            "tasks": list(tasks.values()),
            "architectures": list(learned.values()),
        },
        records=records.replace({"architecture": learned, "task": tasks, "reason": said}),
        tasks=results.tasks.rename(index=tasks).assign(description=text("a description")),
        architectures=architectures.assign(
            description=text("what it is"), family=text("family"), limit=text("a limit")
        ),
        pictures=pictures,
        manifest={
            **{key: text(value) if isinstance(value, str) and key != "started" else value for key, value in
               results.manifest.items()},
            "versions": {"posterior-bench": text("0.1"), text("torch"): text("2")},
            "machine": {text("cpu"): text("fast")},
        },
    )  # fmt: skip


def undrawn(patch):
    """Leave the drawing of charts out, which takes most of the time; patch: pytest's monkeypatch."""
    patch.setattr(svg, "drawn", _blank)
    patch.setattr(svg, "begun", lambda chart, csv: lambda: _blank(chart, csv))


def _blank(chart, csv):
    return svg._figure(chart, csv, svg._spec(chart), '<svg viewBox="0 0 1 1"></svg>')


def site(results, title, static=False):
    """Return the files of a site of one run, {path: text}; static: those that all sites share too."""
    source = Source(
        results.suite, results.manifest, tuple(results.suite["architectures"]), "1" * 16, lambda: results
    )
    made = publication.site_files([source], title, "https://example.org/bench/")
    return {f"site/{name}": text for name, text in made if static or not name.startswith("static/")}


class Outline(HTMLParser):
    """Elements with their attributes' names, links, scripts and text of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.links, self.scripts, self.text = Counter(), set(), [], [], []
        self._script = None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags[tag] += tag not in ("span", "wbr")  # long names have more of them
        self.attributes |= {(tag, name) for name in given}
        self.links += [given[name] for name in ("href", "src") if given.get(name)]
        assert not any(name.startswith("on") for name in given), (tag, given)
        self._script = given if tag == "script" else None

    def handle_endtag(self, tag):
        self._script = None

    def handle_data(self, data):
        if self._script is None:
            self.text.append(data)
        elif data.strip():
            assert self._script.get("type") == "application/json", data[:200]
            self.scripts.append(json.loads(data))


def markdown_outline(text):
    """Return what Markdown makes of a text besides words, counted."""
    found = Counter()
    for token in MarkdownIt("commonmark", {"html": True}).enable("table").parse(text):
        for each in [token, *(token.children or [])]:
            if each.type not in ("text", "inline", "softbreak", "text_special"):
                link = str(each.attrs.get("href", "")) if each.type == "link_open" else ""
                content = each.content if each.type.startswith("html") else ""
                found[each.type, each.tag, link, content] += 1
    return found


def check_paths(paths):
    """Check that files stay in their folder, on any file system, and that none takes another's place."""
    for path in paths:
        assert LOCAL.fullmatch(path) and not path.startswith("/"), path
        parts = path.split("/")
        assert all(part.strip(".") and len(part) <= 120 for part in parts), path
    assert len({path.casefold() for path in paths}) == len(paths)


def check(files, usual):
    """Check the files of a hostile run against the outlines of a usual one."""
    check_paths(list(files))
    for path, text in files.items():
        if path.endswith(".html"):
            check_page(path, text, usual)
        elif path.endswith(".csv"):
            check_cells(path, text)
        elif path.endswith((".svg", ".xml")):
            ElementTree.fromstring(text)
        elif path.endswith(".md"):
            assert markdown_outline(text) == usual["markdown"][path], path
            assert not UNSHOWN.search(text)
        elif path.endswith(".js"):
            json.loads(text.partition("=")[2].rstrip("; \n"))


def check_page(path, text, usual):
    """Check that a page has no element, attribute, script or way out that names brought."""
    assert not UNSHOWN.search(text), (path, UNSHOWN.search(text))
    page = Outline(text)
    assert set(page.tags) <= usual["tags"], (path, set(page.tags) - usual["tags"])
    assert page.attributes <= usual["attributes"], (path, page.attributes - usual["attributes"])
    for link in page.links:
        target = link.partition("#")[0]
        assert not target or target == "data:," or LOCAL.fullmatch(target) or link.startswith(OURS), (
            path,
            link,
        )


def check_cells(path, text):
    """Check that no cell would be run by a spreadsheet, and that every row has as many as the first."""
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert {len(row) for row in rows} == {len(rows[0])}, path
    for row in rows:
        for cell in row:
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r")) or NUMBER.fullmatch(cell), (
                path,
                cell,
            )
            assert "\r" not in cell, (path, cell)


def outlines(files):
    """Return what pages and Markdown of a usual run are made of."""
    pages = [Outline(text) for path, text in files.items() if path.endswith(".html")]
    return {
        "tags": {tag for page in pages for tag in page.tags} | {"wbr"},
        "attributes": {each for page in pages for each in page.attributes}
        | {("span", "class")},  # of long names
        "markdown": {path: markdown_outline(text) for path, text in files.items() if path.endswith(".md")},
    }


class Checked:
    """Checks runs of hostile names against what a usual one's files are made of."""

    def __init__(self):
        self.results = synthetic()
        self.usual = outlines(site(self.results, "A site"))
        self.alone = outlines(
            {"compare.html": page_text(compare(self.results, *self.results.suite["architectures"]))}
        )

    def __call__(self, payloads):
        """Check all that is made of a run whose texts are these and a number, in turns."""
        number = count()

        def text(_):
            place = next(number)
            return f"{payloads[place % len(payloads)]}{place}"

        results = renamed(self.results, text)
        files = site(results, payloads[0])
        check(files, self.usual)
        names = results.suite["architectures"]
        for name in names:
            page = Outline(files[f"site/gaussian1d/architectures/{slug(name)}.html"])
            assert str(shown(name)).strip() in "".join(page.text), name[:100]
        found = compare(results, *names)
        check_page("compare.html", page_text(found), self.alone)
        told = [terminal_text(found), compare_markdown(found), compare_json(found), terminal(results)]
        assert not UNSHOWN.search("".join(told))


def check_text(text):
    """Check that Markdown, a spreadsheet, a page, a terminal and a file's name take a text as text."""
    reader = MarkdownIt("commonmark", {"html": True}).enable("table")
    said = markdown(text)
    (start, inline, end) = reader.parse(f"{said}x")
    assert (start.type, inline.type, end.type) == ("paragraph_open", "inline", "paragraph_close")
    assert {each.type for each in inline.children} <= {"text", "text_special"}
    assert "".join(each.content for each in inline.children) == printable(text[:LONGEST_TEXT]) + "x"
    table = [token.type for token in reader.parse(f"| a | b |\n| --- | --- |\n| {said} | 1 |\n")]
    assert table.count("td_open") == 2 and table[-1] == "table_close"
    assert "www." not in said.lower() and "://" not in said
    assert printable(text).isprintable() and not UNSHOWN.search(shown(text))
    cells = csv.writer(found := io.StringIO(), lineterminator="\n")
    cells.writerow([spreadsheets.text(text), 1])
    check_cells("a cell", found.getvalue())
    check_paths([f"tasks/{slug(text)}.html"])


@lru_cache(maxsize=1)
def checked():
    """Return what checks runs of given names, without drawings, from now on."""
    undrawn(SimpleNamespace(setattr=setattr))
    return Checked()


@lru_cache(maxsize=1)
def summarised():
    """Return the usual run, its numbers, and the outlines of its files."""
    results = synthetic()
    return results, summarise(results), checked().usual


def source(manifest):
    """Return a run to publish of this manifest."""
    suite = summarised()[0].suite
    return Source(suite, manifest, tuple(suite["architectures"]), "1" * 16, lambda: None)


def check_manifest(manifest):
    """Check that a page and Markdown show a manifest, whatever it holds."""
    results, summary, usual = summarised()
    results = dataclasses.replace(results, manifest=manifest)
    run = run_of(results, summary)
    check_page("method", page_text_of(run, method.page(run)), usual)
    text = markdown_text(results, summary)
    assert markdown_outline(text) == markdown_outline(markdown_text(summarised()[0], summary))
    assert not UNSHOWN.search(text)
