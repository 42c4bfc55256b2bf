"""The posterior explorer and the head-to-head page under a reader's hands."""

import csv
import json
import re

import pytest


@pytest.fixture
def reader(read):
    found = read()
    yield found
    assert found.complaints == []


def gap(report, task, name, budget):
    with open(report.parent / "leaderboard.csv", encoding="utf-8", newline="") as file:
        return next(
            float(row["information_gap"])
            for row in csv.DictReader(file)
            if (row["task"], row["architecture"], row["budget"]) == (task, name, budget)
        )


@pytest.mark.parametrize("task", ["gauss-nested", "xor-2d", "gauss-shared-d8"])
def test_slider_and_names_change_what_is_shown_and_said(reader, report, task):
    page = reader.open(report / "tasks" / f"{task}.html")
    page.locator("#explorer").scroll_into_view_if_needed()
    status = page.locator("#explorer-status")
    first = status.inner_text()
    assert "mlp-64x64" in first and "1,280 examples" in first
    assert f"{gap(report, task, 'mlp-64x64', '1280'):.3g}"[:4] in first
    shown = page.locator("#explorer").screenshot()
    slider = page.locator("#explorer-budget")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert "640 examples" in status.inner_text() and status.inner_text() != first
    before = page.locator("#explorer").screenshot()
    assert before != shown
    page.select_option("#explorer-architecture", label="linear")
    assert status.inner_text().startswith("linear")
    assert page.locator("#explorer").screenshot() != before
    assert status.get_attribute("role") == "status" or status.get_attribute("aria-live") == "polite"


def test_the_explorer_draws_the_mean_output_where_the_data_have_it(reader, report):
    page = reader.open(report / "tasks" / "gauss-nested.html")
    assert page.locator("#explorer-plot path").count() >= 3
    paths = page.locator("#explorer-plot path").evaluate_all("(all) => all.map((p) => p.getAttribute('d'))")
    assert all(path is None or "NaN" not in path for path in paths)


def test_head_to_head_takes_its_pair_from_the_address_and_swaps(reader, report):
    page = reader.open(report / "compare.html", "#a=linear&b=mlp-64x64")
    assert (
        page.locator("#pick-a").input_value() == "linear"
        or "linear" in page.locator("#pick-a option:checked").inner_text()
    )
    ratio = page.locator("#by-task tbody tr").first.locator("td").first.inner_text()
    verdict = page.inner_text("#lead")
    assert "linear" in verdict and "mlp-64x64" in verdict
    page.click("#swap")
    swapped = page.locator("#by-task tbody tr").first.locator("td").first.inner_text()
    assert float(ratio) * float(swapped) == pytest.approx(1, rel=0.02)
    assert re.search("a=mlp-64x64&b=linear", page.url)
    expected = gap(report, "overall", "linear", "1280") / gap(report, "overall", "mlp-64x64", "1280")
    assert float(ratio) == pytest.approx(expected, rel=0.02)


def test_an_unknown_pair_in_the_address_is_no_error(reader, report):
    page = reader.open(report / "compare.html", "#a=%3Cscript%3E&b=nobody")
    assert page.locator("#by-task tbody tr").count() >= 3
    assert json.dumps(page.inner_text("#lead"))
