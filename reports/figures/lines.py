"""Lines over a horizontal axis, a series each, readable with thirty of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.charts import LIMIT, MLE, PRIOR, Axes, Style
from reports.figures.layers import (
    BEHIND,
    HERE,
    SIZE,
    Looks,
    at,
    chosen,
    codes_of,
    faded,
    inline,
    layer,
    limit,
    sized,
    together,
)
from reports.numbers import bounded, span

LABEL = 13  # pixels, a line of text
NEUTRALS = (PRIOR, MLE, LIMIT)


def line_chart(
    points: pd.DataFrame,
    styles: Mapping[str, Style],
    axes: Axes,
    strong: Sequence[str],
    kind: str = "architecture",
) -> Any:
    """Positive numbers on a log axis, a line a series, with the strong ones named at their ends.

    points: series, x, y (a blank or infinite one breaks its line), and optionally error (of y: a smaller y
    is drawn at it), low and high (drawn as a band of strong series, and told of all). A value beyond the
    axis lies on its edge. kind: what a series is, for tooltips. A reader may choose series: the chart's
    parameter `chosen` holds their codes, which stand under `codes` in the specification's `usermeta`; `room`
    is the width that a live chart has.
    """
    import altair as alt

    codes = codes_of(styles, points["series"])
    rows = drawn_rows(points, codes, axes, strong)
    rows["w"] = [_width(styles[name], name, strong) for name in rows["n"]]
    rows["a"] = _dot_sizes(rows)
    looks = Looks(styles, codes)
    lines = layer().mark_line(aria=False).encode(
        x=axes.x(), y=axes.y(), detail=alt.Detail("s:N"), opacity=chosen(),
        color=looks.colour(), strokeDash=looks.dash(),
        strokeWidth=alt.StrokeWidth("w:Q", scale=None, legend=None),
    )  # fmt: skip
    layers = [
        *_bands(rows, axes, looks.colour()),
        lines,
        dots(looks.colour()),
        targets(axes, kind=kind),
        *names(rows, axes, [*strong, *NEUTRALS], looks.colour()),
    ]
    return sized(together(layers, rows, ("x", "y", "t", "a"), ("n", "o", "r", "w")), codes)


def drawn_rows(
    points: pd.DataFrame, codes: Mapping[str, str], axes: Axes, strong: Sequence[str]
) -> pd.DataFrame:
    """What is drawn of `points`: s (code), n (name), x, y, lo, hi (on the axis), t (text), o (opacity),
    r (whether it is there for reference).

    A y that isn't above its error is drawn at that; what lies beyond the axis on its edge, but for lines of
    reference, which end there.
    """
    low, high = axes.ticks[1][0], axes.ticks[1][-1]
    y = points["y"].astype(float).where(np.isfinite(points["y"]))
    error = points["error"].fillna(0.0) if "error" in points else pd.Series(0.0, index=points.index)
    neutral = points["series"].isin(NEUTRALS)
    seen = y.clip(lower=error)
    rows = pd.DataFrame(
        {
            "s": points["series"].map(codes),
            "n": points["series"],
            "x": points["x"].astype(float),
            "y": seen.clip(low, high).where(~neutral | seen.between(low * (1 - 1e-9), high * (1 + 1e-9))),
            "o": points["series"].isin([*strong, *NEUTRALS]).map({True: 1.0, False: BEHIND}),
            "r": neutral,
        }
    )
    bounds = [points.get(name, np.nan) for name in ("low", "high")]
    rows["lo"], rows["hi"] = [pd.Series(bound, index=points.index).clip(low, high) for bound in bounds]
    rows["t"] = [bounded(*pair) for pair in zip(y, error, strict=True)]
    spans = [span(*pair) for pair in zip(*[pd.Series(b, index=points.index) for b in bounds], strict=True)]
    rows["t"] += [f" ({text})" if text else "" for text in spans]
    return rows


def beyond(values: Sequence[float], ticks: Sequence[float]) -> str:
    """Say which values lie on an axis's edges because they are beyond it; empty where none is."""
    finite = [value for value in values if np.isfinite(value)]
    said = []
    if any(value < ticks[0] * (1 - 1e-9) for value in finite):
        said.append(f"below {ticks[0]:g}")
    if any(value > ticks[-1] * (1 + 1e-9) for value in finite):
        said.append(f"above {ticks[-1]:g}")
    return f"Values {' or '.join(said)} lie on the edge.".replace("e-0", "e-") if said else ""


def end_labels(rows: pd.DataFrame, axes: Axes, strong: Sequence[str]) -> pd.DataFrame:
    """The last point of each strong series, with `at`: its y, moved so far that no two names overlap."""
    there = rows[rows["y"].notna() & rows["n"].isin(list(strong))]
    last = there.sort_values("x", kind="stable").groupby("s", sort=False).tail(1).sort_values("y")
    low, high = np.log10([axes.ticks[1][0], axes.ticks[1][-1]])
    places = np.log10(last["y"].to_numpy(dtype=float))
    last, places = last[places >= low], places[places >= low]
    step = LABEL / SIZE[1] * (high - low)
    for _ in range(500):  # neighbours push each other apart, evenly, within the plot
        short = np.maximum(step - np.diff(places), 0.0) / 2
        if not (short > 1e-9).any():
            break
        places[:-1] -= short
        places[1:] += short
        places = np.clip(places, low, high)
    placed: pd.DataFrame = last.assign(at=10.0**places)
    return placed


def names(rows: pd.DataFrame, axes: Axes, strong: Sequence[str], colour: Any) -> list[Any]:
    """Names of strong series at their last points, of others once they are chosen."""
    import altair as alt

    def text(labels: pd.DataFrame) -> Any:
        marks = layer(inline(labels[["s", "n", "x", "at", "o", "r"]]))
        return marks.mark_text(align="left", dx=7, fontSize=11, aria=False, limit=limit())

    ends = end_labels(rows, axes, strong)
    last = rows[rows["y"].notna()].sort_values("x", kind="stable").groupby("s", sort=False).tail(1)
    others = last[~last["n"].isin(list(strong))].assign(at=last["y"])
    place = {**at("at"), "text": alt.Text("n:N")}
    layers = [text(ends).encode(**place, opacity=chosen(), color=colour)]
    if len(others):
        layers.append(text(others).transform_filter(HERE).encode(**place, color=colour))
    return [*layers, _room(pd.concat([ends, others]), axes.reach[1])]


def _room(labels: pd.DataFrame, x: float) -> Any:
    """The longest name once more, unseen, at a plot's end x.

    A plot is fitted in one pass, in which names within it move: none then ends beyond the chart.
    """
    import altair as alt

    longest = labels.loc[[labels["n"].astype(str).str.len().idxmax()]] if len(labels) else labels
    data = inline(longest.assign(x=x)[["n", "x", "at"]])
    text = layer(data).mark_text(align="left", dx=7, fontSize=11, aria=False, limit=limit(), opacity=0)
    return text.encode(**at("at"), text=alt.Text("n:N"))


def targets(axes: Axes, *more: tuple[str, str], kind: str = "architecture") -> Any:
    """Points that can't be seen, for the pointer to find; only a live chart has them.

    more: further (field, title) for the tooltip.
    """
    import altair as alt

    tooltip = [
        alt.Tooltip("n:N", title=kind),
        alt.Tooltip("x:Q", title=axes.across, format=axes.form),
        alt.Tooltip("v:N", title=axes.up),
        *(alt.Tooltip(field, title=title) for field, title in more),
    ]
    marks = layer().transform_filter("room > 0 && isValid(datum.y)")
    marks = marks.transform_calculate(v="datum.t || format(datum.y, '.3~r')")
    return marks.mark_point(filled=True, size=160, opacity=0, aria=False).encode(**at(), tooltip=tooltip)


def dots(colour: Any) -> Any:
    """Points with a size `a`."""
    import altair as alt

    marks = layer().transform_filter("datum.a").mark_point(filled=True, strokeWidth=0, aria=False)
    size = alt.Size("a:Q", scale=None, legend=None)
    return marks.encode(**at(), color=colour, opacity=chosen(), size=size)


def _width(style: Style, name: str, strong: Sequence[str]) -> float:
    return style.width if name in strong or name in NEUTRALS else 1.1


def _bands(rows: pd.DataFrame, axes: Axes, colour: Any) -> list[Any]:
    """Intervals of the strong series, if there are any, faint enough for several to lie on each other."""
    import altair as alt

    banded = rows[(rows["o"] == 1) & rows[["y", "lo", "hi"]].notna().all(axis=1)]
    if banded.empty:
        return []
    data = inline(banded[["s", "x", "lo", "hi"]])
    opacity = faded(0.12, (HERE, 0.25), ("isArray(chosen)", 0.02))
    marks = layer(data).mark_area(aria=False)
    return [
        marks.encode(
            x=alt.X("x:Q"),
            y=axes.y("lo"),
            y2=alt.Y2("hi:Q"),
            detail=alt.Detail("s:N"),
            color=colour,
            opacity=opacity,
        )
    ]


def _dot_sizes(rows: pd.DataFrame) -> NDArray[np.float64]:
    """Small where strong series were measured, larger for a point without neighbours, else NaN."""
    there = (rows["y"].notna() & ~rows["r"]).loc[rows.sort_values(["s", "x"], kind="stable").index]
    series = there.groupby(rows["s"])
    beside = series.shift(1, fill_value=False) | series.shift(-1, fill_value=False)
    lone = (there & ~beside).loc[rows.index]
    shown = there.loc[rows.index] & (rows["o"] == 1)
    return np.where(lone, 50.0, np.where(shown, 14.0, np.nan))
