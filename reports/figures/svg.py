"""Altair charts to what a page holds: an SVG without a fixed size, and the specification that drew it."""

from __future__ import annotations

import math
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports import aside
from reports.charts import NEUTRAL, STRONG
from reports.figures import drawing

if TYPE_CHECKING:
    from reports.pages.page import Chart

NOTICE = "/* Vega, Vega-Lite and vega-embed (BSD-3-Clause, vega.github.io), bundled by vl-convert */\n"
DIGITS = 5  # significant ones of a number that is drawn; the data beside a chart have all of them

CONFIG = {
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "padding": 4,
    "view": {"stroke": None},
    "axis": {
        "labelColor": STRONG,
        "titleColor": STRONG,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "gridColor": "#dddddd",
        "domainColor": NEUTRAL,
        "tickColor": NEUTRAL,
        "tickSize": 4,
        "labelPadding": 4,
        "labelFlush": False,
    },
}
_CLIP = re.compile(r'(?<=id=")clip\d+(?=")|(?<=url\(#)clip\d+(?=\))')


@dataclass(frozen=True)
class Figure:
    """A chart on a page: its SVG, its Vega-Lite specification as plain data, and where its numbers are."""

    name: str
    title: str
    label: str
    svg: str
    spec: dict[str, Any]
    csv: str
    note: str = ""


def drawn(chart: Chart, csv: str) -> Figure:
    """Draw a chart once, for readers without scripts and for print; no network is used."""
    spec = _spec(chart)
    return _figure(chart, csv, spec, drawing.draw(spec))


def begun(chart: Chart, csv: str) -> Callable[[], Figure]:
    """Return what is left to do of `drawn` while other processes draw."""
    spec = _spec(chart)
    svg = aside.submit(drawing.draw, spec)
    return lambda: _figure(chart, csv, spec, svg.result())


def _spec(chart: Chart) -> dict[str, Any]:
    # Altair's own way to configure a chart would copy all of it three times.
    spec: dict[str, Any] = _drawable(chart.spec.to_dict(validate=False) | {"config": CONFIG})
    return spec | {"description": chart.label}


def _figure(chart: Chart, csv: str, spec: dict[str, Any], svg: str) -> Figure:
    return Figure(chart.name, chart.title, chart.label, svg, spec, csv, chart.note)


def numbered(figures: Mapping[str, Figure], numbers: Iterator[int]) -> dict[str, Figure]:
    """Figures whose clip paths are named by `numbers`: on a page no two may have one name.

    Vega counts them for as long as its process lives.
    """

    def svg(text: str) -> str:
        names: dict[str, str] = defaultdict(lambda: f"clip{next(numbers)}")
        return _CLIP.sub(lambda found: names[found.group(0)], text)

    return {name: replace(figure, svg=svg(figure.svg)) for name, figure in figures.items()}


def standalone(chart: Chart) -> Callable[[], str]:
    """Begin a chart as an SVG file of its own, on white, for Markdown on code hosts; return what is left."""
    figure = begun(chart, "")
    return lambda: _alone(chart, figure())


def _alone(chart: Chart, figure: Figure) -> str:
    found = re.match(r'<svg viewBox="([^"]+)"[^>]*>', figure.svg)
    left, top, width, height = (found.group(1) if found else "0 0 400 300").split()
    label = escape(_drawable(chart.label), quote=True)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{left} {top} {width} {height}" width="{width}" '
        f'height="{height}" font-family="system-ui, sans-serif" role="img" aria-label="{label}">'
        f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="#fff"/>'
    )
    return head + figure.svg[found.end() if found else 0 :] + "\n"


@lru_cache(maxsize=1)
def bundle() -> str:
    """Vega, Vega-Lite and vega-embed as one script, from vl-convert; it takes a second, so it is kept."""
    path = _cache() / f"vega-{version('vl-convert-python')}.js"
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        pass
    import vl_convert

    text = NOTICE + str(vl_convert.javascript_bundle("window.vegaEmbed=vegaEmbed;"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(f".{os.getpid()}")
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError:
        pass  # made again the next time
    return text


def _cache() -> Path:
    own = os.environ.get("POSTERIOR_BENCH_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "posterior-bench"


def _drawable(part: Any) -> Any:
    """Plain data with numbers to a few digits, null for what JSON can't say, and text that can be drawn.

    A control character in a text ends vl-convert's whole process.
    """
    if isinstance(part, dict):
        return {key: _drawable(value) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return [_drawable(value) for value in part]
    if isinstance(part, str):
        return "".join(sign if sign.isprintable() else "�" for sign in part)
    if isinstance(part, float):
        rounded = float(f"{part:.{DIGITS}g}")
        return int(rounded) if rounded.is_integer() else rounded if math.isfinite(part) else None
    return part
