"""What `runner list` shows: one row a registered thing, without importing torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import registry
from benchmarks.metrics import METRICS
from suites.suite import built_in, read

Rows = list[dict[str, Any]]


def tasks() -> Rows:
    """Return a row for each task."""
    return [
        {
            "name": task.name,
            "features": task.features,
            "classes": task.classes,
            "version": task.version,
            "description": getattr(task, "description", ""),
        }
        for task in registry.TASKS.values()
    ]


def architectures() -> Rows:
    """Return a row for each architecture."""
    return [
        {"name": each.name, "kind": each.kind, "version": each.version, "description": each.description}
        for each in registry.ARCHITECTURES.values()
    ]


def suites() -> Rows:
    """Return a row for each suite that comes with the package."""
    return [
        {
            "name": suite.name,
            "tasks": len(suite.tasks),
            "architectures": len(suite.architectures),
            "budgets": len(suite.budgets),
            "seeds": suite.seeds,
            "title": suite.title,
        }
        for suite in map(read, built_in().values())
    ]


def metrics() -> Rows:
    """Return a row for each metric."""
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
