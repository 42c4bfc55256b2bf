"""What a report computes once, however many pages and charts it has."""

import sys
from collections import Counter

import pandas as pd
import pytest
from click.testing import CliRunner

from reports import failures, leaderboard, rows, trials
from reports.figures import svg
from reports.ranking.measures import BOARD
from reports.render import write_report
from runner.cli import cli


@pytest.fixture
def calls(monkeypatch):
    """Count calls of functions wherever reports have imported them."""
    counts = Counter()

    def count(owner, name, key=lambda *_args, **_options: None):
        inner = getattr(owner, name)

        def outer(*args, **options):
            counts[name, key(*args, **options)] += 1
            return inner(*args, **options)

        for place, module in list(sys.modules.items()):
            if place.split(".")[0] == "reports":
                for alias, value in list(vars(module).items()):
                    if value is inner:
                        monkeypatch.setattr(module, alias, outer)

    count(trials, "trials")
    count(failures, "failures")
    count(leaderboard, "summarise")
    count(rows, "board", lambda _results, _summary, digits=3, budget=None, measure="gap": (budget, measure))
    count(svg, "begun", lambda chart, csv: csv)
    return counts


def test_a_report_makes_trials_failures_and_boards_once(results, tmp_path, calls):
    import reports.site  # noqa: F401, so that its names are counted too

    write_report(results, tmp_path)
    assert calls["trials", None] == calls["failures", None] == calls["summarise", None] == 1
    boards = {key: number for (name, key), number in calls.items() if name == "board" and key[0]}
    budgets = results.suite["budgets"]
    assert boards == {(budget, measure.key): 1 for budget in budgets for measure in BOARD}
    pages = {key: number for (name, key), number in calls.items() if name == "begun" and key}
    assert set(pages.values()) == {1}


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_run_is_summarised_once_for_its_pages_and_the_terminal(tmp_path, calls, form):
    import reports.site  # noqa: F401, so that its names are counted too

    grid = ["--task", "gauss-nested", "--architecture", "linear", "--budget", "64", "--seeds", "1"]
    options = ["--output", str(tmp_path), "--jobs", "1", "--format", form]
    done = CliRunner().invoke(cli, ["run", "--suite", "smoke", *grid, *options])
    assert done.exit_code == 0 and "linear" in done.stdout
    assert calls["summarise", None] == 1


def test_a_report_knows_its_rows_without_looking_them_up_again(results):
    assert results.kinds is results.kinds
    summary = leaderboard.summarise(results)
    assert summary.counted is summary.counted


def test_texts_and_categories_of_any_order_are_the_same_records(results):
    records = results.records.sample(frac=1.0, random_state=1)
    texts = ["task", "architecture", "metric", "region", "status", "reason"]
    coded = records.assign(
        **{name: pd.Categorical(records[name], categories=records[name].unique()[::-1]) for name in texts}
    )
    assert not coded["metric"].cat.categories.is_monotonic_increasing
    pd.testing.assert_frame_equal(trials.trials(coded), trials.trials(records))
    in_order = trials.in_order(results, coded).astype(dict.fromkeys(texts, object))
    pd.testing.assert_frame_equal(
        in_order, trials.in_order(results, records).astype(dict.fromkeys(texts, object))
    )
