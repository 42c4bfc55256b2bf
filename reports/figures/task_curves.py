"""A task's learning curves: expected KL of every row against data, with what theory and luck come to."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reports.charts import LIMIT, MLE, PRIOR, Axes, decades, powers
from reports.figures.leaderboard import STRONG_ROWS, Key
from reports.figures.lines import line_chart
from reports.pages.page import Chart, Run
from reports.trials import names
from reports.words import axis

TEXTS = {
    PRIOR: "class priors only",
    MLE: "oracle-mle: maximum likelihood in the true family",
    LIMIT: "k / 2N, its limit",
}
CHARTS = (
    ("kl", "kl", "Expected KL against data", "all of P(x)"),
    ("sparse-kl", "sparse_mean", "Expected KL in the sparse region", "the least dense 1 % of P(x)"),
)


def curves(run: Run, task: str, order: list[str]) -> tuple[tuple[Chart, ...], tuple[Key, ...]]:
    """Two charts of a task, over all inputs and in the sparse region, and the legend that goes with both.

    order: the learned rows from the best to the worst; the first are named in the charts.
    """
    charts, present = [], set()
    for name, column, title, where in CHARTS:
        points = _points(run, task, column)
        drawn = points[np.isfinite(points["y"]) & (points["y"] > 0)]
        if drawn.empty:
            continue
        present |= set(drawn["series"])
        across = axis(run.results.suite)
        budgets = [float(budget) for budget in run.results.suite["budgets"]]
        ticks = (powers(budgets), decades(drawn["y"].tolist()))
        axes = Axes(across, "nats", ticks, (min(budgets), max(budgets)))
        limit = " The dashed line is k / 2N." if LIMIT in set(drawn["series"]) else ""
        label = f"Expected KL over {where} against {across} on log-log axes, a line a row.{limit}"
        spec = line_chart(points, run.styles, axes, order[:STRONG_ROWS])
        data = points.rename(columns={"series": "architecture", "x": "examples", "y": "expected_kl"})
        charts.append(Chart(name, title, label, spec, data))
    return tuple(charts), tuple(_key(run, name) for name in [*order, PRIOR, MLE, LIMIT] if name in present)


def _points(run: Run, task: str, column: str) -> pd.DataFrame:
    """series, x, y: arithmetic means over seeds, which the k / 2N law is about, and that law."""
    cells = run.summary.cells.reset_index()
    learned = names(run.results)[1]
    chosen = cells[(cells["task"] == task) & cells["architecture"].isin([*learned, PRIOR, MLE])]
    points = pd.DataFrame(
        {"series": chosen["architecture"], "x": chosen["budget"].astype(float), "y": chosen[column]}
    )
    k = float(run.results.tasks["parameters"].get(task, np.nan))
    if column != "kl" or np.isnan(k):
        return points
    # The law counts distinct examples, which under a pool are fewer than those seen.
    distinct = chosen.groupby("budget")["distinct"].max()
    budgets = distinct.index.to_numpy(dtype=float)
    examples = distinct.fillna(pd.Series(budgets, index=distinct.index)).to_numpy(dtype=float)
    limit = pd.DataFrame({"series": LIMIT, "x": budgets, "y": k / (2 * examples)})
    return pd.concat([points, limit], ignore_index=True)


def _key(run: Run, name: str) -> Key:
    style = run.styles[name]
    dash = "" if style.dash == (1, 0) else " ".join(f"{length:g}" for length in style.dash)
    return Key(name, TEXTS.get(name, name), style.colour, dash, style.width + 0.5)
