"""The leaderboard as text: Markdown, a terminal's table, JSON.

Names from third parties are made harmless.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from tabulate import DataRow, TableFormat, tabulate

from reports import numbers
from reports.headline import MEASURE, RANK, headline, integration_error
from reports.leaderboard import Summary
from reports.results import Results
from reports.rows import SKIPPED, Cell, Row, board
from reports.sections.parts import Entry, Table
from reports.trials import largest_budget, names

WIDTH = 80
# Spaces between columns, width of a task's heading (0: no column a task), longest name; the first that fits.
_LAYOUTS = ((2, 11, 22), (2, 8, 18), (2, 7, 14), (1, 8, 14), (1, 6, 14), (2, 0, 34), (2, 0, 20), (1, 0, 12))
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


def printable(text: object) -> str:
    """Text without control characters, so that a name can't steer a terminal."""
    return "".join(sign if sign.isprintable() else "�" for sign in " ".join(str(text).split()))


def board_table(rows: Sequence[Row], tasks: Sequence[str], targets: Sequence[str]) -> str:
    """The leaderboard as a Markdown table; reference rows in italics."""
    tested = any(row.rank_span for row in rows)
    header = ["#", *(["ranks", "letters"] if tested else []), "architecture", "information gap"]
    header += ["95 % interval", *map(markdown, tasks), "sparse KL"]
    crossings = any(row.crossings != numbers.BLANK for row in rows)
    header += [*(["crossings"] if crossings else []), *(f"examples to gap {target}" for target in targets)]
    counted = any(row.multiply_adds != numbers.BLANK for row in rows)
    header += ["parameters", *(["multiply-adds a step"] if counted else []), "seconds", "trials ok"]
    body = []
    for row in rows:
        line = [row.overall.text, row.overall.span, *(cell.text for cell in row.tasks), row.sparse]
        line += [*([row.crossings] if crossings else []), *row.targets]
        line += [row.parameters, *([row.multiply_adds] if counted else []), row.seconds, row.counts]
        ranks = [row.rank, *([row.rank_span, row.letters] if tested else [])]
        name = _name(row.name, row.reference)
        body.append([*map(markdown, ranks), name, *map(markdown, line)])
    return _pipe(body, header, ["right", *(["right", "left"] if tested else []), "left"])


def budget_table(rows: Sequence[tuple[str, bool, Sequence[Cell]]], budgets: Sequence[int]) -> str:
    """Gap by budget as a Markdown table; reference rows in italics."""
    body = [
        [_name(name, reference), *(markdown(cell.text) for cell in cells)] for name, reference, cells in rows
    ]
    return _pipe(body, ["examples", *(f"{budget:,}" for budget in budgets)], ["left"])


def section_table(table: Table) -> str:
    """A section's table in Markdown: a block's title becomes a column, a group's a part of the headings."""
    titled = any(block.title for block in table.blocks)
    groups = [f"{group}: " for group in table.groups] or [""]
    header = ["task"] * titled + ["architecture"]
    header += [
        markdown(group + " ".join(part for part in column if part))
        for group in groups
        for column in table.columns
    ]
    body = [
        [
            *([markdown(block.title)] if titled else []),
            _name(line.name, line.apart),
            *map(_entry, line.entries),
        ]
        for block in table.blocks
        for line in block.lines
    ]
    return _pipe(body, header, ["left"] * (1 + titled))


def _entry(entry: Entry) -> str:
    text = markdown(f"{entry.text} ({entry.small})" if entry.small else entry.text)
    return f"**{text}**" if entry.best else text


def _name(name: str, reference: bool) -> str:
    return f"*{markdown(name)}*" if reference else markdown(name)


def _pipe(body: list[list[str]], header: list[str], first: list[str]) -> str:
    alignment = first + ["right"] * (len(header) - len(first))
    return tabulate(body, header, tablefmt="pipe", disable_numparse=True, colalign=alignment)


def terminal_table(results: Results, summary: Summary) -> str:
    """A plain-text leaderboard of the largest budget, at most 80 columns wide."""
    rows = board(results, summary, digits=2)
    table: list[str] = []
    for gutter, heading, longest in _LAYOUTS:
        table = _table(rows, names(results)[0], gutter, heading, longest)
        if max(len(line) for line in table) <= WIDTH:
            break
    suite = results.suite
    size = f"{numbers.plural(largest_budget(results), 'example')}, {numbers.plural(suite['seeds'], 'seed')}"
    lines = [f"{printable(suite['title'])}: {size}", ""]
    lines += [*table, "", *wrapped(printable(" ".join(headline(results, summary)))), "", *wrapped(MEASURE)]
    if any(row.rank_span for row in rows):
        lines += ["", *wrapped(RANK)]
    if integration := integration_error(results):
        lines += ["", *wrapped(integration)]
    return "\n".join(lines) + "\n"


def json_text(results: Results, summary: Summary) -> str:
    """The rows of leaderboard.csv as JSON; a blank is null and infinity is the string `inf`."""
    rows = [
        {str(name): plain_value(value) for name, value in row.items()}
        for row in summary.leaderboard.astype(object).to_dict("records")
    ]
    return json.dumps({"suite": results.suite["name"], "leaderboard": rows}, indent=1, allow_nan=False)


def _table(rows: list[Row], tasks: list[str], gutter: int, heading: int, longest: int) -> list[str]:
    tasks = tasks if heading else []
    crossings = any(row.crossings != numbers.BLANK for row in rows)
    tested = any(row.rank_span for row in rows)
    header = ["rank" if tested else "", "architecture", "gap", "95 % interval", *_short_names(tasks, heading)]
    header += ["cross.", "ok"] if crossings else ["ok"]
    # The heading goes in as a row: tabulate gives headings a margin of their own, and none is left.
    short = zip(
        rows, cut_apart(_without_folders([printable(row.name) for row in rows]), longest), strict=True
    )
    ranks = [row.rank_span if tested else row.rank for row in rows]
    rest = (_terminal_row(row, name, bool(tasks), crossings) for row, name in short)
    body = [header, *([rank, *cells] for rank, cells in zip(ranks, rest, strict=True))]
    alignment = ["right", "left", *["right"] * (len(header) - 2)]
    gap = " " * gutter
    form = TableFormat(None, None, None, None, DataRow("", gap, ""), DataRow("", gap, ""), 0, None)
    text = tabulate(body, tablefmt=form, disable_numparse=True, colalign=alignment)
    lines = [line.rstrip() for line in text.splitlines()]
    rule = gap.join("-" * max(map(len, column)) for column in zip(*body, strict=True))
    learned = sum(not row.reference for row in rows)
    reference = lines[1 + learned :]
    return [lines[0], rule, *lines[1 : 1 + learned], *([rule, *reference] if reference else [])]


def _terminal_row(row: Row, name: str, per_task: bool, crossings: bool) -> list[str]:
    cells = [_number_only(cell) for cell in row.tasks] if per_task else []
    gap = SKIPPED if row.overall.text == SKIPPED else _number_only(row.overall)
    if crossings:
        cells.append(row.crossings.replace(" ", ""))
    return [name, gap, row.overall.span, *cells, row.counts]


def _number_only(cell: Cell) -> str:
    return numbers.BLANK if math.isnan(cell.value) else cell.text


def _without_folders(names: Sequence[str]) -> list[str]:
    """Names without the folders of files, which say least about them, unless two would look the same."""
    short = [name.rpartition("/")[2] for name in names]
    return short if len(set(short)) == len(set(names)) else list(names)


def _short_names(tasks: list[str], longest: int) -> list[str]:
    """Task names without the part that they share, cut to a column's width."""
    shared = ""
    if len(tasks) > 1:
        first, last = min(tasks), max(tasks)
        start = first[: next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), 0)]
        shared = start[: start.rfind("-") + 1]
    return cut_apart([printable(task.removeprefix(shared)) for task in tasks], longest)


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


def pipe_table(body: Sequence[Sequence[str]], header: Sequence[str], left: int) -> str:
    """Texts as a Markdown table, made harmless; the first `left` columns are aligned to the left."""
    rows = [[markdown(text) for text in row] for row in body]
    return _pipe(rows, [markdown(text) for text in header], ["left"] * left)


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
