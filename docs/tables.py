"""Tables of the reference that are made from the package while the site is built: `<!-- made: NAME -->`."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Iterable
from html import escape
from typing import Any

MARK = re.compile(r"<!-- made: (\w+) -->")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put each table where its mark stands; raises KeyError where there is no such table."""
    return MARK.sub(lambda mark: TABLES[mark[1]](), markdown)


def _tasks() -> str:
    from benchmarks import facts
    from benchmarks.registry import TASKS

    known = facts.committed()
    rows = (
        (f"`{name}`", task.features, task.classes, *_numbers(known[name]), getattr(task, "description", ""))
        for name, task in TASKS.items()
    )
    return _table(("task", "inputs", "classes", "Bayes error", "H(C|X)", "I(X;C)", "evaluated by", ""), rows)


def _numbers(fact: Any) -> list[Any]:
    return [
        *(float(fact[key]) for key in ("bayes_error", "entropy", "information")),
        fact["evaluation"],
    ]


def _transforms() -> str:
    from benchmarks.tasks.transforms import TRANSFORMS

    rows = ((f"`+{each.usage}`", each.description) for each in TRANSFORMS.values())
    return _table(("transform", "what it does"), rows)


def _architectures() -> str:
    from benchmarks.registry import ARCHITECTURES

    rows = ((f"`{name}`", each.kind, each.family, each.description) for name, each in ARCHITECTURES.items())
    return _table(("architecture", "kind", "family", ""), rows)


def _families() -> str:
    from benchmarks.architectures.networks import FAMILIES

    rows = ((f"`{name}({_defaults(each.build)})`", each.description) for name, each in FAMILIES.items())
    return _table(("network", "what it is"), rows)


def _defaults(build: Any) -> str:
    parameters = inspect.signature(build, eval_str=True).parameters.items()
    return ", ".join(f"{key}={value.default}" for key, value in parameters)


def _recipes() -> str:
    from benchmarks.architectures.recipes import RECIPES

    rows = ((f"`+{each.usage(name)}`", each.description) for name, each in RECIPES.items())
    return _table(("recipe", "what it does"), rows)


def _suites() -> str:
    from suites import built_in

    suites = [tomllib.loads(path.read_text(encoding="utf-8")) for path in built_in().values()]
    rows = (
        (
            f"`{each['name']}`",
            each.get("question", each["title"]),
            *(len(each[key]) for key in ("tasks", "architectures", "budgets")),
            each["seeds"],
        )
        for each in suites
    )
    return _table(("suite", "its question", "tasks", "architectures", "budgets", "seeds"), rows)


def _metrics() -> str:
    from benchmarks.metrics import METRICS

    better = {-1: "less", 0: "", 1: "more"}
    rows = (
        (f"`{each.name}`", each.unit, better[each.direction], each.description) for each in METRICS.values()
    )
    return _table(("metric", "unit", "better", "what it is"), rows)


def _definitions() -> str:
    """Every measure with its formulas as MathML, as the pages of a run define them."""
    from reports.definitions import GROUPS

    lines: list[str] = []
    for group in GROUPS:
        lines += [f"### {group.title} {{ #{group.name} }}", ""]
        for each in group.definitions:
            names = f" (`{'`, `'.join(each.columns)}`)" if each.columns else ""
            formulas = "<br>".join(formula.__html__() for formula in each.formulas)
            lines += [f"**{each.term}**{names}", ""]
            lines += [f'<p class="formula">{formulas}</p>', ""] if formulas else []
            lines += [escape(each.text, quote=False), ""]
    return "\n".join(lines)


TABLES = {
    "tasks": _tasks,
    "transforms": _transforms,
    "architectures": _architectures,
    "families": _families,
    "recipes": _recipes,
    "suites": _suites,
    "metrics": _metrics,
    "definitions": _definitions,
}


def _table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    lines = [[_cell(value) for value in row] for row in (head, *rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    text = f"{value:.3g}" if isinstance(value, float) else str(value)
    return text if text.startswith("`") else escape(text, quote=False).replace("|", "\\|")
