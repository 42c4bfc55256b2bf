"""What is known exactly about each registered task, in a committed table: `python -m benchmarks.facts`."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import registry
from benchmarks.evaluation import Evaluation, evaluate
from benchmarks.task import Task

TABLE = Path(__file__).with_name("facts.csv")
NUMBERS = ("bayes_error", "entropy", "information")  # the last two in nats: H(C|X), I(X;C)


def facts(task: Task) -> dict[str, Any]:
    """Return a task's row: name, version, features, classes, method, and of NUMBERS value and error.

    Raises TaskError where the task can't be evaluated.
    """
    evaluation = evaluate(task)
    row: dict[str, Any] = {
        "name": task.name,
        "version": task.version,
        "features": task.features,
        "classes": task.classes,
        "evaluation": evaluation.method.partition(",")[0],
    }
    for name in NUMBERS:
        row[name], row[f"{name}_error"] = getattr(evaluation, name), _error(evaluation, name)
    return row


def _error(evaluation: Evaluation, name: str) -> float:
    value = getattr(evaluation, name)
    return evaluation.integration_error(value, [getattr(part, name) for part in evaluation.restrictions])


def committed() -> dict[str, Mapping[str, str]]:
    """Return the rows of the committed table by task name, every field as text."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def main() -> None:
    """Write the table anew, for every registered task."""
    rows = [facts(task) for task in registry.TASKS.values()]
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
