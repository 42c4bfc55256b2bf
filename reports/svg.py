"""Altair charts to SVG that fits into a page: no fixed size, no background, a text alternative."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from reports.charts import NEUTRAL, STRONG

_FONT = "system-ui, sans-serif"
_RULE = "#dddddd"
_LONG = re.compile(r"-?\d+\.\d{2,}(?:e-?\d+)?")
_NOISE = re.compile(
    r'<path class="(?:background|foreground)"[^>]*/>'
    r'| (?:role|aria-[a-z]+|pointer-events|font-family|opacity)="(?:1|none|[^"0]*)"'
    r'|<rect [^>]*fill="transparent"/>'
)


def svg(chart: Any, label: str) -> str:
    """An SVG element with `label` as its text alternative, from an Altair chart; no network is used."""
    import vl_convert

    styled = (
        chart.configure(background="transparent", font=_FONT, padding=4)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=STRONG,
            titleColor=STRONG,
            labelFontSize=11,
            titleFontSize=11,
            titleFontWeight="normal",
            gridColor=_RULE,
            domainColor=NEUTRAL,
            tickColor=NEUTRAL,
            tickSize=4,
            labelPadding=4,
            labelFlush=False,
        )
    )
    drawn: str = vl_convert.vegalite_to_svg(styled.to_dict(validate=False))
    return _for_page(drawn, label)


def _for_page(drawn: str, label: str) -> str:
    """Take what a page doesn't want out of an SVG and add its text alternative."""
    start = drawn.index(">") + 1
    box = re.search(r'viewBox="([^"]+)"', drawn[:start])
    view = box.group(1) if box else "0 0 400 300"
    body = _NOISE.sub("", drawn[start:])
    body = re.sub(r' (d|transform)="[^"]*"', lambda found: _LONG.sub(_short, found.group(0)), body)
    text = escape(label, quote=True)
    return f'<svg role="img" aria-label="{text}" viewBox="{view}" class="chart"><title>{text}</title>{body}'


def _short(found: re.Match[str]) -> str:
    return f"{float(found.group(0)):.1f}".removesuffix(".0")
