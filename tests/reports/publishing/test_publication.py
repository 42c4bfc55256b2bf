"""A site of many runs: addresses, history, colours, feed, sitemap, and what it takes from strangers."""

import dataclasses
import io
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from posixpath import dirname, join, normpath
from uuid import UUID
from xml.etree import ElementTree

import pandas as pd
import pytest

import reports.site
from reports import render
from reports.charts import DASHES, HUES, line_styles
from reports.figures import drawing
from reports.leaderboard import summarise
from reports.pages import method
from reports.pages.history import comparable
from reports.pages.page import slug
from reports.publishing.editions import Source, editions, started
from reports.publishing.publication import shared_styles, site_files
from reports.results import Results
from reports.site import STATIC

HOSTILE = '<script>alert(1)</script>|`x`\n"&\x1b[31m'
URL = "https://example.org/bench/"
ATOM = "{http://www.w3.org/2005/Atom}"


def run(whole: Results, suite="alpha", start="2026-03-01T10:00:00+00:00", **changes):
    """A small run of the synthetic one's rows."""
    grid = {"tasks": ["gauss-nested"], "architectures": ["linear", "mlp-16x16"], "budgets": [640, 3_200]}
    grid |= {"name": suite, "title": f"Suite {suite}", "reference": ["oracle", "prior"], **changes}
    records = whole.records
    kept = records["task"].isin(grid["tasks"]) & records["budget"].isin(grid["budgets"])
    names = [*grid["architectures"], *grid["reference"]]
    return dataclasses.replace(
        whole,
        suite={**whole.suite, **grid},
        records=records[kept & records["architecture"].isin(names)],
        tasks=whole.tasks.loc[grid["tasks"]],
        architectures=whole.architectures.loc[names],
        pictures={task: whole.pictures[task] for task in grid["tasks"]},
        manifest={**whole.manifest, "suite": suite, "started": start},
    )


def source(found: Results, identity=""):
    started_, learned = found.manifest.get("started"), tuple(found.suite["architectures"])
    return Source(
        found.suite, found.manifest, learned, identity or f"{found.suite['name']} {started_}", lambda: found
    )


def light(sources, *args, **options):
    """A site whose runs have two pages without charts: all it takes to see where they are put."""

    def few(run):
        page = method.page(run)
        return [dataclasses.replace(page, path="index.html"), page]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reports.site, "pages", few)
        return dict(site_files(sources, *args, **options))


@pytest.fixture(scope="module")
def runs(results):
    worse = results.records.copy()
    worse.loc[(worse["architecture"] == "linear") & (worse["metric"] == "information_gap"), "value"] = 0.5
    named = dataclasses.replace(
        results, architectures=results.architectures.rename(index={"linear": HOSTILE})
    )
    named = dataclasses.replace(named, records=results.records.replace({"architecture": {"linear": HOSTILE}}))
    hostile = run(named, HOSTILE, title=HOSTILE, question=HOSTILE, architectures=[HOSTILE, "mlp-16x16"])
    return {
        "old": run(dataclasses.replace(results, records=worse), start="2026-01-05T10:00:10+00:00"),
        "same minute": run(results, start="2026-01-05T12:00:40+02:00"),  # 10:00:40 in UTC
        "other grid": run(results, start="2026-02-01T10:00:00+00:00", budgets=[640]),
        "newest": run(results),
        "other": run(results, "beta", "2026-02-03T04:05:06+00:00", architectures=["mlp-64x64", "mlp-16x16"]),
        "undated": run(results, "static", None),
        "hostile": dataclasses.replace(hostile, manifest={**hostile.manifest, "commit": HOSTILE}),
    }


@pytest.fixture(scope="module")
def site(runs):
    return light([source(found) for found in runs.values()], "Our bench")


@pytest.fixture(scope="module")
def whole(runs):
    """A site with every page; how charts look is no matter here, and drawing them all takes a minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "draw", lambda spec: '<svg viewBox="0 0 9 9" aria-hidden="true"></svg>')
        return dict(site_files([source(runs[name]) for name in ("old", "newest", "other", "hostile")]))


class Page(HTMLParser):
    """A page's tags with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    handle_startendtag = handle_starttag


# --- addresses --------------------------------------------------------------------------------------------


def test_a_suite_folder_is_its_newest_run_and_earlier_ones_have_their_own(site, runs):
    started_ = {path: text for path, text in site.items() if path.endswith("manifest.json")}
    assert '"started": "2026-03-01T10:00:00+00:00"' in started_["alpha/manifest.json"]
    assert '"started": "2026-01-05T10:00:10+00:00"' in started_["alpha/runs/2026-01-05T1000/manifest.json"]
    assert '"2026-01-05T12:00:40+02:00"' in started_["alpha/runs/2026-01-05T1000-2/manifest.json"]
    assert "alpha/runs/2026-02-01T1000/records.csv" in site
    assert "beta/index.html" in site and "beta/history.html" not in site
    shared = {path for path in site if path.startswith("static/")}
    assert shared == {f"static/{name}" for name in (*STATIC, "vega.js")}
    assert f"{slug('static ')}/runs/undated/index.html" in site  # a suite can't have the shared folder


def test_every_run_has_an_address_that_stays_its_own(site):
    stub = site["alpha/runs/2026-03-01T1000/index.html"]
    assert '<meta http-equiv="refresh" content="0; url=../../index.html">' in stub
    earlier = site["alpha/runs/2026-02-01T1000/method.html"]
    assert 'href="../../index.html">The newest run</a>' in earlier
    assert "The newest run" not in site["alpha/method.html"]


def links(site):
    for path, text in site.items():
        if path.endswith(".html"):
            for tag, attributes in Page(text).tags:
                for name in ("href", "src", "content"):
                    value = attributes.get(name) or ""
                    if tag == "meta":
                        value = value.partition("; url=")[2]
                    if value and value != "data:,":
                        yield path, value
        if path.endswith(".md"):
            for value in re.findall(r"(?<!\\)\]\(([^)]*)\)", text):
                yield path, value


def test_every_link_leads_to_a_file_and_a_place_in_it(whole):
    found = list(links(whole))
    assert len(found) > 200
    ids = {
        path: {a["id"] for _, a in Page(text).tags if "id" in a}
        for path, text in whole.items()
        if path.endswith(".html")
    }
    for path, value in found:
        target, _, place = value.partition("#")
        file = normpath(join(dirname(path), target)) if target else path
        assert file in whole, (path, value)
        assert not place or "=" in place or place in ids[file], (path, value)  # a=b: what a script shows


def test_nothing_is_asked_of_other_sites(whole):
    for path, text in whole.items():
        if path.endswith((".html", ".css", ".md")):
            assert not re.search(r"(?:src|href)\s*=\s*[\"']?(?:[a-z]+:)?//|url\(|@import", text), path
    assert "://" not in re.sub(r"http://www.w3.org/\S+", "", whole["feed.xml"] + whole["index.html"])


def test_the_order_of_the_runs_is_of_no_matter_and_a_copy_is_the_same_run(site, runs):
    again = [source(found) for found in reversed(runs.values())]
    assert light([*again, again[0]], "Our bench") == site


@pytest.mark.parametrize("said", [None, "", "yesterday", 5, "2026-13-01T00:00:00"])
def test_a_run_that_does_not_say_when_it_started_is_the_oldest(results, said):
    undated = source(run(results, start=said), "a")
    assert started(undated) is None
    (suite,) = editions([undated, source(run(results, start="0001-02-03T00:00:00+00:00"), "b")])
    assert [each.stamp for each in suite] == ["0001-02-03T0000", "undated"]


def test_a_time_without_a_zone_is_taken_for_utc(results):
    assert started(source(run(results, start="2026-01-05T12:00:40"))) == datetime(
        2026, 1, 5, 12, 0, 40, tzinfo=UTC
    )


# --- what pages say ---------------------------------------------------------------------------------------


def test_the_overview_says_what_was_found_with_the_first_five_rows(make_results, results):
    text = light([source(make_results()), source(run(results, "beta"))])["index.html"]
    first = text[text.index('id="gaussian1d"') :]
    names = re.findall(r'<th scope="row" class="name">.*?</th>', first, re.S)
    board = summarise(make_results()).leaderboard.query("budget == 640000 and task == 'overall'")
    top = board.loc[board["rank"].notna(), "architecture"].tolist()[:5]
    assert [re.sub("<[^>]*>", "", name) for name in names[:5]] == top
    assert "mlp-64x64 comes closest to the exact posterior: after 640,000 examples" in first
    assert (
        "6 seeds" in first
        and "3 tasks" in first
        and "5 architectures" in first
        and "of 90 trials ok" in first
    )
    assert "2 suites" in text and "<time" in text and "All 5 rows" not in text
    best = board.iloc[0]
    assert f"{best['information_gap']:.3g}"[:5] in first
    low, high = best["rank_low"], best["rank_high"]
    if low != high:
        assert f"<small>{low}–" in first  # noqa: RUF001


def test_the_overview_says_which_suite_is_a_quick_run(results):
    beta = run(results, "beta")
    quick = dataclasses.replace(beta, manifest={**beta.manifest, "quick": True})
    text = light([source(run(results, "alpha")), source(quick)])["index.html"]
    alpha, beta = text.split('id="beta"')
    assert "a quick run, not to be quoted" in beta
    assert "quick run" not in alpha


def test_sizes_of_records_are_said(site):
    size = len(site["beta/records.csv"].encode())
    assert f"({size / 1e3:.1f} kB)" in site["index.html"]


def test_hostile_names_stay_text_everywhere(whole):
    for path, text in whole.items():
        if path.endswith(".html"):
            scripts = [a for tag, a in Page(text).tags if tag == "script"]
            assert all(a.get("type") == "application/json" or "src" in a for a in scripts), path
            assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in whole["index.html"]
    folders = {path.partition("/")[0] for path in whole if "/" in path}
    assert all(re.fullmatch(r"[a-z0-9-]+", folder) for folder in folders)
    titles = [entry.findtext(f"{ATOM}title") for entry in ElementTree.fromstring(whole["feed.xml"])]
    assert any(title and title.startswith("<script>alert(1)</script>") for title in titles)


def test_the_history_has_every_run_and_draws_those_that_can_be_compared(site, runs):
    text = site["alpha/history.html"]
    assert '<h2 id="runs-title">4 runs' in text and text.count("another grid than the newest run") == 1
    assert (
        text.index("2026-03-01 10:00 UTC") < text.index("2026-02-01 10:00") < text.index("2026-01-05 10:00")
    )
    drawn = pd.read_csv(io.StringIO(site["alpha/data/history.history.csv"]))
    assert list(drawn["started"].unique()) == [
        "2026-01-05 10:00 UTC", "2026-03-01 10:00 UTC",
    ]  # fmt: skip
    assert list(drawn["run"].unique()) == [1, 2, 3]
    for number, name in ((1, "old"), (2, "same minute"), (3, "newest")):
        board = summarise(runs[name]).leaderboard.query("budget == 3200 and task == 'overall'")
        expected = board.set_index("architecture")["information_gap"]
        for row in drawn[drawn["run"] == number].to_dict("records"):
            assert row["information_gap"] == pytest.approx(expected[row["architecture"]], rel=1e-12)
    assert drawn.query("run == 1 and architecture == 'linear'")["information_gap"].item() == pytest.approx(
        0.5
    )
    assert 'href="history.html">History</a>' in site["alpha/method.html"].replace(' aria-current="page"', "")


@pytest.mark.parametrize(
    ("change", "alike"),
    [
        ({}, True),
        ({"budgets": [640, 3_200, 32_000]}, True),
        ({"seeds": 3}, True),
        ({"architectures": ["linear"]}, True),
        ({"budgets": [640]}, False),
        ({"tasks": ["gauss-separated"]}, False),
        ({"protocol": "dataset"}, False),
        ({"pool": 1_000}, False),
    ],
)
def test_gaps_are_compared_at_one_budget_of_the_same_tasks_and_protocol(results, change, alike):
    @dataclasses.dataclass
    class Like:
        suite: dict
        budget: int = 3_200

    newest = run(results).suite
    assert comparable(Like({**newest, **change}), Like(newest)) is alike


# --- colours ----------------------------------------------------------------------------------------------


def test_one_run_alone_has_the_styles_that_its_own_pages_have():
    names = [f"n{number}" for number in range(len(HUES) * len(DASHES) + 3)]
    styles = shared_styles([names])
    own = line_styles(names)
    assert {name: styles[name] for name in names[:24]} == {name: own[name] for name in names[:24]}
    assert styles["prior"] == own["prior"]


def test_no_two_rows_of_a_run_look_the_same_while_there_are_styles():
    groups = [[f"n{number}" for number in range(start, start + 20)] for start in range(0, 200, 7)]
    styles = shared_styles(groups)
    for group in groups:
        assert len({(styles[name].colour, styles[name].dash) for name in group}) == len(group)


def test_an_architecture_has_one_colour_on_the_whole_site(whole):
    looks = {}
    for path, text in whole.items():
        if path.endswith("index.html"):
            for name, colour in re.findall(r'data-name="([^"]*)".*?stroke="(#[0-9a-f]{6})"', text):
                looks.setdefault(name, set()).add(colour)
    assert {"linear", "mlp-16x16", "mlp-64x64"} <= set(looks)
    assert all(len(colours) == 1 for colours in looks.values())
    assert looks["linear"] != looks["mlp-16x16"] != looks["mlp-64x64"]


# --- feed and sitemap -------------------------------------------------------------------------------------


def entries(text):
    return ElementTree.fromstring(text).findall(f"{ATOM}entry")


def test_the_feed_has_an_entry_for_each_dated_run_newest_first(site):
    found = entries(site["feed.xml"])
    assert [entry.findtext(f"{ATOM}updated") for entry in found] == [
        "2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z", "2026-02-03T04:05:06Z", "2026-02-01T10:00:00Z",
        "2026-01-05T10:00:40Z", "2026-01-05T10:00:10Z",
    ]  # fmt: skip
    assert ElementTree.fromstring(site["feed.xml"]).findtext(f"{ATOM}updated") == "2026-03-01T10:00:00Z"
    ids = [entry.findtext(f"{ATOM}id") for entry in found]
    assert len(set(ids)) == 6 and all(UUID(each).version == 5 for each in ids)
    for entry in found:
        assert entry.find(f"{ATOM}link").get("href") in site
    alpha = next(entry for entry in found if entry.findtext(f"{ATOM}title") == "Suite alpha, 2026-03-01")
    assert alpha.findtext(f"{ATOM}summary").startswith("mlp-16x16 comes closest")
    assert "sitemap.xml" not in site


def test_ids_of_entries_stay_when_runs_are_added(site, runs):
    fewer = light([source(runs["old"]), source(runs["other"])], "Another title")
    before = {each.findtext(f"{ATOM}id") for each in entries(fewer["feed.xml"])}
    assert len(before) == 2 and before < {each.findtext(f"{ATOM}id") for each in entries(site["feed.xml"])}


def test_with_an_address_feed_and_sitemap_are_absolute(runs):
    files = light([source(runs[name]) for name in ("old", "newest", "other")], url=URL)
    feed = ElementTree.fromstring(files["feed.xml"])
    assert feed.get("{http://www.w3.org/XML/1998/namespace}base") == URL
    for link in feed.iter(f"{ATOM}link"):
        assert link.get("href").removeprefix(URL) in files
    listed = [
        each.text for each in ElementTree.fromstring(files["sitemap.xml"]).iter() if each.tag[-3:] == "loc"
    ]
    assert URL in listed and f"{URL}alpha/" in listed and f"{URL}alpha/history.html" in listed
    paths = {each.removeprefix(URL) for each in listed}
    paths = {path + "index.html" if path.endswith("/") or not path else path for path in paths}
    stubs = {path for path, text in files.items() if 'http-equiv="refresh"' in text}
    assert paths == {path for path in files if path.endswith(".html")} - stubs and len(stubs) == 2


def test_a_site_of_undated_runs_has_a_feed_without_entries(runs):
    feed = light([source(runs["undated"])])["feed.xml"]
    assert entries(feed) == [] and ElementTree.fromstring(feed).findtext(f"{ATOM}updated")


def test_a_name_that_a_list_has_gets_a_digest():
    assert slug("index").startswith("index-") and slug("indexes") == "indexes"


def test_a_page_title_has_no_signs_that_steer_and_is_escaped_once():
    values = {
        "title": "a<\u202e\x1b>",
        "static": "s",
        "figures": {},
        "blocks": {},
        "target": "t",
        "started": "",
    }
    text = render.template("moved.html.j2").render(values)
    assert "<title>a&lt;��&gt; " in text
