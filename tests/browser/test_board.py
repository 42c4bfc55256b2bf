"""The leaderboard table under a reader's hands: sorted, filtered, ranked again, by mouse and by keyboard."""

import csv

import pytest


@pytest.fixture
def page(read, report):
    reader = read()
    yield reader.open(report / "index.html")
    assert reader.complaints == []


def shown(page):
    rows = page.locator("#board tbody:not(.reference) tr[data-name]:visible")
    return rows.evaluate_all("(rows) => rows.map((row) => row.dataset.name)")


def ranked(report, budget, task="overall"):
    """Names by rank, from leaderboard.csv."""
    with open(report.parent / "leaderboard.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["budget"] == budget and row["task"] == task]
    return [row["architecture"] for row in sorted(rows, key=lambda row: row["rank"] or "z") if row["rank"]]


def values(page, column):
    cells = page.locator("#board tbody:not(.reference) tr[data-name]:visible")
    index = page.locator("#board thead th").evaluate_all(
        "(heads, column) => heads.findIndex((head) => head.dataset.column === column)", column
    )
    return [cells.nth(n).locator("> *").nth(index).inner_text().split()[0] for n in range(cells.count())]


def test_another_budget_ranks_again_as_the_csv_does(page, report):
    assert shown(page) == ranked(report, "1280")
    page.select_option("#board-budget", "640")
    assert shown(page) == ranked(report, "640")
    assert "after 640 examples" in page.inner_text("#board-at")
    assert "640 examples" in page.inner_text("#board-status")
    page.select_option("#board-budget", "1280")
    assert shown(page) == ranked(report, "1280")


def test_another_measure_shows_its_values_as_records_have_them(page, report):
    page.select_option("#board-measure", "tv")
    assert page.inner_text("#board-value") == "Total variation"
    with open(report.parent / "records.csv", encoding="utf-8", newline="") as file:
        rows = [
            float(row["value"])
            for row in csv.DictReader(file)
            if (row["architecture"], row["task"], row["budget"], row["metric"], row["region"])
            == ("linear", "xor-2d", "1280", "tv", "all")
        ]
    assert len(rows) == 5
    mean = 1.0
    for row in rows:
        mean *= row ** (1 / len(rows))
    task = page.locator('#board tr[data-name="linear"] td.gap').nth(2).inner_text().split()[0]
    assert float(task) == pytest.approx(mean, rel=0.01)
    order = [float(value) for value in values(page, "value")]
    assert order == sorted(order)


def test_columns_sort_both_ways_by_mouse_and_keyboard(page):
    button = page.locator('th[data-column="parameters"] button')
    button.click()
    up = [int(value.replace(",", "")) for value in values(page, "parameters")]
    assert up == sorted(up) and len(set(up)) > 1
    heading = page.locator('th[data-column="parameters"]')
    assert heading.get_attribute("aria-sort") == "ascending"
    button.focus()
    page.keyboard.press("Enter")
    assert [int(value.replace(",", "")) for value in values(page, "parameters")] == up[::-1]
    assert heading.get_attribute("aria-sort") == "descending"
    assert page.locator("#board tbody.reference tr[data-name]").count() == 3  # these stay apart


def test_a_filter_leaves_the_rows_whose_names_have_its_words(page):
    page.fill("#board-filter", "mlp 64")
    assert shown(page) == ["mlp-64x64"]
    assert "1 of 6 rows" in page.inner_text("#board-status")
    page.fill("#board-filter", "")
    assert len(shown(page)) == 3


def test_the_head_of_the_table_stays_in_sight(page):
    page.set_viewport_size({"width": 1440, "height": 420})
    page.locator("#board tbody.reference tr[data-name]").last.scroll_into_view_if_needed()
    head = page.locator('#board th[data-column="name"]').bounding_box()
    assert 0 <= head["y"] < 420


def test_everything_is_reached_by_the_tab_key(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert {
        "board-measure",
        "board-budget",
        "board-filter",
        "sort",
        "scroll board-box fits",
        "key",
    } <= reached
