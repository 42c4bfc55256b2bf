"""What `runner list` shows: one row a registered thing.

Each list imports only what it shows, because a list should answer at once.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from typing import Any

from suites import built_in

Rows = list[dict[str, Any]]


def tasks() -> Rows:
    """Return a row for each task."""
    from benchmarks.registry import TASKS

    return [
        {
            "name": task.name,
            "features": task.features,
            "classes": task.classes,
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


LISTINGS: dict[str, Callable[[], Rows]] = {
    "tasks": tasks,
    "architectures": architectures,
    "suites": suites,
    "metrics": metrics,
}
