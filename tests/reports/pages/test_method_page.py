"""The method page: every recorded metric is defined, formulas are sound, and what a run may lack."""

import dataclasses
import re
from xml.etree import ElementTree

import pandas as pd
import pytest
from pages import Parsed

from benchmarks.metrics import METRICS
from reports import definitions as defined
from reports import site
from reports.definitions import definitions
from reports.leaderboard import summarise
from reports.mathml import formula, over, sub, under, words
from reports.pages import method

REGIONS = ["all", "sparse99", "sparse95", "sparse99-uniform", *(f"stratum-{n}" for n in range(1, 11))]
HOSTILE = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def summary(results):
    return summarise(results)


def _text(results, summary):
    run = site.run_of(results, summary)
    return site.page_text(run, method.page(run))


@pytest.fixture(scope="module")
def page(results, summary):
    return _text(results, summary)


def _columns(groups):
    return {column for group in groups for each in group.definitions for column in each.columns}


def test_every_metric_and_region_of_the_suite_is_defined_and_nothing_else():
    every = [*METRICS, *REGIONS]
    assert _columns(definitions(every)) == set(every) - {"all"}


def test_the_page_names_every_metric_that_the_run_recorded(results, summary, page):
    recorded = {*results.records["metric"], *summary.derived["metric"]}
    shown = set(re.findall(r"[\w-]+", " ".join(re.findall(r"<code>([^<]*)</code>", page))))
    assert recorded <= shown and {"sparse99"} <= shown
    assert "label_noise_share" not in shown and "calibration_loss" not in shown  # not in this run


def test_formulas_are_well_formed_and_have_a_text_for_readers_without_mathml(page):
    found = re.findall(r"<math .*?</math>", page)
    assert len(found) >= 8
    for text in found:
        tree = ElementTree.fromstring(text)
        assert tree.get("alttext")
        for fraction in tree.iter("mfrac"):
            assert len(fraction) == 2
        for pair in [*tree.iter("msub"), *tree.iter("msup"), *tree.iter("munder")]:
            assert len(pair) == 2
        assert all(leaf.text for kind in ("mi", "mn", "mo", "mtext") for leaf in tree.iter(kind))


def test_every_formula_is_well_formed():
    every = [one for group in defined.GROUPS for each in group.definitions for one in each.formulas]
    for one in [*every, method.CENTRE, method.DIFFERENCE, method.RANKS]:
        assert ElementTree.fromstring(one.__html__()).get("alttext") == one.plain


def test_formulas_are_built_of_identifiers_numbers_and_operators_and_escape_text():
    built = formula("a < b", "a < 2", over("1", "S"), sub("q", "s"), under("∑", "c"), words("<b>"), "log x")
    html = str(built.__html__())
    assert '<math displaystyle="true" alttext="a &lt; b">' in html
    assert '<mi>a</mi><mo stretchy="false">&lt;</mo><mn>2</mn>' in html
    assert "<mfrac><mrow><mn>1</mn></mrow><mrow><mi>S</mi></mrow></mfrac>" in html
    assert "<msub><mrow><mi>q</mi></mrow><mrow><mi>s</mi></mrow></msub>" in html
    assert "<mtext>&lt;b&gt;</mtext>" in html
    assert "<mi>log</mi>" in html


def test_links_within_the_page_have_a_target(page):
    parsed = Parsed(page)
    assert parsed.open == []
    ids = [a["id"] for _, a in parsed.tags if "id" in a]
    assert len(ids) == len(set(ids))
    for tag, a in parsed.tags:
        if tag == "a" and a["href"].startswith("#"):
            assert a["href"][1:] in ids
    assert "architectures/index.html" in {a.get("href") for _, a in parsed.tags}


def test_the_command_and_the_tasks_numbers_are_there(results, page):
    assert '<pre tabindex="0"><code>runner --suite gaussian1d</code></pre>' in page
    flat = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "torch 2.13.0" in flat and "wall time 20 min 34 s" in flat
    for task, information in (("gauss-separated", "0.4550"), ("gauss-nested", "0.1100")):
        assert re.search(rf"{task} .{{0,80}}{information}", flat)


def test_simulated_coverages_are_a_table_where_there_are_any(tmp_path, results, summary, monkeypatch):
    path = tmp_path / "coverage.csv"
    assert method.coverage(path) == []
    monkeypatch.setattr(method, "COVERAGE", path)
    assert "Measured coverage" not in _text(results, summary)
    row = {"what": "t interval", "seeds": 10, "repeats": 20_000, "coverage": 0.9509, "standard_error": 0.0015}
    pd.DataFrame([row]).to_csv(path, index=False)
    text = re.sub(r"<[^>]+>", " ", _text(results, summary))
    assert "t interval 10 95.1 % 0.15 % 20,000" in " ".join(text.split())


def test_a_hostile_manifest_stays_text(results, summary):
    manifest = {
        "command": HOSTILE,
        "versions": {HOSTILE: HOSTILE},
        HOSTILE: HOSTILE,
        "environments": [HOSTILE],
    }
    results = dataclasses.replace(results, manifest=manifest)
    parsed = Parsed(_text(results, summary))
    assert parsed.open == [] and "img" not in {tag for tag, _ in parsed.tags}


def test_a_pool_is_said_to_be_one(results, summary):
    pooled = dataclasses.replace(results, suite={**results.suite, "pool": 100_000})
    assert "from a fixed pool of 100,000 examples" in _text(pooled, summary)
