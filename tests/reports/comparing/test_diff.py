"""Two runs against each other: known effects are found, noise isn't, and what can't be told is said."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports.comparing import diff_text
from reports.comparing.diff import diff
from reports.ranking.measures import BY_KEY
from reports.results import RECORD_COLUMNS, Results

TASKS, ROWS = ("one", "two", "three"), ("linear", "mlp", "tree")
HOSTILE = "<img src=x onerror=alert(1)>|\x1b[31m`*_"


def run(
    rng, seeds=10, tasks=TASKS, rows=ROWS, factor=None, spread=0.3, budgets=(640, 1280), noise=None, own=0.05
):
    """A run of log-normal gaps: a seed's examples shift all rows alike, and each trial has noise of its own.

    factor: {(task, row): what its gaps are multiplied with}; noise: a generator of the trials' own noise.
    """
    noise = noise or rng
    shared = rng.normal(0, spread, (len(tasks), seeds))
    records = []
    for t, task in enumerate(tasks):
        for row in rows:
            for seed in range(seeds):
                for budget in budgets:
                    gap = (factor or {}).get((task, row), 1.0) * 0.01 * np.exp(shared[t, seed])
                    gap *= np.exp(noise.normal(0, own))
                    key = (task, row, seed, budget)
                    records.append((*key, "information_gap", "all", gap, 1e-9, "ok", ""))
    names = [*rows, "oracle"]
    suite = {
        "name": "s", "title": "S", "protocol": "stream", "batch": 64, "budgets": list(budgets),
        "seeds": seeds, "tasks": list(tasks), "architectures": list(rows), "reference": ["oracle"],
    }  # fmt: skip
    return Results(
        suite=suite,
        records=pd.DataFrame(records, columns=list(RECORD_COLUMNS)),
        tasks=pd.DataFrame({"crossings": np.nan}, index=pd.Index(tasks, name="name")),
        architectures=pd.DataFrame(
            {"kind": ["network"] * len(rows) + ["reference"]}, index=pd.Index(names, name="name")
        ),
        pictures={},
        manifest={},
    )


def changed(results, task, row, seeds, **columns):
    """The same run with some trials' records replaced."""
    records = results.records.copy()
    mine = (records["task"] == task) & (records["architecture"] == row) & records["seed"].isin(seeds)
    for name, value in columns.items():
        records.loc[mine, name] = value
    return replace(results, records=records)


def two(seed=0, factor=None, **options):
    """Two runs on the same examples, each with noise of its own, the second with an effect."""
    rng = np.random.default_rng
    old = run(rng(seed), noise=rng(seed + 1_000_000), **options)
    return old, run(rng(seed), noise=rng(seed + 2_000_000), factor=factor, **options)


def found(result, *verdicts):
    return {(change.architecture, change.task) for change in result.of(*verdicts)}


def test_a_run_is_no_different_from_itself():
    old = run(np.random.default_rng(0))
    result = diff(old, old, TASKS)
    assert (result.worse, result.too_few, result.identical, result.tested) == (False, False, True, 12)
    assert {change.verdict for change in result.changes} == {"same"}
    text = diff_text.terminal_text(result, "a", "b")
    assert "No difference" in text
    assert "Every number is the same in both runs." in text
    assert len(text.splitlines()) < 12


def test_a_fifth_more_in_one_row_is_found_and_nothing_else():
    old, new = two(factor={(task, "mlp"): 1.2 for task in TASKS})
    result = diff(old, new, TASKS)
    assert result.worse
    assert found(result, "worse") == {("mlp", task) for task in (*TASKS, "overall")}
    assert not result.of("better", "lost", "few")
    back = diff(new, old, TASKS)
    assert not back.worse
    assert found(back, "better") == found(result, "worse")
    (overall,) = [change for change in result.of("worse") if change.task == "overall"]
    assert overall.low < 1.2 < overall.high
    # What shifts less than the smallest factor is the same, however surely.
    assert not diff(old, new, TASKS, smallest=1.5).worse


def test_p_values_are_those_of_scipy_and_holm_counts_all_of_them():
    old, new = two(factor={("one", "mlp"): 1.2})
    result = diff(old, new, ["one"])
    by_key = {(change.architecture, change.task): change for change in result.changes}
    values = [
        each.records.query("architecture == 'mlp' and task == @task and budget == 1280")["value"].to_numpy()
        for task in ("one", "two")
        for each in (old, new)
    ]
    logs = np.log(values)
    paired, welch = by_key["mlp", "one"], by_key["mlp", "two"]
    test = stats.ttest_rel(logs[1], logs[0])
    assert paired.paired
    assert paired.p == pytest.approx(test.pvalue)
    assert np.log([paired.low, paired.high]) == pytest.approx(test.confidence_interval(0.95))
    assert paired.ratio == pytest.approx(stats.gmean(values[1] / values[0]))
    apart = stats.ttest_ind(logs[3], logs[2], equal_var=False)
    assert not welch.paired
    assert welch.p == pytest.approx(apart.pvalue)
    assert np.log([welch.low, welch.high]) == pytest.approx(apart.confidence_interval(0.95))
    ps = [change.p for change in result.changes]
    assert len(ps) == result.tested == 12
    order = np.argsort(ps)
    holm = np.minimum(np.maximum.accumulate(np.array(ps)[order] * np.arange(12, 0, -1)), 1)
    assert np.array([change.holm for change in result.changes])[order] == pytest.approx(holm)
    assert result.unpaired == ("two", "three")
    assert "Not paired, since the examples of the runs differ: two, three." in diff_text.notes(result)


def test_an_effect_spread_over_tasks_is_found_though_none_shows_it_alone():
    rng = np.random.default_rng
    tasks = tuple(f"task-{n}" for n in range(10))
    old = run(rng(1), 8, tasks, noise=rng(2), own=0.2)
    new = run(rng(1), 8, tasks, noise=rng(4), own=0.2, factor={(task, "tree"): 1.2 for task in tasks})
    assert found(diff(old, new, tasks), "worse") == {("tree", "overall")}


def test_noise_alone_seldom_looks_worse():
    alarms = 0
    for seed in range(200):
        alarms += diff(*two(seed, budgets=(640,)), TASKS, smallest=1.0).worse
    assert alarms / 200 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    assert alarms  # the level is used: half of 5 % of 200 pairs are about five


def test_below_five_seeds_there_is_too_little_to_tell():
    rng = np.random.default_rng
    old, new = run(rng(0), 4), run(rng(0), 4, factor={("one", "mlp"): 9.0}, noise=rng(1))
    result = diff(old, new, TASKS)
    assert (result.worse, result.too_few, result.tested) == (False, True, 0)
    assert diff_text.verdict(result) == "too few to tell"
    text = diff_text.terminal_text(result, "a", "b")
    assert "Too few to tell: 4 seeds, and it takes 5." in text
    (seen,) = [c for c in result.changes if (c.architecture, c.task) == ("mlp", "one")]
    assert 8 < seen.ratio < 10
    assert diff(old, old, TASKS).too_few


def test_seeds_that_only_one_run_has_are_not_paired():
    rng = np.random.default_rng
    new = run(rng(0), 15, noise=rng(5))
    later = replace(new, records=new.records[new.records["seed"] >= 7])
    old = run(rng(0), 10, noise=rng(6))
    result = diff(old, later, TASKS)
    assert not any(change.paired for change in result.changes)
    assert {change.seeds for change in result.changes} == {8}
    assert "compared unpaired" in " ".join(diff_text.notes(result))
    shorter = replace(new, records=new.records[new.records["seed"] >= 3])
    assert {(c.paired, c.seeds) for c in diff(old, shorter, TASKS).changes} == {(True, 7)}


def test_a_row_that_fails_now_is_worse_and_one_that_no_longer_fails_is_better():
    old, new = two()
    reason = "diverged at step 7"
    failing = changed(new, "two", "tree", [3], value=np.nan, status="failed", reason=reason)
    result = diff(old, failing, TASKS)
    assert result.worse
    assert found(result, "lost") == {("tree", "two")}
    text = diff_text.terminal_text(result, "a", "b")
    assert "1 of 10 lost" in text
    assert "tree on two: 1 of 10 trials without a number: diverged at step 7" in text
    back = diff(failing, old, TASKS)
    assert not back.worse
    assert found(back, "regained") == {("tree", "two")}
    assert diff_text.verdict(back) == "better"
    assert not diff(failing, failing, TASKS).worse
    # Sure whatever the number of seeds.
    few = [replace(each, records=each.records[each.records["seed"] < 4]) for each in (old, failing)]
    assert diff(*few, TASKS).worse


@pytest.mark.parametrize(
    ("before", "after", "verdict", "back"),
    [(1, 9, "lost", "regained"), (6, 6, "few", "few"), (1, 2, "lost", "regained"), (10, 10, "none", "none")],
)
def test_how_many_trials_fail_is_compared_and_pairs_are_those_with_numbers(before, after, verdict, back):
    failed = {"value": np.nan, "status": "failed", "reason": "diverged"}
    old, new = (
        changed(each, "two", "tree", range(count), **failed)
        for each, count in zip(two(), (before, after), strict=True)
    )
    for one, other, word in ((old, new, verdict), (new, old, back)):
        result = diff(one, other, TASKS)
        assert found(result, word) >= {("tree", "two")}
        assert result.worse == (word == "lost")
        assert result.too_few == (word == "few" or max(before, after) == 9)
        if word != "none":
            assert "No difference" not in diff_text.terminal_text(result, "a", "b")


def test_twice_the_seeds_with_twice_the_failures_is_no_loss():
    old, new = run(np.random.default_rng(0), 10), run(np.random.default_rng(0), 20)
    old, new = (
        changed(each, "two", "tree", seeds, value=np.nan, status="failed")
        for each, seeds in ((old, [0]), (new, [0, 1]))
    )
    assert not diff(old, new, ()).of("lost", "regained")


@pytest.mark.parametrize("word", ["not run", "skipped"])
def test_what_one_run_lacks_is_said_and_is_never_the_same(word):
    old = run(np.random.default_rng(0))
    if word == "skipped":
        new = changed(old, "two", "tree", range(10), value=np.nan, status="skipped", reason="too many inputs")
    else:
        gone = (old.records["task"] == "two") & (old.records["architecture"] == "tree")
        new = replace(old, records=old.records[~(gone & (old.records["budget"] == 1280))])
    result = diff(old, new, TASKS)
    assert (result.worse, result.identical, len(result.gone)) == (False, False, 1)
    (change,) = result.of(word)
    assert (change.architecture, change.task, change.old_trials, change.new_trials) == ("tree", "two", 10, 0)
    assert diff_text.verdict(result) == "incomplete"
    text = " ".join(diff_text.terminal_text(result, "a", "b").split())
    assert f"{word.capitalize()} in the new run: tree on two at 1,280" in text
    assert "Every number" not in text and "No difference" not in text
    assert ("too many inputs" in text) == (word == "skipped")
    assert json.loads(diff_text.json_text(result, "a", "b"))["identical"] is False
    back = diff(new, old, TASKS)
    assert not back.gone and not back.identical and found(back, word) == {("tree", "two")}
    assert f"{word.capitalize()} in the old run: tree on two" in " ".join(diff_text.notes(back))
    assert diff(new, new, TASKS).identical


def test_rows_that_only_one_run_has_are_not_the_same():
    new = run(np.random.default_rng(0))
    old = replace(new, suite={**new.suite, "architectures": ["linear", "mlp"]})
    assert not diff(old, new, TASKS).identical and not diff(new, old, TASKS).identical


def test_an_infinite_value_counts_as_none():
    old, new = two()
    endless = changed(new, "one", "linear", [0, 1], value=np.inf)
    result = diff(old, endless, TASKS)
    (lost,) = result.of("lost")
    assert (lost.architecture, lost.task, lost.new_lost, lost.new) == ("linear", "one", 2, np.inf)
    assert lost.seeds == 8
    assert json.loads(diff_text.json_text(result, "a", "b"))["changes"][1]["new"] == "inf"
    every = changed(old, "one", "linear", range(10), value=np.inf)
    result = diff(every, every, TASKS)
    assert not result.worse
    assert ("linear", "one") in found(result, "none")
    assert "Without enough numbers to compare: linear on one." in diff_text.notes(result)


def test_below_the_integration_error_nothing_is_a_difference():
    old, new = two()
    old = changed(old, "one", "mlp", range(10), value=1e-13, error=1e-6)
    new = changed(new, "one", "mlp", range(10), value=1e-9, error=1e-6)
    (change,) = [c for c in diff(old, new, TASKS).changes if (c.architecture, c.task) == ("mlp", "one")]
    assert (change.ratio, change.p, change.verdict) == (1.0, 1.0, "same")


@pytest.mark.parametrize("same", [TASKS, ()])
@pytest.mark.parametrize(
    ("before", "after", "ratio"),
    [
        ((1e-9, 1e-8), (1e-9, 2e-8), 1.0),  # below in both: how far down one can see is no difference
        ((1e-9, 1e-8), (5e-9, 1e-10), 1.0),  # what isn't larger than what the other run can't see
        ((1e-9, 1e-8), (5e-8, 1e-8), 5.0),
        ((0.0, 0.0), (0.0, 0.0), 1.0),
    ],
)
def test_what_integration_hides_is_neither_better_nor_worse(before, after, ratio, same):
    old, new = two()
    old, new = (
        changed(each, "one", "mlp", range(10), value=value, error=error)
        for each, (value, error) in ((old, before), (new, after))
    )
    for one, other, expected in ((old, new, ratio), (new, old, 1 / ratio)):
        result = diff(one, other, same)
        (change,) = [c for c in result.changes if (c.architecture, c.task) == ("mlp", "one")]
        assert change.ratio == pytest.approx(expected)
        assert change.verdict == ("same" if ratio == 1 else "worse" if expected > 1 else "better")
        (overall,) = [c for c in result.changes if (c.architecture, c.task) == ("mlp", "overall")]
        if ratio == 1:
            assert overall.ratio == pytest.approx(1, abs=0.05)


def test_a_zero_counts_as_what_its_task_resolves():
    old, new = two()
    old = changed(old, "one", "mlp", range(10), value=0.0, error=0.0)
    (change,) = [c for c in diff(old, new, TASKS).changes if (c.architecture, c.task) == ("mlp", "one")]
    assert change.old == pytest.approx(old.records.query("task == 'one' and value > 0")["value"].min())


def test_a_reference_row_that_moves_is_a_change_of_measuring():
    old, new = (run(np.random.default_rng(0), rows=(*ROWS, "oracle")) for _ in range(2))
    for each in (old, new):
        each.suite["architectures"].remove("oracle")
    moved = changed(new, "two", "oracle", range(10), value=0.5)
    assert not diff(old, new, TASKS).reference
    result = diff(old, moved, TASKS)
    assert not result.worse
    assert "oracle on two" in " ".join(diff_text.notes(result))


def test_what_only_one_run_has_is_named_and_the_largest_common_budget_is_compared():
    rng = np.random.default_rng
    old = run(rng(0), budgets=(64, 640), tasks=("one", "two"))
    new = run(rng(0), budgets=(640, 6400), tasks=("two", "three"), rows=("mlp", "tree", "new-net"))
    result = diff(old, new, ["two"])
    assert result.budgets == (640,)
    assert {(c.architecture, c.task) for c in result.changes} == {("mlp", "two"), ("tree", "two")}
    assert result.only_old == ("one", "linear")
    assert result.only_new == ("three", "new-net")
    every = diff(run(rng(0)), run(rng(0)), TASKS, every_budget=True)
    assert (every.budgets, len(every.changes)) == ((640, 1280), 24)
    assert not diff(old, run(rng(0), budgets=(7,)), TASKS).changes


def test_another_measure_is_another_record():
    old, new = two(factor={(task, "mlp"): 1.2 for task in TASKS})
    for each in (old, new):
        tv = each.records.assign(metric="tv", value=0.5)
        object.__setattr__(each, "records", pd.concat([each.records, tv], ignore_index=True))
    assert diff(old, new, TASKS).worse
    result = diff(old, new, TASKS, BY_KEY["tv"])
    assert not result.worse
    assert "Total variation" in diff_text.sentences(result)[0]


def test_hostile_names_are_text_in_every_format():
    rng = np.random.default_rng
    options = {"tasks": (HOSTILE, "two"), "rows": (HOSTILE + "x", "mlp")}
    old = run(rng(0), noise=rng(1), **options)
    new = run(rng(0), noise=rng(2), **options, factor={(HOSTILE, HOSTILE + "x"): 2.0})
    new = changed(new, HOSTILE, "mlp", [1], value=np.nan, status="failed", reason=HOSTILE)
    result = diff(old, new, [HOSTILE, "two"])
    assert result.worse
    terminal = diff_text.terminal_text(result, HOSTILE, "b")
    assert "\x1b" not in terminal
    assert max(map(len, terminal.splitlines())) <= 80
    text = diff_text.markdown_text(result, HOSTILE, "b")
    assert "<img" not in text
    assert "\x1b" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {7}
    assert (
        json.loads(diff_text.json_text(result, HOSTILE, "b"))["changes"][0]["architecture"] == HOSTILE + "x"
    )
