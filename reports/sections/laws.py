"""How fast a row learns on each task, in words: its learning curve's exponent and why it levels off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from reports import numbers
from reports.sections.profiles import Everyone
from reports.trials import kind
from reports.words import fixed

NOISE = "optimiser noise under a constant learning rate"
FLOOR = "what its family, or its recipe, leaves however many examples there are"


@dataclass(frozen=True)
class Law:
    """One task's learning curve: "falls" or "rises", the exponent as text, empty for none, and the rest."""

    task: str
    verb: str
    exponent: str
    words: str


def laws(every: Everyone, name: str) -> list[Law]:
    """Return the learning-curve exponent of a row on every task; empty for `oracle` and `prior`."""
    table = every.summary.exponents
    rows = {row["task"]: row for row in table[table["architecture"] == name].to_dict("records")}
    return [_law(every, name, task, rows[task]) for task in every.tasks if task in rows]


def _law(every: Everyone, name: str, task: str, row: Mapping[Any, Any]) -> Law:
    slope = row["exponent"]
    if pd.isna(slope):
        return Law(task, "", "", str(row["reason"] or "no exponent could be fitted"))
    low, high = (numbers.number(float(row[end]), 2) for end in ("low", "high"))
    span = f"({low} to {high})" if pd.notna(row["low"]) else ""
    words = [span, f"from {int(row['first']):,} to {int(row['last']):,} examples"]
    plateau = row["plateau"]
    if pd.notna(plateau):
        words[-1] += f", then a plateau: {_cause(every, name, task)}"
    verb, sign = ("falls", "−") if slope >= 0 else ("rises", "")  # noqa: RUF001
    exponent = f"{sign}{numbers.number(abs(float(slope)), 2)}"
    return Law(task, verb, exponent, " ".join(filter(None, words)) + ".")


def _cause(every: Everyone, name: str, task: str) -> str:
    """What a plateau comes from: noise differs from seed to seed, a family's limit doesn't."""
    if fixed(every.results.suite) or kind(every.results, name) != "network":
        return FLOOR
    bias, variance = (
        float(every.spread.get((task, name, metric), {}).get("value", np.nan))
        for metric in ("bias", "variance")
    )
    if np.isnan(bias) or np.isnan(variance):
        return f"{NOISE}, or {FLOOR}"
    return NOISE if variance > bias else FLOOR
