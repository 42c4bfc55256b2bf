"""The class densities and the exact posterior of a task with one input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from reports.charts import DASHES, HUES, NEUTRAL, STRONG
from reports.figures.contours import crossings, runs
from reports.pages.page import Chart
from reports.results import Picture

WIDE = 720  # pixels


def density_charts(picture: Picture) -> tuple[Chart, ...]:
    """Two charts of a picture with one input: densities, where they are known, above the exact posterior."""
    x, classes = picture.x[:, 0], picture.log_joint.shape[1]
    reach = f"over x from {x[0]:g} to {x[-1]:g}"
    sparse = _sparse(picture)
    told = "" if sparse.empty else " The sparse region, the least dense 1 % of P(x), is shaded."
    charts = []
    if picture.density:
        joint = np.exp(picture.log_joint)
        wide = pd.DataFrame({"x": x} | {f"class {c}": joint[:, c] for c in range(classes)})
        wide["P(x)"], wide["sparse"] = np.exp(picture.log_density), picture.sparse
        label = f"Densities P(x, c) of {classes} classes and their sum P(x) {reach}.{told}"
        spec = _chart(picture, wide.drop(columns="sparse"), sparse, "density", 200)
        charts.append(Chart("densities", "Class densities P(x, c) and their sum P(x)", label, spec, wide))
    posterior = picture.posterior
    wide = pd.DataFrame({"x": x} | {f"class {c}": posterior[:, c] for c in range(classes)})
    places = crossings(picture)
    where = ", ".join(f"{each:.3g}" for each in places)
    changes = f" The most probable class changes at x = {where}." if places and len(places) <= 12 else ""
    label = f"Exact posterior P(c|x) of {classes} classes {reach}.{changes}{told}"
    spec = _chart(picture, wide, sparse, "P(c|x)", 170)
    charts.append(
        Chart("posterior", "Exact posterior P(c|x)", label, spec, wide.assign(sparse=picture.sparse))
    )
    return tuple(charts)


def class_style(each: int) -> tuple[str, list[float]]:
    """Colour and dash of a class: hues first, then dashes."""
    return HUES[each % len(HUES)], list(DASHES[(each // len(HUES)) % len(DASHES)])


def _sparse(picture: Picture) -> pd.DataFrame:
    """The sparse region's runs as low and high, up to half way to the next point."""
    x = picture.x[:, 0]
    half = float(x[1] - x[0]) / 2 if len(x) > 1 else 0.0
    found = [(max(x[a] - half, x[0]), min(x[b] + half, x[-1])) for a, b in runs(picture.sparse)]
    return pd.DataFrame(found, columns=["low", "high"], dtype=float)


def _chart(picture: Picture, wide: pd.DataFrame, sparse: pd.DataFrame, up: str, height: int) -> Any:
    import altair as alt

    x = picture.x[:, 0]
    across = alt.X(
        "x:Q",
        scale=alt.Scale(domain=[float(x[0]), float(x[-1])], nice=False, zero=False),
        axis=alt.Axis(title="x", grid=False, tickCount=8),
    )
    long = wide.melt("x", var_name="what", value_name="y")
    order = [name for name in wide.columns if name != "x"]
    codes = {name: f"c{place}" for place, name in enumerate(order)}
    looks = [class_style(place) if name != "P(x)" else (NEUTRAL, [1, 0]) for place, name in enumerate(order)]
    top = 1.02 if up == "P(c|x)" else float(np.nanmax(wide[order].to_numpy())) * 1.08
    level = alt.Y(
        "y:Q",
        scale=alt.Scale(domain=[0 if up == "density" else -0.02, top], nice=False),
        axis=alt.Axis(title=up, tickCount=3, titleAngle=0, titleAlign="left", titleAnchor="end",
                      titleX=-30, titleY=-12),
    )  # fmt: skip
    domain = list(codes.values())
    lines = alt.Chart(long.assign(s=long["what"].map(codes)))
    lines = lines.mark_line(aria=False, strokeWidth=1.9, clip=True).encode(
        x=across, y=level, detail="s:N",
        color=alt.Color("s:N", legend=None, scale=alt.Scale(domain=domain, range=[c for c, _ in looks])),
        strokeDash=alt.StrokeDash(
            "s:N", legend=None, scale=alt.Scale(domain=domain, range=[d for _, d in looks])
        ),
        tooltip=[
            alt.Tooltip("what:N", title="line"),
            alt.Tooltip("x:Q", format=".3g"),
            alt.Tooltip("y:Q", title=up, format=".3g"),
        ],
    )  # fmt: skip
    layers = [*_under(picture, sparse, across), lines]
    return alt.layer(*layers).properties(width=WIDE, height=height, usermeta={"fluid": True})


def _under(picture: Picture, sparse: pd.DataFrame, across: Any) -> list[Any]:
    """The sparse region's shade, which the page's legend names, and a rule at each crossing."""
    import altair as alt

    layers: list[Any] = []
    if not sparse.empty:
        shade = alt.Chart(sparse).mark_rect(aria=False, fill=NEUTRAL, opacity=0.13)
        layers.append(shade.encode(x=alt.X("low:Q"), x2="high:Q"))
    places = crossings(picture)
    if places:
        rules = alt.Chart(pd.DataFrame({"x": places})).mark_rule(
            aria=False, stroke=STRONG, strokeDash=[3, 3], strokeWidth=1, opacity=0.7
        )
        layers.append(rules.encode(x=across))
    return layers
