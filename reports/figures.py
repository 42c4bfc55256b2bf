"""The leaderboard page's charts and the legend that goes with all of them."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from reports.charts import Axes, decades, line_chart, powers
from reports.pages.page import Chart, Run
from reports.pairs import OVERALL_NAME
from reports.trials import largest_budget, names
from reports.words import axis

STRONG_ROWS = 6  # as many as there are hues


@dataclass(frozen=True)
class Key:
    """One entry of a legend: a row's name and how its line looks (`dash` as SVG wants it)."""

    name: str
    text: str
    colour: str
    dash: str = ""
    width: float = 2.2


def leaderboard_charts(run: Run) -> tuple[Chart, ...]:
    """Every chart of the leaderboard page."""
    return (learning(run),)


def learning(run: Run) -> Chart:
    """Overall information gap against budget."""
    _, learned, _ = names(run.results)
    table = run.summary.leaderboard
    table = table[(table["task"] == OVERALL_NAME) & table["architecture"].isin(learned)]
    points = pd.DataFrame(
        {"series": table["architecture"], "x": table["budget"].astype(float), "y": table["information_gap"]}
    )
    across = axis(run.results.suite)
    budgets = [float(budget) for budget in run.results.suite["budgets"]]
    axes = Axes(across, "gap", (powers(budgets), decades(points["y"].tolist())), (min(budgets), max(budgets)))
    return Chart(
        "learning",
        "Overall information gap against data",
        f"Overall information gap against {across} on log-log axes, a line for each architecture.",
        line_chart(points, run.styles, axes, strong(run)),
        points.rename(columns={"series": "architecture", "x": "examples", "y": "information_gap"}),
    )


def strong(run: Run) -> list[str]:
    """The rows that charts name: the first of the ranking at the largest budget."""
    table = run.summary.leaderboard
    now = table[(table["task"] == OVERALL_NAME) & (table["budget"] == largest_budget(run.results))]
    return [str(name) for name in now.loc[now["rank"].notna(), "architecture"]][:STRONG_ROWS]


def legend(run: Run) -> tuple[Key, ...]:
    """A key for every learned row, in the order of the ranking."""
    _, learned, _ = names(run.results)
    table = run.summary.leaderboard
    now = table[(table["task"] == OVERALL_NAME) & (table["budget"] == largest_budget(run.results))]
    keys = []
    for name in now.loc[now["architecture"].isin(learned), "architecture"]:
        style = run.styles[name]
        dash = "" if style.dash == (1, 0) else " ".join(f"{length:g}" for length in style.dash)
        keys.append(Key(name, name, style.colour, dash, style.width + 0.5))
    return tuple(keys)
