"""What a run of the protocol `dataset` shows: its sections, its words, rows that are infinite or skipped."""

import csv
import dataclasses
import io
import re

import numpy as np
import pandas as pd
import pytest
from pages import page_text

from reports.leaderboard import summarise
from reports.render import leaderboard_csv, markdown_text, parts, records_csv, terminal
from reports.sections.comparisons import calibration, infinite, labels, variance
from reports.sections.parts import sections
from reports.sections.rates import rates

NAMES = ["bounded", "variance", "labels", "calibration", "rates"]


@pytest.fixture(scope="module")
def summary(dataset_results):
    return summarise(dataset_results)


@pytest.fixture(scope="module")
def page(dataset_results, summary):
    return page_text(dataset_results, summary)


@pytest.fixture(scope="module")
def text(dataset_results, summary):
    return markdown_text(dataset_results, summary)


def _lines(table):
    return {
        (block.title, line.name): [entry.text for entry in line.entries]
        for block in table.blocks
        for line in block.lines
    }


def _without(results, *rows):
    suite = {**results.suite, "architectures": [n for n in results.suite["architectures"] if n not in rows]}
    return dataclasses.replace(results, suite=suite)


def test_every_section_is_there_where_it_has_something_to_show(dataset_results, summary, page, text):
    found = sections(dataset_results, summary)
    assert [section.name for section in found] == NAMES
    for section in found:
        assert f'<section id="{section.name}"' in page and f'<a href="#{section.name}">' in page
        assert f"## {section.title}\n" in text
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids)) and page.count("<caption") == page.count("<table")


@pytest.mark.parametrize(
    ("rows", "section"),
    [
        (["forest", "nearest-15"], "bounded"),
        (["mlp-64x64+soft-labels"], "labels"),
        (["mlp-64x64+temperature", "forest+isotonic"], "calibration"),
        (["mlp-64x64+lr(0.0001)", "mlp-64x64+lr(0.01)", "resnet-64", "mlp-64x64+focal(2)"], "rates"),
    ],
)
def test_a_section_is_absent_where_its_rows_are(dataset_results, rows, section):
    changed = _without(dataset_results, *rows)
    found = [one.name for one in sections(changed, summarise(changed))]
    assert found == [name for name in NAMES if name != section]


def test_bias_and_variance_need_outputs_and_five_seeds(dataset_results, make_dataset_results):
    for changed in (dataclasses.replace(dataset_results, predictions={}), make_dataset_results(seeds=4)):
        assert variance(changed, summarise(changed)) is None
        assert "Bias and variance" not in page_text(changed, summarise(changed))


def test_the_stream_run_shows_its_infinite_row_alone(results):
    assert [section.name for section in sections(results, summarise(results))] == ["bounded"]


def test_bounded_measures_stand_beside_infinite_rows_and_the_best_finite_one(dataset_results, summary):
    lines = _lines(infinite(dataset_results, summary).tables[0])
    assert [name for _, name in lines] == ["forest", "resnet-64+lr(0.0001)"] * 2
    records = dataset_results.records.query(
        "task == 'gauss-nested' and architecture == 'forest' and budget == 10000"
    )
    means = records.groupby("metric")["value"].mean()
    shown = [float(text) for text in lines["gauss-nested", "forest"]]
    expected = means[["tv", "excess_brier", "infinite_mass"]].to_numpy()
    np.testing.assert_allclose(shown, expected, rtol=0.01)
    assert lines["gauss-nested", "resnet-64+lr(0.0001)"][2] == "0"


def test_bias_and_variance_are_those_of_the_records(dataset_results, summary):
    table = variance(dataset_results, summary).tables[0]
    assert table.groups == ("mean over tasks", *dataset_results.suite["tasks"])
    line = _lines(table)["", "mlp-64x64"]
    rows = summary.derived.query("architecture == 'mlp-64x64' and budget == 10000").set_index(
        ["task", "metric"]
    )
    values = rows["value"]
    bias, spread = values["gauss-nested", "bias"], values["gauss-nested", "variance"]
    np.testing.assert_allclose([float(text) for text in line[3:5]], [bias, spread], rtol=0.01)
    assert float(line[5].split()[0]) == pytest.approx(100 * spread / (bias + spread), abs=0.6)
    assert float(line[1]) == pytest.approx(values.xs("variance", level="metric").mean(), rel=0.01)
    assert set(_lines(table)["", "forest"]) == {"–"}  # noqa: RUF001
    assert "Blank where q has zeros." in variance(dataset_results, summary).note


def test_markdown_has_the_best_rate_in_bold_and_rows_for_comparison_in_italics(text):
    assert re.search(r"\| resnet-64 +\| +\*\*0.00\d+ \(rank 1\)\*\* \|", text)
    assert "| gauss-nested                | *resnet-64+lr(0.0001)* |" in text


def test_label_costs_are_per_task_and_over_budgets(dataset_results, summary):
    now, over = labels(dataset_results, summary).tables
    share = {(s.task, s.budget): s for s in summary.shares}
    for place, task in enumerate(dataset_results.suite["tasks"]):
        found = share[task, 10_000]
        assert found.low < found.value < found.high
        entry = now.blocks[0].lines[0].entries[place]
        assert entry.text == f"{100 * found.value:.0f} %"
        assert entry.small == f"{100 * found.low:.0f} % to {100 * found.high:.0f} %"
    assert len(over.blocks) == 2 and [text for text, _ in over.columns] == ["100", "1,000", "10,000"]


def test_calibration_stands_before_and_after_with_the_change(dataset_results, summary):
    table = calibration(dataset_results, summary).tables[0]
    lines = _lines(table)
    assert list(lines)[:2] == [("gauss-nested", "mlp-64x64+temperature"), ("gauss-nested", "forest+isotonic")]
    for task in dataset_results.suite["tasks"]:  # two classes, and three: one against the rest
        assert lines[task, "mlp-64x64+temperature"][:4] == ["0.0200", "0.0100", "0.0300", "0.0300"]
    assert lines["gauss-nested", "forest+isotonic"][4] == "∞"
    entries = table.blocks[0].lines[0].entries
    assert (entries[1].small, entries[3].small) == ("\u221250 %", "0 %")
    assert "against the rest" in calibration(dataset_results, summary).note
    two = dataclasses.replace(dataset_results, tasks=dataset_results.tasks.assign(classes=2))
    assert "against the rest" not in calibration(two, summarise(two)).note


def test_learning_rates_show_every_rate_the_best_and_what_swaps(dataset_results, summary):
    section = rates(dataset_results, summary)
    (block,) = section.tables[0].blocks
    assert [text for text, _ in section.tables[0].columns] == [
        "0.0001", "0.001", "0.01", "at its best", "best rate",
    ]  # fmt: skip
    best = {line.name: [entry.best for entry in line.entries].index(True) for line in block.lines}
    assert best == {"resnet-64": 0, "mlp-64x64": 1, "mlp-64x64+focal(2)": 2}
    mlp = next(line for line in block.lines if line.name == "mlp-64x64")
    assert [entry.small for entry in mlp.entries] == ["rank 2", "rank 1", "rank 2", "rank 2", ""]
    gap = summary.leaderboard.query("task == 'overall' and architecture == 'mlp-64x64' and budget == 10000")
    assert float(mlp.entries[1].text) == pytest.approx(gap["information_gap"].item(), rel=0.01)
    # At 0.001: mlp, resnet, focal; at their best: resnet, mlp, focal.
    assert "each at its best rate instead of all at 0.001, 1 of 3 pairs swaps; at one rate" in section.lead
    firsts = "resnet-64 at 0.0001, mlp-64x64 at 0.001, mlp-64x64+focal(2) at 0.01."
    assert section.lead.endswith(f"the first is {firsts}")
    same = _without(dataset_results, "resnet-64+lr(0.0001)")
    assert "none of 1 pair swaps; at one rate for all, the first is" in rates(same, summarise(same)).lead


def test_words_are_those_of_a_training_set(dataset_results, page, text):
    printed = " ".join(terminal(dataset_results).split())
    for shown in (" ".join(page.split()), " ".join(text.split()), printed):
        assert "trained on 10,000 examples" in shown and "after 10,000" not in shown
        assert "examples seen" not in shown.lower() and "s / network" not in shown
    method_page = page_text(dataset_results, path="method.html")
    found = re.search(r"<dt>Examples</dt><dd><p>(.*?)</p>", method_page, re.DOTALL)
    method = " ".join(found.group(1).split())
    assert method == (
        "A budget is the size N of a trial\u2019s training set; smaller sets are the first examples of "
        "larger ones. A network trains over many epochs on 80 % of it, in mini-batches of 64 where its "
        "recipe says nothing else, for at most 5,000 steps. The other 20 % are held out and count in the "
        "budget: training stops early by the loss on them, the state with the lowest is scored, and "
        "calibrators are fitted to them. Estimators fit all N. Training sets of 100, 1,000, 10,000 examples."
    )
    assert "mini-batches" not in page
    assert "training examples" in page  # the axis


def test_infinite_rows_rank_last_of_those_that_ran_and_skipped_ones_have_no_rank(dataset_results, summary):
    table = summary.leaderboard
    for task in ("overall", *dataset_results.suite["tasks"]):
        now = table[(table["budget"] == 10_000) & (table["task"] == task) & (table["kind"] != "reference")]
        assert now["architecture"].tolist()[-2:] == ["forest", "nearest-15"]
        assert now["rank"].tolist()[:13] == list(range(1, 14)) and pd.isna(now["rank"].iloc[-1])
    first = table[(table["budget"] == 100) & (table["task"] == "overall")].set_index("architecture")
    assert first.loc["nearest-15", "rank"] == first.loc["forest", "rank"] == 13


def test_reasons_of_infinite_and_skipped_rows_are_shown_everywhere(dataset_results, summary, page, text):
    rows = list(csv.DictReader(io.StringIO(leaderboard_csv(summary))))
    last = {row["architecture"]: row for row in rows if row["budget"] == "10000" and row["task"] == "overall"}
    assert last["forest"]["information_gap"] == "inf" and last["forest"]["note"] == "6 infinite: q has zeros"
    assert last["nearest-15"]["information_gap"] == "" and last["nearest-15"]["rank"] == ""
    assert last["nearest-15"]["note"] == "6 skipped: at most 1,000 examples"
    assert last["forest"]["parameters"] == ""
    for shown in (page, text):
        assert "∞" in shown and "q has zeros" in shown and "at most 1,000 examples" in shown
    printed = terminal(dataset_results)
    line = next(line for line in printed.splitlines() if "nearest-15" in line)
    assert "skipped" in line and "0/12" in line and "failed" not in printed
    assert "nearest-15 is skipped at this budget and has no rank." in " ".join(printed.split())
    row = re.search(r'<th scope="row" class="name">nearest-15</th>.*?</tr>', page, re.DOTALL).group(0)
    assert "skipped" in row and "bad" not in row


def test_derived_rows_of_the_records_say_what_was_skipped(dataset_results, summary):
    rows = list(csv.DictReader(io.StringIO(records_csv(dataset_results, summary))))
    derived = [row for row in rows if row["seed"] == ""]
    metrics = {row["metric"] for row in derived}
    assert metrics >= {"bias", "variance", "label_noise_share"}
    zeros = [row for row in derived if row["architecture"] == "forest" and row["metric"] == "bias"]
    assert len(zeros) == 6
    assert {(row["value"], row["status"], row["reason"]) for row in zeros} == {("", "skipped", "q has zeros")}


def test_a_run_of_estimators_alone_is_reported(dataset_results):
    rows = ["logistic", "forest", "forest+isotonic", "nearest-15"]
    alone = dataclasses.replace(dataset_results, suite={**dataset_results.suite, "architectures": rows})
    shown = page_text(alone, summarise(alone))
    assert "logistic" in terminal(alone) and 'id="rates"' not in shown


def test_names_break_before_a_plus_and_after_a_colon_or_slash_only():
    assert parts("mlp-64x64") == "mlp-64x64"
    assert parts("mlp+lr(0.1)") == '<span class="parts"><span>mlp</span><wbr><span>+lr(0.1)</span></span>'
    assert "<span>my/</span><wbr><span>model.py:</span><wbr><span>Net</span>" in parts("my/model.py:Net")
    assert '<span class="long">' in parts("a" * 40)
    assert parts("<b>+&") == '<span class="parts"><span>&lt;b&gt;</span><wbr><span>+&amp;</span></span>'


def test_hostile_names_stay_text_in_the_sections(dataset_results):
    evil = {"mlp-64x64": "<script>|`x`", "forest": "*<img src=x>+*", "gauss-nested": "[t](u)|<b>"}
    table = dataset_results.architectures.rename(index=evil)
    table["base"] = table["base"].replace(evil)
    suite = dict(dataset_results.suite)
    for key in ("architectures", "tasks"):
        suite[key] = [evil.get(name, name) for name in suite[key]]
    changed = dataclasses.replace(
        dataset_results,
        suite=suite,
        architectures=table,
        tasks=dataset_results.tasks.rename(index=evil),
        records=dataset_results.records.replace({"architecture": evil, "task": evil}),
        predictions={
            evil.get(task, task): dataclasses.replace(
                kept, log_q={(evil.get(name, name), size): q for (name, size), q in kept.log_q.items()}
            )
            for task, kept in dataset_results.predictions.items()
        },
    )
    summary = summarise(changed)
    assert [section.name for section in sections(changed, summary)] == NAMES
    page, text = page_text(changed, summary), markdown_text(changed, summary).split("## Reproduce")[0]
    assert not {"<script>", "<img", "<b>"} & set(re.findall(r"<\w+>?", page))
    assert set(re.findall("<[^>]*>", text)) == {"<details>", "</details>", "<summary>", "</summary>"}
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({line.replace(r"\|", "").count("|") for line in block.splitlines()}) == 1
