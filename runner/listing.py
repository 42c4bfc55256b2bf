"""What `runner list` shows: one row a registered thing.

Each list imports only what it shows, because a list should answer at once.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from typing import Any

from suites import built_in

# Waking the threads of linear algebra would cost more than all that a list does with it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

Rows = list[dict[str, Any]]


def tasks() -> Rows:
    """Return a row for each task, with what the committed table knows about it; entropies in nats."""
    from benchmarks import facts
    from benchmarks.registry import TASKS

    known = facts.committed()
    return [
        {
            "name": task.name,
            "features": task.features,
            "classes": task.classes,
            **{name: float(known[task.name][name]) for name in facts.NUMBERS if task.name in known},
            "evaluation": known.get(task.name, {}).get("evaluation", ""),
            "version": task.version,
            "description": getattr(task, "description", ""),
        }
        for task in TASKS.values()
    ]


def architectures() -> Rows:
    """Return a row for each architecture."""
    from benchmarks.registry import ARCHITECTURES

    return [
        {"name": each.name, "kind": each.kind, "version": each.version, "description": each.description}
        for each in ARCHITECTURES.values()
    ]


def suites() -> Rows:
    """Return a row for each suite that comes with the package."""
    files = [tomllib.loads(path.read_text(encoding="utf-8")) for path in built_in().values()]
    return [
        {
            "name": suite["name"],
            "tasks": len(suite["tasks"]),
            "architectures": len(suite["architectures"]),
            "budgets": len(suite["budgets"]),
            "seeds": suite["seeds"],
            "title": suite["title"],
        }
        for suite in files
    ]


def metrics() -> Rows:
    """Return a row for each metric."""
    from benchmarks.metrics import METRICS

    better = {-1: "less", 0: "", 1: "more"}
    return [
        {
            "name": each.name,
            "unit": each.unit,
            "better": better[each.direction],
            "description": each.description,
        }
        for each in METRICS.values()
    ]


HEADINGS = {
    "features": "inputs",
    "bayes_error": "Bayes error",
    "entropy": "H(C|X)",
    "information": "I(X;C)",
    "evaluation": "evaluated by",
}


def table(rows: Rows, width: int | None) -> str:
    """Return rows as text, one line each; where a width is given, the last column is cut to fit it."""
    from tabulate import tabulate

    keys = [key for key in rows[0] if key != "version"]
    shown = [{HEADINGS.get(key, key): _text(row.get(key, "")) for key in keys} for row in rows]
    alignment = ["right" if isinstance(rows[0][key], float | int) else "left" for key in keys]
    text = tabulate(shown, headers="keys", tablefmt="simple", colalign=alignment, disable_numparse=True)
    lines = text.splitlines()
    return "\n".join(line if not width or len(line) <= width else line[: width - 1] + "…" for line in lines)


def footnote(kind: str) -> str:
    """Return what is to be said below a table: of tasks, the transforms that may stand behind a name."""
    if kind != "tasks":
        return ""
    from benchmarks.tasks.transforms import TRANSFORMS

    longest = max(len(transform.usage) for transform in TRANSFORMS.values())
    lines = [f"  +{each.usage:<{longest}}  {each.description}" for each in TRANSFORMS.values()]
    return "\n".join(["", "Behind a name, as in xor-2d+nuisance(6)+label-noise(0.1):", *lines])


def _text(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


LISTINGS: dict[str, Callable[[], Rows]] = {
    "tasks": tasks,
    "architectures": architectures,
    "suites": suites,
    "metrics": metrics,
}
