"""The leaderboard's table and the data that its script ranks again by."""

import dataclasses
import json

import pytest
from pages import Parsed, page_text

from reports import numbers, site
from reports.leaderboard import summarise
from reports.pages import board
from reports.ranking.measures import BOARD


@pytest.fixture(scope="module")
def run(results):
    return site.run_of(results, summarise(results))


def script(run):
    text = board.script(run, board.boards(run))
    assert text.startswith("window.posteriorBoard=") and text.endswith(";\n")
    return json.loads(text.removeprefix("window.posteriorBoard=").removesuffix(";\n"))


def test_the_script_has_every_row_at_every_measure_and_budget_in_the_order_of_its_board(run):
    data = script(run)
    keys = [column.key for column in board.columns(run)]
    assert list(data["measures"]) == [measure.key for measure in BOARD]
    for measure in BOARD:
        table = run.summary.boards[measure.key]
        for budget in run.results.suite["budgets"]:
            rows = data["measures"][measure.key]["budgets"][str(budget)]
            now = table[(table["budget"] == budget) & (table["task"] == "overall")].set_index("architecture")
            assert [name for name, _, _ in rows] == list(now.index)
            for name, cells, _ in rows:
                assert len(cells) == len(keys)
                shown = cells[keys.index("value")][0]
                value, error = now.loc[name, ["value", "error"]]
                if value == value:
                    assert shown == numbers.bounded(value, error), (measure.key, budget, name)
                else:
                    assert "failed" in shown or shown in ("skipped", numbers.BLANK)
                rank = now.loc[name, "rank"]
                reference = name in run.results.suite["reference"]
                assert (cells[keys.index("rank")] or [""])[0] == (
                    "" if reference or rank != rank else str(rank)
                )


def test_the_page_shows_what_the_script_has_for_the_first_measure_at_the_last_budget(run, results):
    data = script(run)
    page = Parsed(page_text(results))
    names = [
        attributes["data-name"] for tag, attributes in page.tags if "data-name" in attributes and tag == "tr"
    ]
    rows = data["measures"][data["measure"]]["budgets"][data["budget"]]
    assert names == [name for name, _, _ in rows]
    shown = board.table(run, board.boards(run), BOARD[0], int(data["budget"]))
    assert [[list(cell) for cell in cells] for _, cells, _ in shown.rows] == [
        [cell + [""] * (4 - len(cell)) for cell in cells] for _, cells, _ in rows
    ]


def test_bars_stay_on_their_axis_and_the_axis_stays_for_all_budgets(run):
    data = script(run)
    for measure in data["measures"].values():
        places = [place for place, _ in measure["ticks"]]
        assert places[0] == 0 and places[-1] == 100
        for rows in measure["budgets"].values():
            for _, _, bar in rows:
                assert bar is None or 0 <= bar[0] <= bar[1] <= bar[2] <= 100


def test_a_hostile_name_is_data_in_the_script(results):
    evil = "</script><script>alert(1)</script>\u2028'\""
    rename = {"linear": evil}
    suite = results.suite | {"architectures": [rename.get(n, n) for n in results.suite["architectures"]]}
    changed = dataclasses.replace(
        results,
        suite=suite,
        records=results.records.assign(architecture=results.records["architecture"].replace(rename)),
        architectures=results.architectures.rename(index=rename),
    )
    run = site.run_of(changed, summarise(changed))
    assert "\u2028" not in board.script(run, board.boards(run))
    rows = script(run)["measures"]["gap"]["budgets"]["640"]
    assert evil in [name for name, _, _ in rows]


def test_many_tasks_leave_their_intervals_to_the_title(results, monkeypatch):
    monkeypatch.setattr(board, "FEW_TASKS", 2)
    run = site.run_of(results, summarise(results))
    shown = board.table(run, board.boards(run), BOARD[0], 640_000)
    keys = [column.key for column in board.columns(run)]
    cells = next(cells for row, cells, _ in shown.rows if row.name == "mlp-64x64")
    task = cells[keys.index("task-0")]
    assert task.small == "" and task.title.startswith("95 % interval ")


def test_shades_run_from_nothing_known_to_the_axis_s_best_end():
    axis = [1e-4, 1e-3, 1e-2, 1e-1, 1.0]

    def cell(value):
        nan = float("nan")
        return board.Cell("", "", value, nan, nan, "", "")

    assert board.shade(axis, cell(1.0)) == 0 and board.shade(axis, cell(float("inf"))) == 0
    assert board.shade(axis, cell(1e-4)) == board.SHADES and board.shade(axis, cell(1e-6)) == board.SHADES
    assert board.shade(axis, cell(1e-2)) == board.SHADES // 2
