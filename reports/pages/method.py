"""The method page: measures, scores, tests, protocol, errors, and how to repeat the run."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reports import numbers
from reports.headline import integration_error
from reports.method.definitions import definitions
from reports.method.mathml import formula, over, sub, under, words
from reports.method.sources import SOURCES
from reports.pages.leaderboard import interval_method
from reports.pages.page import Page, Run, architecture_path, task_path
from reports.sections.exact import exact
from reports.trials import budgets_of, kind, missing, names
from reports.words import batches, fixed

COVERAGE = Path(__file__).parents[1] / "coverage.csv"
CENTRE = formula(
    "exp(1/S sum_s log gap_s)",
    *("exp", "(", over("1", "S"), under("∑", "s"), "log", sub("gap", "s"), ")"),
)
DIFFERENCE = formula(
    "d_s = mean over tasks of log(gap_a / gap_b)",
    *(sub("d", "s"), "=", over("1", "T"), under("∑", "t"), "log"),
    over(sub("gap", "a t s"), sub("gap", "b t s")),
)
RANKS = formula("1 + B <= rank <= R - W", "1 + B ≤", words("rank"), "≤ R − W")  # noqa: RUF001


def page(run: Run) -> Page:
    """Return the method page of a run."""
    results = run.results
    budgets = budgets_of(results)
    derived = run.summary.derived
    known = {*results.records["metric"], *results.records["region"], *derived["metric"]}
    values = {
        "groups": definitions(known),
        "centre": CENTRE,
        "difference": DIFFERENCE,
        "ranks": RANKS,
        "interval_method": interval_method(int(results.suite["seeds"])),
        "coverage": coverage(COVERAGE),
        "budgets": [(budget, batches(results.suite, budget)) for budget in budgets],
        "fixed": fixed(results.suite),
        "estimators": any(kind(results, name) == "estimator" for name in names(results)[1]),
        "integration": integration_error(results),
        "task_rows": exact(results),
        "architectures": len(names(results)[1]),
        "facts": list(_facts(results.manifest)),
        "sources": SOURCES,
        "task_path": task_path,
        "architecture_path": architecture_path,
    }
    return Page("method.html", "Method", "method.html.j2", values)


def coverage(path: Path) -> list[dict[str, str]]:
    """Rows of a table of simulated coverages as text; none where there is no such table."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        {
            "what": row["what"],
            "seeds": row["seeds"],
            "repeats": numbers.count(float(row["repeats"])),
            "coverage": f"{100 * float(row['coverage']):.1f} %",
            "error": f"{100 * float(row['standard_error']):.2f} %",
        }
        for row in rows
    ]


def _facts(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The manifest as pairs of words, whatever it holds."""
    facts = []
    for key, value in manifest.items():
        if missing(value):
            continue
        if key == "wall_seconds" and isinstance(value, int | float):
            facts.append(("wall time", numbers.seconds(value)))
        elif key == "environments" and isinstance(value, list):
            facts.extend(_environments(value))
        elif isinstance(value, Mapping):
            facts.append((key, _words(value)))
        elif key != "command":
            facts.append((key.replace("_", " "), str(value)))
    return facts


def _words(pairs: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {part}" for name, part in pairs.items() if part is not None)


def _environments(found: list[Any]) -> list[tuple[str, str]]:
    """A line for each environment that trials were trained in; several may differ in a number's last bits."""
    words = [_words(each) if isinstance(each, Mapping) else str(each) for each in found]
    if len(words) == 1:
        return [("environment", words[0])]
    mixed = f"of {len(words)}, whose numbers may differ in their last bits"
    return [(f"environment {place} {mixed}", each) for place, each in enumerate(words, 1)]
