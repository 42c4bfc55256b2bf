"""Critical-difference diagram: mean ranks on an axis, and bars over rows that can't be told apart.

Demšar 2006, "Statistical comparisons of classifiers over multiple data sets", JMLR 7:1-30.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from reports.charts import NEUTRAL, STRONG
from reports.figures.layers import BEHIND, Looks, at, codes_of, faded, inline, layer, limit, sized
from reports.numbers import number
from reports.pages.page import Chart, Run
from reports.trials import largest_budget
from reports.words import of

if TYPE_CHECKING:
    from reports.ranking.ordering import CriticalDifference

AXIS = 52  # pixels from the top, with the critical difference above
BAR, NAME = 7, (15, 30)  # pixels between bars; between names, at least and at most
FOCUS = "isArray(chosen) && indexof(chosen, datum.s) < 0"


def mean_ranks(run: Run, critical: CriticalDifference, height: int) -> Chart:
    """The critical-difference diagram of the largest budget, so high at least, in pixels."""
    rows = placed(critical, height)
    order = rows.sort_values("rank", kind="stable")
    best = [f"{name} {number(rank)}" for name, rank in zip(order["n"], order["rank"], strict=True)]
    where = of(run.results.suite, largest_budget(run.results))
    label = (
        f"Mean ranks {where}, over {critical.blocks} blocks: {', '.join(best[:3])}. The critical difference "
        f"is {number(critical.cd)}; {_friedman(critical.p_friedman)}."
    )
    note = (
        f"Mean rank over {critical.blocks} blocks (task, seed), 1 is best. Bars join rows closer than the "
        "critical difference CD (Nemenyi, 5 %), for this suite's own tasks and seeds. They count who "
        "is ahead, not by how much, and may join rows that paired tests tell apart."
    )
    data = order[["n", "rank"]].rename(columns={"n": "architecture", "rank": "mean_rank"})
    data = data.assign(critical_difference=critical.cd, blocks=critical.blocks)
    chart = _diagram(run, rows, critical)
    return Chart("ranks", "Mean ranks", label, chart, data.reset_index(drop=True), note)


def placed(critical: CriticalDifference, height: int = 0) -> pd.DataFrame:
    """Where names stand: n (name), rank, left (on which side), y (pixels from the top).

    The better half stands left, the best on top; the others right, the worst on top: no two lines cross.
    """
    rows = pd.DataFrame({"n": critical.names, "rank": critical.mean_ranks})
    rows = rows.sort_values("rank", kind="stable", ignore_index=True)
    half = (len(rows) + 1) // 2
    rows["left"] = rows.index < half
    first = AXIS + BAR * (len(critical.groups) + 1) + 12
    step = min(max((height - first) / max(half, 1), NAME[0]), NAME[1])
    depth = [place if place < half else len(rows) - 1 - place for place in range(len(rows))]
    rows["y"] = [first + step * level for level in depth]
    return rows


def group_bars(critical: CriticalDifference) -> pd.DataFrame:
    """Bars that join rows: x and x2 (lowest and highest mean rank of a group), y (pixels from the top)."""
    spans = [[critical.mean_ranks[place] for place in group] for group in critical.groups]
    return pd.DataFrame(
        [
            {"x": min(ranks), "x2": max(ranks), "y": AXIS + BAR * (level + 1)}
            for level, ranks in enumerate(spans)
        ],
        columns=["x", "x2", "y"],
    )


def _friedman(p: float) -> str:
    if math.isnan(p):
        return "two rows need no test of all"
    return f"Friedman's test of all ranking alike has p {'< 0.001' if p < 0.001 else f'= {p:.2g}'}"


def _diagram(run: Run, rows: pd.DataFrame, critical: CriticalDifference) -> Any:
    import altair as alt

    count, height = len(rows), int(rows["y"].max()) + 12
    codes = codes_of(run.styles, rows["n"])
    rows = rows.assign(s=rows["n"].map(codes), t=[number(rank) for rank in rows["rank"]])
    across = alt.X(
        "x:Q",
        scale=alt.Scale(domain=[1, max(count, 2)], nice=False, zero=False),
        axis=alt.Axis(orient="top", offset=-AXIS, title=None, values=_ticks(count), grid=False, format="d"),
    )
    down = alt.Y("y:Q", scale=alt.Scale(domain=[0, height], reverse=True, nice=False), axis=None)
    opacity = faded(1, (FOCUS, BEHIND))
    colour = Looks(run.styles, codes).colour()
    lines = layer(inline(_elbows(rows, count))).mark_line(aria=False, strokeWidth=1.3)
    lines = lines.encode(
        x=across, y=down, detail=alt.Detail("s:N"), order=alt.Order("k:Q"), color=colour, opacity=opacity
    )
    tips = [alt.Tooltip("n:N", title="architecture"), alt.Tooltip("t:N", title="mean rank")]
    ends = rows.assign(x=rows["rank"], y=AXIS)[["s", "n", "t", "x", "y"]]
    dots = layer(inline(ends)).mark_point(filled=True, size=34, strokeWidth=0, aria=False)
    dots = dots.encode(**at(), color=colour, opacity=opacity, tooltip=tips)
    names = [_names(rows, side, count, opacity, tips) for side in (True, False)]
    return sized(alt.layer(lines, *_bars(critical, count), dots, *names), codes, height)


def _elbows(rows: pd.DataFrame, count: int) -> list[dict[str, Any]]:
    """From each row's mean rank on the axis down to its level and out to its name, three points a row."""
    points: list[dict[str, Any]] = []
    for row in rows.to_dict("records"):
        edge = 1 if row["left"] else max(count, 2)
        corners = [(row["rank"], AXIS), (row["rank"], row["y"]), (edge, row["y"])]
        points.extend({"s": row["s"], "k": k, "x": x, "y": y} for k, (x, y) in enumerate(corners))
    return points


def _bars(critical: CriticalDifference, count: int) -> list[Any]:
    """The critical difference above the axis, and below it the groups."""
    import altair as alt

    end = min(1 + critical.cd, max(count, 2))
    measure = layer(inline([{"x": 1, "x2": end, "y": 12}]))
    rule = measure.mark_rule(aria=False, stroke=STRONG, strokeWidth=1.5).encode(**at(), x2=alt.X2("x2:Q"))
    stops = layer(inline([{"x": 1, "y": 12}, {"x": end, "y": 12}]))
    stops = stops.mark_tick(aria=False, orient="vertical", color=STRONG, size=8, thickness=1.5)
    text = layer(inline([{"x": end, "y": 12, "v": f"CD {number(critical.cd)}"}]))
    text = text.mark_text(align="left", dx=7, fontSize=11, aria=False).encode(**at(), text=alt.Text("v:N"))
    groups = group_bars(critical)
    if groups.empty:
        return [rule, stops.encode(**at()), text]
    bars = layer(inline(groups))
    bars = bars.mark_rule(aria=False, stroke=NEUTRAL, strokeWidth=4, strokeCap="round")
    return [rule, stops.encode(**at()), text, bars.encode(**at(), x2=alt.X2("x2:Q"))]


def _names(rows: pd.DataFrame, left: bool, count: int, opacity: Any, tips: Sequence[Any]) -> Any:
    import altair as alt

    shown = rows[rows["left"] == left].assign(x=1 if left else max(count, 2))
    data = inline(shown[["s", "n", "t", "x", "y"]])
    marks = layer(data).mark_text(
        align="right" if left else "left", dx=-6 if left else 6, fontSize=11, aria=False, limit=limit()
    )
    return marks.encode(**at(), text=alt.Text("n:N"), opacity=opacity, tooltip=list(tips))


def _ticks(count: int) -> list[int]:
    """Ranks to mark: all of a dozen, else every fifth and the first."""
    if count <= 12:
        return list(range(1, max(count, 2) + 1))
    return [1, *range(5, count + 1, 5)]
