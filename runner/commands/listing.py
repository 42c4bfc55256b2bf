"""What `runner list` shows: one row a registered thing.

Each list imports only what it shows, because a list should answer at once.
"""

from __future__ import annotations

import inspect
import os
import textwrap
import tomllib
from collections.abc import Callable
from typing import Any

from suites import built_in

# Waking the threads of linear algebra would cost more than all that a list does with it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

Rows = list[dict[str, Any]]
BATCH = 64  # of a step whose multiply-adds are counted, where a recipe has no own


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


def architectures(task: str | None = None) -> Rows:
    """Return a row for each architecture, those of installed packages too.

    With the name of a task also the trainable parameters there and the multiply-adds of a step: None of what
    isn't a network or doesn't apply.
    """
    from benchmarks import plug_ins, registry

    names = [*registry.ARCHITECTURES, *plug_ins.installed("architectures")]
    rows = [_architecture(name) for name in names]
    if task is not None:
        _count_parameters(rows, registry.task(task))
    return rows


def _architecture(name: str) -> dict[str, Any]:
    from benchmarks import registry
    from benchmarks.architecture import Network

    try:
        found = registry.architecture(name)
    except ValueError as error:  # a package whose entry point is broken mustn't hide the others
        return _row(name, "own", "", "", 0, f"can't be loaded: {error}")
    loss = found.recipe.loss if isinstance(found, Network) else ""
    return _row(name, found.kind, found.family, loss, found.version, found.description)


def _row(name: str, kind: str, family: str, loss: str, version: int, description: str) -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "family": family,
        "loss": loss,
        "version": version,
        "description": description,
    }


def _count_parameters(rows: Rows, task: Any) -> None:
    """Put before their descriptions what networks are on a task: parameters, multiply-adds of a step.

    A step on the recipe's own batch, else on one of 64 as in most suites.
    """
    from benchmarks import registry
    from benchmarks.architecture import Network
    from runner.training.compute import work
    from runner.training.modules import parameter_count

    for row in rows:
        found = registry.architecture(row["name"]) if row["version"] else None
        count = parameter_count(found, task.features, task.classes) if isinstance(found, Network) else 0
        members = found.recipe.members if isinstance(found, Network) else 1
        row["parameters"] = count * members or None
        row["multiply_adds"] = None
        if isinstance(found, Network):
            step = work(found, task.features, task.classes, found.recipe.batch or BATCH)
            row["multiply_adds"] = step.multiply_adds * members or None
        row["description"] = row.pop("description")  # last, where a line may be cut


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
    "multiply_adds": "multiply-adds a step",
    "bayes_error": "Bayes error",
    "entropy": "H(C|X)",
    "information": "I(X;C)",
    "evaluation": "evaluated by",
}


READABLE = 40  # columns that a last column needs for its words to stand beside the others


def table(rows: Rows, width: int | None) -> str:
    """Return rows as text, one line each; where a width is given, the last column is wrapped or cut to fit.

    It is wrapped below the line where there is hardly room beside it.
    """
    from tabulate import tabulate

    keys = [key for key in rows[0] if key not in ("version", "kind")]
    shown = [{HEADINGS.get(key, key): _text(row.get(key, "")) for key in keys} for row in rows]
    numbers = [any(isinstance(row.get(key), float | int) for row in rows) for key in keys]
    alignment = ["right" if number else "left" for number in numbers]
    text = tabulate(shown, headers="keys", tablefmt="simple", colalign=alignment, disable_numparse=True)
    lines = text.splitlines()
    if not width or max(map(len, lines)) <= width:
        return text
    start = lines[1].rindex(" ") + 1  # of the last column, below which there are dashes
    if width - start >= READABLE:
        cut = (line if len(line) <= width else line[: width - 1] + "…" for line in lines[2:])
        return "\n".join([lines[0], lines[1][:width], *cut])
    below = [wrapped for line in lines[2:] for wrapped in _below(line, start, width)]
    return "\n".join([lines[0][:start].rstrip(), lines[1][: start - 2], *below])


def _below(line: str, start: int, width: int) -> list[str]:
    """Return a line with its last column below it, indented."""
    words = textwrap.wrap(line[start:], width, initial_indent="  ", subsequent_indent="  ")
    return [line[:start].rstrip(), *words]


def footnote(kind: str) -> str:
    """Return what is to be said below a table: what may stand behind the names of tasks and architectures."""
    if kind == "architectures":
        return _recipes()
    if kind != "tasks":
        return ""
    from benchmarks.tasks.transforms import TRANSFORMS

    lines = _aligned([(f"+{each.usage}", each.description) for each in TRANSFORMS.values()])
    return "\n".join(["", "Behind a name, as in xor-2d+nuisance(6)+label-noise(0.1):", *lines])


def _recipes() -> str:
    from benchmarks.architectures.networks import FAMILIES
    from benchmarks.architectures.recipes import AROUND_ESTIMATORS, RECIPES

    families = [
        (f"{name}{_signature(family.build)}", family.description) for name, family in FAMILIES.items()
    ]
    recipes = [(f"+{each.usage(name)}", each.description) for name, each in RECIPES.items()]
    around = [(f"+{name}", what) for name, what in AROUND_ESTIMATORS.items()]
    parts = (
        ("Networks with parameters of their own, as in mlp(width=128, depth=3):", families),
        ("Behind a network's name, as in mlp-64x64+focal(2)+lr(0.01):", recipes),
        ("Behind an estimator's name, as in random-forest(n_estimators=500)+isotonic:", around),
    )
    return "\n".join(line for heading, rows in parts for line in ["", heading, *_aligned(rows)])


def _signature(build: Callable[..., Any]) -> str:
    values = [
        f"{key}={value.default}" for key, value in inspect.signature(build, eval_str=True).parameters.items()
    ]
    return f"({', '.join(values)})"


def _aligned(rows: list[tuple[str, str]]) -> list[str]:
    longest = max(len(usage) for usage, _ in rows)
    return [f"  {usage:<{longest}}  {description}" for usage, description in rows]


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


LISTINGS: dict[str, Callable[..., Rows]] = {
    "tasks": tasks,
    "architectures": architectures,
    "suites": suites,
    "metrics": metrics,
}
