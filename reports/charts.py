"""Frames to Altair charts to SVG, one small panel each, so that a page can lay them out at any width.

Every stroke and text has a light-mode colour as an attribute; the page's style sheet maps these to dark ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from reports.results import Picture

# Okabe and Ito's hues, the light ones darkened to 3:1 on white; `report.css` has their dark-mode partners.
HUES = ("#0072b2", "#d55e00", "#009270", "#b8528c", "#9a7400", "#332288")
DASHES: tuple[tuple[int, ...], ...] = ((1, 0), (5, 2), (1.5, 2), (7, 2, 1.5, 2))  # type: ignore[assignment]
NEUTRAL = "#767676"
STRONG = "#555555"
RAMP = ("#bf8508", "#cf5a2c", "#b0325c", "#762a80", "#2b1d66")  # light to dark: budget, small to large
WIDE, LABEL = (520, 340), 13  # pixels of a chart that is half a page wide, and of a line of text in it
PRIOR, MLE, LIMIT = "prior", "oracle-mle", "limit"


@dataclass(frozen=True)
class Style:
    """How a line is drawn: colour, dash pattern (pixels on, off, ...) and width in pixels."""

    colour: str
    dash: tuple[float, ...] = (1, 0)
    width: float = 1.7


@dataclass(frozen=True)
class Axes:
    """Both axes of a log-log chart: titles, and powers of ten (the vertical axis ends at its outer ones)."""

    across: str
    up: str
    ticks: tuple[Sequence[float], Sequence[float]]
    reach: tuple[float, float]  # of the horizontal axis

    def x(self) -> Any:
        """The horizontal channel."""
        import altair as alt

        low, high = self.reach
        return alt.X(
            "x:Q",
            scale=alt.Scale(
                type="log", domain=[low, high] if low < high else [low / 2, high * 2], nice=False
            ),
            axis=alt.Axis(values=list(self.ticks[0]), format="~s", title=self.across, grid=False),
        )

    def y(self) -> Any:
        """The vertical channel."""
        import altair as alt

        ends = [self.ticks[1][0], self.ticks[1][-1]]
        return alt.Y(
            "y:Q",
            scale=alt.Scale(type="log", domain=ends, nice=False),
            axis=_log_axis(self.ticks[1], self.up),
        )


def line_styles(learned: Sequence[str]) -> dict[str, Style]:
    """One style for each name for good, from the order given; and those of `prior`, `oracle-mle`, `limit`."""
    styles = {
        name: Style(HUES[place % len(HUES)], DASHES[(place // len(HUES)) % len(DASHES)])
        for place, name in enumerate(learned)
    }
    return styles | {
        PRIOR: Style(NEUTRAL, (1.5, 3), 1.4),
        MLE: Style(NEUTRAL, (1, 0), 1.4),
        LIMIT: Style(STRONG, (6, 4), 1.4),
    }


def stages(budgets: Sequence[int], wanted: int = 5) -> list[int]:
    """About so many of the budgets, evenly spread on a log axis, the first and the last always among them."""
    known = sorted(set(budgets))
    if len(known) <= wanted:
        return known
    logs = np.log(known)
    aims = np.linspace(logs[0], logs[-1], wanted)
    return sorted({known[int(np.abs(logs - aim).argmin())] for aim in aims})


def line_chart(
    points: pd.DataFrame,
    styles: Mapping[str, Style],
    axes: Axes,
    strong: Sequence[str],
    series: str = "architecture",
) -> Any:
    """Positive numbers on log-log axes, a line a series, with the strong ones named at their ends.

    points: series, x, y (a blank breaks its line); series: what one is, for tooltips. A
    reader may choose series: the chart's parameter `chosen` holds their codes, which stand under `codes` in
    the specification's `usermeta`.
    """
    import altair as alt

    order = [name for name in styles if name in set(points["series"])]
    codes = {name: f"s{place}" for place, name in enumerate(order)}
    rows = points[np.isfinite(points["y"]) | points["y"].isna()].assign(
        s=points["series"].map(codes),
        y=points["y"].where(points["y"] > 0),
        o=points["series"].isin([*strong, PRIOR, MLE, LIMIT]).map({True: 1.0, False: 0.35}),
    )
    tooltip = [
        alt.Tooltip("series:N", title=series),
        alt.Tooltip("x:Q", title=axes.across, format=","),
        alt.Tooltip("y:Q", title=axes.up, format=".3g"),
    ]
    lines = alt.Chart(rows).mark_line(aria=False, point=alt.OverlayMarkDef(size=16, filled=True, opacity=1))
    lines = lines.encode(
        x=axes.x(), y=axes.y(), detail="s:N", opacity=_chosen(), tooltip=tooltip,
        color=_scale(alt.Color, codes, [styles[name].colour for name in order]),
        strokeDash=_scale(alt.StrokeDash, codes, [list(styles[name].dash) for name in order]),
        strokeWidth=_scale(alt.StrokeWidth, codes, [styles[name].width for name in order]),
    )  # fmt: skip
    ends = alt.Chart(end_labels(rows, axes, strong)).mark_text(align="left", dx=7, fontSize=11, aria=False)
    ends = ends.encode(
        x="x:Q", y="at:Q", text="series:N", opacity=_chosen(),
        color=_scale(alt.Color, codes, [styles[name].colour for name in order]),
    )  # fmt: skip
    chart = alt.layer(lines, ends).add_params(alt.param(name="chosen", value=None))
    return chart.properties(width=WIDE[0], height=WIDE[1], usermeta={"codes": codes, "fluid": True})


def end_labels(rows: pd.DataFrame, axes: Axes, strong: Sequence[str]) -> pd.DataFrame:
    """The last point of each strong series, with `at`: its y, moved so far that no two names overlap."""
    there = rows[rows["y"].notna() & rows["series"].isin(list(strong))]
    last = there.sort_values("x").groupby("series", sort=False).tail(1)
    last = last[last["x"] == rows["x"].max()].sort_values("y")
    low, high = np.log10([axes.ticks[1][0], axes.ticks[1][-1]])
    step = LABEL / WIDE[1] * (high - low)
    places = np.log10(last["y"].to_numpy(dtype=float))
    for _ in range(200):  # neighbours push each other apart, evenly
        short = np.maximum(step - np.diff(places), 0.0) / 2
        if not (short > 1e-9).any():
            break
        places[:-1] -= short
        places[1:] += short
    placed: pd.DataFrame = last.assign(at=10.0**places)
    return placed


def _chosen() -> Any:
    """Opacity of a series: as it is, until some are chosen; then these stand out."""
    import altair as alt

    there = "isArray(chosen) && indexof(chosen, datum.s) >= 0"
    return alt.Opacity(
        "o:Q", scale=None, legend=None,
        condition=[{"test": there, "value": 1}, {"test": "isArray(chosen)", "value": 0.08}],
    )  # fmt: skip


def posterior_chart(picture: Picture, architecture: str, budgets: Sequence[int]) -> Any:
    """Exact posterior against an architecture's output at several budgets, over a task's window.

    The exact P(class 1 | x) is the thick neutral line; the outputs are means over seeds, coloured from the
    smallest to the largest budget; the band is the range over seeds at the last. Returns an Altair chart.
    """
    import altair as alt

    count = len(picture.x)
    keep = np.unique(np.linspace(0, count - 1, min(count, 181)).round().astype(int))
    x = picture.x[keep, 0]
    shown = [budget for budget in budgets if (architecture, budget) in picture.outputs]
    outputs = {budget: picture.outputs[architecture, budget][:, keep, 1] for budget in shown}
    outputs = {budget: output for budget, output in outputs.items() if len(output)}
    across, up = _window(float(x[0]), float(x[-1]))
    exact = pd.DataFrame({"x": x, "p": picture.posterior[keep, 1]})
    thick = alt.Chart(exact).mark_line(
        aria=False, stroke=NEUTRAL, strokeWidth=7, opacity=0.4, strokeCap="round"
    )
    layers: list[Any] = [thick.encode(x=across, y=up)]
    if outputs:
        last = max(outputs)
        band = pd.DataFrame({"x": x, "p": outputs[last].min(axis=0), "top": outputs[last].max(axis=0)})
        layers.append(
            alt.Chart(band)
            .mark_area(aria=False, fill=RAMP[-1], opacity=0.16)
            .encode(x=across, y=up, y2="top:Q")
        )
    if outputs:
        # One layer for all lines: Altair copies every layer's data several times.
        order = sorted(outputs)
        colours = [stage_colour(budgets, budget) for budget in order]
        codes = {str(budget): f"s{place}" for place, budget in enumerate(order)}
        means = [pd.DataFrame({"x": x, "p": outputs[n].mean(axis=0), "s": codes[str(n)]}) for n in order]
        lines = alt.Chart(pd.concat(means)).mark_line(aria=False, strokeWidth=1.6)
        layers.append(lines.encode(x=across, y=up, color=_scale(alt.Color, codes, colours)))
    return alt.layer(*layers).properties(width=330, height=190)


def _window(low: float, high: float) -> tuple[Any, Any]:
    """Axes of a posterior panel: x over the task's window, probability from 0 to 1 with a little air."""
    import altair as alt

    across = alt.X(
        "x:Q",
        scale=alt.Scale(domain=[low, high], nice=False, zero=False),
        axis=alt.Axis(title="x", grid=False, tickCount=6),
    )
    up = alt.Y(
        "p:Q",
        scale=alt.Scale(domain=[-0.02, 1.02], nice=False, zero=False),
        axis=alt.Axis(title="P(class 1 | x)", values=[0, 0.5, 1], format="~g", **_title_above()),
    )
    return across, up


def stage_colour(budgets: Sequence[int], budget: int) -> str:
    """The ramp's colour of one of the budgets shown; the last is always the darkest."""
    place = sorted(budgets).index(budget)
    return RAMP[len(RAMP) - 1 - min(len(budgets) - 1 - place, len(RAMP) - 1)]


def decades(values: Sequence[float]) -> list[float]:
    """Powers of ten around the finite positive values, two at least."""
    good = [value for value in values if 0 < value < math.inf]
    if not good:
        return [0.1, 1.0]
    low, high = math.floor(math.log10(min(good))), math.ceil(math.log10(max(good)))
    high = max(high, low + 1)
    return [10.0**power for power in range(low, high + 1)]


def powers(values: Sequence[float]) -> list[float]:
    """Powers of ten within the range of the values, or else the values' ends: no axis is blank."""
    low, high = math.ceil(math.log10(min(values))), math.floor(math.log10(max(values)))
    return [10.0**power for power in range(low, high + 1)] or sorted({min(values), max(values)})


def _scale(channel: Any, codes: Mapping[str, str], styles: Sequence[Any]) -> Any:
    import altair as alt

    kind = "O" if channel is alt.StrokeWidth else "N"  # Vega-Lite warns of a width without an order
    return channel(f"s:{kind}", scale=alt.Scale(domain=list(codes.values()), range=list(styles)), legend=None)


def _log_axis(values: Sequence[float], title: str) -> Any:
    import altair as alt

    label = "datum.value >= 0.00009 ? format(datum.value, '~f') : '1e' + round(log(datum.value) / LN10)"
    step = math.ceil(len(values) / 7)  # more than seven labels are a ladder, not an axis
    shown = list(values)[::-1][::step]
    return alt.Axis(values=shown, labelExpr=label, title=title, **_title_above())


def _title_above() -> dict[str, Any]:
    """Axis options that put a title level above the axis instead of turned beside it."""
    return {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "end", "titleX": -30, "titleY": -14}
