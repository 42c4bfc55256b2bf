"""Charts of one architecture: what it loses against data, a line a task."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from reports import numbers
from reports.charts import MLE, Axes, Style, decades, line_styles, powers
from reports.figures.layers import FAINT, at, codes_of, faded, inline, layer
from reports.figures.lines import line_chart
from reports.pages.page import Chart, Run
from reports.trials import names
from reports.words import axis

LIMITS = 0.6  # opacity of lines that are there to compare with


def kl_curves(run: Run, name: str) -> Chart | None:
    """Expected KL against budget on every task with its limit k / 2N; None where nothing can be drawn."""
    cells = _cells(run, name)
    cells["y"] = cells["kl"].where(cells["gap"] > cells["gap_error"])
    distinct = cells["distinct"].fillna(cells["x"])
    k = cells["task"].map(run.results.tasks["parameters"].astype(float).to_dict())
    cells["limit"] = k / (2 * distinct)
    return _curves(run, name, cells, "kl", "expected KL", "k / 2N")


def sparse_curves(run: Run, name: str) -> Chart | None:
    """Expected KL in the sparse region on every task with oracle-mle's; None where nothing can be drawn."""
    cells = _cells(run, name)
    cells["y"] = cells["sparse_mean"].where(cells["sparse"] > cells["sparse_error"])
    cells["limit"] = np.nan
    if name != MLE and MLE in names(run.results)[2]:
        other = _cells(run, MLE).set_index(["task", "x"])["sparse_mean"]
        keys = pd.MultiIndex.from_frame(cells[["task", "x"]])
        cells["limit"] = other.reindex(keys).to_numpy()
    return _curves(run, name, cells, "sparse", "sparse KL", "oracle-mle's")


def task_styles(run: Run) -> dict[str, Style]:
    """How each task's line looks on an architecture's page."""
    tasks = names(run.results)[0]
    styles = line_styles(tasks)
    return {task: styles[task] for task in tasks}


def _cells(run: Run, name: str) -> pd.DataFrame:
    """A row's cells: task, x (its budget) and means over seeds."""
    table = run.summary.cells
    mine = table[table.index.get_level_values("architecture") == name].reset_index()
    return mine.assign(x=mine["budget"].astype(float)).sort_values(["task", "x"])


def _curves(run: Run, name: str, cells: pd.DataFrame, key: str, what: str, limit: str) -> Chart | None:
    drawn = cells[np.isfinite(cells["y"]) & (cells["y"] > 0)]
    if drawn.empty:
        return None
    across, budgets = axis(run.results.suite), [float(size) for size in run.results.suite["budgets"]]
    limits = cells[np.isfinite(cells["limit"]) & (cells["limit"] > 0)]
    ups = decades([*drawn["y"], *limits["limit"]])
    axes = Axes(across, f"{what}, nats", (powers(budgets), ups), (min(budgets), max(budgets)))
    styles = task_styles(run)
    points = cells.rename(columns={"task": "series"})[["series", "x", "y"]]
    chart = line_chart(points, styles, axes, list(styles), "task")
    if len(limits):
        chart.layer.insert(0, _faint(limits, points, styles))
    title = f"{what[:1].upper()}{what[1:]}"
    beside = f", with {limit} as a faint line" if len(limits) else ""
    label = (
        f"{title} of {name} in nats against {across} on log-log axes, a line for each task{beside}."
        f" {_words(drawn)}"
    )
    data = cells[["task", "budget", "y", "limit"]]
    titles = {
        "budget": "examples",
        "y": what.lower().replace(" ", "_"),
        "limit": "k_2n" if key == "kl" else "oracle_mle",
    }
    return Chart(key, f"{title} against data", label, chart, data.rename(columns=titles))


def _faint(limits: pd.DataFrame, points: pd.DataFrame, styles: dict[str, Style]) -> Any:
    """A thin dotted line of each task's colour, which fades and comes out with the task's own."""
    import altair as alt

    rows = pd.DataFrame(
        {
            "x": limits["x"],
            "y": limits["limit"],
            "s": limits["task"].map(codes_of(styles, points["series"])),
            "c": limits["task"].map({task: style.colour for task, style in styles.items()}),
        }
    )
    marks = layer(inline(rows)).mark_line(aria=False, strokeDash=[2, 3], strokeWidth=1.2)
    return marks.encode(
        **at(),
        detail=alt.Detail("s:N"),
        stroke=alt.Stroke("c:N", scale=None, legend=None),
        opacity=faded(LIMITS, ("isArray(chosen) && indexof(chosen, datum.s) < 0", FAINT)),
    )


def _words(drawn: pd.DataFrame, most: int = 6) -> str:
    """From where to where each line goes, for readers who don't see it."""
    parts = []
    for task, line in list(drawn.groupby("task", sort=False))[:most]:
        first, last = line.iloc[0], line.iloc[-1]
        ends = f"{numbers.number(first['y'], 2)} at {first['budget']:,} examples"
        if len(line) > 1:
            ends = f"from {ends} to {numbers.number(last['y'], 2)} at {last['budget']:,}"
        parts.append(f"{task}: {ends}")
    return "; ".join(parts) + "."
