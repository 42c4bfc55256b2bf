"""Pairs and ranks of a whole run: what is compared, what counts, and who is better by definition."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports.comparing.compare import compare_all
from reports.leaderboard import summarise
from reports.ranking.blocks import blocks
from reports.ranking.measured import counted
from reports.ranking.measures import BOARD, BY_KEY, GAP
from reports.ranking.pairs import PAIR_COLUMNS, pairs
from reports.ranking.ranks import critical_differences, separation
from reports.trials import listed, trials

LAST = 640_000


def _pair(table, a, b, task="overall", budget=LAST):
    rows = table[
        (table["task"] == task) & (table["budget"] == budget) & (table["a"] == a) & (table["b"] == b)
    ]
    assert len(rows) == 1
    return rows.iloc[0]


def _pairs(results, measure=GAP):
    return pairs(results, trials(listed(results)), measure)


def _values(results, architecture, task, budget=LAST, metric="information_gap"):
    records = results.records
    rows = records[(records["metric"] == metric) & (records["region"] == "all")]
    rows = rows[(rows["architecture"] == architecture) & (rows["task"] == task) & (rows["budget"] == budget)]
    return rows.set_index("seed")["value"].sort_index()


def _changed(results, architecture, change, task=None, metric="information_gap", **columns):
    """The run with one row's numbers at the last budget changed; a callable gets the old values.

    metric: None for all of them.
    """
    records = results.records.copy()
    chosen = (records["architecture"] == architecture) & (records["budget"] == LAST)
    chosen &= (records["metric"] == metric) | (metric is None)
    if task:
        chosen &= records["task"] == task
    old = records.loc[chosen, "value"]
    records.loc[chosen, "value"] = change(old) if callable(change) else change
    for name, value in columns.items():
        records.loc[chosen, name] = value
    return dataclasses.replace(results, records=records)


def _equal(results, *architectures, factor=1.0):
    """The run with the first row's trials in place of the others', their gaps times a factor."""
    first, *others = architectures
    records = results.records[~results.records["architecture"].isin(others)]
    model = records[records["architecture"] == first]
    copies = [model.assign(architecture=name, value=model["value"] * factor) for name in others]
    return dataclasses.replace(results, records=pd.concat([records, *copies]))


def test_a_pair_is_the_paired_t_test_of_log_ratios_averaged_over_tasks(results):
    found = _pair(_pairs(results), "mlp-16x16", "mlp-64x64")
    logs = [
        np.log(_values(results, "mlp-16x16", task)) - np.log(_values(results, "mlp-64x64", task))
        for task in results.suite["tasks"]
    ]
    d = np.mean(logs, axis=0)
    test = stats.ttest_1samp(d, 0)
    assert found["p"] == pytest.approx(test.pvalue, rel=1e-9)
    assert found["ratio"] == pytest.approx(np.exp(d.mean()))
    ends = test.confidence_interval(0.95)
    np.testing.assert_allclose([found["low"], found["high"]], np.exp([ends.low, ends.high]))
    sums = [abs(np.dot(signs, d)) for signs in itertools.product([-1, 1], repeat=len(d))]
    assert found["flip"] == pytest.approx(np.mean(np.array(sums) >= abs(d.sum()) - 1e-9))
    assert found["wins"] == pytest.approx(np.mean(np.array(logs) < 0))
    assert (found["seeds"], found["better"]) == (6, "mlp-64x64")
    one = _pair(_pairs(results), "mlp-16x16", "mlp-64x64", "gauss-nested")
    assert one["p"] == pytest.approx(stats.ttest_1samp(logs[1], 0).pvalue, rel=1e-9)


def test_every_budget_and_task_has_all_pairs_in_the_suites_order_without_reference_rows(results):
    table = _pairs(results)
    assert tuple(table.columns) == PAIR_COLUMNS
    assert len(table) == 5 * 4 * 10
    order = results.suite["architectures"]
    assert [(a, b) for a, b in zip(table["a"][:10], table["b"][:10], strict=True)] == list(
        itertools.combinations(order, 2)
    )
    assert table["task"].unique().tolist() == ["overall", *results.suite["tasks"]]


def test_holm_is_over_the_pairs_tested_at_one_budget_and_task(results):
    table = _pairs(results)
    now = table[(table["budget"] == LAST) & (table["task"] == "gauss-nested")]
    p = now["p"].to_numpy()
    assert len(p) == 10 and not np.isnan(p).any()
    order = np.argsort(p)
    adjusted = np.empty(10)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(10, 0, -1)), 1)
    np.testing.assert_allclose(now["holm"], adjusted)
    told = now["better"] != ""
    assert ((now["holm"] < 0.05) == told).all() and 0 < told.sum() < 10
    assert (now["better"] == np.where(now["ratio"] < 1, now["a"], now["b"]))[told].all()


def test_identical_rows_tie_and_rounding_changes_nothing(results):
    for factor in (1.0, 1 + 1e-15):
        found = _pair(
            _pairs(_equal(results, "mlp-16x16", "mlp-64x64", factor=factor)), "mlp-16x16", "mlp-64x64"
        )
        assert (found["p"], found["flip"], found["holm"], found["wins"]) == (1, 1, 1, 0.5)
        assert found["ratio"] == pytest.approx(1) and found["better"] == ""


def test_values_below_their_integration_error_count_as_it_and_tie_with_each_other(results):
    below = _changed(results, "mlp-64x64", 1e-7, error=1e-3)
    both = _changed(below, "mlp-16x16", 1e-9, error=1e-4)
    found = _pair(_pairs(both), "mlp-16x16", "mlp-64x64")
    assert (found["p"], found["wins"], found["better"]) == (1, 0.5, "")
    against = _pair(_pairs(below), "mlp-16x16", "mlp-64x64", "gauss-nested")
    gaps = _values(results, "mlp-16x16", "gauss-nested")
    assert against["ratio"] == pytest.approx(stats.gmean(gaps / 1e-3))  # not of gaps / 1e-7


def test_a_zero_counts_as_the_smallest_that_its_task_resolves(results):
    excess = BY_KEY["excess_error"]
    one = (results.records["seed"] == 2) & (results.records["architecture"] == "linear")
    one &= (results.records["metric"] == "excess_error") & (results.records["budget"] == LAST)
    records = results.records.assign(
        value=results.records["value"].mask(one, 0.0), error=results.records["error"].mask(one, 0.0)
    )
    changed = dataclasses.replace(results, records=records)
    frame = trials(listed(changed))
    values = counted(frame, excess)["value"].xs("gauss-nested", level="task")
    rest = records[(records["metric"] == "excess_error") & (records["task"] == "gauss-nested")]
    smallest = np.maximum(rest["value"], rest["error"])
    assert values["linear", LAST, 2] == pytest.approx(smallest[smallest > 1e-12].min())
    board = summarise(changed).boards["excess_error"]
    rows = board[(board["budget"] == LAST) & (board["task"] == "overall")].set_index("architecture")
    assert rows.loc["linear", "value"] > 0 and rows.loc["linear", "rank"] > 1
    assert rows.loc["oracle", "value"] == 0  # 0 throughout


@pytest.mark.parametrize(
    ("key", "worst"),
    [("gap", 1.0), ("tv", 1.0), ("excess_error", 1.0), ("excess_brier", 2.0), ("sparse", 0.0)],
)
def test_a_failed_trial_counts_as_the_worst_there_can_be_or_the_worst_of_its_cell(results, key, worst):
    frame = trials(listed(results))
    cell = ("gauss-nested", "fourier-64", LAST)
    values = counted(frame, BY_KEY[key], results.suite["architectures"])["value"].loc[cell]
    assert frame["status"].loc[(*cell, 3)] == "failed"
    held = frame[key].xs(("gauss-nested", LAST), level=("task", "budget")).drop(["oracle", "prior"])
    assert values[3] == pytest.approx(
        max(worst, held.max() if key == "sparse" else frame[key].loc[cell].max())
    )
    np.testing.assert_array_equal(values.drop(3), frame[key].loc[cell].drop(3))


def test_a_cell_with_failures_has_no_mean_and_is_marked_whatever_the_measure(results):
    boards = summarise(results).boards
    assert list(boards) == [measure.key for measure in BOARD]
    for board in boards.values():
        now = board[(board["budget"] == LAST) & (board["architecture"] == "fourier-64")].set_index("task")
        for task in ("overall", "gauss-nested"):
            assert now.loc[task, ["value", "low", "high"]].isna().all()
            assert now.loc[task, "note"] == "1 failed: diverged at step 411: loss is nan"
            assert not pd.isna(now.loc[task, "rank"])
        assert (now.loc["gauss-nested", "ok"], now.loc["gauss-nested", "total"]) == (5, 6)
        assert now.loc["gauss-separated", "value"] > 0


def test_a_cell_of_failures_alone_stands_last_by_a_measure_without_a_bound(results):
    broken = _changed(results, "linear", np.nan, "gauss-nested", None, status="failed", reason="it broke")
    for key in ("gap", "sparse"):
        board = summarise(broken).boards[key]
        now = board[(board["budget"] == LAST) & (board["architecture"] == "linear")].set_index("task")
        assert pd.isna(now.loc["gauss-nested", "rank"]) and now.loc["overall", "rank"] >= 4
    sparse = _pairs(broken, BY_KEY["sparse"])
    assert _pair(sparse, "linear", "mlp-16x16")["better"] == "mlp-16x16"


@pytest.mark.parametrize("key", [measure.key for measure in BOARD])
def test_a_row_that_hardly_ever_ended_well_is_not_significantly_better(make_results, key):
    results, failed = make_results(seeds=10), ["value", "error", "status", "reason"]
    records = results.records.copy()
    mine = records["architecture"] == "linear"
    records.loc[mine & (records["seed"] < 9), failed] = [np.nan, np.nan, "failed", "it broke"]
    records.loc[mine & (records["seed"] == 9), "value"] *= 0.05
    # All others worse than anything a failed trial counts as.
    records.loc[~mine & (key != "sparse"), "value"] *= 1e4
    summary = summarise(dataclasses.replace(results, records=records))
    assert "linear" not in set(summary.pairs[key]["better"])
    board = summary.boards[key]
    now = board[(board["budget"] == LAST) & (board["task"] == "overall")].set_index("architecture")
    assert now.loc["linear", "rank_high"] == 5
    every = compare_all(dataclasses.replace(results, records=records), summary.trials, BY_KEY[key])
    assert all(line.better < 1 for one in every if one.first == "linear" for line in one.lines.values())


def test_infinite_rows_are_not_tested_and_stand_behind_all_finite_ones(results):
    endless = _changed(results, "linear", lambda old: old.mask(old > old.median(), np.inf))
    table = _pairs(endless)
    for other in ("mlp-16x16", "mlp-64x64"):
        found = _pair(table, "linear", other)
        assert np.isnan([found["p"], found["flip"], found["holm"], found["low"]]).all()
        assert (found["ratio"], found["better"]) == (np.inf, other) and 0 <= found["wins"] < 1
    both = _pair(table, "linear", "resnet-64")
    assert both["better"] == "" and np.isnan(both["ratio"]) and both["seeds"] == 6
    throughout = _changed(_changed(results, "linear", np.inf), "resnet-64", np.inf)
    assert _pair(_pairs(throughout), "linear", "resnet-64")["wins"] == 0.5
    board = summarise(endless).boards["gap"]
    now = board[(board["budget"] == LAST) & (board["task"] == "overall")].set_index("architecture")
    for name in ("linear", "resnet-64"):
        assert (now.loc[name, "rank_low"], now.loc[name, "rank_high"]) == (4, 5)
    assert now.loc["linear", "letters"] == now.loc["resnet-64", "letters"]
    finite = now.loc[["mlp-16x16", "mlp-64x64", "fourier-64"]]
    assert (finite["rank_high"] <= 3).all()
    assert not set("".join(finite["letters"])) & set(now.loc["linear", "letters"])


def test_skipped_and_absent_rows_have_no_pairs_and_no_ranks(results):
    skipped = _changed(results, "linear", np.nan, "gauss-nested", status="skipped", reason="too many")
    records = skipped.records
    absent = (records["architecture"] == "mlp-16x16") & (records["task"] == "gauss-separated")
    part = dataclasses.replace(skipped, records=records[~absent])
    table = _pairs(part)
    now = table[table["budget"] == LAST]
    for task, gone in (("overall", {"linear", "mlp-16x16"}), ("gauss-nested", {"linear"})):
        there = set(now.loc[now["task"] == task, "a"]) | set(now.loc[now["task"] == task, "b"])
        assert there == set(results.suite["architectures"]) - gone
    board = summarise(part).boards["gap"]
    rows = board[(board["budget"] == LAST) & (board["task"] == "overall")].set_index("architecture")
    for name in ("linear", "mlp-16x16", "oracle"):
        assert (
            rows.loc[name, ["rank", "rank_low", "rank_high"]].isna().all() and rows.loc[name, "letters"] == ""
        )
    assert rows["rank_high"].max() == 3


@pytest.mark.parametrize("key", [measure.key for measure in BOARD])
def test_the_rows_that_have_pairs_are_those_that_have_ranks(results, key):
    summary = summarise(_changed(results, "linear", np.nan, "gauss-nested", status="skipped"))
    assert summary.boards[key].query("architecture == 'linear' and budget == @LAST")["rank"].isna().sum() == 2
    board, table = summary.boards[key], summary.pairs[key]
    ranked = board[board["rank"].notna()]
    assert set(zip(ranked["budget"], ranked["task"], ranked["architecture"], strict=True)) == {
        (row.budget, row.task, name) for row in table.itertuples() for name in (row.a, row.b)
    }
    assert (ranked["rank_low"] <= ranked["rank"]).all() and (ranked["rank"] <= ranked["rank_high"]).all()


def test_only_seeds_that_both_have_are_compared(results):
    records = results.records
    gone = (records["architecture"] == "mlp-16x16") & (records["task"] == "gauss-nested")
    gone &= records["seed"] == 4
    table = _pairs(dataclasses.replace(results, records=records[~gone]))
    assert _pair(table, "mlp-16x16", "mlp-64x64")["seeds"] == 5
    assert _pair(table, "mlp-16x16", "mlp-64x64", "gauss-separated")["seeds"] == 6
    found = _pair(table, "mlp-16x16", "mlp-64x64", "gauss-nested")
    d = np.log(_values(results, "mlp-16x16", "gauss-nested") / _values(results, "mlp-64x64", "gauss-nested"))
    assert found["p"] == pytest.approx(stats.ttest_1samp(d.drop(4), 0).pvalue, rel=1e-9)


def test_below_five_seeds_there_are_ratios_and_wins_and_no_verdict(make_results):
    summary = summarise(make_results(seeds=4))
    table, board = summary.pairs["gap"], summary.boards["gap"]
    assert table[["p", "flip", "holm", "low", "high"]].isna().all().all()
    assert (table["better"] == "").all() and table["wins"].notna().all()
    assert table["ratio"].notna().sum() == len(table)
    assert board[["rank_low", "rank_high"]].isna().all().all() and (board["letters"] == "").all()
    assert summary.separation is None and summary.critical == {}


def test_the_leaderboard_is_the_board_of_the_gap(results):
    summary = summarise(results)
    shared = ["budget", "task", "architecture", "low", "high", "rank_low", "rank_high", "letters", "note"]
    pd.testing.assert_frame_equal(summary.leaderboard[shared], summary.boards["gap"][shared])
    np.testing.assert_array_equal(summary.leaderboard["information_gap"], summary.boards["gap"]["value"])


def test_boards_of_other_measures_are_geometric_means_over_tasks_and_seeds(results):
    board = summarise(results).boards["tv"]
    row = board[(board["budget"] == LAST) & (board["task"] == "overall")].set_index("architecture")
    values = np.array([_values(results, "mlp-64x64", task, metric="tv") for task in results.suite["tasks"]])
    logs = np.log(values).mean(axis=0)
    ends = np.exp(stats.t.interval(0.95, 5, loc=logs.mean(), scale=stats.sem(logs)))
    found = row.loc["mlp-64x64"]
    assert found["value"] == pytest.approx(stats.gmean(values.ravel()))
    np.testing.assert_allclose([found["low"], found["high"]], ends)
    assert row["note"]["resnet-64"] == ""  # its gap is infinite, its total variation isn't


def test_critical_differences_are_over_blocks_of_task_and_seed(results):
    frame = trials(listed(results))
    found = critical_differences(blocks(results, frame, GAP))
    assert list(found) == results.suite["budgets"]
    last = found[LAST]
    assert last.names == tuple(results.suite["architectures"]) and last.blocks == 18
    values = counted(frame, GAP)["value"].unstack("architecture")[list(last.names)]
    ranks = values.xs(LAST, level="budget").rank(axis=1)
    np.testing.assert_allclose(last.mean_ranks, ranks.mean())


def test_values_below_their_errors_are_one_rank_in_critical_differences(results):
    changed = _changed(_changed(results, "mlp-64x64", 1e-9, error=1e-5), "mlp-16x16", 1e-9, error=1e-6)
    last = critical_differences(blocks(changed, trials(listed(changed)), GAP))[LAST]
    ranks = dict(zip(last.names, last.mean_ranks, strict=True))
    assert ranks["mlp-64x64"] == ranks["mlp-16x16"] == 1.5


def test_separation_asks_for_a_test_that_survives_all_pairs(results):
    frame = trials(listed(results))
    found = separation(blocks(results, frame, GAP), LAST, "linear", "mlp-64x64")
    assert (found.better, found.worse, found.seeds) == ("mlp-64x64", "linear", 6)
    assert found.level == pytest.approx(0.05 / 6)  # four rows without infinite values
    assert found.ratio == pytest.approx(1 / _pair(_pairs(results), "linear", "mlp-64x64")["ratio"])
    assert separation(blocks(results, frame, GAP), LAST, "linear", "resnet-64") is None
    equal = _equal(results, "mlp-16x16", "mlp-64x64")
    same = separation(blocks(equal, trials(listed(equal)), GAP), LAST, "mlp-16x16", "mlp-64x64")
    assert same.needed is None and same.ratio == 1
