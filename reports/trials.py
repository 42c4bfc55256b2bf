"""Records, long, to trials, wide: one row a (task, architecture, budget, seed)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from reports.measures import BOARD
from reports.results import Results

CELL = ("task", "architecture", "budget")

# What tables read, out of some forty (metric, region) pairs.
MEASURES: Mapping[tuple[str, str], str] = {
    **{(measure.metric, measure.region): measure.key for measure in BOARD},
    ("expected_kl", "all"): "kl",
    ("crossings_found", "all"): "crossings",
    ("parameters", "all"): "parameters",
    ("multiply_adds", "all"): "multiply_adds",
    ("best_step", "all"): "best_step",
    ("training_seconds", "all"): "seconds",
    ("distinct_examples", "all"): "distinct",
    ("infinite_mass", "all"): "excluded",
}
WITH_ERROR = (*(measure.key for measure in BOARD), "kl")
ZEROS = "q has zeros"


def trials(records: pd.DataFrame) -> pd.DataFrame:
    """One row a (task, architecture, budget, seed).

    Index: those four, sorted. Columns: the keys of `BOARD`, kl (nats), crossings, parameters, multiply_adds
    (of a step), best_step, seconds, distinct, excluded (the mass that q excludes); of `BOARD` and kl also
    `<key>_error` (integration error, 0 where none is recorded); status and reason of the trial at that
    budget. Numbers of a trial whose status isn't ok are NaN.
    """
    pair = [
        MEASURES.get(key, "") for key in zip(records["metric"], records["region"], strict=True)
    ]  # a dict look-up a row: 0.05 s for 170,000, less than a merge
    picked = records.assign(measure=pair)
    picked = picked[picked["measure"] != ""].astype({"task": object, "architecture": object})
    keys = [*CELL, "seed"]
    fine = picked[picked["status"] == "ok"].set_index([*keys, "measure"])
    wide = fine["value"].astype(float).unstack("measure").reindex(columns=list(MEASURES.values()))
    errors = fine["error"].astype(float).unstack("measure").reindex(columns=list(WITH_ERROR))
    wide = wide.join(errors.fillna(0.0).add_suffix("_error"))
    wide = wide.join(_status(picked, keys), how="outer").sort_index()
    # A trial without its headline number can't count as ok, whatever it says of itself.
    lost = wide["gap"].isna() & ~wide["status"].isin(["failed", "timeout", "skipped"])
    # An infinity of zeros in q comes without a word: its reason is the mass recorded beside it.
    zeros = np.isinf(wide["gap"]) & (wide["excluded"] > 0) & (wide["reason"].fillna("") == "")
    reason = wide["reason"].mask(zeros, ZEROS)
    return wide.assign(
        status=wide["status"].mask(lost, "failed"),
        reason=reason.mask(lost, "no information gap was recorded"),
    )


def _status(records: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Status and reason of each trial and budget: those of its information gap."""
    rows = records[records["measure"] == "gap"]
    status = rows.set_index(list(keys))[["status", "reason"]].astype(object)
    return status[~status.index.duplicated()]


def names(results: Results) -> tuple[list[str], list[str], list[str]]:
    """Tasks, learned architectures and reference rows, each in the suite's order."""
    suite = results.suite
    every = list(dict.fromkeys([*suite["architectures"], *suite["reference"]]))
    reference = [name for name in every if is_reference(results, name)]
    return list(suite["tasks"]), [name for name in every if name not in reference], reference


def listed(results: Results) -> pd.DataFrame:
    """The records of the suite's own tasks and architectures: those that tables show."""
    tasks, learned, reference = names(results)
    records = results.records
    return records[records["task"].isin(tasks) & records["architecture"].isin([*learned, *reference])]


def is_reference(results: Results, name: str) -> bool:
    """Whether a name is a reference row: by the suite's list or by its kind."""
    return name in results.suite["reference"] or kind(results, name) == "reference"


def kind(results: Results, name: str) -> str:
    """An architecture's kind; `network` where the frame doesn't know the name."""
    table = results.architectures
    if name in table.index and isinstance(table.loc[name, "kind"], str):
        return str(table.loc[name, "kind"])
    return "reference" if name in results.suite["reference"] else "network"


def in_order(results: Results, frame: pd.DataFrame) -> pd.DataFrame:
    """A frame in the suite's order of tasks and architectures, so that files don't show who ended first.

    Names that the suite doesn't list come last.
    """
    tasks, learned, reference = names(results)
    orders = {"task": tasks, "architecture": [*learned, *reference]}
    places = {key: {name: place for place, name in enumerate(order)} for key, order in orders.items()}
    keys = [key for key in ("task", "architecture", "seed", "budget", "metric", "region") if key in frame]
    return frame.sort_values(
        keys,
        key=lambda column: column.map(places[str(column.name)]) if column.name in places else column,
        kind="stable",
        ignore_index=True,
    )


def largest_budget(results: Results) -> int:
    """The budget that pages show: the suite's largest, in examples."""
    return max(int(budget) for budget in results.suite["budgets"])


def missing(value: object) -> bool:
    """Whether a scalar is None or NaN."""
    return value is None or (isinstance(value, (float, np.floating)) and bool(np.isnan(value)))


def told(results: Results) -> list[str]:
    """Rows that were trained on exact posteriors: what they show is the price of labels."""
    table = results.architectures
    if "soft_labels" not in table:
        return []
    return [str(name) for name in table.index[table["soft_labels"].eq(True)]]
