"""The leaderboard as text: Markdown, a terminal's table, JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from tabulate import DataRow, TableFormat, tabulate

from reports import numbers
from reports.headline import MEASURE, RANK, headline, integration_error
from reports.leaderboard import Summary
from reports.results import Results
from reports.rows import SKIPPED, Cell, Row, board
from reports.sections.parts import Entry, Table
from reports.texts import WIDTH, cut_apart, markdown, pipe, plain_value, printable, wrapped
from reports.trials import largest_budget, names

# Spaces between columns, width of a task's heading (0: no column a task), longest name; the first that fits.
_LAYOUTS = ((2, 11, 22), (2, 8, 18), (2, 7, 14), (1, 8, 14), (1, 6, 14), (2, 0, 34), (2, 0, 20), (1, 0, 12))


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
        line = [row.score.text, row.score.span, *(cell.text for cell in row.tasks), row.sparse]
        line += [*([row.crossings] if crossings else []), *row.targets]
        line += [row.parameters, *([row.multiply_adds] if counted else []), row.seconds, row.counts]
        ranks = [row.rank, *([row.rank_span, row.letters] if tested else [])]
        name = _name(row.name, row.reference)
        body.append([*map(markdown, ranks), name, *map(markdown, line)])
    return pipe(body, header, ["right", *(["right", "left"] if tested else []), "left"])


def budget_table(rows: Sequence[tuple[str, bool, Sequence[Cell]]], budgets: Sequence[int]) -> str:
    """Gap by budget as a Markdown table; reference rows in italics."""
    body = [
        [_name(name, reference), *(markdown(cell.text) for cell in cells)] for name, reference, cells in rows
    ]
    return pipe(body, ["examples", *(f"{budget:,}" for budget in budgets)], ["left"])


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
    return pipe(body, header, ["left"] * (1 + titled))


def _entry(entry: Entry) -> str:
    text = markdown(f"{entry.text} ({entry.small})" if entry.small else entry.text)
    return f"**{text}**" if entry.best else text


def _name(name: str, reference: bool) -> str:
    return f"*{markdown(name)}*" if reference else markdown(name)


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
    gap = SKIPPED if row.score.text == SKIPPED else _number_only(row.score)
    if crossings:
        cells.append(row.crossings.replace(" ", ""))
    return [name, gap, row.score.span, *cells, row.counts]


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
