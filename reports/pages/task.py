"""A page for each task, and the list of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from reports.derived import TARGETS
from reports.exact import Exact, exact
from reports.figures.densities import density_charts
from reports.figures.explorer import MOST_CLASSES, shown_steps
from reports.figures.explorer_figure import Explorer, class_keys, explorer
from reports.figures.maps import class_names, frame, key, outlines, panel
from reports.figures.task_curves import curves
from reports.figures.thumbnails import thumbnail
from reports.numbers import BLANK, percent, tick
from reports.pages.board import bar, gap_axis, place
from reports.pages.leaderboard import interval_method
from reports.pages.page import Chart, Page, Run, architecture_path, slug, task_path
from reports.results import Picture
from reports.spreadsheets import harmless
from reports.task_board import task_board, task_cells
from reports.trials import largest_budget
from reports.words import at

INDEX = "tasks/index.html"


def pages(run: Run) -> list[Page]:
    """Return the list of tasks, and then a page for each task."""
    tasks = exact(run.results)
    return [_index(run, tasks), *(_page(run, tasks, position) for position in range(len(tasks)))]


def _index(run: Run, tasks: Sequence[Exact]) -> Page:
    pictures = run.results.pictures
    values = {
        "tasks": tasks,
        "thumbnails": {name: thumbnail(picture) for name, picture in pictures.items()},
        "crossings": any(task.crossings != BLANK for task in tasks),
        "manifest": run.results.manifest,
        "link": task_path,
    }
    return Page(INDEX, "Tasks", "tasks.html.j2", values)


def _page(run: Run, tasks: Sequence[Exact], position: int) -> Page:
    task = tasks[position]
    picture = run.results.pictures.get(task.name)
    rows = task_board(run.results, run.summary, task.name)
    ranked = [row.name for row in rows if not row.reference]
    reference = [row.name for row in rows if row.reference]
    found = explorer(run, task.name, (ranked, reference), task_cells(run.summary, task.name))
    lines, keys = curves(run, task.name, ranked)
    axis = gap_axis([row.gap for row in rows if not row.reference])
    stem = f"data/tasks-{slug(task.name)}"
    files = _files(stem, picture, found)
    values = {
        **_picture_values(picture),
        "task": task,
        "explorer": found,
        "files": {name.removeprefix(f"{stem}."): name for name in files},
        "rows": rows,
        "axis": {"ticks": [(place(axis, each), tick(each)) for each in axis]},
        "bar": lambda cell: bar(axis, cell),
        "targets": [f"{target:g}" for target in TARGETS],
        "at": at(run.results.suite, largest_budget(run.results)),
        "interval_method": interval_method(int(run.results.suite["seeds"])),
        "curves": [chart.name for chart in lines],
        "legend_keys": keys,
        "failures": [each for each in run.summary.failures if each.task == task.name],
        "neighbours": _neighbours(tasks, position),
        "manifest": run.results.manifest,
        "link": task_path,
        "architecture": architecture_path,
    }
    drawn = (*_density_charts(picture), *([found.chart] if found and found.chart else []), *lines)
    return Page(task_path(task.name), task.name, "task.html.j2", values, drawn, files=files)


def _picture_values(picture: Picture | None) -> dict[str, Any]:
    """What the template says of a picture, and the map of one that has two axes."""
    if picture is None:
        return {"kind": "", "exact_map": Markup(""), "map_key": Markup(""), "class_keys": (), "sparse": ""}
    values: dict[str, Any] = {
        "kind": {1: "line", 2: "grid"}.get(len(picture.shape), "dots"),
        "classes": picture.log_joint.shape[1],
        "class_keys": class_keys(picture.log_joint.shape[1]),
        "sparse": percent(float(picture.sparse.mean())) if picture.sparse.any() else "",
        "density": picture.density,
        "points": len(picture.x),
        "shares": sum(picture.shares),
    }
    if len(picture.shape) == 1:
        return values | {"exact_map": Markup(""), "map_key": Markup("")}
    where = frame(picture)
    kind, step = shown_steps(picture, None)["exact"]
    several = 2 < picture.log_joint.shape[1] <= MOST_CLASSES
    over = outlines(picture, [0.5, 0.9, 0.99]) + (class_names(where, picture) if several else Markup(""))
    drawn = panel(where, picture, kind, step, over)
    return values | {"exact_map": drawn, "map_key": Markup("") if kind == "classes" else key(kind)}


def _density_charts(picture: Picture | None) -> tuple[Chart, ...]:
    return density_charts(picture) if picture is not None and len(picture.shape) == 1 else ()


def _files(stem: str, picture: Picture | None, found: Explorer | None) -> dict[str, str]:
    """What the page brings beside its charts' data: the explorer's numbers, and those of maps as CSV."""
    files = {}
    if picture is not None and len(picture.shape) != 1:
        files[f"{stem}.picture.csv"] = _csv(picture)
    if found is not None:
        files[f"{stem}.explorer.js"] = found.script
        if found.csv:
            files[f"{stem}.explorer.csv"] = found.csv
    return files


def _csv(picture: Picture) -> str:
    """A map's points with density, exact posterior and sparse region as CSV."""
    columns: dict[str, Any] = {axis: picture.x[:, number] for number, axis in enumerate(picture.axes)}
    columns |= {"log P(x)": picture.log_density, "sparse": picture.sparse}
    columns |= {f"P(class {c})": share for c, share in enumerate(picture.posterior.T)}
    return harmless(pd.DataFrame(columns)).to_csv(index=False, lineterminator="\n", float_format="%.6g")


def _neighbours(tasks: Sequence[Exact], position: int) -> tuple[str, str]:
    """The tasks before and after one, empty where there is none."""
    before = tasks[position - 1].name if position else ""
    after = tasks[position + 1].name if position + 1 < len(tasks) else ""
    return before, after
