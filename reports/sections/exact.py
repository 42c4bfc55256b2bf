"""What is known exactly of a task, as text."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from typing import Any

from reports import numbers
from reports.results import Results
from reports.trials import missing, names

MOST_PRIORS = 12


@dataclass(frozen=True)
class Exact:
    """A task's exact quantities as text, a dash where one is blank; checks and known are lines of text.

    error: of the integration, empty where none is recorded; command: what checks the task again.
    """

    name: str
    description: str
    features: str
    classes: str
    priors: str
    entropy: str
    bayes_error: str
    information: str
    crossings: str
    parameters: str
    method: str
    error: str
    version: str
    checks: tuple[str, ...]
    known: tuple[str, ...]
    command: str


def exact(results: Results) -> list[Exact]:
    """Every task of a suite, in its order."""
    return [_one(results, name) for name in names(results)[0]]


def _one(results: Results, name: str) -> Exact:
    row: dict[Any, Any] = results.tasks.loc[[name]].to_dict("records")[0]
    counts = ("features", "classes", "crossings", "parameters", "version")
    features, classes, crossings, parameters, version = (_count(row.get(key)) for key in counts)
    return Exact(
        name=name,
        description=_text(row.get("description")),
        features=features,
        classes=classes,
        priors=_priors(row.get("priors")),
        entropy=numbers.number(row.get("entropy"), 4),
        bayes_error=numbers.number(row.get("bayes_error"), 4),
        information=numbers.number(row.get("information"), 4),
        crossings=crossings,
        parameters=parameters,
        method=_text(row.get("method")),
        error="" if missing(row.get("error")) else numbers.number(float(row["error"]), 1),
        version=version,
        checks=_lines(row.get("checks")),
        known=_lines(row.get("known")),
        command=f"runner verify --task {shlex.quote(name)}",
    )


def _priors(value: Any) -> str:
    """Class priors; how far apart they are where they are too many to list."""
    if not isinstance(value, list | tuple) or not value:
        return numbers.BLANK
    if math.isclose(min(value), max(value), rel_tol=1e-4):
        return f"{float(value[0]):.3g} each"
    if len(value) > MOST_PRIORS:
        return f"{min(value):.2g} to {max(value):.2g}"
    return ", ".join(f"{float(each):.3g}" for each in value)


def _count(value: Any) -> str:
    return numbers.BLANK if missing(value) else numbers.count(float(value))


def _text(value: Any) -> str:
    return "" if missing(value) else str(value)


def _lines(value: Any) -> tuple[str, ...]:
    return tuple(str(line) for line in value) if isinstance(value, list | tuple) else ()
