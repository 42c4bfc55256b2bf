"""The leaderboard page's charts and the legend that goes with all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.charts import LIMIT, MLE, PRIOR, Axes, calm_decades, powers
from reports.figures.lines import beyond, line_chart
from reports.numbers import number
from reports.pages.page import Chart, Run
from reports.ranking.pairs import OVERALL_NAME
from reports.statistics import grouped_geometric_mean
from reports.trials import largest_budget, names
from reports.words import at, axis

STRONG_ROWS = 6  # as many as there are hues
FEW_BUDGETS = 4  # all of which an axis can mark
FEWEST_EXAMPLES = 5  # for each of k parameters, before the k/2N law says anything
STRATUM = "stratum-"


@dataclass(frozen=True)
class Key:
    """One entry of a legend: a row's name and how its line looks (`dash` as SVG wants it)."""

    name: str
    text: str
    colour: str
    dash: str = ""
    width: float = 2.2


def leaderboard_charts(run: Run) -> tuple[Chart, ...]:
    """Every chart of the leaderboard page that this run has the numbers for."""
    from reports.figures.costs import COMPUTE, TIME, costs
    from reports.ranking.contests import contests

    curves = (learning(run), sparse(run), strata(run), costs(run, COMPUTE), costs(run, TIME))
    return (*(chart for chart in curves if chart is not None), *contests(run))


def markdown_charts(run: Run) -> tuple[Chart, ...]:
    """The charts that stand beside `leaderboard.md`."""
    return tuple(chart for chart in (learning(run), sparse(run)) if chart is not None)


def learning(run: Run) -> Chart:
    """Overall information gap against budget, with the limit of maximum likelihood where tasks have one."""
    table = overall(run)
    points = _points(table, "information_gap", "error").assign(low=table["low"], high=table["high"])
    limits = limit(run)
    bound = pd.DataFrame({"series": LIMIT, "x": limits.index.astype(float), "y": limits.to_numpy()})
    points = pd.concat([points, bound], ignore_index=True)
    known = "dotted: predicting the class priors" if PRIOR in set(points["series"]) else ""
    if not limits.empty:
        known = (
            "dashed: k/2N, to which maximum likelihood in the true family comes in the arithmetic mean "
            "(these are geometric ones, which lie lower)" + (known and f"; {known}")
        )
    bands = "Bands are 95 % intervals" if points["low"].notna().any() else ""
    return _curves(
        run, points, ("learning", "information_gap", "gap"), "Information gap against data",
        _sentences(bands, known),
    )  # fmt: skip


def sparse(run: Run) -> Chart | None:
    """Expected KL in the sparse region against budget, the mean over tasks; None without that region."""
    table = overall(run)
    points = _points(table, "sparse_kl", "sparse_kl_error")
    if not np.isfinite(points["y"]).any():
        return None
    return _curves(
        run, points, ("sparse", "sparse_kl", "expected KL, nats"), "Error where data are sparse",
        f"Expected KL over the least dense 1 % of P(x){_mean_over(run)}.",
    )  # fmt: skip


def strata(run: Run) -> Chart | None:
    """Expected KL by stratum of density at the largest budget, the mean over tasks; None without strata."""
    points = strata_points(run)
    count = int(points["x"].max()) if len(points) else 0
    if count < 2 or not np.isfinite(points["y"]).any():
        return None
    ticks = calm_decades(seen(points))
    ends = f"datum.value == 1 ? 'densest' : datum.value == {count} ? 'sparsest' : datum.value"
    axes = Axes(
        f"{count} strata of equal mass, by density", "expected KL, nats",
        (list(range(1, count + 1)), ticks), (1.0, float(count)), log=False, form="d", labels=ends,
    )  # fmt: skip
    budget = largest_budget(run.results)
    note = _sentences(f"Expected KL {at(run.results.suite, budget)}{_mean_over(run)}")
    return Chart(
        "strata",
        "Error by density",
        f"Expected KL in {count} strata of density, from the densest to the sparsest, a line for each "
        f"architecture. {_best(points, 'In the sparsest')}",
        line_chart(points, run.styles, axes, strong(run)),
        points.rename(columns={"series": "architecture", "x": "stratum", "y": "expected_kl"}),
        f"{note} {beyond(seen(points), ticks)}".strip(),
    )


def strata_points(run: Run) -> pd.DataFrame:
    """Columns series, x (stratum, 1 the densest), y (nats), error; at the largest budget.

    y: geometric mean over seeds, then arithmetic mean over tasks, as the table's sparse KL; NaN where a
    trial or task is missing. error: the mean integration error, the same way.
    """
    tasks, learned, _ = names(run.results)
    records = run.results.records
    rows = records[(records["metric"] == "expected_kl") & (records["budget"] == largest_budget(run.results))]
    rows = rows[
        rows["region"].str.fullmatch(rf"{STRATUM}\d+")
        & rows["task"].isin(tasks)
        & rows["architecture"].isin([*learned, PRIOR, MLE])
    ]
    keys = ["task", "architecture", "region"]
    rows = rows.astype(dict.fromkeys(keys, object))
    values = rows.assign(value=rows["value"].astype(float).where(rows["status"] == "ok")).set_index(keys)
    cells = grouped_geometric_mean(values["value"], keys).rename("y").to_frame()
    cells["error"] = values["error"].astype(float).fillna(0.0).groupby(level=keys).mean()
    groups = cells.groupby(level=["architecture", "region"])
    means = groups.mean().where(groups["y"].count() == len(tasks)).reset_index()
    means["x"] = means["region"].str.removeprefix(STRATUM).astype(int)
    complete = _without_failures(run)
    means["y"] = means["y"].where(means["architecture"].isin(complete))
    means = means.rename(columns={"architecture": "series"}).sort_values(["series", "x"], ignore_index=True)
    return means[["series", "x", "y", "error"]]


def limit(run: Run) -> pd.Series:
    """Gap of conditional maximum likelihood by budget: the geometric mean over tasks of k / (2 N I(X;C)).

    N: distinct examples. Empty unless every task has a k; without the budgets that are less than 5 k.
    """
    tasks = names(run.results)[0]
    table = run.results.tasks.loc[tasks]
    k, information = table["parameters"].astype(float), table["information"].astype(float)
    budgets = sorted(int(budget) for budget in run.results.suite["budgets"])
    if k.isna().any() or not tasks:
        return pd.Series(dtype=float)
    seen = run.summary.cells["distinct"].groupby(level="budget").max().reindex(budgets)
    distinct = seen.fillna(pd.Series(budgets, index=budgets, dtype=float))
    large = distinct[distinct >= FEWEST_EXAMPLES * k.max()]
    return float(np.exp(np.log(k / (2 * information)).mean())) / large


def overall(run: Run) -> pd.DataFrame:
    """The leaderboard's rows over all tasks that charts show: every row but the oracle."""
    _, learned, _ = names(run.results)
    table = run.summary.leaderboard
    shown = table["architecture"].isin([*learned, PRIOR, MLE])
    return table[(table["task"] == OVERALL_NAME) & shown].reset_index(drop=True)


def strong(run: Run) -> list[str]:
    """The rows that charts name: the first of the ranking at the largest budget."""
    now = overall(run)
    now = now[(now["budget"] == largest_budget(run.results)) & now["rank"].notna()]
    return [str(name) for name in now["architecture"]][:STRONG_ROWS]


def legend(run: Run) -> tuple[Key, ...]:
    """A key for every learned row, in the order of the ranking."""
    _, learned, _ = names(run.results)
    now = overall(run)
    now = now[now["budget"] == largest_budget(run.results)]
    keys = []
    for name in now.loc[now["architecture"].isin(learned), "architecture"]:
        style = run.styles[name]
        dash = "" if style.dash == (1, 0) else " ".join(f"{length:g}" for length in style.dash)
        keys.append(Key(name, name, style.colour, dash, style.width + 0.5))
    return tuple(keys)


def _curves(run: Run, points: pd.DataFrame, words: tuple[str, str, str], title: str, note: str) -> Chart:
    """Points against budgets; words: the chart's name, the measure's column in the CSV, the axis's title."""
    name, column, up = words
    across = axis(run.results.suite)
    budgets = [float(budget) for budget in run.results.suite["budgets"]]
    ticks = calm_decades(seen(points))
    axes = Axes(
        across,
        up,
        (budgets if len(budgets) <= FEW_BUDGETS else powers(budgets), ticks),
        (min(budgets), max(budgets)),
    )
    learned = points[~points["series"].isin([PRIOR, MLE, LIMIT])]
    return Chart(
        name,
        title,
        f"{title}: {up} against {across} on log-log axes, a line for each architecture. "
        + _best(points, "At the last budget"),
        line_chart(points, run.styles, axes, strong(run)),
        points.rename(columns={"series": "architecture", "x": "examples", "y": column}),
        f"{note} {beyond(seen(learned), ticks)}".strip(),
    )


def _points(table: pd.DataFrame, column: str, error: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "series": table["architecture"],
            "x": table["budget"].astype(float),
            "y": table[column].astype(float),
            "error": table[error].astype(float),
        }
    )


def seen(points: pd.DataFrame) -> list[float]:
    """Values as they are drawn: none below its integration error."""
    return [float(value) for value in points["y"].clip(lower=points["error"].fillna(0.0))]


def _best(points: pd.DataFrame, where: str) -> str:
    """The three lowest of the last points, as a sentence."""
    last = points[(points["x"] == points["x"].max()) & ~points["series"].isin([PRIOR, MLE, LIMIT])]
    last = last[np.isfinite(last["y"])].sort_values("y", kind="stable").head(3)
    texts = [f"{name} {number(y)}" for name, y in zip(last["series"], last["y"], strict=True)]
    return f"{where} the lowest are {', '.join(texts)}." if texts else ""


def _mean_over(run: Run) -> str:
    return ", the arithmetic mean over tasks" if len(names(run.results)[0]) > 1 else ""


def _without_failures(run: Run) -> list[str]:
    """Rows all of whose trials at the largest budget succeeded."""
    cells = run.summary.cells
    cells = cells[cells.index.get_level_values("budget") == largest_budget(run.results)]
    whole = (cells["ok"] == cells["total"]).groupby(level="architecture").all()
    return [str(name) for name in whole.index[whole]]


def _sentences(*parts: str) -> str:
    return " ".join(f"{part[0].upper()}{part[1:]}." for part in parts if part)
