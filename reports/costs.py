"""Information gap against the time that training took, and which rows nothing beats in both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from reports.charts import NEUTRAL, Axes, calm_decades, marks
from reports.figures import overall, seen, strong
from reports.layers import Looks, chosen, codes_of, inline, sized, together
from reports.lines import beyond, dots, drawn_rows, targets
from reports.lines import names as named
from reports.numbers import number
from reports.pages.page import Chart, Run
from reports.trials import names
from reports.words import axis

SECONDS = "datum.value >= 0.001 ? format(datum.value, ',~f') : format(datum.value, '~e')"


def costs(run: Run) -> Chart | None:
    """Overall gap against training seconds of one model, each row's budgets joined; None without times."""
    points = cost_points(run)
    timed = points[points["x"] > 0]
    if not np.isfinite(timed["y"]).any():
        return None
    ticks = calm_decades(seen(timed))
    reach = (float(timed["x"].min()) / 1.3, float(timed["x"].max()) * 1.3)
    axes = Axes("training seconds per model", "gap", (marks(reach), ticks), reach, form=".3g", labels=SECONDS)
    best = front(timed)
    untimed = [name for name in names(run.results)[1] if name not in set(timed["series"])]
    note = (
        f"Each line is one row at growing {axis(run.results.suite)}, its large dot the last. "
        "The grey steps are the lowest gap that so much time buys."
    )
    if untimed:
        note += f" Without a time: {', '.join(untimed)}."
    label = (
        "Overall information gap against training seconds per model on log-log axes, a line for each "
        f"architecture. Nothing is better in both than {_cheapest(best)}."
    )
    data = points.drop(columns=["error"]).rename(
        columns={"series": "architecture", "x": "training_seconds", "y": "information_gap"}
    )
    return Chart(
        "pareto", "Information gap against training time", label,
        _drawn(run, timed, best, axes), data, f"{note} {beyond(seen(timed), ticks)}".strip(),
    )  # fmt: skip


def cost_points(run: Run) -> pd.DataFrame:
    """Columns series, examples, x (training seconds per model, the mean over tasks), y (gap), error.

    Of learned rows; and multiply_adds (the mean over tasks and seeds) where records have any.
    """
    table = overall(run)
    table = table[table["architecture"].isin(names(run.results)[1])]
    points = pd.DataFrame(
        {
            "series": table["architecture"],
            "examples": table["budget"].astype(int),
            "x": table["training_seconds"].astype(float),
            "y": table["information_gap"].astype(float),
            "error": table["error"].astype(float),
        }
    ).reset_index(drop=True)
    records = run.results.records
    work = records[(records["metric"] == "multiply_adds") & records["value"].notna()]
    if work.empty:
        return points
    means = work.groupby(["architecture", "budget"])["value"].mean()
    keys = pd.MultiIndex.from_frame(points[["series", "examples"]])
    return points.assign(multiply_adds=means.reindex(keys).to_numpy())


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
    if "multiply_adds" in points:
        rows["m"] = [number(value) for value in points["multiply_adds"]]
    rows = rows[rows["y"].notna()].sort_values(["s", "b"], kind="stable")
    ends = ~rows.duplicated("s", keep="last")
    rows["a"] = np.where(ends, 55.0, np.nan)
    front_line = [{"x": x, "y": max(y, axes.ticks[1][0])} for x, y in zip(best["x"], best["y"], strict=True)]
    front_line.append({**front_line[-1], "x": axes.reach[1]})
    behind = alt.Chart(inline(front_line)).mark_line(
        aria=False, interpolate="step-after", stroke=NEUTRAL, strokeWidth=5, opacity=0.3
    )
    paths = alt.Chart().mark_line(aria=False, strokeWidth=1).encode(
        x=axes.x(), y=axes.y(), detail=alt.Detail("s:N"), order=alt.Order("b:Q"),
        color=looks.colour(), opacity=chosen(), strokeDash=looks.dash(),
    )  # fmt: skip
    more = [("b:Q", axis(run.results.suite))]
    more += [("m:N", "multiply-adds")] if "m" in rows else []
    layers = (
        behind.encode(x=axes.x(), y=axes.y()), paths, dots(looks.colour()), targets(axes, *more),
        *named(rows[ends], axes, strongest, looks.colour()),
    )  # fmt: skip
    own = [name for name in ("x", "y", "t", "a", "b", "m") if name in rows]
    return sized(together(layers, rows, own, ("n", "o", "r")), codes)


def _cheapest(best: pd.DataFrame) -> str:
    """The names on the front, each once, from the cheapest on; six at most."""
    known = list(dict.fromkeys(best["series"]))
    return ", ".join(known[:6]) + (f" and {len(known) - 6} more" if len(known) > 6 else "")
