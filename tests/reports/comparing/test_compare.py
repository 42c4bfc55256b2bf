"""Two rows head to head: the numbers of the paired tests, the verdict in words, and the pages."""

import base64
import hashlib
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports import site
from reports.charts import line_styles
from reports.comparing import compare_page, compare_text
from reports.comparing.compare import compare, compare_all
from reports.figures import ratio_bars
from reports.leaderboard import summarise
from reports.pages import compare as page_module
from reports.pages.page import Run
from reports.ranking.measures import BY_KEY
from reports.trials import names

HOSTILE = "</script><img src=x onerror=alert(1)>|\x1b[31m`*_\u2028"
LAST = 640_000


def logs(results, name, task):
    rows = results.records.query(
        "architecture == @name and task == @task and budget == @LAST and metric == 'information_gap'"
    )
    return np.log(rows.sort_values("seed")["value"].to_numpy(dtype=float))


def one_task(results):
    """The same run with its first task alone, in which nothing fails."""
    suite = {**results.suite, "tasks": results.suite["tasks"][:1]}
    return replace(results, suite=suite)


def renamed(results, old, new):
    suite = {key: [new if v == old else v for v in value] if isinstance(value, list) else value
             for key, value in results.suite.items()}  # fmt: skip
    return replace(
        results,
        suite=suite,
        records=results.records.replace({"architecture": {old: new}, "task": {old: new}}),
        architectures=results.architectures.rename(index={old: new}),
        tasks=results.tasks.rename(index={old: new}),
    )


def the_run(results):
    return Run(results, summarise(results), line_styles(names(results)[1]))


def test_overall_is_the_paired_t_of_means_over_tasks_and_single_tasks_are_adjusted(make_results):
    results = make_results(10)
    found = compare(results, "mlp-16x16", "mlp-64x64")
    tasks = results.suite["tasks"]
    d = np.array([logs(results, "mlp-16x16", task) - logs(results, "mlp-64x64", task) for task in tasks])
    test = stats.ttest_1samp(d.mean(axis=0), 0)
    assert found.overall.p == pytest.approx(test.pvalue)
    assert np.log([found.overall.low, found.overall.high]) == pytest.approx(test.confidence_interval(0.95))
    assert np.log(found.overall.ratio) == pytest.approx(d.mean())
    assert found.overall.wins == np.mean(d < 0)
    single = np.array([stats.ttest_1samp(row, 0).pvalue for row in d])
    assert [line.p for line in found.by_task] == pytest.approx(list(single))
    order = np.argsort(single)
    adjusted = np.minimum(np.maximum.accumulate(single[order] * [3, 2, 1]), 1)
    assert np.array([line.holm for line in found.by_task])[order] == pytest.approx(adjusted)
    assert [line.budget for line in found.by_budget] == results.suite["budgets"]
    assert found.overall.first == pytest.approx(
        np.exp(np.mean([logs(results, "mlp-16x16", task) for task in tasks]))
    )


def test_the_verdict_is_the_same_whichever_row_is_named_first(make_results):
    results = make_results(10)
    one, other = (
        compare(results, *pair) for pair in (("mlp-16x16", "mlp-64x64"), ("mlp-64x64", "mlp-16x16"))
    )
    assert compare_text.verdict(one) == compare_text.verdict(other)
    lead, *rest = compare_text.verdict(one)
    assert lead.startswith(
        "mlp-64x64 is better: after 640,000 examples its information gap is 0.165 times that of"
    )
    assert "(95 % interval 0.147–0.185), over 3 tasks and 10 seeds, paired (p < 0.0001; with" in lead  # noqa: RUF001
    assert rest == ["It holds on every task."]
    assert (one.overall.better, other.overall.better) == (-1, 1)


def test_a_task_where_the_other_row_is_better_is_named(make_results):
    words = " ".join(compare_text.verdict(compare(make_results(10), "mlp-64x64", "linear")))
    assert "It doesn't hold on every task: better there is linear on gauss-separated." in words


def twins(results, odd, even):
    """The same run with mlp-64x64 as mlp-16x16, its gaps shifted (log) on odd and on even seeds."""
    records = results.records
    twin = records[records["architecture"] == "mlp-16x16"].assign(architecture="mlp-64x64")
    twin["value"] = twin["value"] * np.exp(np.where(twin["seed"] % 2, odd, even))
    kept = records[records["architecture"] != "mlp-64x64"]
    return replace(results, records=pd.concat([kept, twin], ignore_index=True))


def test_rows_alike_cannot_be_told_apart_and_the_seeds_it_takes_are_said(make_results):
    found = compare(twins(make_results(10), 0.3, -0.1), "mlp-16x16", "mlp-64x64")
    lead, needed, *rest = compare_text.verdict(found)
    d = np.tile([0.1, -0.3], 5)
    assert found.overall.p == pytest.approx(stats.ttest_1samp(d, 0).pvalue)
    assert lead.startswith(
        "mlp-16x16 and mlp-64x64 can't be told apart: after 640,000 examples the information"
    )
    assert f"gap of mlp-16x16 is {np.exp(-0.1):.3f} times that of mlp-64x64" in lead
    assert f"takes about {found.more} seeds (power 80 %)" in needed
    shift, freedom = 0.1 / d.std(ddof=1) * np.sqrt(found.more), found.more - 1
    bound = stats.t.ppf(0.975, freedom)
    assert stats.nct.sf(bound, freedom, shift) == pytest.approx(0.8, abs=0.01)
    assert not rest
    assert found.overall.better == 0
    close = compare_text.verdict(compare(twins(make_results(10), 0.3, -0.28), "mlp-16x16", "mlp-64x64"))
    assert "takes more than 1,000 seeds" in close[1]


def test_tasks_on_which_it_is_lower_but_not_surely_are_counted(make_results):
    results = make_results(10)
    records = results.records.copy()
    mine = (records["architecture"] == "mlp-64x64") & (records["task"] == "gauss-nested")
    beside = records.set_index(["task", "architecture", "seed", "budget", "metric", "region"])["value"]
    same = records[mine].assign(architecture="mlp-16x16").set_index(list(beside.index.names)).index
    records.loc[mine, "value"] = beside[same].to_numpy() * np.where(records.loc[mine, "seed"] % 2, 1.3, 0.7)
    words = compare_text.verdict(compare(replace(results, records=records), "mlp-16x16", "mlp-64x64"))
    assert words[-1] == "It is lower on every task, on 2 of them significantly."
    records.loc[mine, "value"] *= 1.1
    words = compare_text.verdict(compare(replace(results, records=records), "mlp-16x16", "mlp-64x64"))
    assert words[-1] == "It is lower on 2 of 3 tasks, on 2 of them significantly."


def test_below_five_seeds_it_is_too_few_to_tell(make_results):
    found = compare(make_results(4), "mlp-64x64", "linear")
    assert compare_text.verdict(found)[0].startswith("Too few seeds to tell: after 640,000 examples")
    assert np.isnan(found.overall.p)
    assert not found.overall.better


def test_five_seeds_are_too_few_for_flipping_signs_to_say_so(make_results):
    words = " ".join(compare_text.verdict(compare(make_results(5), "mlp-16x16", "mlp-64x64")))
    assert "With 5 seeds flipping signs can't give less than p = 0.062." in words


def test_failures_and_infinities_are_said_in_words(make_results):
    results = make_results(10)
    failed = compare_text.verdict(compare(results, "fourier-64", "mlp-64x64"))
    assert (
        "1 of 30 trials of fourier-64 failed (diverged at step 411: loss is nan) and counts as the larger of"
        in failed[-1]
    )
    endless = compare_text.verdict(compare(results, "resnet-64", "mlp-64x64"))
    assert endless[0].startswith(
        "mlp-64x64 is better, without a test: the information gap of resnet-64 is infinite"
    )
    assert endless[-1] == "1 of 30 trials of resnet-64 infinite (divergent tail)."
    both = replace(results, records=results.records.assign(value=np.inf))
    words = compare_text.verdict(compare(both, "linear", "mlp-64x64"))
    assert "the information gap of both is infinite" in words[0]


def test_a_skipped_reference_row_is_not_compared_at_that_budget(make_results):
    results = make_results(10)
    first = replace(results, suite={**results.suite, "budgets": [640]})
    found = compare(first, "mlp-64x64", "oracle-mle")
    words = compare_text.verdict(found)
    assert words[0] == "mlp-64x64 and oracle-mle can't be compared over all tasks after 640 examples."
    assert words[-1] == "10 of 30 trials of oracle-mle skipped (no maximum: the data are separable)."
    assert [line.compared for line in found.by_task] == [False, True, True]
    assert "not compared" in compare_text.terminal_text(found)


def test_reference_rows_are_compared_and_marked(make_results):
    found = compare(make_results(10), "mlp-64x64", "oracle-mle")
    assert compare_text.heading(found) == "mlp-64x64 against oracle-mle (reference row)"
    assert found.overall.better == -1
    assert json.loads(compare_text.json_text(found))["b"]["reference"] is True


def test_one_task_has_no_overall_line(make_results):
    found = compare(one_task(make_results(10)), "mlp-64x64", "linear")
    assert [line.task for line in compare_text.tables(found)[0][2]] == ["gauss-separated"]
    assert "over 10 seeds" in compare_text.verdict(found)[0]
    assert "every task" not in " ".join(compare_text.verdict(found))


def test_another_measure_is_compared(make_results):
    found = compare(make_results(10), "mlp-64x64", "linear", BY_KEY["sparse"])
    assert "expected KL in the sparse region" in compare_text.verdict(found)[0]


def test_one_zero_counts_as_it_does_on_the_board(make_results):
    results = make_results(10)
    records = results.records.copy()
    cell = records.eval(
        "architecture == 'mlp-64x64' and task == 'gauss-nested' and budget == @LAST"
        " and metric == 'excess_error' and seed == 3"
    )
    assert cell.sum() == 1
    records.loc[cell, ["value", "error"]] = 0.0
    results = replace(results, records=records)
    found = compare(results, "mlp-64x64", "mlp-16x16", BY_KEY["excess_error"])
    board = summarise(results).boards["excess_error"]
    values = board[board["budget"] == LAST].set_index(["task", "architecture"])["value"]
    for line in (found.overall, *found.by_task):
        assert line.first == pytest.approx(values[line.task, "mlp-64x64"]) and line.first > 0
        assert line.second == pytest.approx(values[line.task, "mlp-16x16"])
        assert line.ratio == pytest.approx(line.first / line.second)


def test_all_pairs_agree_with_each_pair_alone(make_results):
    results = make_results(6)
    summary = summarise(results)
    for found in compare_all(results, summary.trials, table=summary.pairs["gap"]):
        alone = compare(results, found.first, found.second)
        assert compare_text.verdict(alone) == compare_text.verdict(found)
        assert repr(alone.lines) == repr(found.lines)


# --- what is written --------------------------------------------------------------------------------------


def test_the_terminal_has_eighty_columns_and_json_every_number(make_results):
    results = renamed(make_results(10), "mlp-64x64", "mlp(width=64, depth=2, activation=relu)+focal(gamma=2)")
    name = "mlp(width=64, depth=2, activation=relu)+focal(gamma=2)"
    found = compare(results, name, "oracle-mle")
    text = compare_text.terminal_text(found)
    assert max(map(len, text.splitlines())) <= 80
    told = json.loads(compare_text.json_text(found))
    assert len(told["lines"]) == len(results.suite["budgets"]) * 4
    assert told["lines"][-1]["ratio"] == found.lines[LAST, "gauss-sparse-tail"].ratio


@pytest.mark.parametrize("old", ["mlp-64x64", "gauss-nested"])
def test_hostile_names_are_text_everywhere(make_results, old):
    results = renamed(make_results(6), old, HOSTILE)
    first = HOSTILE if old == "mlp-64x64" else "mlp-64x64"
    found = compare(results, first, "linear")
    assert "\x1b" not in compare_text.terminal_text(found)
    text = compare_text.markdown_text(found)
    assert "<img" not in text
    assert "\x1b" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {9}
    run = the_run(results)
    page = page_module.page(run)
    for html in (compare_page.page_text(found), site.page_text(run, page)):
        assert "<img" not in html
        assert "&lt;img" in html or old == "gauss-nested"
    script = page.files["data/compare.js"]
    assert "<" not in script
    assert "\u2028" not in script
    data = json.loads(script.removeprefix("window.comparisons=").removesuffix(";\n"))
    assert HOSTILE.replace("\x1b", "\ufffd") in data["names"] + data["tasks"]  # as the page shows it


def test_the_page_that_stands_alone_allows_its_own_style_and_nothing_else(make_results):
    text = compare_page.page_text(compare(make_results(10), "mlp-64x64", "linear"))
    style = re.search(r"<style>(.*?)</style>", text, re.S).group(1)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text).group(1)
    assert f"style-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert not re.search(r"<script|<link rel=\"stylesheet|style=|https?://(?!www.w3.org)", text)
    assert text.count('<line class="point"') == 4 + 5


def test_the_site_has_the_page_its_data_and_all_pairs(make_results):
    results = make_results(10)
    run = the_run(results)
    files = dict(site.suite_files(results, run.summary))
    html = files["compare.html"]
    assert html.count('<tr class="told"') + html.count('<tr><th scope="row"') == 10
    assert 'id="duel"' in html
    assert html.index('mlp-64x64</a></th><td class="other">mlp-16x16') > 0
    assert (
        files["data/pairs.csv"].splitlines()[0].startswith("budget,task,a,b,seeds,ratio,low,high,p,flip,holm")
    )
    assert files["data/pairs.csv"].count("\n") == 1 + len(run.summary.pairs["gap"])
    assert '<script src="data/compare.js" defer></script>' in html
    assert any(name == "compare.js" for name, _ in site.static_files())
    data = json.loads(files["data/compare.js"].removeprefix("window.comparisons=").removesuffix(";\n"))
    assert len(data["pairs"]) == 10
    place = {name: number for number, name in enumerate(data["names"])}
    sentences, budgets, tasks, _ = data["pairs"][f"{place['mlp-16x16']},{place['mlp-64x64']}"]
    found = compare(results, "mlp-16x16", "mlp-64x64")
    assert sentences[: len(compare_text.verdict(found))] == compare_text.verdict(found)
    assert "Looked for among all 10 pairs of this page, it stays significant (Holm, p < 0.0001)." in sentences
    assert budgets[-1][0] == pytest.approx(found.overall.ratio, rel=1e-3)
    assert [line[3] for line in tasks] == pytest.approx([line.holm for line in found.by_task], rel=1e-3)


def test_a_run_with_one_row_has_a_page_too(make_results):
    results = make_results(6)
    alone = replace(results, suite={**results.suite, "architectures": ["linear"]})
    run = the_run(alone)
    assert "No two rows were run on every task" in site.page_text(run, page_module.page(run))


def test_bars_lie_on_a_log_scale_with_one_in_the_middle(make_results):
    found = compare(make_results(10), "mlp-64x64", "linear")
    line = replace(found.overall, ratio=0.5, low=0.25, high=1.0)
    assert ratio_bars.reach([line]) == 5
    assert ratio_bars.place(1.0, 5) == 50
    assert ratio_bars.bar(replace(line, ratio=1 / 3, low=0.2, high=5.0), 5.0) == (
        0,
        pytest.approx(15.87),
        100,
    )
    assert ratio_bars.bar(replace(line, ratio=np.inf), 5) is None
    assert ratio_bars.bar(replace(line, low=np.nan, high=np.nan), 4.0) == (25, 25, 25)
    assert ratio_bars.place(1e9, 5) == 100
