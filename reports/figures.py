"""The page's figures: panels of SVG with the captions and legends that go with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.charts import (
    LIMIT,
    MLE,
    NEUTRAL,
    PRIOR,
    Style,
    decades,
    learning_chart,
    line_styles,
    posterior_chart,
    powers,
    stage_colour,
    stages,
)  # fmt: skip
from reports.leaderboard import Summary
from reports.results import Results
from reports.svg import svg
from reports.trials import names
from reports.words import axis, batches
from reports.words import learned as learned_from

FIRST = "mlp-64x64"  # the study's own network


@dataclass(frozen=True)
class Panel:
    """One task's panel: its title and its SVG."""

    title: str
    svg: str


@dataclass(frozen=True)
class Key:
    """One entry of a legend: its text and how its line looks (`dash` as SVG wants it)."""

    text: str
    colour: str
    dash: str = ""
    width: float = 1.7
    opacity: float = 1.0


@dataclass(frozen=True)
class Figure:
    """A figure: its name (an architecture or a region), its panels and its legend."""

    name: str
    panels: tuple[Panel, ...]
    legend: tuple[Key, ...]


def learning_figure(results: Results, summary: Summary, column: str, region: str) -> Figure:
    """Mean expected KL of every architecture against budget, a panel a task.

    column: `kl` (region `all`, with the k/2N limit) or `sparse_mean` (region `sparse99`) of the cells.
    """
    tasks, learned, _ = names(results)
    styles = line_styles(learned)
    points = {task: _points(results, summary, task, column) for task in tasks}
    points = {task: frame for task, frame in points.items() if _drawable(frame["value"]).any()}
    if not points:
        return Figure(region, (), ())
    every = pd.concat(points.values())
    ticks = (powers([float(b) for b in results.suite["budgets"]]), decades(every["value"].tolist()))
    panels = []
    for task, frame in points.items():
        label = (
            f"{region} against {axis(results.suite)} for the task {task}, on log-log axes, a line for each "
            "architecture; the numbers are in records.csv."
        )
        chart = learning_chart(frame, styles, ticks, axis(results.suite))
        panels.append(Panel(task, svg(chart, label)))
    present = set(every.loc[_drawable(every["value"]), "series"])
    return Figure(region, tuple(panels), _legend(styles, present))


def posterior_figures(results: Results, best: str | None) -> list[Figure]:
    """The study's figure for each architecture with curves: the study's network, or else the best, first."""
    _, learned, _ = names(results)
    first = FIRST if FIRST in learned else best
    order = sorted(learned, key=lambda name: name != first)  # stable: the rest keeps the suite's order
    shown = stages([int(budget) for budget in results.suite["budgets"]])
    figures = [_posterior(results, name, shown) for name in order]
    return [figure for figure in figures if figure.panels]


def _posterior(results: Results, name: str, shown: list[int]) -> Figure:
    panels = []
    for task in names(results)[0]:
        picture = results.pictures.get(task)
        if picture is None or len(picture.shape) != 1:
            continue
        if not any((name, budget) in picture.outputs for budget in shown):
            continue
        label = (
            f"Exact posterior P(class 1 given x) of the task {task} against the output of {name} "
            f"{learned_from(results.suite)} {', '.join(f'{budget:,}' for budget in shown)} examples, "
            f"over x from {picture.x[0, 0]:g} to {picture.x[-1, 0]:g}."
        )
        panels.append(Panel(task, svg(posterior_chart(picture, name, shown), label)))
    keys = [Key("exact posterior", NEUTRAL, width=6, opacity=0.45)]
    for budget in shown:
        count = batches(results.suite, budget)
        steps = "" if count is None else f" ({count:,} mini-batches)"
        keys.append(Key(f"{budget:,}{steps}", stage_colour(shown, budget), width=2))
    return Figure(name, tuple(panels), tuple(keys))


def _points(results: Results, summary: Summary, task: str, column: str) -> pd.DataFrame:
    """series, budget, value: every architecture but the oracle, whose KL is 0, and the limit if known."""
    cells = summary.cells.reset_index()
    _, learned, _ = names(results)
    chosen = cells[(cells["task"] == task) & cells["architecture"].isin([*learned, PRIOR, MLE])]
    points = chosen.rename(columns={"architecture": "series", column: "value"})[["series", "budget", "value"]]
    k = float(results.tasks["parameters"].get(task, np.nan))
    if column != "kl" or np.isnan(k):
        return points
    # The law counts distinct examples, which under a pool are fewer than those seen.
    distinct = chosen.groupby("budget")["distinct"].max()
    budgets = distinct.index.to_numpy(dtype=float)
    examples = distinct.fillna(pd.Series(budgets, index=distinct.index)).to_numpy(dtype=float)
    limit = pd.DataFrame({"series": LIMIT, "budget": budgets, "value": k / (2 * examples)})
    return pd.concat([points, limit], ignore_index=True)


def _drawable(values: pd.Series) -> pd.Series:
    """Which values a log axis can show."""
    return (values > 0) & (values < np.inf)


def _legend(styles: Mapping[str, Style], present: set[str]) -> tuple[Key, ...]:
    texts = {
        PRIOR: "class priors only",
        MLE: "oracle-mle: maximum likelihood in the true family",
        LIMIT: "k / 2N, its limit",
    }
    return tuple(
        Key(
            texts.get(name, name),
            style.colour,
            "" if style.dash == (1, 0) else " ".join(f"{length:g}" for length in style.dash),
            style.width + 0.5,
        )
        for name, style in styles.items()
        if name in present
    )
