"""Records, long, to trials, wide: one row a (task, architecture, budget, seed)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.ranking.measures import BOARD
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
COLUMNS = tuple(MEASURES.values())
WITH_ERROR = (*(measure.key for measure in BOARD), "kl")
ZEROS = "q has zeros"


def trials(records: pd.DataFrame) -> pd.DataFrame:
    """One row a (task, architecture, budget, seed).

    Index: those four, sorted. Columns: the keys of `BOARD`, kl (nats), crossings, parameters, multiply_adds
    (of a step), best_step, seconds, distinct, excluded (the mass that q excludes); of `BOARD` and kl also
    `<key>_error` (integration error, 0 where none is recorded); status and reason of the trial at that
    budget. Numbers of a trial whose status isn't ok are NaN.
    """
    measures = _measures(records["metric"], records["region"])
    fine = (records["status"] == "ok").to_numpy(dtype=bool)
    gap = measures == COLUMNS.index("gap")
    picked = (measures >= 0) & (fine | gap)
    keys = records.loc[picked, [*CELL, "seed"]].astype({"task": object, "architecture": object})
    place = keys.groupby([*CELL, "seed"], sort=True).ngroup().to_numpy()
    _, first = np.unique(place, return_index=True)
    index = pd.MultiIndex.from_frame(keys.iloc[first])
    wide = _wide(records[picked], index, place, measures[picked], fine[picked])
    # A trial without its headline number can't count as ok, whatever it says of itself.
    lost = wide["gap"].isna() & ~wide["status"].isin(["failed", "timeout", "skipped"])
    # An infinity of zeros in q comes without a word: its reason is the mass recorded beside it.
    zeros = np.isinf(wide["gap"]) & (wide["excluded"] > 0) & (wide["reason"].fillna("") == "")
    reason = wide["reason"].mask(zeros, ZEROS)
    return wide.assign(
        status=wide["status"].mask(lost, "failed"),
        reason=reason.mask(lost, "no information gap was recorded"),
    )


def _measures(metrics: pd.Series, regions: pd.Series) -> NDArray[np.int64]:
    """The column that each (metric, region) goes to, -1 for none."""
    metric, region = metrics.astype("category").cat, regions.astype("category").cat
    places = {pair: place for place, pair in enumerate(MEASURES)}
    pairs = itertools.product(metric.categories, region.categories)
    table = np.array([places.get(pair, -1) for pair in pairs], dtype=np.int64)
    return np.asarray(table[metric.codes.to_numpy(int) * len(region.categories) + region.codes.to_numpy(int)])


def _wide(
    records: pd.DataFrame,
    index: pd.MultiIndex,
    place: NDArray[np.int64],
    measures: NDArray[np.int64],
    fine: NDArray[np.bool_],
) -> pd.DataFrame:
    """Values, errors, status and reason (those of the information gap) of each trial and budget."""
    values = np.full((len(index), len(COLUMNS)), np.nan)
    errors = values.copy()
    errors[place[fine]] = 0.0
    where = place[fine], measures[fine]
    values[where] = records["value"].to_numpy(dtype=float)[fine]
    errors[where] = records["error"].astype(float).fillna(0.0).to_numpy()[fine]
    wide = pd.DataFrame(values, index=index, columns=list(COLUMNS))
    for name in WITH_ERROR:
        wide[f"{name}_error"] = errors[:, COLUMNS.index(name)]
    gap = measures == COLUMNS.index("gap")
    for name in ("status", "reason"):
        texts = np.full(len(index), np.nan, dtype=object)
        # Where a trial is there twice, its first row counts: written last.
        texts[place[gap][::-1]] = records[name].to_numpy(dtype=object)[gap][::-1]
        wide[name] = pd.Series(texts, index=index, dtype=object)
    return wide


def names(results: Results) -> tuple[list[str], list[str], list[str]]:
    """Tasks, learned architectures and reference rows, each in the suite's order."""
    fixed = results.suite["reference"]
    reference = [name for name, kind in results.kinds.items() if kind == "reference" or name in fixed]
    learned = [name for name in results.kinds if name not in reference]
    return list(results.suite["tasks"]), learned, reference


def listed(results: Results) -> pd.DataFrame:
    """The records of the suite's own tasks and architectures: those that tables show."""
    records = results.records
    return records.loc[shown(results, records["task"], records["architecture"])]


def shown(
    results: Results, tasks: pd.Series | pd.Index, architectures: pd.Series | pd.Index
) -> NDArray[np.bool_]:
    """Which rows tables show, (n,) bool, by their task and architecture: those of the suite."""
    own, learned, reference = names(results)
    both = np.asarray(tasks.isin(own)) & np.asarray(architectures.isin([*learned, *reference]))
    return np.asarray(both, dtype=np.bool_)


def is_reference(results: Results, name: str) -> bool:
    """Whether a name is a reference row: by the suite's list or by its kind."""
    return name in results.suite["reference"] or kind(results, name) == "reference"


def kind(results: Results, name: str) -> str:
    """An architecture's kind; `network` where the frame doesn't know the name."""
    return results.kinds.get(name, "network")


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
        key=lambda column: _place(column, places.get(str(column.name))),
        kind="stable",
        ignore_index=True,
    )


def _place(column: pd.Series, places: Mapping[str, int] | None) -> pd.Series:
    """What a column is sorted by: where its names stand in an order, else the alphabet or its numbers."""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column if places is None else column.map(places)
    names = list(column.cat.categories)
    order = {name: place for place, name in enumerate(sorted(names))} if places is None else places
    ranks = np.array([order.get(name, np.nan) for name in names])
    return pd.Series(ranks[column.cat.codes], index=column.index)


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
