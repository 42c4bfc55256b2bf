"""A hook of MkDocs: TeX between dollars becomes MathML while the site is built, so pages need no script.

`pymdownx.arithmatex` with `generic: true` finds the formulas, and latex2mathml translates them.
"""

from __future__ import annotations

import html
import re
from typing import Any

from latex2mathml.converter import convert

FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
NAMES = re.compile(r"<m([io])>(log|max|min|exp|sinh|cosh)</m\1>(?!<mo)")
NOT_KNOWN = re.compile(r"<m[io]>(\\\w+|&amp;|&)</m[io]>")


class UnknownCommand(ValueError):
    """A formula uses what the translation doesn't know; the message has the command and the formula."""


def mathml(tex: str, *, block: bool) -> str:
    """Return a formula as MathML with its TeX as text for readers without MathML; raises UnknownCommand."""
    found: str = convert(tex, display="block" if block else "inline")
    unknown = NOT_KNOWN.search(found)
    if unknown:
        raise UnknownCommand(f"expected TeX that latex2mathml knows, found {unknown[1]} in {tex.strip()}")
    # Names of functions stand apart from their argument, as in TeX.
    spaced = NAMES.sub(r'<m\1>\2</m\1><mspace width="0.17em"/>', found)
    alternative = html.escape(" ".join(tex.split()), quote=True)
    return spaced.replace("<math ", f'<math alttext="{alternative}" ', 1)


def on_page_content(page: str, **_: Any) -> str:
    """Return a page's HTML with every formula as MathML."""

    def replaced(match: re.Match[str]) -> str:
        block = match[1] == "div"
        found = mathml(html.unescape(match[2]), block=block)
        # On a narrow screen a long formula scrolls by itself instead of widening the page.
        return f'<div class="formula" style="overflow-x: auto">{found}</div>' if block else found

    return FORMULA.sub(replaced, page)
