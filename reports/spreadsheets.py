"""Text in CSV files that a spreadsheet takes as text: what comes from data may not be run there."""

from __future__ import annotations

import re

import pandas as pd

# How a formula begins (OWASP, CSV injection), full-width signs too, which some versions read alike.
_FORMULA = re.compile("^[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]")
LONGEST_CELL = 32_767  # characters, of which a spreadsheet takes no more
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf")


def text(cell: str) -> str:
    """A text as a cell that a spreadsheet doesn't run: with an apostrophe before it where it would.

    It is cut where it is longer than a cell may be. A carriage return is replaced: it would begin a new row,
    for readers and writers who don't agree whether it does. All else reads back as it was.
    """
    cell = cell if len(cell) < LONGEST_CELL else cell[: LONGEST_CELL - 2] + "…"
    risky = _FORMULA.match(cell) and not _NUMBER.fullmatch(cell)
    return ("'" if risky else "") + cell.replace("\r", "�")


def harmless(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame whose texts, and headings, are harmless in a spreadsheet; numbers stay as they are."""
    texts = {}
    for place, name in enumerate(frame.columns):
        column = frame.iloc[:, place]
        if pd.api.types.is_numeric_dtype(column):
            continue
        changed = {each: text(each) for each in column.dropna().unique() if isinstance(each, str)}
        changed = {old: new for old, new in changed.items() if old != new}
        if changed:
            texts[name] = [changed.get(each, each) for each in column]
    headings = {name: text(name) for name in frame.columns if isinstance(name, str)}
    return frame.assign(**texts).rename(columns=headings)
