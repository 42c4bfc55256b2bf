"""A page for each architecture, and the list of them."""

from __future__ import annotations

from typing import Any

from reports import numbers
from reports.figures.curves import kl_curves, sparse_curves, task_styles
from reports.figures.keys import Key, key_of
from reports.pages.page import Page, Run, architecture_path, task_path
from reports.sections.laws import laws
from reports.sections.profiles import (
    Everyone,
    by_examples,
    compared,
    everyone,
    measure_table,
    rival,
    score_table,
    size,
    standing,
)
from reports.texts import in_address
from reports.trials import kind, missing
from reports.words import at, axis, batches

INDEX = "architectures/index.html"
KINDS = {
    "network": "Network",
    "estimator": "Estimator, fitted to all examples up to a budget",
    "reference": "Reference row, not ranked",
}


def pages(run: Run) -> list[Page]:
    """Return the list of architectures, and then a page for each row of the board."""
    every = everyone(run.results, run.summary)
    return [_index(run, every), *(_page(run, every, name) for name in every.rows)]


def _index(run: Run, every: Everyone) -> Page:
    rows = [
        {
            "name": name,
            "row": row,
            "description": _text(run, name, "description"),
            "kind": kind(run.results, name),
            "family": _text(run, name, "family"),
            "parameters": size(every, name, "parameters"),
            "multiply_adds": size(every, name, "multiply_adds"),
        }
        for name, row in every.rows.items()
    ]
    values = {
        **_shared(run, every),
        "rows": rows,
        "families": any(row["family"] for row in rows),
        "counted": any(row["multiply_adds"] != numbers.BLANK for row in rows),
        "ranked": len(every.ranked),
    }
    return Page(INDEX, "Architectures", "architectures.html.j2", values)


def _page(run: Run, every: Everyone, name: str) -> Page:
    charts = tuple(chart for chart in (kl_curves(run, name), sparse_curves(run, name)) if chart)
    best = rival(every, name)
    values = {
        **_shared(run, every),
        "name": name,
        "description": _text(run, name, "description"),
        "facts": facts(run, every, name),
        "limit": _limit(run, name),
        "standing": standing(every, name),
        "by_examples": by_examples(every, name),
        "scores": score_table(every, name),
        "measures": measure_table(every, name),
        "laws": laws(every, name),
        "legend_keys": _legend(run),
        "failures": [failure for failure in every.failures if failure.architecture == name],
        "compared": compared(every, name),
        "best": best,
        "link": lambda other: f"compare.html#a={in_address(name)}&b={in_address(other)}",
    }
    return Page(architecture_path(name), name, "architecture.html.j2", values, charts)


def facts(run: Run, every: Everyone, name: str) -> list[tuple[str, str]]:
    """What a row is, as pairs of words: its kind, family and size, then its recipe where it is told."""
    found = [("Kind", KINDS.get(kind(run.results, name), kind(run.results, name)))]
    family = _text(run, name, "family")
    found += [("Family", family)] if family else []
    sizes = {"Trainable parameters": "parameters", "Multiply-adds of a training step": "multiply_adds"}
    counts = {label: size(every, name, column) for label, column in sizes.items()}
    found += [(label, count) for label, count in counts.items() if count != numbers.BLANK]
    told = _value(run, name, "facts")
    if isinstance(told, list | tuple):
        found += [(f"{str(label)[:1].upper()}{str(label)[1:]}", str(text)) for label, text in told]
    return found


def _limit(run: Run, name: str) -> str:
    """Where training leads with infinite data; empty where the description says so already."""
    limit = _text(run, name, "limit")
    said = limit.rstrip(".").casefold() == _text(run, name, "description").rstrip(".").casefold()
    return "" if said else limit


def _shared(run: Run, every: Everyone) -> dict[str, Any]:
    suite = run.results.suite
    return {
        "at": at(suite, every.budgets[-1]),
        "axis": axis(suite),
        "batches": lambda budget: batches(suite, budget),
        "several": len(every.tasks) > 1,
        "many_classes": bool((run.results.tasks["classes"].astype(float) > 2).any()),
        "architecture_path": architecture_path,
        "task_path": task_path,
    }


def _legend(run: Run) -> list[Key]:
    """A key for each task."""
    return [key_of(task, style) for task, style in task_styles(run).items()]


def _value(run: Run, name: str, column: str) -> Any:
    table = run.results.architectures
    if column not in table or name not in table.index:
        return None
    return table[~table.index.duplicated()].at[name, column]


def _text(run: Run, name: str, column: str) -> str:
    value = _value(run, name, column)
    return "" if missing(value) else str(value)
