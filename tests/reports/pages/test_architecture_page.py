"""Pages of architectures: their numbers against the frames, links, hostile text, and what a run may lack."""

import dataclasses
import posixpath
import re
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from pages import Parsed

from reports import numbers, site
from reports.figures.curves import kl_curves, sparse_curves
from reports.leaderboard import summarise
from reports.pages import architecture
from reports.pages.page import architecture_path, task_path
from reports.sections.laws import FLOOR, NOISE, laws
from reports.sections.means import arithmetic_means
from reports.sections.profiles import everyone, measure_table, score_table, standing
from reports.trials import listed

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&|\x1b[31m"


def _pages(results, summary):
    run = site.run_of(results, summary)
    return {page.path: site.page_text(run, page) for page in architecture.pages(run)}


@pytest.fixture(scope="module")
def summary(results):
    return summarise(results)


@pytest.fixture(scope="module")
def texts(results, summary):
    return _pages(results, summary)


@pytest.fixture(scope="module")
def every(results, summary):
    return everyone(results, summary)


def _lines(table):
    """{row: {heading and small text: entry}}."""
    return {line.name: dict(zip(table.columns, line.entries, strict=True)) for line in table.blocks[0].lines}


def _flat(text):
    return " ".join(re.sub(r"<[^>]+>", " ", text).replace("\u2060", "").split())


def test_every_row_has_a_page_and_the_list_leads_to_each(results, texts):
    rows = [*results.suite["architectures"], *results.suite["reference"]]
    assert set(texts) == {"architectures/index.html", *map(architecture_path, rows)}
    links = {a["href"] for tag, a in Parsed(texts["architectures/index.html"]).tags if tag == "a"}
    assert {posixpath.basename(architecture_path(name)) for name in rows} <= links


def test_links_of_a_page_lead_to_pages_of_the_run(results, summary, texts):
    run = site.run_of(results, summary)
    there = {page.path for page in site.pages(run)} | set(map(task_path, results.suite["tasks"]))
    for path, text in texts.items():
        page = Parsed(text)
        assert page.open == []
        ids = [a["id"] for _, a in page.tags if "id" in a]
        assert len(ids) == len(set(ids))
        for tag, a in page.tags:
            if tag != "a" or a["href"].startswith(("../data/", "../../")):
                continue
            target, _, anchor = a["href"].partition("#")
            full = posixpath.normpath(posixpath.join(posixpath.dirname(path), target)) if target else path
            assert full in there, (path, a["href"])
            if full == path and anchor:
                assert anchor in ids


def test_a_learned_row_leads_head_to_head_with_the_best_other_row(results, summary, texts):
    board = summary.leaderboard
    now = board[(board["budget"] == 640_000) & (board["task"] == "overall") & board["rank"].notna()]
    best, second = now["architecture"].tolist()[:2]
    for name, other in ((best, second), (second, best)):
        text = texts[architecture_path(name)]
        assert f'"../compare.html#a={name}&amp;b={other}"' in text
    assert "compare.html#" not in texts[architecture_path("oracle-mle")]


def test_gaps_ranks_and_their_intervals_are_those_of_the_leaderboard(results, summary, texts):
    board = summary.leaderboard
    rows = board[(board["task"] == "overall") & (board["architecture"] == "mlp-64x64")].set_index("budget")
    text = _flat(texts[architecture_path("mlp-64x64")])
    for _, row in rows.iterrows():
        assert f"{numbers.number(row['information_gap'])} {numbers.span(row['low'], row['high'])}" in text
    last = rows.loc[640_000]
    assert f"Rank {last['rank']} of 5: after 640,000 examples, information gap" in text
    assert last["rank_low"] == last["rank_high"] == 1
    assert "Its rank is certain at 95 %: it differs significantly from every other row." in text


def test_a_rank_that_the_tests_leave_open_says_so(results, summary, every):
    board = summary.leaderboard
    now = board[(board["task"] == "overall") & (board["budget"] == 640_000)]
    unsure = now[now["rank_low"].notna() & (now["rank_low"] != now["rank_high"])]
    assert len(unsure)
    for row in unsure.to_dict("records"):
        words = f"At 95 % its rank may be anything from {row['rank_low']} to {row['rank_high']}."
        assert words in standing(every, row["architecture"])


def test_score_table_is_that_of_the_leaderboard_task_by_task(results, summary, every):
    board = summary.leaderboard
    table = _lines(score_table(every, "mlp-16x16"))
    now = board[(board["budget"] == 640_000) & (board["architecture"] == "mlp-16x16")].set_index("task")
    for task in results.suite["tasks"]:
        row, cells = now.loc[task], table[task]
        assert cells["Information gap", ""].text == numbers.number(row["information_gap"])
        assert cells["Information gap", ""].small == numbers.span(row["low"], row["high"])
        assert cells["Rank", ""].text == str(row["rank"])
        assert cells["Rank", ""].small.split()[-1] == row["letters"]
        assert cells["Sparse KL", "nats"].text == numbers.number(row["sparse_kl"])
        found = f"{row['crossings_found']:.1f} / {row['crossings']}"
        assert cells["Crossings", "found / true"].text == found
        assert cells["Trials", "ok / all"].text == "6/6"


def test_measures_are_arithmetic_means_over_seeds_and_empty_columns_are_left_out(results, every):
    table = _lines(measure_table(every, "mlp-64x64"))
    records = results.records.set_index(["task", "architecture", "budget", "metric", "region"]).sort_index()
    for task in results.suite["tasks"]:
        tv = records.loc[(task, "mlp-64x64", 640_000, "tv", "all"), "value"].mean()
        kl = records.loc[(task, "mlp-64x64", 640_000, "expected_kl", "all"), "value"].mean()
        assert table[task]["Total variation", ""].text == numbers.number(tv)
        assert table[task]["Expected KL", "nats"].text == numbers.number(kl)
    assert set(table["gauss-nested"]) == {
        ("Expected KL", "nats"), ("Total variation", ""), ("Excess error", ""), ("Excess Brier", ""),
    }  # fmt: skip


def test_means_are_blank_where_any_trial_lacks_the_number(results):
    found = arithmetic_means(results, ["tv", "crossings_found"], 640_000)
    rows = listed(results)
    rows = rows[(rows["metric"] == "tv") & (rows["budget"] == 640_000)]
    whole = rows.groupby(["task", "architecture"])["value"].agg(["mean", "size"])
    assert ("gauss-nested", "fourier-64", "tv") not in found  # one of its trials failed
    for (task, name), row in whole[whole["size"] == 6].iterrows():
        assert found[task, name, "tv"][0] == pytest.approx(row["mean"], rel=1e-12)
    broken = results.records.copy()
    which = (broken["architecture"] == "linear") & (broken["metric"] == "tv") & (broken["seed"] == 2)
    broken.loc[which, "value"] = np.nan
    less = arithmetic_means(dataclasses.replace(results, records=broken), ["tv"], 640_000)
    assert set(found) - set(less) >= {(task, "linear", "tv") for task in results.suite["tasks"]}


def test_failed_and_infinite_trials_stand_on_the_page_with_their_reasons(texts, every):
    failed = _flat(texts[architecture_path("fourier-64")])
    assert "1 failed: diverged at step 411: loss is nan" in failed
    assert "gauss-nested failed 3 32,000\u2013640,000 diverged at step 411: loss is nan" in failed
    assert standing(every, "fourier-64")[0].endswith(
        "after 640,000 examples, 1 of its trials failed, so it has no mean."
    )
    assert "gauss-sparse-tail infinite 2 640,000 divergent tail" in _flat(
        texts[architecture_path("resnet-64")]
    )
    assert "Without a number" not in texts[architecture_path("mlp-64x64")]


def test_curves_have_the_means_and_the_k_2n_law(results, summary):
    run = site.run_of(results, summary)
    data = kl_curves(run, "mlp-64x64").data.set_index(["task", "examples"])
    cells = run.summary.cells
    for task in results.suite["tasks"]:
        k = results.tasks.loc[task, "parameters"]
        for budget in results.suite["budgets"]:
            row = data.loc[(task, budget)]
            assert row["expected_kl"] == cells.loc[(task, "mlp-64x64", budget), "kl"]
            assert row["k_2n"] == pytest.approx(k / (2 * budget))
    sparse = sparse_curves(run, "mlp-64x64").data.set_index(["task", "examples"])
    other = cells.loc[("gauss-nested", "oracle-mle", 3_200), "sparse_mean"]
    assert sparse.loc[("gauss-nested", 3_200), "oracle_mle"] == other
    assert kl_curves(run, "oracle") is None
    lost = dataclasses.replace(summary, cells=cells.assign(gap_error=np.inf))
    assert kl_curves(site.run_of(results, lost), "mlp-64x64") is None  # nothing above its integration error


def test_hostile_names_and_descriptions_stay_text(make_results):
    results = make_results()
    renamed = results.records.replace(
        {"architecture": {"linear": HOSTILE}, "task": {"gauss-nested": HOSTILE}}
    )
    table = results.architectures.rename(index={"linear": HOSTILE})
    facts = [[HOSTILE, HOSTILE]]
    hostile = dataclasses.replace(
        results,
        suite={
            **results.suite,
            "architectures": [HOSTILE, "mlp-64x64"],
            "tasks": [HOSTILE, "gauss-separated"],
        },
        records=renamed,
        tasks=results.tasks.rename(index={"gauss-nested": HOSTILE}),
        architectures=table.assign(
            description=HOSTILE, limit=HOSTILE + "!", family=HOSTILE, facts=[facts] * len(table)
        ),
        pictures={},
    )
    found = _pages(hostile, summarise(hostile))
    for text in found.values():
        page = Parsed(text)
        assert page.open == [] and "img" not in {tag for tag, _ in page.tags}
    own = found[architecture_path(HOSTILE)]
    link = re.search(r'href="\.\./compare\.html#a=([^&"]+)&amp;b=mlp-64x64"', own)
    shown = HOSTILE.replace("\x1b", "\ufffd")  # as the page does that it leads to
    assert unquote(link.group(1)) == shown


def test_recipe_and_limit_are_shown_where_they_are_told_and_only_there(results, summary, texts):
    plain = texts[architecture_path("linear")]
    assert "Optimiser" not in plain and 'class="answer"' not in plain
    table = results.architectures.assign(limit=np.nan, facts=None).astype({"limit": object, "facts": object})
    table.at["linear", "facts"] = [["optimiser", "Adam, betas 0.9 and 0.999"], ["batch", "64 examples"]]
    table.at["linear", "limit"] = "With infinite data its limit is the posterior."
    table.at["mlp-64x64", "limit"] = "What mlp-64x64 is."
    told = _pages(dataclasses.replace(results, architectures=table), summary)
    text = _flat(told[architecture_path("linear")])
    assert "Optimiser Adam, betas 0.9 and 0.999 Batch 64 examples" in text
    assert "With infinite data its limit is the posterior." in text
    assert _flat(told[architecture_path("mlp-64x64")]).lower().count("what mlp-64x64 is") == 1


def _with_exponents(every, **columns):
    row = {
        "task": "gauss-nested", "architecture": "linear", "exponent": 0.93, "low": 0.88, "high": 0.98,
        "first": 640, "last": 128_000, "plateau": pd.NA, "reason": "",
    } | columns  # fmt: skip
    summary = dataclasses.replace(every.summary, exponents=pd.DataFrame([row]))
    return dataclasses.replace(every, summary=summary)


def test_exponents_are_said_in_words_with_why_a_curve_levels_off(every):
    law = laws(_with_exponents(every), "linear")[0]
    assert (law.verb, law.exponent) == ("falls", "\u22120.93")
    assert law.words == "(0.88 to 0.98) from 640 to 128,000 examples."
    law = laws(_with_exponents(every, plateau=320_000), "linear")[0]
    assert law.words.endswith(f", then a plateau: {NOISE}, or {FLOOR}.")
    rising = laws(_with_exponents(every, exponent=-0.1, low=np.nan, high=np.nan), "linear")[0]
    assert (rising.verb, rising.exponent) == ("rises", "0.10")
    assert rising.words == "from 640 to 128,000 examples."
    none = _with_exponents(every, exponent=np.nan, reason="fewer than 5 seeds")
    assert laws(none, "linear")[0].words == "fewer than 5 seeds"
    assert laws(every, "prior") == []


@pytest.mark.parametrize(("variance", "cause"), [(3.0, NOISE), (0.5, FLOOR)])
def test_a_networks_plateau_is_noise_where_variance_outweighs_bias(every, variance, cause):
    known = {("gauss-nested", "linear", "bias"): {"value": 1.0}}
    known["gauss-nested", "linear", "variance"] = {"value": variance}
    there = dataclasses.replace(_with_exponents(every, plateau=320_000), spread=known)
    assert laws(there, "linear")[0].words.endswith(f"plateau: {cause}.")
