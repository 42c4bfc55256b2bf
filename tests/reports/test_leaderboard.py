import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports.cells import cells
from reports.leaderboard import COLUMNS, leaderboard
from reports.trials import trials

LAST = 640_000


def _row(table, architecture, task="overall", budget=LAST):
    rows = table[
        (table["architecture"] == architecture) & (table["task"] == task) & (table["budget"] == budget)
    ]
    assert len(rows) == 1
    return rows.iloc[0]


def _gaps(results, architecture, task, budget=LAST):
    records = results.records
    rows = records[
        (records["metric"] == "information_gap")
        & (records["architecture"] == architecture)
        & (records["task"] == task)
        & (records["budget"] == budget)
    ]
    return rows.sort_values("seed")["value"].to_numpy()


def test_a_cell_is_the_geometric_mean_over_seeds_with_its_t_interval(results):
    row = _row(leaderboard(results), "mlp-64x64", "gauss-nested")
    gaps = _gaps(results, "mlp-64x64", "gauss-nested")
    logs = np.log(gaps)
    bounds = np.exp(stats.t.interval(0.95, len(logs) - 1, loc=logs.mean(), scale=stats.sem(logs)))
    assert row["information_gap"] == pytest.approx(stats.gmean(gaps))
    np.testing.assert_allclose([row["low"], row["high"]], bounds)
    assert row["arithmetic_mean"] == pytest.approx(gaps.mean())


def test_overall_takes_the_seed_as_its_unit(results):
    row = _row(leaderboard(results), "mlp-64x64")
    logs = np.log([_gaps(results, "mlp-64x64", task) for task in results.suite["tasks"]]).mean(axis=0)
    bounds = np.exp(stats.t.interval(0.95, len(logs) - 1, loc=logs.mean(), scale=stats.sem(logs)))
    assert row["information_gap"] == pytest.approx(np.exp(logs.mean()))
    np.testing.assert_allclose([row["low"], row["high"]], bounds)


def test_a_seed_that_is_not_on_every_task_is_no_part_of_the_overall_interval(results):
    records = results.records
    mine = (records["architecture"] == "mlp-64x64") & (records["task"] == "gauss-nested")
    part = dataclasses.replace(results, records=records[~(mine & (records["seed"] == 4))])
    row = _row(leaderboard(part), "mlp-64x64")
    every = [_gaps(results, "mlp-64x64", task) for task in results.suite["tasks"]]
    logs = np.delete(np.log(every).mean(axis=0), 4)
    bounds = np.exp(stats.t.interval(0.95, 4, loc=logs.mean(), scale=stats.sem(logs)))
    np.testing.assert_allclose([row["low"], row["high"]], bounds)
    four = dataclasses.replace(results, records=records[~(mine & records["seed"].isin([3, 4]))])
    row = _row(leaderboard(four), "mlp-64x64")
    assert np.isnan([row["low"], row["high"]]).all() and row["information_gap"] > 0


def _replace_gap(results, architecture, task, value):
    """Give every trial of a cell at the last budget that has a gap the same one."""
    records = results.records
    cell = (records["architecture"] == architecture) & (records["task"] == task) & (records["budget"] == LAST)
    chosen = cell & (records["metric"] == "information_gap") & (records["status"] == "ok")
    return dataclasses.replace(results, records=records.assign(value=records["value"].mask(chosen, value)))


def test_row_order_of_the_records_changes_nothing(make_results):
    first, second = leaderboard(make_results(shuffle=0)), leaderboard(make_results(shuffle=7))
    pd.testing.assert_frame_equal(first, second, rtol=1e-12)
    assert tuple(first.columns) == COLUMNS


def test_every_budget_and_task_has_every_row(results):
    table = leaderboard(results)
    assert len(table) == 5 * (3 + 1) * 8
    assert not table.duplicated(["budget", "task", "architecture"]).any()
    first = table[table["budget"] == LAST].head(8)
    assert (first["task"] == "overall").all()


def test_ranks_are_of_learned_rows_only_and_infinite_ones_come_last(results):
    table = leaderboard(results)
    now = table[(table["budget"] == LAST) & (table["task"] == "overall")]
    assert now["rank"].dropna().tolist() == [1, 2, 3, 4, 5]
    assert now["architecture"].tolist()[-4:] == ["resnet-64", "oracle", "prior", "oracle-mle"]
    assert now["architecture"].iloc[0] == "mlp-64x64"
    assert now[now["kind"] == "reference"]["rank"].isna().all()
    assert _row(table, "resnet-64")["information_gap"] == np.inf
    assert "divergent tail" in _row(table, "resnet-64")["note"]


def test_a_failed_trial_blanks_the_mean_and_ranks_as_the_worse_of_one_and_the_worst(results):
    table = leaderboard(results)
    row = _row(table, "fourier-64", "gauss-nested")
    assert np.isnan(row["information_gap"]) and np.isnan(row["low"]) and np.isnan(row["sparse_kl"])
    assert (row["ok"], row["total"]) == (5, 6)
    assert np.isnan(_row(table, "fourier-64")["information_gap"])
    assert _row(table, "fourier-64", "gauss-separated")["information_gap"] > 0
    assert np.isnan(row["crossings_found"]) and np.isnan(row["training_seconds"])
    assert row["parameters"] == 16_100  # known without training
    gaps = _gaps(results, "fourier-64", "gauss-nested")
    ranking = cells(trials(results.records))["ranking"]["gauss-nested", "fourier-64", LAST]
    assert ranking == pytest.approx(stats.gmean(np.where(np.isnan(gaps), 1.0, gaps)))


def test_a_failed_trial_counts_as_the_worst_of_its_cell_where_that_is_above_one(results):
    # One trial failed, the others at 3: as 1 the row would come out at 3^(5/6) = 2.5, as the worst at 3.
    results = _replace_gap(results, "fourier-64", "gauss-nested", 3.0)
    for other, place in ((2.8, 2), (3.2, 1)):
        changed = _replace_gap(results, "linear", "gauss-nested", other)
        table = leaderboard(changed)
        ahead = (
            _row(table, "fourier-64", "gauss-nested")["rank"] < _row(table, "linear", "gauss-nested")["rank"]
        )
        assert ahead == (place == 1)


def test_where_every_trial_failed_there_is_no_rank(results):
    records = results.records.copy()
    rows = (records["architecture"] == "linear") & (records["task"] == "gauss-nested")
    records.loc[rows, ["value", "status", "reason"]] = [np.nan, "failed", "it broke"]
    table = leaderboard(dataclasses.replace(results, records=records))
    assert pd.isna(_row(table, "linear", "gauss-nested")["rank"])
    assert not pd.isna(_row(table, "linear")["rank"])  # other tasks have trials that finished
    there = table[(table["task"] == "gauss-nested") & (table["budget"] == LAST)]["rank"].dropna()
    assert sorted(there)[0] == 1 and there.max() <= len(there)


def test_crossings_parameters_and_targets(results):
    table = leaderboard(results)
    row = _row(table, "linear")
    assert (row["crossings_found"], row["crossings"]) == (3.0, 5)
    assert _row(table, "linear", "gauss-nested")["crossings_found"] == 1.0
    assert row["parameters"] == 100
    assert np.isnan(row["budget_to_0.1"])  # one task never gets there
    slowest = max(_row(table, "mlp-64x64", task)["budget_to_0.01"] for task in results.suite["tasks"])
    assert _row(table, "mlp-64x64")["budget_to_0.01"] == slowest


def test_reference_rows_check_the_report(results):
    table = leaderboard(results)
    oracle, prior = _row(table, "oracle"), _row(table, "prior")
    assert (oracle["information_gap"], oracle["low"], oracle["high"]) == (0, 0, 0)
    assert (prior["information_gap"], prior["low"], prior["high"]) == (1, 1, 1)
    skipped = _row(table, "oracle-mle", budget=640)
    assert np.isnan(skipped["information_gap"]) and "separable" in skipped["note"]


def test_an_unfinished_run_says_what_was_not_run(results):
    records = results.records
    part = records[(records["architecture"] != "linear") | (records["task"] == "gauss-nested")]
    part = part[part["architecture"] != "mlp-16x16"]
    table = leaderboard(dataclasses.replace(results, records=part))
    absent, half = _row(table, "mlp-16x16"), _row(table, "linear")
    assert (absent["note"], absent["total"]) == ("not run", 0) and pd.isna(absent["rank"])
    assert (
        half["note"] == "6 of 18 trials run; 1 of 3 tasks run"
        and np.isnan(half["information_gap"])
        and pd.isna(half["rank"])
    )


def test_seeds_that_were_not_run_are_missed(results):
    table = leaderboard(dataclasses.replace(results, suite={**results.suite, "seeds": 10}))
    row = _row(table, "linear", "gauss-nested")
    assert (row["note"], row["total"]) == ("6 of 10 trials run", 6)
    assert _row(table, "oracle", "gauss-nested")["note"] == ""


def test_a_trial_without_its_headline_number_is_not_ok(results):
    records = results.records
    lost = (
        (records["architecture"] == "linear")
        & (records["seed"] == 1)
        & (records["metric"] == "information_gap")
    )
    table = leaderboard(dataclasses.replace(results, records=records[~lost]))
    row = _row(table, "linear", "gauss-nested")
    assert (row["ok"], row["total"]) == (5, 6) and "no information gap" in row["note"]
