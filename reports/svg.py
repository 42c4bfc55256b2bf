"""Altair charts to what a page holds: an SVG without a fixed size, and the specification that drew it."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.charts import NEUTRAL, STRONG

if TYPE_CHECKING:
    from reports.pages.page import Chart

NOTICE = "/* Vega, Vega-Lite and vega-embed (BSD-3-Clause, vega.github.io), bundled by vl-convert */\n"
SLACK = 14  # pixels beside a chart with names at its sides: a reader's font may be wider than ours
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
# Of 50 ms that a chart takes, 40 go into measuring text, one millisecond each time; no number is cut off.
SHORT_LABELS = {"axisQuantitative": {"labelLimit": 0}}
_LONG = re.compile(r"-?\d+\.\d{2,}(?:e-?\d+)?")
_NOISE = re.compile(
    r'<path class="(?:background|foreground)"[^>]*/>'
    r'| (?:role|aria-[a-z]+|pointer-events|font-family|opacity)="(?:1|none|[^"0]*)"'
    r'|<rect [^>]*fill="transparent"/>'
    r'| stroke-width="0"| class="mark-[a-z]+ role-mark[^"]*"'
)
_ALIKE = re.compile(r'<path d="[^"]*Z("[^>]*/>)(?:<path d="[^"]*Z\1)+')


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
    return begun(chart, csv)()


def begun(chart: Chart, csv: str) -> Callable[[], Figure]:
    """Return what is left to do of `drawn`, most of its time; another thread may do it."""
    # Altair's own way to configure a chart would copy all of it three times.
    spec: dict[str, Any] = _drawable(chart.spec.to_dict(validate=False) | {"config": CONFIG})
    spec["description"] = chart.label
    return lambda: Figure(chart.name, chart.title, chart.label, _svg(spec), spec, csv, chart.note)


def standalone(chart: Chart) -> str:
    """A chart as an SVG file of its own, on white, for Markdown on code hosts."""
    figure = drawn(chart, "")
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
    import vl_convert

    path = _cache() / f"vega-{version('vl-convert-python')}.js"
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        pass
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


def _svg(spec: dict[str, Any]) -> str:
    """An SVG for a page, without what a page doesn't want in it."""
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg(spec | {"config": spec["config"] | SHORT_LABELS})
    start = drawn.index(">") + 1
    box = re.search(r'viewBox="([^"]+)"', drawn[:start])
    left, top, width, height = map(float, (box.group(1) if box else "0 0 400 300").split())
    if spec.get("usermeta", {}).get("fluid"):
        left, width = left - SLACK, width + 2 * SLACK
    view = f"{left:g} {top:g} {width:g} {height:g}"
    body = _NOISE.sub("", drawn[start:])
    body = re.sub(r' (d|transform)="[^"]*"', lambda found: _LONG.sub(_short, found.group(0)), body)
    body = _ALIKE.sub(_one_path, body)
    return f'<svg viewBox="{view}" class="chart" aria-hidden="true" focusable="false">{body}'


def _one_path(found: re.Match[str]) -> str:
    """Closed shapes of one look, such as a matrix's cells, as one path: a tenth of the bytes."""
    shapes = "".join(re.findall(r'<path d="([^"]*)"', found.group(0)))
    return f'<path d="{shapes}{found.group(1)}'


def _short(found: re.Match[str]) -> str:
    return f"{float(found.group(0)):.1f}".removesuffix(".0")
