"""A hook of MkDocs: TeX between dollars becomes MathML while the site is built, so pages need no script.

`pymdownx.arithmatex` with `generic: true` finds the formulas, and latex2mathml translates them;
assets/formulas.css says how they look.
"""

from __future__ import annotations

import html
import re
from typing import Any
from xml.etree.ElementTree import Element, tostring

from latex2mathml.converter import convert_to_element

FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
NAMES = {"log", "exp", "sinh", "cosh", "cos", "KL", "TV"}  # set apart from what stands beside them
LIMITS = {"∑", "max", "min"}  # have their index below them in a displayed formula
WORDS = {"mi", "mtext", "msub", "msup", "msubsup", "mfrac", "mover", "mrow"}  # anything but an operator


class UnknownCommand(ValueError):
    """A formula uses what the translation doesn't know; the message has the command and the formula."""


def mathml(tex: str, *, block: bool) -> str:
    """Return a formula as MathML with its TeX as text for readers without MathML; raises UnknownCommand."""
    math = convert_to_element(tex, display="block" if block else "inline")
    math.set("alttext", " ".join(tex.split()))
    for element in math.iter():
        element.text = html.unescape(element.text or "")
        if element.text.startswith(("\\", "&")):
            raise UnknownCommand(
                f"expected TeX that latex2mathml knows, found {element.text} in {tex.strip()}"
            )
        if element.text == "|" and element.get("stretchy") != "true":  # else spaced as in "a | b"
            element.attrib.update(stretchy="false", lspace="0", rspace="0")
    for element in math.iter():
        if block and element.tag == "msub" and element[0].text in LIMITS:
            element.tag = "munder"
        _set_apart(element)
    return tostring(math, encoding="unicode")


def _set_apart(row: Element) -> None:
    """Put thin spaces around the names of functions in a row."""
    for place in reversed(range(len(row))):
        if row.tag not in ("mrow", "math") or row[place].text not in NAMES:
            continue
        after = row[place + 1] if place + 1 < len(row) else None
        if after is not None and after.text != "(":
            row.insert(place + 1, Element("mspace", width="0.17em"))
        if place and row[place - 1].tag in WORDS:
            row.insert(place, Element("mspace", width="0.17em"))


def on_page_content(content: str, **_: Any) -> str:
    """Return a page's HTML with every formula as MathML."""

    def replaced(match: re.Match[str]) -> str:
        block = match[1] == "div"
        found = mathml(html.unescape(match[2]), block=block)
        # It can be reached with the keyboard since on a narrow screen it scrolls.
        return f'<div class="formula" tabindex="0">{found}</div>' if block else found

    return FORMULA.sub(replaced, content)
