"""Two rows head to head as a page in one file."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from reports.comparing import compare_text
from reports.comparing.compare import Comparison
from reports.figures import ratio_bars
from reports.render import template

_CSS = Path(__file__).parents[1] / "static" / "report.css"


def page_text(found: Comparison) -> str:
    """A page that stands alone: its policy allows its own style, by its digest, and nothing else."""
    style = _CSS.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    sentences = compare_text.verdict(found)
    values: dict[str, Any] = {
        "style": style,
        "digest": digest,
        "suite": found.suite,
        "title": compare_text.heading(found),
        "lead": sentences[0],
        "rest": sentences[1:],
        "first": found.first,
        "second": found.second,
        "measure": found.measure.title,
        "family": compare_text.FAMILY,
        "tables": [_table(found, *parts) for parts in compare_text.tables(found)],
    }
    return template("compare_alone.html.j2").render(values)


def _table(found: Comparison, title: str, what: str, lines: list[Any]) -> dict[str, Any]:
    reach = ratio_bars.reach(lines)
    return {
        "title": title,
        "what": what,
        "ends": ratio_bars.ends(reach),
        "rows": [
            (compare_text.cells(line, what), ratio_bars.bar(line, reach), bool(line.better)) for line in lines
        ],
    }
