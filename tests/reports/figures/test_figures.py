"""The numbers of the leaderboard's charts, against small cases that were worked out by hand."""

import dataclasses
import json
import time

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from reports.charts import LIMIT, line_styles
from reports.figures import leaderboard as figures
from reports.figures import svg
from reports.figures.costs import COMPUTE, TIME, cost_points, costs, front
from reports.figures.ranked_axis import AXIS, NAME, group_bars, placed
from reports.leaderboard import summarise
from reports.pages.page import Run
from reports.ranking.contests import MOST_NUMBERED, ROW, contests, ranked, row_height, win_shares
from reports.ranking.ordering import CriticalDifference, critical_difference
from reports.trials import names

LAST = 640_000
HOSTILE = "');alert(1)//<script>"


def _run(results):
    return Run(results, summarise(results), line_styles(names(results)[1]))


@pytest.fixture(scope="module")
def run(results):
    return _run(results)


NAMES = ["learning", "sparse", "strata", "compute", "pareto", "wins", "ranks"]


def _with(results, rows):
    """A run with further records, given as (task, architecture, seed, budget, metric, region, value)."""
    more = pd.DataFrame([(*row, 0.0, "ok", "") for row in rows], columns=results.records.columns)
    return dataclasses.replace(results, records=pd.concat([results.records, more], ignore_index=True))


def _strata(results, architectures=("linear", "mlp-16x16"), count=10):
    """Strata k of task t and seed s with expected KL k * 10^t * (4 if s is odd else 1) nats."""
    tasks, seeds = results.suite["tasks"], range(results.suite["seeds"])
    return _with(
        results,
        [
            (task, name, seed, LAST, "expected_kl", f"stratum-{k}", k * 10.0**place * (4 if seed % 2 else 1))
            for place, task in enumerate(tasks)
            for name in architectures
            for seed in seeds
            for k in range(1, count + 1)
        ],
    )


def test_the_limit_is_the_geometric_mean_over_tasks_of_k_over_2_n_i(run):
    # k is 2, 3, 3 and I(X;C) 0.455, 0.11, 0.30 nats.
    ratios = 2 / (2 * 0.455), 3 / (2 * 0.11), 3 / (2 * 0.30)
    expected = np.cbrt(np.prod(ratios))
    found = figures.limit(run)
    np.testing.assert_allclose(found[LAST], expected / LAST)
    np.testing.assert_allclose(found[3_200], expected / 3_200)
    assert len(found) == 5


def test_the_limit_follows_distinct_examples_and_stops_where_these_are_few(results):
    pool = results.records.copy()
    pool.loc[pool["metric"] == "distinct_examples", "value"] = 14.0
    assert figures.limit(_run(dataclasses.replace(results, records=pool))).empty  # 14 < 5 k
    pool.loc[pool["metric"] == "distinct_examples", "value"] = 1_000.0
    found = figures.limit(_run(dataclasses.replace(results, records=pool)))
    assert found[LAST] == found[640] and found[LAST] > 1e-3


def test_there_is_no_limit_unless_every_task_has_one(results):
    tasks = results.tasks.copy()
    tasks.loc["gauss-nested", "parameters"] = np.nan
    other = _run(dataclasses.replace(results, tasks=tasks))
    assert figures.limit(other).empty
    chart = figures.learning(other)
    assert LIMIT not in set(chart.data["architecture"]) and "k/2N" not in chart.note


def test_learning_shows_the_leaderboard_with_references_but_not_the_oracle(run):
    data = figures.learning(run).data.set_index(["architecture", "examples"])
    table = run.summary.leaderboard
    row = table[(table["task"] == "overall") & (table["architecture"] == "mlp-64x64")]
    row = row[row["budget"] == LAST].iloc[0]
    found = data.loc[("mlp-64x64", float(LAST))]
    assert (found["information_gap"], found["low"], found["high"]) == (
        row["information_gap"],
        row["low"],
        row["high"],
    )
    shown = set(data.index.get_level_values(0))
    assert {"prior", "oracle-mle", LIMIT} <= shown and "oracle" not in shown


def test_sparse_kl_is_that_of_the_table_and_missing_without_the_region(run, results):
    data = figures.sparse(run).data.set_index(["architecture", "examples"])["sparse_kl"]
    table = run.summary.leaderboard
    table = table[table["task"] == "overall"].set_index(["architecture", "budget"])["sparse_kl"]
    assert data["linear", float(LAST)] == table["linear", LAST]
    records = results.records[results.records["region"] != "sparse99"]
    assert figures.sparse(_run(dataclasses.replace(results, records=records))) is None


def test_strata_are_geometric_means_over_seeds_then_arithmetic_over_tasks(results):
    points = figures.strata_points(_run(_strata(results))).set_index(["series", "x"])["y"]
    # Half of the six seeds are 4 times as large: a geometric mean of 2; tasks are 1, 10 and 100 times.
    for k in (1, 7, 10):
        np.testing.assert_allclose(points["linear", k], k * 2 * (1 + 10 + 100) / 3)


def test_a_row_with_a_failed_trial_or_a_missing_task_has_no_strata_mean(results):
    changed = _strata(results, ("linear", "fourier-64", "mlp-16x16"))
    records = changed.records
    gone = (records["architecture"] == "mlp-16x16") & (records["task"] == "gauss-nested")
    gone &= records["region"] == "stratum-4"
    points = figures.strata_points(_run(dataclasses.replace(changed, records=records[~gone])))
    points = points.set_index(["series", "x"])["y"]
    assert points["fourier-64"].isna().all()  # a trial of it failed
    assert np.isnan(points["mlp-16x16", 4]) and np.isfinite(points["mlp-16x16", 5])
    assert np.isfinite(points["linear"]).all()


def test_there_is_no_chart_of_strata_without_strata(run, results):
    assert figures.strata(run) is None
    chart = figures.strata(_run(_strata(results, count=5)))
    assert chart.name == "strata" and chart.label.startswith("Expected KL in 5 strata")


def test_the_front_is_what_nothing_beats_in_both():
    points = pd.DataFrame(
        {"x": [1, 2, 3, 2, 4, 5, np.nan, 6], "y": [9, 5, 6, 5, 2, 2, 0.1, np.inf], "n": list("abcdefgh")}
    )
    assert front(points)["n"].tolist() == ["a", "b", "e"]  # d ties with b, f costs more for the same
    assert front(points.iloc[:0]).empty


def test_costs_are_those_of_the_table_and_rows_without_are_named(run, results):
    points = cost_points(run).set_index(["series", "examples"])
    np.testing.assert_allclose(points.loc[("mlp-16x16", LAST), "training_seconds"], LAST / 64 * 4e-5 * 2)
    np.testing.assert_allclose(points.loc[("mlp-16x16", LAST), "multiply_adds"], LAST / 64 * 4_000)
    assert (
        points.loc[("mlp-16x16", LAST), "multiply_adds"]
        == 5 * points.loc["mlp-16x16", "multiply_adds"][128_000]
    )
    for cost, lacks in ((TIME, "Without a time"), (COMPUTE, "Without a count")):
        assert lacks not in costs(run, cost).note
        known = results.records["metric"] == cost.column
        linear = results.records["architecture"] == "linear"
        other = costs(_run(dataclasses.replace(results, records=results.records[~(known & linear)])), cost)
        assert other.note.startswith("Each line") and f"{lacks}: linear." in other.note
        assert costs(_run(dataclasses.replace(results, records=results.records[~known])), cost) is None


def test_compute_goes_by_each_recipes_own_batch(run, results):
    whole = cost_points(run).set_index(["series", "examples"])["multiply_adds"]
    own = pd.Series(np.nan, results.architectures.index)
    own["linear"] = 16  # and of the others none: the suite's
    told = _run(dataclasses.replace(results, architectures=results.architectures.assign(batch=own)))
    points = cost_points(told).set_index(["series", "examples"])["multiply_adds"]
    np.testing.assert_allclose(points["linear"], 4 * whole["linear"])
    np.testing.assert_allclose(points["resnet-64"], whole["resnet-64"])


def test_on_fixed_sets_compute_goes_up_to_the_kept_state(results):
    rows = [
        (task, "linear", seed, LAST, "best_step", "all", 100.0 * (1 + place))
        for place, task in enumerate(results.suite["tasks"])
        for seed in range(6)
    ]
    fixed = dataclasses.replace(_with(results, rows), suite={**results.suite, "protocol": "dataset"})
    points = cost_points(_run(fixed)).set_index(["series", "examples"])["multiply_adds"]
    np.testing.assert_allclose(points["linear", LAST], 200 * 1_000)
    assert np.isnan(points["mlp-16x16", LAST])
    assert "state that was kept" in costs(_run(fixed), COMPUTE).note


def _pairs(*rows):
    return pd.DataFrame(rows, columns=["a", "b", "wins", "holm", "better"])


def test_win_shares_read_from_either_side_in_the_order_of_the_ranking():
    frame = _pairs(("a", "b", 0.9, 0.01, "a"), ("a", "c", 0.5, 1.0, ""), ("b", "c", 0.2, 0.03, "c"))
    shares = win_shares(frame, ["c", "a", "b"])
    assert list(zip(shares["row"], shares["column"], strict=True)) == [
        ("c", "a"), ("c", "b"), ("a", "c"), ("a", "b"), ("b", "c"), ("b", "a"),
    ]  # fmt: skip
    np.testing.assert_allclose(shares["share"], [0.5, 0.8, 0.5, 0.9, 0.2, 0.1])
    assert shares["better"].tolist() == ["", "c", "", "a", "c", "a"]


def test_the_win_matrix_counts_the_blocks_that_the_trials_say(run):
    wins = next(chart for chart in contests(run) if chart.name == "wins")
    gaps = run.summary.trials["gap"].xs(LAST, level="budget").unstack("architecture")
    shares = wins.data.set_index(["row", "column"])["share"]
    expected = (gaps["mlp-64x64"] < gaps["linear"]).mean()
    assert shares["mlp-64x64", "linear"] == pytest.approx(expected)
    assert shares["linear", "mlp-64x64"] == pytest.approx(1 - expected)
    assert "oracle" not in set(wins.data["row"]) and "18 blocks" in wins.note
    frame = run.summary.pairs["gap"]
    frame = frame[(frame["budget"] == LAST) & (frame["task"] == "overall")]
    table = run.summary.leaderboard
    table = table[(table["task"] == "overall") & (table["budget"] == LAST) & table["rank"].notna()]
    assert ranked(run, frame) == table["architecture"].tolist()


def test_mean_ranks_are_those_of_blocks_of_task_and_seed(run):
    ranks = next(chart for chart in contests(run) if chart.name == "ranks")
    data = ranks.data.set_index("architecture")
    shown = run.summary.critical[LAST].names
    gaps = run.summary.trials["gap"].xs(LAST, level="budget").unstack("architecture")[list(shown)]
    gaps = gaps.fillna(1.0)  # a failed trial counts as having learned nothing, or the worst, which is less
    expected = dict(zip(shown, rankdata(gaps.to_numpy(), axis=1).mean(axis=0), strict=True))
    assert data["mean_rank"].to_dict() == pytest.approx(expected)
    assert data["mean_rank"].is_monotonic_increasing
    # Nemenyi's q of 5 rows at 5 % is 2.728 (Demsar 2006, table 5).
    assert len(shown) == 5
    assert data["critical_difference"].iloc[0] == pytest.approx(
        2.728 * np.sqrt(30 / (6 * len(gaps))), rel=1e-3
    )
    assert "own tasks and seeds" in ranks.note


def test_there_are_no_contests_below_five_seeds(make_results):
    few = _run(make_results(seeds=4))
    assert contests(few) == ()
    assert [chart.name for chart in figures.leaderboard_charts(few)] == ["learning", "sparse", *NAMES[3:5]]


@pytest.mark.parametrize("rows", [2, 3, 11, 30])
@pytest.mark.parametrize("height", [0, 420])
def test_names_of_a_critical_difference_diagram_stand_apart_below_its_bars(rows, height):
    values = np.random.default_rng(0).normal(size=(20, rows)) + np.arange(rows) / 4
    critical = critical_difference(values, [f"net-{place}" for place in range(rows)])
    found, bars = placed(critical, height), group_bars(critical)
    for _, side in found.groupby("left"):
        gaps = np.diff(np.sort(side["y"]))
        assert (gaps >= NAME[0] - 1e-9).all() and (gaps <= NAME[1] + 1e-9).all()
    assert found["rank"].is_monotonic_increasing and found["left"].sum() == (rows + 1) // 2
    assert found["y"].min() > max([AXIS, *bars["y"]])
    # Left the best on top, right the worst: a line out to a name passes below all lines that end before.
    assert found.loc[found["left"], "y"].is_monotonic_increasing
    assert found.loc[~found["left"], "y"].is_monotonic_decreasing


def test_bars_reach_from_the_lowest_to_the_highest_mean_rank_of_their_group():
    critical = CriticalDifference((1.5, 3.0, 2.0), 0.8, 0.01, 10, ((0, 2), (2, 1)), ("a", "b", "c"))
    bars = group_bars(critical)
    assert bars[["x", "x2"]].to_numpy().tolist() == [[1.5, 2.0], [2.0, 3.0]]
    assert bars["y"].is_unique


def test_numbers_stand_in_the_cells_of_few_rows_and_dots_in_those_of_many(run):
    wins = svg.drawn(next(chart for chart in contests(run) if chart.name == "wins"), "x")
    assert 'font-weight="700"' in wins.svg
    assert row_height(MOST_NUMBERED + 1) < row_height(3) == ROW[1] and row_height(100) == ROW[0]


@pytest.fixture(scope="module")
def crowded(results):
    """Four copies of every row, and strata: 20 rows."""
    learned = results.suite["architectures"]
    copies = {f"{name}+lr(0.00{n})": name for n in range(1, 5) for name in learned}
    records = _strata(results, learned).records
    rng = np.random.default_rng(0)
    parts = [records[~records["architecture"].isin(learned)]]
    for name, source in copies.items():
        part = records[records["architecture"] == source]
        factor = rng.lognormal(0, 0.3, len(part)) ** part["metric"].isin(["information_gap", "expected_kl"])
        parts.append(part.assign(architecture=name, value=part["value"] * factor))
    rows = results.architectures.reindex([*copies.values()]).set_axis([*copies])
    return _run(
        dataclasses.replace(
            results,
            suite={**results.suite, "architectures": [*copies]},
            records=pd.concat(parts, ignore_index=True),
            architectures=pd.concat([rows, results.architectures.drop(learned)]),
            pictures={},
        )
    )


def test_charts_of_twenty_rows_are_light_quick_and_the_same_every_time(crowded):
    start = time.process_time()
    charts = figures.leaderboard_charts(crowded)
    drawn = [svg.drawn(chart, "x.csv") for chart in charts]
    assert time.process_time() - start < 5  # about one, and the first chart of a process another
    assert [chart.name for chart in charts] == NAMES
    weight = sum(len(figure.svg) + len(json.dumps(figure.spec)) for figure in drawn)
    assert weight < 35_000 * len(charts)
    again = [svg.drawn(chart, "x.csv") for chart in figures.leaderboard_charts(crowded)]
    assert [figure.svg for figure in drawn] == [figure.svg for figure in again]
    for chart in charts:
        assert chart.title and chart.label.endswith(".") and len(chart.data) and len(chart.note) < 260


def test_every_row_of_a_crowded_chart_can_be_chosen_and_the_best_six_are_named(crowded):
    keys = figures.legend(crowded)
    table = crowded.summary.leaderboard
    order = table[(table["task"] == "overall") & (table["budget"] == LAST) & (table["kind"] != "reference")]
    assert [key.name for key in keys] == order["architecture"].tolist() and len(keys) == 20
    assert figures.strong(crowded) == [key.name for key in keys][:6]
    for chart in figures.leaderboard_charts(crowded):
        codes = svg.drawn(chart, "x").spec["usermeta"]["codes"]
        finite = set(codes) & {key.name for key in keys}
        assert len(finite) == len({codes[name] for name in finite}) >= 12


def test_hostile_names_reach_charts_as_data_alone(results):
    rename = {"linear": HOSTILE}
    changed = dataclasses.replace(
        results,
        suite={**results.suite, "architectures": [rename.get(n, n) for n in results.suite["architectures"]]},
        records=results.records.assign(architecture=results.records["architecture"].replace(rename)),
        architectures=results.architectures.rename(index=rename),
    )
    for chart in figures.leaderboard_charts(_run(changed)):
        spec = svg.drawn(chart, "x").spec
        spec.pop("description"), spec.pop("usermeta"), spec.pop("datasets", None)
        for part in _without_values(spec):
            assert "alert" not in part


def _without_values(part):
    """Every key and text of a specification that isn't data."""
    if isinstance(part, dict):
        for name, value in part.items():
            yield name
            if name != "values":
                yield from _without_values(value)
    elif isinstance(part, list):
        for value in part:
            yield from _without_values(value)
    elif isinstance(part, str):
        yield part
