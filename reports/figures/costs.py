"""Information gap against what training costs, and which rows nothing beats in both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from reports.charts import NEUTRAL, Axes, calm_decades, marks
from reports.figures.layers import Looks, chosen, codes_of, inline, layer, sized, together
from reports.figures.leaderboard import overall, seen, strong
from reports.figures.lines import beyond, dots, drawn_rows, targets
from reports.figures.lines import names as named
from reports.pages.page import Chart, Run
from reports.trials import names
from reports.words import axis, fixed

SECONDS = "datum.value >= 0.001 ? format(datum.value, ',~f') : format(datum.value, '~e')"


@dataclass(frozen=True)
class Cost:
    """What a model costs: a column of `cost_points`, how a chart and a reader call it, its axis' labels."""

    column: str
    name: str
    title: str
    axis: str
    words: str
    buys: str
    lacks: str
    labels: str = ""


COMPUTE = Cost(
    "multiply_adds", "compute", "Information gap against compute", "multiply-adds to train a model",
    "multiply-adds of training a model", "so much compute", "Without a count",
)  # fmt: skip
TIME = Cost(
    "training_seconds", "pareto", "Information gap against training time", "training seconds per model",
    "training seconds per model", "so much time", "Without a time", SECONDS,
)  # fmt: skip


def costs(run: Run, cost: Cost) -> Chart | None:
    """Overall gap against what training one model costs, each row's budgets joined; None without costs."""
    points = cost_points(run)
    known = points.assign(x=points[cost.column])
    known = known[known["x"] > 0]
    if not np.isfinite(known["y"]).any():
        return None
    ticks = calm_decades(seen(known))
    reach = (float(known["x"].min()) / 1.3, float(known["x"].max()) * 1.3)
    axes = Axes(cost.axis, "gap", (marks(reach), ticks), reach, form=".3g", labels=cost.labels)
    best = front(known)
    unknown = [name for name in names(run.results)[1] if name not in set(known["series"])]
    note = (
        f"Each line is one row at growing {axis(run.results.suite)}, its large dot the last. "
        f"The grey steps are the lowest gap that {cost.buys} buys."
    )
    if cost is COMPUTE and fixed(run.results.suite):
        note += " Steps count up to the state that was kept."
    if unknown:
        note += f" {cost.lacks}: {', '.join(unknown)}."
    label = (
        f"Overall information gap against {cost.words} on log-log axes, a line for each "
        f"architecture. Nothing is better in both than {_cheapest(best)}."
    )
    data = points.drop(columns=["error"]).rename(columns={"series": "architecture", "y": "information_gap"})
    return Chart(
        cost.name, cost.title, label, _drawn(run, known, best, axes), data,
        f"{note} {beyond(seen(known), ticks)}".strip(),
    )  # fmt: skip


def cost_points(run: Run) -> pd.DataFrame:
    """Columns series, examples, y (gap), error, training_seconds and multiply_adds of one model.

    Of learned rows; costs are means over tasks. Multiply-adds are those of a step times the steps up to a
    budget, or on fixed training sets up to the state that was kept.
    """
    table = overall(run)
    table = table[table["architecture"].isin(names(run.results)[1])]
    points = pd.DataFrame(
        {
            "series": table["architecture"],
            "examples": table["budget"].astype(int),
            "y": table["information_gap"].astype(float),
            "error": table["error"].astype(float),
            "training_seconds": table["training_seconds"].astype(float),
        }
    ).reset_index(drop=True)
    cells = run.summary.cells.reset_index()
    steps = cells["best_step"] if fixed(run.results.suite) else cells["budget"] / _batches(run, cells)
    work = (cells["multiply_adds"] * steps).groupby([cells["architecture"], cells["budget"]]).mean()
    keys = pd.MultiIndex.from_frame(points[["series", "examples"]])
    return points.assign(multiply_adds=work.reindex(keys).to_numpy())


def _batches(run: Run, cells: pd.DataFrame) -> pd.Series:
    """Examples a step of each cell's architecture: its recipe's own, else the suite's."""
    known = run.results.architectures
    own = known["batch"].to_dict() if "batch" in known else {}
    batches = cells["architecture"].map(own).astype(float)
    return batches.fillna(float(run.results.suite["batch"]))


def front(points: pd.DataFrame) -> pd.DataFrame:
    """The points than which none is as good in both x and y and better in one; in order of x.

    points: x and y, lower is better; a blank or infinite one is no point.
    """
    there = points[np.isfinite(points["x"]) & np.isfinite(points["y"])]
    ordered = there.sort_values(["x", "y"], kind="stable")
    before = ordered["y"].cummin().shift(fill_value=np.inf)
    best: pd.DataFrame = ordered[ordered["y"] < before]
    return best


def _drawn(run: Run, points: pd.DataFrame, best: pd.DataFrame, axes: Axes) -> Any:
    import altair as alt

    strongest = strong(run)
    codes = codes_of(run.styles, points["series"])
    looks = Looks(run.styles, codes)
    rows = drawn_rows(points, codes, axes, strongest).assign(b=points["examples"])
    rows = rows[rows["y"].notna()].sort_values(["s", "b"], kind="stable")
    ends = ~rows.duplicated("s", keep="last")
    rows["a"] = np.where(ends, 55.0, np.nan)
    front_line = [{"x": x, "y": max(y, axes.ticks[1][0])} for x, y in zip(best["x"], best["y"], strict=True)]
    front_line.append({**front_line[-1], "x": axes.reach[1]})
    behind = layer(inline(front_line)).mark_line(
        aria=False, interpolate="step-after", stroke=NEUTRAL, strokeWidth=5, opacity=0.3
    )
    paths = layer().mark_line(aria=False, strokeWidth=1).encode(
        x=axes.x(), y=axes.y(), detail=alt.Detail("s:N"), order=alt.Order("b:Q"),
        color=looks.colour(), opacity=chosen(), strokeDash=looks.dash(),
    )  # fmt: skip
    layers = (
        behind.encode(x=axes.x(), y=axes.y()), paths, dots(looks.colour()),
        targets(axes, ("b:Q", axis(run.results.suite))),
        *named(rows[ends], axes, strongest, looks.colour()),
    )  # fmt: skip
    return sized(together(layers, rows, ("x", "y", "t", "a", "b"), ("n", "o", "r")), codes)


def _cheapest(best: pd.DataFrame) -> str:
    """The names on the front, each once, from the cheapest on; six at most."""
    known = list(dict.fromkeys(best["series"]))
    return ", ".join(known[:6]) + (f" and {len(known) - 6} more" if len(known) > 6 else "")
