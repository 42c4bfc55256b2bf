"""What a diff compares: the trials of two runs, cell by cell, so that what integration hides is alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from reports.ranking.measured import counted
from reports.ranking.measures import Measure
from reports.results import Results
from reports.statistics import FEWEST_SEEDS, geometric_mean
from reports.trials import listed, trials

ONE_SIDED = ("not run", "skipped")


def values(results: Results, measure: Measure) -> pd.DataFrame:
    """One row a trial and budget: value (NaN where it failed) and below, as counted; raw, status, reason."""
    frame = trials(listed(results))
    found, fine = counted(frame, measure), frame["status"] == "ok"
    return found.assign(
        value=found["value"].where(fine),
        raw=frame[measure.key].where(fine),
        status=frame["status"],
        reason=frame["reason"].fillna(""),
    )


def chosen(frame: pd.DataFrame, key: tuple[Any, ...]) -> pd.DataFrame:
    """The trials of a (task, architecture, budget), none where there are none; index: seed."""
    return frame.loc[key] if key in frame.index else frame.iloc[:0]


def absent(cell: pd.DataFrame) -> str | None:
    """The word for why there is nothing to compare in a cell; None where there is."""
    if not len(cell):
        return "not run"
    return "skipped" if (cell["status"] == "skipped").any() else None


def is_paired(old: pd.Index, new: pd.Index, same_examples: bool) -> bool:
    """Whether runs with these seeds are compared seed by seed, examples allowing."""
    common, each = len(old.intersection(new)), min(len(old), len(new))
    return same_examples and (common >= FEWEST_SEEDS or (common > 0 and each < FEWEST_SEEDS))


def lifted(cells: Sequence[pd.DataFrame], same_examples: bool) -> list[pd.DataFrame]:
    """A cell of both runs in which nothing is lower than what a value below its error counts as.

    By seed where the runs are paired, else over all seeds: the sign of such a difference isn't known.
    """
    hidden = pd.concat([cell["value"].where(cell["below"]) for cell in cells], axis=1).max(axis=1)
    if not is_paired(cells[0].index, cells[1].index, same_examples):
        hidden[:] = hidden.max()
    floors = [hidden.reindex(cell.index) for cell in cells]
    return [
        cell.assign(value=cell["value"].mask(cell["value"] < floor, floor))
        for cell, floor in zip(cells, floors, strict=True)
    ]


def overall(cells: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Geometric means over tasks of every seed that all tasks have."""
    found = {}
    for name in ("value", "raw"):
        values = pd.concat([cell[name] for cell in cells], axis=1, join="inner")
        means = [geometric_mean(row) for row in values.to_numpy(dtype=float)]
        found[name] = pd.Series(means, index=values.index, dtype=float)
    return pd.DataFrame(found).assign(reason="")
