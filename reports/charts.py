"""How charts look: colours, dashes, axes; and the posterior's panel.

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
INK = "#1b1d21"
PRIOR, MLE, LIMIT = "prior", "oracle-mle", "k/2N limit"
OUTLYING, LEAST = 1_000.0, 1e-9  # a divergence of less, in nats, is none


@dataclass(frozen=True)
class Style:
    """How a line is drawn: colour, dash pattern (pixels on, off, ...) and width in pixels."""

    colour: str
    dash: tuple[float, ...] = (1, 0)
    width: float = 1.7


@dataclass(frozen=True)
class Axes:
    """Both axes of a chart whose vertical one is logarithmic: titles, and where they are marked.

    ticks: of both; the vertical axis ends at its outer ones. reach: of the horizontal axis, which is
    logarithmic too unless `log` is False. form: how its numbers are written in tooltips (d3).
    labels: a Vega expression for the text at its ticks, none for the numbers themselves.
    """

    across: str
    up: str
    ticks: tuple[Sequence[float], Sequence[float]]
    reach: tuple[float, float]
    log: bool = True
    form: str = ","
    labels: str = ""

    def x(self) -> Any:
        """The horizontal channel."""
        import altair as alt

        low, high = self.reach
        ends = [low, high] if low < high else [low / 2, high * 2]
        scale = alt.Scale(type="log", domain=ends, nice=False)
        if not self.log:
            scale = alt.Scale(domain=ends, nice=False, zero=False)
        words: dict[str, Any] = {"labelExpr": self.labels} if self.labels else {"format": "~s"}
        return alt.X(
            "x:Q",
            scale=scale,
            axis=alt.Axis(values=list(self.ticks[0]), title=self.across, grid=False, **words),
        )

    def y(self, field: str = "y") -> Any:
        """The vertical channel."""
        import altair as alt

        ends = [self.ticks[1][0], self.ticks[1][-1]]
        return alt.Y(
            f"{field}:Q",
            scale=alt.Scale(type="log", domain=ends, nice=False),
            axis=log_axis(self.ticks[1], self.up),
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
        layers.append(lines.encode(x=across, y=up, color=scaled(alt.Color, codes, colours)))
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
        axis=alt.Axis(title="P(class 1 | x)", values=[0, 0.5, 1], format="~g", **title_above()),
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


def calm_decades(values: Sequence[float]) -> list[float]:
    """Powers of ten around most of the finite positive values: no few of them stretch the axis.

    It reaches no further than 1,000 times beyond the outermost tenth (one value at least), and not below
    `LEAST`.
    """
    good = np.sort([value for value in values if 0 < value < math.inf])
    if not good.size:
        return decades([])
    inner = math.ceil((good.size - 1) / 10)
    low = max(good[0], good[inner] / OUTLYING, LEAST)
    high = min(good[-1], good[good.size - 1 - inner] * OUTLYING)
    return decades([low, max(high, low)])


def powers(values: Sequence[float]) -> list[float]:
    """Powers of ten within the range of the values, or else the values' ends: no axis is blank."""
    low, high = math.ceil(math.log10(min(values))), math.floor(math.log10(max(values)))
    return [10.0**power for power in range(low, high + 1)] or sorted({min(values), max(values)})


def marks(values: Sequence[float]) -> list[float]:
    """Where to mark a log axis: powers of ten, or where few are in its range, 1, 2 and 5 times these."""
    found = powers(values)
    if len(found) > 2:
        return found
    low, high = min(values), max(values)
    around = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    finer = [step * 10.0**power for power in around for step in (1, 2, 5)]
    return [value for value in finer if low <= value <= high] or found


def scaled(channel: Any, codes: Mapping[str, str], styles: Sequence[Any]) -> Any:
    """A channel that gives each series, by its code, its style."""
    import altair as alt

    kind = "O" if channel is alt.StrokeWidth else "N"  # Vega-Lite warns of a width without an order
    return channel(f"s:{kind}", scale=alt.Scale(domain=list(codes.values()), range=list(styles)), legend=None)


def log_axis(values: Sequence[float], title: str) -> Any:
    """A vertical axis of powers of ten."""
    import altair as alt

    label = "datum.value >= 0.00009 ? format(datum.value, '~f') : '1e' + round(log(datum.value) / LN10)"
    step = math.ceil(len(values) / 7)  # more than seven labels are a ladder, not an axis
    shown = list(values)[::-1][::step]
    return alt.Axis(values=shown, labelExpr=label, title=title, **title_above())


def title_above() -> dict[str, Any]:
    """Axis options that put a title level above the axis instead of turned beside it."""
    return {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "end", "titleX": -30, "titleY": -14}
