"""A specification to an SVG for a page, with vl-convert."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

SLACK = 14  # pixels beside a chart with names at its sides: a reader's font may be wider than ours
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


def draw(spec: Mapping[str, Any]) -> str:
    """An SVG for a page, without what a page doesn't want in it."""
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg({**spec, "config": spec["config"] | SHORT_LABELS})
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
