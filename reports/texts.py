"""Texts made fit for where they are shown, Markdown, a terminal, a page or JSON, alone and in tables.

Names from third parties are made harmless here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
from tabulate import tabulate

WIDTH = 80
_MARKDOWN = re.compile(r"([\\`*_{}\[\]|~$#])")
_LINK = re.compile(r"(?i)(www|mailto|xmpp)([.:])")
_MARKER = re.compile(r"^(\d{0,9})([-+](?=[-+\s]|$)|(?<=\d)[.)](?=\s|$))")  # begins a list, or is a rule
# What a browser or a terminal does something with in place of showing it: controls, halves of characters, and
# signs that turn the direction of writing, which make a name look like another.
_UNSHOWN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
LONGEST_TEXT = 5_000  # characters of one text in Markdown, or of a name on a page


def markdown(text: object) -> str:
    """Text that Markdown shows as it is: no markup, no HTML, no new line, no table cell."""
    flat = printable(str(text)[:LONGEST_TEXT])
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        flat = flat.replace(sign, entity)
    escaped = _MARKER.sub(r"\1\\\2", _MARKDOWN.sub(r"\\\1", flat))
    # Code hosts make links of these. Entities come last: their own signs may not be escaped.
    return _LINK.sub(_entity, escaped.replace("://", ":&#47;&#47;"))


def _entity(found: re.Match[str]) -> str:
    return f"{found[1]}&#{ord(found[2])};"


def shown(value: object) -> object:
    """A value as pages show it: text without what can't be shown."""
    if type(value) is not str:  # Markup is made of texts that were here
        return value
    return _UNSHOWN.sub("�", value)


def in_address(text: str) -> str:
    """Text, as pages show it, as a part of an address: halves of characters can't be in one."""
    return quote(str(shown(text)), safe="")


def printable(text: object) -> str:
    """Text without control characters, so that a name can't steer a terminal."""
    return "".join(sign if sign.isprintable() else "�" for sign in " ".join(str(text).split()))


def cut_apart(texts: Sequence[str], longest: int) -> list[str]:
    """Texts cut to a width at their ends, or, where two would look the same, in the middle."""
    cut = [_cut(text, longest) for text in texts]
    if len(set(cut)) == len(set(texts)):
        return cut
    alike = [index for index, text in enumerate(cut) if cut.count(text) > 1]
    # About half from the start first; then as much from the end as it takes.
    tails = sorted(range(1, longest), key=lambda tail: (tail < longest // 2, abs(tail - longest // 2)))
    for tail in tails:
        for index in alike:
            cut[index] = _cut(texts[index], longest, tail)
        if len(set(cut)) == len(set(texts)):
            return cut
    for number, index in enumerate(alike, 1):  # alike at both ends
        cut[index] = _cut(texts[index], longest - len(str(number))) + str(number)
    return cut


def _cut(text: str, longest: int, tail: int = 0) -> str:
    """Text with an ellipsis before its last `tail` characters where it is longer than `longest`."""
    if len(text) <= longest:
        return text
    return text[: longest - 1 - tail] + "…" + text[len(text) - tail :]


def wrapped(text: str) -> list[str]:
    """Text as lines of at most 80 columns, broken between words only."""
    import textwrap

    return textwrap.wrap(text, WIDTH, break_on_hyphens=False)


def plain_value(value: Any) -> Any:
    """A scalar as JSON has it: a blank is null, infinity the string `inf`."""
    if value is None or value is pd.NA:
        return None
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return "inf" if math.isinf(value) else float(value)
    if isinstance(value, bool | np.bool_):
        return bool(value)
    return int(value) if hasattr(value, "__index__") else str(value)


def pipe(body: list[list[str]], header: list[str], first: list[str]) -> str:
    """Markdown texts as a table; first: how the first columns are aligned, all others to the right."""
    alignment = first + ["right"] * (len(header) - len(first))
    return tabulate(body, header, tablefmt="pipe", disable_numparse=True, colalign=alignment)


def pipe_table(body: Sequence[Sequence[str]], header: Sequence[str], left: int) -> str:
    """Texts as a Markdown table, made harmless; the first `left` columns are aligned to the left."""
    rows = [[markdown(text) for text in row] for row in body]
    return pipe(rows, [markdown(text) for text in header], ["left"] * left)


def aligned(rows: Sequence[Sequence[str]], longest: Sequence[int], right: Sequence[int] = ()) -> list[str]:
    """Rows of text as lines in columns two spaces apart, for a terminal.

    longest: the widest that each column may be, 0 for any, beyond which a text is cut so that no two become
    alike; right: positions of columns that are aligned to the right.
    """
    columns = [[printable(text) for text in column] for column in zip(*rows, strict=True)]
    cut = [cut_apart(column, most) if most else column for column, most in zip(columns, longest, strict=True)]
    widths = [max(map(len, column)) for column in cut]
    return [
        "  ".join(
            text.rjust(width) if place in right else text.ljust(width)
            for place, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in zip(*cut, strict=True)
    ]
