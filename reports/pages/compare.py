"""The head-to-head page: any two rows against each other, and all pairs in one table."""

from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd

from reports import numbers
from reports.comparing.compare import Comparison, Line, compare_all
from reports.comparing.compare_text import verdict
from reports.figures.ratio_bars import reach
from reports.pages.page import Page, Run, architecture_path
from reports.ranking.measures import GAP
from reports.ranking.paired import ALPHA
from reports.render import csv_text
from reports.texts import shown
from reports.trials import at_last, largest_budget, names
from reports.words import at

DATA, CSV = "data/compare.js", "data/pairs.csv"
DIGITS = 4


def page(run: Run) -> Page:
    """Return the head-to-head page, of the information gap."""
    results, table = run.results, run.summary.pairs[GAP.key]
    order = _order(run)
    found = compare_all(results, run.summary.trials, GAP, table)
    last = at_last(results, table)
    adjusted = {(row["a"], row["b"]): float(row["holm"]) for row in last.to_dict("records")}
    values = {
        "at": at(results.suite, largest_budget(results)),
        "rows": _all_pairs(last, order),
        "names": order,
        "csv": CSV,
        "data_script": DATA,
        "pairs": len(last),
    }
    script = f"window.comparisons={_script_text(_data(run, found, adjusted))};\n"
    files = {DATA: script, CSV: csv_text(table)}
    return Page("compare.html", "Head to head", "compare.html.j2", values, files=files)


def _order(run: Run) -> list[str]:
    """Learned rows, best first, those without a rank last."""
    table = run.summary.leaderboard
    now = at_last(run.results, table)
    learned = names(run.results)[1]
    return [str(name) for name in now["architecture"] if name in learned]


def _all_pairs(table: pd.DataFrame, order: list[str]) -> list[dict[str, Any]]:
    """A row a pair at the largest budget: the lower one first, best pairs first."""
    place = {name: number for number, name in enumerate(order)}
    rows = []
    for row in table.to_dict("records"):
        a, b, ends = row["a"], row["b"], (row["low"], row["ratio"], row["high"])
        wins = row["wins"]
        if row["ratio"] > 1:
            a, b, wins, ends = b, a, 1 - wins, tuple(1 / end for end in reversed(ends))
        low, ratio, high = ends
        text = {
            "a": a,
            "b": b,
            "ratio": numbers.number(ratio),
            "span": numbers.span(low, high, 3),
            "p": numbers.p_text(row["p"]),
            "holm": numbers.p_text(row["holm"]),
            "wins": numbers.share(wins),
            "better": bool(row["better"]),
        }
        rows.append((place[a], place[b], text))
    return [text for *_, text in sorted(rows, key=lambda row: row[:2])]


def _data(run: Run, found: list[Comparison], adjusted: dict[tuple[str, str], float]) -> dict[str, Any]:
    """What the script picks from: a pair's sentences and lines by the places of its rows.

    Texts are as the page's template shows them, so that a name is one in menus, addresses and here.
    A line is [ratio, low, high, p, p of sign flips, wins, better]; a task's p is adjusted over tasks.
    """
    tasks, learned, _ = names(run.results)
    budgets = sorted({budget for each in found for budget, _ in each.lines})
    place = {name: number for number, name in enumerate(learned)}
    means: dict[str, list[list[float | str | None]]] = {}
    for each in found:
        for name, side in ((each.first, "first"), (each.second, "second")):
            means.setdefault(
                name,
                [[_short(getattr(line, side)) for line in lines] for lines in (each.by_budget, each.by_task)],
            )
    pairs = {
        f"{place[each.first]},{place[each.second]}": [
            [shown(sentence) for sentence in (*verdict(each), *_among(each, adjusted))],
            [_line(line, line.p) for line in each.by_budget],
            [_line(line, line.holm) for line in each.by_task],
            [reach(each.by_budget), reach([each.overall, *each.by_task])],
        ]
        for each in found
    }
    return {
        "names": [shown(name) for name in learned],
        "links": [architecture_path(name) for name in learned],
        "tasks": [shown(name) for name in tasks],
        "budgets": budgets,
        "means": [means.get(name) for name in learned],
        "pairs": pairs,
    }


def _among(found: Comparison, adjusted: dict[tuple[str, str], float]) -> list[str]:
    """What the verdict becomes where the pair wasn't chosen before looking."""
    p = adjusted.get((found.first, found.second), float("nan"))
    if not p <= 1:
        return []
    held = "it stays significant" if p < ALPHA else "it is not significant"
    return [
        f"Looked for among all {len(adjusted):,} pairs of this page, {held} (Holm, {numbers.p_value(p)})."
    ]


def _line(line: Line, p: float) -> list[float | int | str | None] | int:
    """The numbers of a line; 0 where there is nothing to compare."""
    if not line.compared:
        return 0
    values = (line.ratio, line.low, line.high, p, line.flip, line.wins)
    return [*(_short(value) for value in values), line.better]


def _short(value: float) -> float | str | None:
    """A number to a few digits, null for none and a text for what JSON can't say."""
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "inf"
    short = float(f"{value:.{DIGITS - 1}e}")
    return int(short) if short == int(short) else short


def _script_text(data: dict[str, Any]) -> str:
    """Data as a script that holds no markup, wherever it is put."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
