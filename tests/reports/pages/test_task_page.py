"""Pages of tasks: the explorer's numbers against the picture, maps, contours, and pages that are whole."""

import dataclasses
import io
import json
import os
import re
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
import pytest
from pages import Parsed

from reports import site
from reports.charts import LIMIT
from reports.figures.contours import runs
from reports.figures.densities import density_charts
from reports.figures.explorer import (
    ground,
    thinned,
)
from reports.leaderboard import summarise
from reports.pages import task as task_pages
from reports.pages.page import architecture_path, task_path

TASKS = ("gauss-separated", "gauss-nested", "gauss-sparse-tail")
NETWORKS = ("linear", "mlp-16x16", "mlp-64x64", "resnet-64", "fourier-64")
BUDGETS = (640, 3_200, 32_000, 128_000, 640_000)
HOSTILE = "</script><script>alert(1)</script>|`x` \"&'\n<img src=x onerror=alert(1)>"


def written(results):
    """The files of a run's pages."""
    return dict(site.suite_files(results, summarise(results)))


def with_pictures(results, *pictures):
    return dataclasses.replace(results, pictures=dict(zip(TASKS, pictures, strict=False)))


@pytest.fixture(scope="module")
def mixed(results, make_plane, make_scatter):
    """A run with a line, a plane and a scatter, and its files."""
    results = with_pictures(results, results.pictures[TASKS[0]], make_plane(), make_scatter())
    return results, written(results)


def test_the_sparse_region_is_shaded_where_the_mask_says(results):
    assert runs(np.array([True, True, False, True, False])) == [(0, 1), (3, 3)]
    picture = results.pictures["gauss-nested"]
    x, keep = picture.x[:, 0], thinned(picture)
    shaded = np.zeros(len(keep), dtype=bool)
    for low, high in ground(picture, None)["sparse"]:
        shaded |= (x[keep] >= low - 1e-3) & (x[keep] <= high + 1e-3)
    np.testing.assert_array_equal(shaded, picture.sparse[keep])
    for chart in density_charts(picture):
        found = next(rows for rows in chart.spec.to_dict()["datasets"].values() if "low" in rows[0])
        inside = [any(row["low"] <= each <= row["high"] for row in found) for each in x]
        np.testing.assert_array_equal(inside, picture.sparse)
        assert "sparse region" in chart.label
        np.testing.assert_array_equal(chart.data["sparse"], picture.sparse)


def test_densities_are_left_out_where_they_are_not_known(results):
    picture = dataclasses.replace(results.pictures[TASKS[0]], density=False)
    assert [chart.name for chart in density_charts(picture)] == ["posterior"]


def test_every_task_has_a_page_and_every_link_leads_somewhere(mixed):
    _, files = mixed
    paths = {task_path(name) for name in TASKS}
    assert paths | {"tasks/index.html"} <= set(files)
    there = {*files, *(f"static/{name}" for name in (*site.STATIC, "vega.js"))}
    if not any(path.startswith("architectures/") for path in files):
        there |= {architecture_path(name) for name in (*NETWORKS, "oracle", "prior", "oracle-mle")}
    for path in (*paths, "tasks/index.html"):
        parsed = Parsed(files[path])
        ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
        assert len(ids) == len(set(ids)), path
        links = [each.get("href") or each.get("src") for _, each in parsed.tags]
        for link in (each for each in links if each and not each.startswith("data:")):
            if link.startswith("#"):
                assert link[1:] in ids
                continue
            full = os.path.normpath(PurePosixPath(path).parent / link)
            assert full in there or PurePosixPath(full).parts[0] == "..", (path, link)
    for name in TASKS:
        assert f'href="{PurePosixPath(task_path(name)).name}"' in files["tasks/index.html"]


def test_pages_are_small_and_run_nothing_inline(mixed):
    _, files = mixed
    for path, text in files.items():
        if path.startswith("tasks/"):
            assert len(text.encode()) < 300_000, path
            assert not re.search(r" style=| on[a-z]+=|<style", text), path
        if path.endswith(".explorer.js"):
            assert len(text) < 600_000, path


def test_the_explorers_script_holds_the_numbers_of_the_page(mixed):
    results, files = mixed
    summary = summarise(results)
    board = summary.leaderboard.set_index(["task", "architecture", "budget"])["information_gap"]
    for task, kind in zip(TASKS, ("line", "grid", "dots"), strict=True):
        text = files[f"data/tasks-{task}.explorer.js"]
        values = json.loads(text.removeprefix("window.explorerData = ").removesuffix(";\n"))
        assert values["kind"] == kind
        assert values["names"][values["start"][0]] == "mlp-64x64" and values["start"][1] == len(BUDGETS) - 1
        for a, name in enumerate(values["names"]):
            for b, budget in enumerate(BUDGETS):
                gap = board[task, name, budget]
                if np.isfinite(gap):
                    assert float(values["gaps"][a][b].replace(",", "")) == pytest.approx(gap, rel=6e-3)
        assert re.search(r"mlp-64x64 after 640,000 examples: gap \d", files[task_path(task)])


def test_the_explorer_stands_without_scripts_and_its_parts_have_names(mixed):
    _, files = mixed
    for task in TASKS:
        text = files[task_path(task)]
        for name in ("explorer", "explorer-architecture", "explorer-budget", "explorer-status"):
            assert f'id="{name}"' in text
        assert 'role="group" aria-label="What the explorer shows" hidden>' in text
    assert 'id="chart-outputs"' in files[task_path(TASKS[0])]
    for task in TASKS[1:]:
        drawn = Parsed(files[task_path(task)])
        parts = [attributes["data-part"] for _, attributes in drawn.tags if "data-part" in attributes]
        assert parts == ["exact", "output", "error", "spread"]
    assert "50 % of the variance" in files[task_path(TASKS[2])]


def test_a_task_without_a_picture_still_has_a_whole_page(results):
    bare = dataclasses.replace(results, pictures={}, tasks=results.tasks.drop(columns=["low", "high"]))
    files = written(bare)
    text = files[task_path(TASKS[1])]
    Parsed(text)
    for part in ("leaderboard", "curves", "truth", "failures"):
        assert f'id="{part}"' in text
    assert 'id="explorer"' not in text and "explorer.js" not in text and 'id="picture"' not in text
    assert "runner verify --task gauss-nested" in text


def test_a_picture_without_outputs_has_no_explorer(results):
    silent = dataclasses.replace(results.pictures[TASKS[0]], outputs={})
    text = written(with_pictures(results, silent))[task_path(TASKS[0])]
    assert 'id="picture"' in text and 'id="explorer"' not in text


def test_what_is_known_of_a_task_is_told(results):
    told = results.tasks.assign(
        priors=[[0.5, 0.5], [0.25, 0.75], [1 / 3, 2 / 3]],
        checks=[["contract: shapes, `dtypes`"]] * 3,
        known=[["Bayes error 0.1, by quadrature"]] * 3,
        method="quadrature, 257 nodes", error=2e-9, version=3,
    )  # fmt: skip
    text = written(dataclasses.replace(results, tasks=told))[task_path("gauss-nested")]
    for part in ("0.25, 0.75", "<strong>contract</strong> shapes, dtypes", "Bayes error 0.1, by quadrature",
                 "quadrature, 257 nodes", "2e-9 nats", "0.1100", "0.3090"):  # fmt: skip
        assert part in text, part
    assert "diverged at step 411: loss is nan" in text  # the failure of this task
    assert "divergent tail" not in text  # of another


def test_hostile_names_and_descriptions_stay_text(results, make_plane, make_scatter):
    rename = {TASKS[0]: HOSTILE, TASKS[1]: HOSTILE + "2"}
    network = {"linear": "</script><b>"}
    records = results.records.assign(
        task=results.records["task"].replace(rename),
        architecture=results.records["architecture"].replace(network),
    )
    suite = {**results.suite, "tasks": [rename.get(name, name) for name in TASKS]}
    suite["architectures"] = [network.get(name, name) for name in NETWORKS]
    pictures = [
        dataclasses.replace(each, outputs={(network.get(a, a), b): q for (a, b), q in each.outputs.items()})
        for each in (results.pictures[TASKS[0]], make_plane(), make_scatter())
    ]
    changed = dataclasses.replace(
        results,
        suite=suite,
        records=records,
        tasks=results.tasks.rename(index=rename).assign(description=HOSTILE, checks=[[HOSTILE]] * 3),
        architectures=results.architectures.rename(index=network),
        pictures=dict(zip(suite["tasks"], pictures, strict=True)),
    )
    files = written(changed)
    for path, text in files.items():
        if not path.endswith(".html"):
            continue
        parsed = Parsed(text)
        assert not [attributes for tag, attributes in parsed.tags if tag == "img"], path
        assert all("src" in attributes or attributes.get("type") == "application/json"
                   for tag, attributes in parsed.tags if tag == "script"), path  # fmt: skip
        assert "<script>" not in text
    page = files[task_path(HOSTILE)]
    assert "runner verify --task &#39;&lt;/script&gt;" in page
    values = files[next(path for path in files if path.endswith(".explorer.js"))]
    assert json.loads(values.removeprefix("window.explorerData = ").removesuffix(";\n"))["names"]


def test_the_list_of_tasks_shows_each_with_its_quantities(mixed):
    results, files = mixed
    text = files["tasks/index.html"]
    assert text.count('class="thumbnail') == 3
    for task in TASKS:
        assert f'href="{task}.html"' in text
        assert f"{results.tasks.loc[task, 'information']:.4g}" in text
    assert len(task_pages.pages(site.run_of(results, summarise(results)))) == 4


def test_curves_show_arithmetic_means_and_the_limit(mixed):
    results, files = mixed
    rows = [line.split(",") for line in files["data/tasks-gauss-nested.kl.csv"].splitlines()[1:]]
    found = {(name, float(budget)): float(kl or "nan") for name, budget, kl in rows}
    assert found[LIMIT, 640] == 3 / (2 * 640)
    kl = results.records.query(
        "task == 'gauss-nested' and architecture == 'linear' and budget == 640 and metric == 'expected_kl'"
        " and region == 'all'"
    )["value"]
    assert found["linear", 640] == pytest.approx(kl.mean())


def test_maps_come_with_their_numbers(mixed):
    results, files = mixed
    for task in TASKS[1:]:
        picture = results.pictures[task]
        exact = pd.read_csv(io.StringIO(files[f"data/tasks-{task}.picture.csv"]))
        np.testing.assert_allclose(exact["P(class 1)"], picture.posterior[:, 1], rtol=1e-5)
        np.testing.assert_array_equal(exact["sparse"], picture.sparse)
        said = pd.read_csv(io.StringIO(files[f"data/tasks-{task}.explorer.csv"]))
        mean = picture.outputs["mlp-64x64", BUDGETS[-1]][:, :, 1].mean(axis=0)
        np.testing.assert_allclose(said["mean output P(class 1)"], mean, atol=1e-6)
        assert f"tasks-{task}.picture.csv" in files[task_path(task)]
