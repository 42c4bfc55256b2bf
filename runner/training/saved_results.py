"""Results that aren't complete yet, as arrays and plain data for a checkpoint, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from benchmarks import registry
from benchmarks.task import Array
from runner.records import Record, TrialResult
from runner.training.checkpoint import Kinds, Unusable

# Of all records: whose, at which budget, which of the words, and the numbers.
COLUMNS = {"result": "int64", "budget": "int64", "words": "int64", "value": "float64", "error": "float64"}
FOLDER = "results/"  # begins the names of the arrays
MOST_POINTS = 10_000  # of a curve or of the representatives


@dataclass(frozen=True)
class _Words:
    """What records say beside numbers."""

    metric: str
    region: str
    status: str
    reason: str
    again: bool


@dataclass(frozen=True)
class _State:
    notes: list[str]
    words: list[_Words]


def to_save(results: Sequence[TrialResult]) -> tuple[Any, dict[str, Array]]:
    """Return results as plain data and arrays: all their records as columns (records,), outputs (m, k)."""
    rows = [(i, record) for i, result in enumerate(results) for record in result.records]
    numbers: dict[tuple[Any, ...], int] = {}
    words = [numbers.setdefault(_words(record), len(numbers)) for _, record in rows]
    columns = {
        "result": [i for i, _ in rows],
        "budget": [record.budget for _, record in rows],
        "words": words,
        "value": [record.value for _, record in rows],
        "error": [record.error for _, record in rows],
    }
    arrays = {FOLDER + name: np.array(columns[name], dtype=kind) for name, kind in COLUMNS.items()}
    for i, result in enumerate(results):
        arrays |= {f"{FOLDER}curve/{i}/{budget}": each for budget, each in result.curves.items()}
        arrays |= {f"{FOLDER}prediction/{i}/{budget}": each for budget, each in result.predictions.items()}
    state = {"notes": [result.note for result in results], "words": [list(each) for each in numbers]}
    return state, arrays


def _words(record: Record) -> tuple[str, str, str, str, bool]:
    return record.metric, record.region, record.status, record.reason, bool(record.again)


def check(state: Any, kinds: Kinds, results: Sequence[TrialResult]) -> None:
    """Raise Unusable, or another ValueError, where what was saved can't be of these results.

    kinds: of all arrays in the file.
    """
    _parsed(state, results)
    own = {name[len(FOLDER) :]: kind for name, kind in kinds.items() if name.startswith(FOLDER)}
    columns = {name: own.pop(name, None) for name in COLUMNS}
    lengths = {kind[1] for kind in columns.values() if kind}
    if {name: kind and kind[0] for name, kind in columns.items()} != COLUMNS or len(lengths) != 1:
        raise Unusable(f"expected records in columns {', '.join(COLUMNS)} of one length, found {columns}")
    allowed = {
        f"{what}/{i}/{budget}": registry.task(result.trial.task).classes
        for what in ("curve", "prediction")
        for i, result in enumerate(results)
        for budget in result.trial.budgets
    }
    for name, (dtype, shape) in own.items():
        outputs = dtype in ("float16", "float32") and len(shape) == 2 and shape[0] <= MOST_POINTS
        if not outputs or shape[1] != allowed.get(name):
            raise Unusable(f"expected outputs of this stack's trials, found {name}: {dtype} {shape}")


def restore(state: Any, arrays: Mapping[str, Array], results: Sequence[TrialResult]) -> None:
    """Fill results with what was saved, which `check` has let through.

    arrays: by name, shaped as from `to_save`. Raises Unusable, another ValueError or IndexError where records
    aren't of these results.
    """
    parsed = _parsed(state, results)
    columns = [arrays[FOLDER + name].tolist() for name in COLUMNS]
    records: list[list[Record]] = [[] for _ in results]
    for i, budget, number, value, error in zip(*columns, strict=True):
        if budget not in results[i].trial.budgets or min(i, number) < 0:
            raise Unusable(f"expected records of this stack's trials, found one of {i} at {budget}")
        said = parsed.words[number]
        words = said.metric, said.region
        records[i].append(Record(budget, *words, value, error, said.status, said.reason, said.again))
    for i, (result, own, note) in enumerate(zip(results, records, parsed.notes, strict=True)):
        result.records, result.note = own, note
        for what, into in (("curve", result.curves), ("prediction", result.predictions)):
            names = {budget: f"{FOLDER}{what}/{i}/{budget}" for budget in result.trial.budgets}
            into.update({budget: arrays[name] for budget, name in names.items() if name in arrays})


def _parsed(state: Any, results: Sequence[TrialResult]) -> _State:
    words = [dict(zip(_Words.__dataclass_fields__, each, strict=True)) for each in state["words"]]
    found = TypeAdapter(_State).validate_python({"notes": state["notes"], "words": words})
    if len(found.notes) != len(results):
        raise Unusable(f"expected {len(results)} results, found {len(found.notes)}")
    return found
