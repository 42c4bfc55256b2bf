import csv
import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from pages import Parsed, page_text

from reports.headline import integration_error
from reports.leaderboard import COLUMNS, summarise
from reports.render import as_json, leaderboard_csv, records_csv, terminal, write_report
from reports.results import RECORD_COLUMNS

ROOT = Path(__file__).parents[2]
HOSTILE = '<script>alert(1)</script>|`x`*_[a](b)\n"&\x1b[31m'


@pytest.fixture(scope="module")
def folder(results, tmp_path_factory):
    where = tmp_path_factory.mktemp("run")
    write_report(results, where)
    return where


@pytest.fixture(scope="module")
def hostile(results, tmp_path_factory):
    """The same run with a name, a description, a reason and a manifest that try to break out."""
    rename = {"linear": HOSTILE}
    records = results.records.assign(
        architecture=results.records["architecture"].replace(rename),
        reason=results.records["reason"].where(results.records["reason"] == "", HOSTILE),
    )
    suite = {**results.suite, "title": HOSTILE, "question": HOSTILE}
    suite["architectures"] = [rename.get(name, name) for name in suite["architectures"]]
    changed = dataclasses.replace(
        results,
        suite=suite,
        records=records,
        tasks=results.tasks.assign(description=HOSTILE),
        architectures=results.architectures.rename(index=rename).assign(description=HOSTILE),
        manifest={**results.manifest, "command": HOSTILE, "commit": HOSTILE, "machine": {"cpu": HOSTILE}},
    )
    where = tmp_path_factory.mktemp("hostile")
    write_report(changed, where)
    return changed, where


def test_records_csv_has_the_exact_columns_and_reads_back_bit_for_bit(results, folder):
    back = pd.read_csv(
        folder / "records.csv", keep_default_na=False, na_values={"value": [""], "error": [""]}
    )
    assert tuple(back.columns) == RECORD_COLUMNS
    measured = back[back["seed"] != ""].astype({"seed": int, "budget": int})
    keys = ["task", "architecture", "seed", "budget", "metric", "region"]
    expected = results.records.sort_values(keys).reset_index(drop=True)
    measured = measured.sort_values(keys).reset_index(drop=True)
    pd.testing.assert_frame_equal(measured, expected, check_dtype=False, check_exact=True)
    derived = back[back["seed"] == ""]
    assert set(derived["metric"]) == {"budget_to_target", "efficiency"}
    assert back["seed"].eq("").sort_values().index[-1] == len(back) - 1  # derived rows come last


def test_records_csv_writes_numbers_inf_or_nothing(folder):
    with open(folder / "records.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["value"] for row in rows if row["reason"] == "divergent tail"} >= {"inf"}
    for row in rows:
        for field in ("value", "error"):
            assert row[field] == "" or not np.isnan(float(row[field]))
            assert not row[field].endswith(".0")
        assert row["seed"] == "" or row["seed"].isdigit()
        assert row["budget"] == "" or row["budget"].isdigit()
        assert row["status"] in ("ok", "failed", "timeout", "skipped", "censored")
    blank = [row for row in rows if row["value"] == "" and row["status"] != "ok"]
    assert all(row["reason"] for row in blank)


def test_csv_files_do_not_depend_on_the_order_of_the_records(make_results):
    texts = set()
    for order in (0, 3):
        results = make_results(shuffle=order)
        summary = summarise(results)
        texts.add((records_csv(results, summary), leaderboard_csv(summary)))
    assert len(texts) == 1


def test_leaderboard_csv_is_tidy(results, folder):
    back = pd.read_csv(folder / "leaderboard.csv")
    assert tuple(back.columns) == COLUMNS
    table = summarise(results).leaderboard
    np.testing.assert_array_equal(back["information_gap"], table["information_gap"])
    assert back["rank"].dropna().mod(1).eq(0).all()
    with open(folder / "leaderboard.csv", encoding="utf-8") as file:
        assert ".0," not in file.read()


@pytest.fixture(scope="module")
def pages(folder):
    """Every page of the run: {path in report/: text}."""
    where = folder / "report"
    return {str(path.relative_to(where)): path.read_text(encoding="utf-8") for path in where.rglob("*.html")}


def test_pages_ask_for_nothing_outside_and_run_nothing_inline(pages, folder):
    assert {"index.html", "method.html"} <= set(pages)
    for path, text in pages.items():
        page, here = Parsed(text), (folder / "report" / path).parent
        assert page.open == []
        assert not {"img", "iframe", "object", "embed", "form", "base", "style"} & {
            tag for tag, _ in page.tags
        }
        for tag, attributes in page.tags:
            assert tag != "script" or "src" in attributes or attributes["type"] == "application/json"
            for name, value in attributes.items():
                assert name != "style" and not name.startswith("on")
                if name in ("src", "href", "xlink:href", "action", "data", "srcset") and value != "data:,":
                    target = value.partition("#")[0]
                    assert not target or (here / target).is_file(), (path, tag, name, value)
        policy = next(found for tag, found in page.tags if tag == "meta" and "http-equiv" in found)
        assert policy["content"].startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy["content"]


def test_the_first_page_is_small(pages):
    assert len(pages["index.html"].encode()) < 300_000


def test_pages_are_accessible_in_structure(pages):
    for text in pages.values():
        page = Parsed(text)
        tags = [tag for tag, _ in page.tags]
        assert all(tags.count(tag) == 1 for tag in ("main", "header", "footer", "h1"))
        assert tags.count("caption") == tags.count("table")
        assert all("scope" in attributes for tag, attributes in page.tags if tag == "th")
        ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        links = [a["href"][1:] for t, a in page.tags if t == "a" and a["href"].startswith("#")]
        links = [link for link in links if "=" not in link]  # a choice for the page's script
        links += [a["aria-labelledby"] for _, a in page.tags if "aria-labelledby" in a]
        assert set(links) <= set(ids)
        drawings = [a for t, a in page.tags if t == "svg"]
        assert all(a.get("aria-hidden") == "true" or a.get("aria-label") for a in drawings)
        plots = [a for t, a in page.tags if a.get("class") == "plot"]
        assert all(a.get("role") == "img" and a.get("aria-label") for a in plots)


def test_page_says_what_was_found_and_what_failed(folder):
    text = (folder / "report" / "index.html").read_text(encoding="utf-8")
    assert "mlp-64x64 comes closest to the exact posterior: after 640,000 examples" in text
    assert "1 of 90 trials failed; it counts against its row\u2019s rank." in text
    assert "The gap of resnet-64 is infinite." in text
    assert "diverged at step 411: loss is nan" in text and "divergent tail" in text
    assert "&lt; 1e-9" in text  # the oracle, whose gap is below its integration error


def test_hostile_names_stay_text_on_every_page(hostile):
    pages = list((hostile[1] / "report").rglob("*.html"))
    assert len(pages) > 1
    for path in pages:
        text = path.read_text(encoding="utf-8")
        page = Parsed(text)
        assert page.open == [] and "<script>" not in text
        scripts = [attributes for tag, attributes in page.tags if tag == "script"]
        assert all("src" in each or each["type"] == "application/json" for each in scripts)
    assert "&lt;script&gt;" in (hostile[1] / "report" / "index.html").read_text(encoding="utf-8")


def test_hostile_names_stay_text_in_markdown(hostile):
    text = (hostile[1] / "leaderboard.md").read_text(encoding="utf-8")
    before, command = text.split("## Reproduce")
    assert set(re.findall("<[^>]*>", before)) == {"<details>", "</details>", "<summary>", "</summary>"}
    assert "\x1b" not in text
    tables = [line for line in before.splitlines() if line.startswith("|")]
    pipes = {line.replace(r"\|", "").count("|") for line in tables}
    assert len(pipes) == 3  # three tables, each with one number of columns
    assert r"\|\`x\`\*\_\[a\](b)" in before
    assert next(line for line in command.splitlines() if "script" in line).startswith("    ")


def test_the_markdown_s_figures_are_files_beside_it_that_stand_alone(folder, hostile):
    for where in (folder, hostile[1]):
        text = (where / "leaderboard.md").read_text(encoding="utf-8")
        named = re.findall(r"!\[[^\]]*\]\((figures/[a-z]+\.svg)\)", text)
        assert named == ["figures/learning.svg", "figures/sparse.svg"]
        for name in named:
            root = ElementTree.parse(where / name).getroot()
            assert root.tag == "{http://www.w3.org/2000/svg}svg" and root.get("aria-label")
            assert float(root.get("width")) > 300 and root[0].get("fill") == "#fff"
            assert not {each.tag.rpartition("}")[2] for each in root.iter()} & {"script", "image", "a"}


def test_hostile_names_read_back_from_csv_and_json_and_cannot_steer_a_terminal(hostile):
    changed, where = hostile
    for name in ("records.csv", "leaderboard.csv"):
        back = pd.read_csv(where / name, keep_default_na=False)
        assert HOSTILE in set(back["architecture"])
    rows = json.loads(as_json(changed))["leaderboard"]
    assert HOSTILE in {row["architecture"] for row in rows}
    text = terminal(changed)
    assert "\x1b" not in text and max(map(len, text.splitlines())) <= 80


def test_json_has_the_rows_of_the_leaderboard_with_null_and_inf(results):
    document = json.loads(as_json(results))
    rows = {(row["budget"], row["task"], row["architecture"]): row for row in document["leaderboard"]}
    assert document["suite"] == "gaussian1d" and len(rows) == 5 * 4 * 8
    assert tuple(rows[640_000, "overall", "linear"]) == COLUMNS
    assert rows[640_000, "overall", "resnet-64"]["information_gap"] == "inf"
    assert rows[640_000, "overall", "fourier-64"]["information_gap"] is None
    assert rows[640_000, "overall", "oracle"]["rank"] is None
    assert isinstance(rows[640_000, "overall", "mlp-64x64"]["rank"], int)


def test_terminal_fits_eighty_columns_and_sets_the_reference_rows_apart(results, make_results):
    lines = terminal(results).splitlines()
    assert max(map(len, lines)) <= 80
    rules = [number for number, line in enumerate(lines) if line and set(line) <= {"-", " "}]
    oracle = next(number for number, line in enumerate(lines) if line.split()[:1] == ["oracle"])
    assert len(rules) == 2 and rules[1] == oracle - 1
    assert "separ" in lines[rules[0] - 1]  # the tasks' columns are there
    long = {name: name + "-with-quite-a-long-name" for name in results.suite["architectures"]}
    renamed = dataclasses.replace(
        results,
        suite={**results.suite, "architectures": list(long.values())},
        records=results.records.assign(architecture=results.records["architecture"].replace(long)),
        architectures=results.architectures.rename(index=long),
    )
    assert max(map(len, terminal(renamed).splitlines())) <= 80


def test_a_crash_while_writing_leaves_the_old_file_whole(results, tmp_path, monkeypatch):
    write_report(results, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def crash(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(OSError, match="disk full"):
        write_report(dataclasses.replace(results, manifest={}), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_runs_of_other_shapes_are_reported(results, tmp_path):
    one = {
        **results.suite,
        "tasks": ["gauss-nested"],
        "budgets": [640],
        "seeds": 3,
        "architectures": ["linear"],
    }
    records = results.records
    kept = records[(records["task"] == "gauss-nested") & (records["budget"] == 640) & (records["seed"] < 3)]
    kept = kept[kept["architecture"].isin(["linear", "oracle"])]
    small = dataclasses.replace(
        results, suite={**one, "pool": 100_000}, records=kept, pictures={}, manifest={}
    )
    write_report(small, tmp_path)
    text = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "at least 5 seeds" in text
    text = (tmp_path / "report" / "method.html").read_text(encoding="utf-8")
    assert "incomplete last batch is dropped" in text and "at least 5 seeds" in text
    empty = dataclasses.replace(small, records=records.iloc[:0])
    write_report(empty, tmp_path)
    assert "Not run, or only in part: linear." in terminal(empty).replace("\n", " ")


def test_integration_errors_above_one_percent_are_said(make_results):
    results = make_results()
    assert "at most 0" in integration_error(results)
    records = results.records.copy()
    gaps = (
        (records.metric == "information_gap") & (records.architecture == "linear") & (records.budget == 640)
    )
    records.loc[gaps, "error"] = 0.03 * records.loc[gaps, "value"]
    worse = dataclasses.replace(results, records=records)
    text = integration_error(worse)
    finite = records[
        (records.metric == "information_gap") & records.architecture.isin(results.suite["architectures"])
    ].value
    count = int((np.isfinite(finite) & (finite > 0)).sum())
    assert f"above 1 % of {int(gaps.sum())} of {count} gaps (at most 3.0 %)" in text.replace("\u00a0", " ")
    assert "above 1 %" in terminal(worse)


def test_tasks_without_crossings_have_no_column_for_them(make_results):
    results = make_results()
    assert "cross." in terminal(results)
    tasks = results.tasks.assign(crossings=None, features=32, method="sample, 16 replicates")
    records = results.records[results.records.metric != "crossings_found"]
    wide = dataclasses.replace(results, tasks=tasks, records=records)
    assert "cross." not in terminal(wide)
    assert "found / true" not in page_text(wide)


def test_reports_import_neither_torch_nor_the_rest_of_the_house():
    code = (
        "import sys, reports, reports.render, reports.leaderboard, reports.charts;"
        "bad = {'torch', 'runner', 'benchmarks', 'suites', 'altair', 'vl_convert', 'scipy'};"
        "sys.exit(' '.join(bad & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
