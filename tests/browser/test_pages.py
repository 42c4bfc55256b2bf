"""Every page: silent, self-contained, no wider than its window, accessible, and whole without scripts."""

import csv

import pytest

NARROW = {"width": 360, "height": 740}


def every(report):
    found = sorted(report.rglob("*.html"))
    assert len(found) >= 10
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_come_alive_in_silence_and_ask_for_nothing_outside(read, report, scheme):
    reader = read(color_scheme=scheme)
    for path in every(report):
        reader.open(path)
        reader.scroll()
        assert reader.complaints == [], path
    assert reader.requests
    inside = f"file://{report}/"
    assert all(url.startswith((inside, "data:")) for url in reader.requests)


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.long)])
def test_pages_have_no_serious_accessibility_finding(read, report, scheme):
    from axe_playwright_python.sync_playwright import Axe

    reader, axe = read(color_scheme=scheme), Axe()
    for path in every(report):
        page = reader.open(path)
        reader.scroll()
        page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        found = axe.run(page).response["violations"]
        serious = [
            (finding["id"], finding["help"], finding["nodes"][0]["html"][:200], len(finding["nodes"]))
            for finding in found
            if finding["impact"] in ("serious", "critical")
        ]
        assert serious == [], path


def test_pages_fit_a_narrow_window(read, report):
    reader = read(viewport=NARROW)
    for path in every(report):
        page = reader.open(path)
        reader.scroll()
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], path
        small = page.evaluate(
            "[...document.querySelectorAll('.live svg text')].filter((text) =>"
            " text.getBoundingClientRect().height < 8 && text.textContent.trim()).length"
        )
        assert small == 0, path


def test_pages_are_whole_without_scripts(read, report):
    reader = read(java_script_enabled=False)
    for path in every(report):
        page = reader.open(path)
        for plot in page.locator("figure.chart-box .plot > svg").all():
            assert plot.bounding_box()["width"] > 100
        assert page.locator("button:not([disabled]):visible").count() == 0, "a button that does nothing"
        assert page.locator("select:visible, input:visible").count() == 0, "a field that does nothing"
    page = reader.open(report / "index.html")
    assert page.locator("#board tbody tr[data-name]").count() == 6


def test_print_shows_every_chart_and_the_whole_table(read, report):
    page = read().open(report / "index.html")
    page.emulate_media(media="print")
    assert page.locator("nav:visible").count() == 0 and page.locator("#board-controls:visible").count() == 0
    box = page.locator(".board-box")
    assert box.evaluate("(box) => getComputedStyle(box).overflowY") == "visible"
    assert all(plot.is_visible() for plot in page.locator("figure.chart-box .plot").all())


def test_dark_mode_paints_charts_with_its_own_colours(read, report):
    colours = set()
    for scheme in ("light", "dark"):
        reader = read(color_scheme=scheme)
        page = reader.open(report / "index.html")
        reader.scroll()
        line = page.locator('figure.chart-box .plot path[stroke="#0072b2"]').first
        colours.add(line.evaluate("(line) => getComputedStyle(line).stroke"))
        ink, paper = page.evaluate(
            "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
        )
        assert ink != paper
    assert len(colours) == 2


def test_a_tooltip_tells_name_and_numbers(read, report):
    reader = read()
    page = reader.open(report / "index.html")
    reader.scroll()
    points = page.locator("#chart-learning .plot .mark-symbol path")
    points.last.scroll_into_view_if_needed()
    points.last.hover(force=True)
    tip = page.locator("#tooltip.visible")
    tip.wait_for()
    told = dict(row.split("\t") for row in tip.inner_text().splitlines() if "\t" in row)
    with open(report / "data" / "index.learning.csv", encoding="utf-8", newline="") as file:
        known = {row["architecture"] for row in csv.DictReader(file)}
    assert told["architecture"] in known or told["architecture"] in ("prior", "oracle-mle", "k/2N limit")
    assert float(told["gap"].split()[0]) > 0


def test_a_legend_button_brings_out_its_line_in_every_chart(read, report):
    reader = read()
    page = reader.open(report / "index.html")
    reader.scroll()
    lines = "[...document.querySelectorAll('#chart-learning .mark-line path')]"
    opacities = f"{lines}.map((line) => line.getAttribute('opacity'))"
    before = page.evaluate(opacities)
    button = page.locator('button.key[data-name="linear"]').first
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    after = page.evaluate(opacities)
    assert button.get_attribute("aria-pressed") == "true"
    # Of the three networks two are faint now; the chosen one and the lines of reference aren't.
    assert set(before) == {"1"} and after.count("0.06") == 2 and set(after) == {"1", "0.06"}
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    assert page.evaluate(opacities) == before
