"""What is known of one measure: values over seeds with intervals, and as ranks count them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from reports.ranking.measures import GAP, Measure, penalty
from reports.statistics import grouped_geometric_mean, intervals, log
from reports.trials import CELL

OVERALL = ("architecture", "budget")
FAILED = ("failed", "timeout")
ROUNDING = 1e-12  # a value below this is what sums of float64 leave of 0


def measured(frame: pd.DataFrame, measure: Measure, learned: Sequence[str] | None = None) -> pd.DataFrame:
    """One row a (task, architecture, budget): what is known of one measure, from `trials`.

    Columns: value (geometric mean over seeds) with error (integration error), low and high (95 % interval);
    all NaN where a trial failed or was skipped; ranking (the geometric mean of `counted`, which
    takes `learned`); note.
    """
    table = centres(frame, measure).join(_intervals(resolved(frame, measure)["value"], CELL))
    table["ranking"] = grouped_geometric_mean(counted(frame, measure, learned)["value"], CELL)
    table["note"] = _notes(frame, measure.key).reindex(table.index).fillna("")
    return table


def measured_overall(
    frame: pd.DataFrame, table: pd.DataFrame, tasks: Sequence[str], measure: Measure
) -> pd.DataFrame:
    """One row an (architecture, budget) over all tasks: the columns of `measured`, which made `table`.

    The value is the geometric mean over tasks, NaN unless every task has one; its interval takes the seed as
    its unit: for each seed on every task the mean over tasks of the logarithms, then the interval over
    those seeds, none below five.
    """
    chosen = table[table.index.get_level_values("task").isin(tasks)]
    groups = chosen.groupby(level=list(OVERALL), sort=False)
    sizes = groups.size()
    every = sizes == len(tasks)
    result = pd.DataFrame(index=sizes.index)
    for name in ("value", "ranking"):
        result[name] = grouped_geometric_mean(chosen[name], OVERALL).where(every)
    upper = grouped_geometric_mean(chosen["value"] + chosen["error"], OVERALL)
    result["error"] = (upper - result["value"]).where(np.isfinite(result["value"]), 0.0)
    values = resolved(frame, measure)["value"]
    values = values[values.index.get_level_values("task").isin(tasks)]
    keys = [*OVERALL, "seed"]
    seeds = grouped_geometric_mean(values, keys)
    seeds = seeds[values.groupby(level=keys, sort=False).size().reindex(seeds.index) == len(tasks)]
    result = result.join(_intervals(seeds, OVERALL))
    result[["low", "high"]] = result[["low", "high"]].where(result["value"].notna())
    result["note"] = groups["note"].agg(_join)
    run = sizes[~every].astype(str) + f" of {len(tasks)} tasks run"
    result.loc[~every, "note"] = [_join(both) for both in zip(run, result.loc[~every, "note"], strict=True)]
    return result


def centres(frame: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """Columns value and error of `measured`."""
    found = resolved(frame, measure)
    table = grouped_geometric_mean(found["value"], CELL).to_frame("value")
    # The mean of values each too small by its error: the most that integration can have hidden.
    upper = grouped_geometric_mean(found["value"] + found["error"], CELL)
    table["error"] = (upper - table["value"]).where(np.isfinite(table["value"]), 0.0)
    return table


def resolved(frame: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """Value and error of every trial, columns so named.

    One 0 makes a geometric mean 0, and the excess error comes out as 0, with an error of 0, where the most
    probable class is right at every point that was looked at. So a 0 counts as what its task's evaluation
    resolves (`_floor`), with an error as large, unless the row is 0 throughout at that budget, as the oracle
    is. An information gap is taken as it is.
    """
    values, errors = frame[measure.key], frame[f"{measure.key}_error"]
    if measure == GAP:
        return pd.DataFrame({"value": values, "error": errors})
    some = (values > ROUNDING).groupby(level=list(OVERALL), sort=False).transform("any")
    nothing = some & (values <= ROUNDING)
    floor = _floor(values, errors)
    return pd.DataFrame({"value": values.mask(nothing, floor), "error": errors.mask(nothing, floor)})


def counted(frame: pd.DataFrame, measure: Measure, learned: Sequence[str] | None = None) -> pd.DataFrame:
    """A measure of every trial as ranks and tests count it: columns value and below.

    A failed trial counts as `measures.penalty` of the worst finite value in its cell; by a measure without a
    bound, of the worst on its task at that budget among `learned` (None: all rows), unless its cell has none.
    A value below its integration error, or 0, counts as that error or what the task's evaluation resolves,
    and `below` says so. NaN where a cell has a skipped trial, or where a trial that ended well has no such
    value.
    """
    values, errors = frame[measure.key], frame[f"{measure.key}_error"]
    failed = frame["status"].isin(FAILED)
    worst = _worst(values, measure, learned)[failed]
    skipped = (frame["status"] == "skipped").groupby(level=list(CELL), sort=False).transform("any")
    floor = _floor(values, errors)
    below = ~failed & (values <= floor)
    values = values.mask(below, floor)
    values = values.mask(failed, worst.map(lambda value: penalty(measure, value)))
    return pd.DataFrame({"value": values.mask(skipped), "below": below})


def _worst(values: pd.Series, measure: Measure, learned: Sequence[str] | None) -> pd.Series:
    """The worst finite value that a failed trial is held to, for every trial; NaN where its cell has none."""
    finite = values.where(np.isfinite(values))
    own = finite.groupby(level=list(CELL), sort=False).transform("max")
    if measure.failed:
        return own
    # Its own cell would be too kind: what made a row fail where it is bad would make it look good.
    rows = values.index.get_level_values("architecture")
    others = finite if learned is None else finite.where(rows.isin(learned))
    among = others.groupby(level=["task", "budget"], sort=False).transform("max")
    return pd.Series(np.fmax(own, among), index=values.index).where(own.notna())


def _floor(values: pd.Series, errors: pd.Series) -> pd.Series:
    """What each value counts as where it isn't larger: its integration error, never 0.

    Where value and error are both 0 but for rounding, it is the smallest of the other values (or, where that
    is larger, of their errors) on its task.
    """
    known = pd.Series(np.maximum(values, errors.fillna(0.0)), index=values.index)
    finest = known.where(known > ROUNDING).groupby(level="task", sort=False).transform("min")
    nothing = (values <= ROUNDING) & (errors <= ROUNDING)
    return errors.mask(nothing, finest.fillna(ROUNDING))


def _intervals(values: pd.Series, keys: Sequence[str]) -> pd.DataFrame:
    """Columns low and high, a row a group; groups of as many seeds are computed together."""
    groups = values.groupby(level=list(keys), sort=False)
    number, sizes = groups.ngroup().to_numpy(), groups.size()
    logs = log(values.to_numpy(dtype=float))[np.argsort(number, kind="stable")]
    starts = np.cumsum(sizes.to_numpy()) - sizes.to_numpy()
    bounds = np.empty((len(sizes), 2))
    for size in np.unique(sizes):
        alike = np.flatnonzero(sizes == size)
        bounds[alike] = intervals(logs[starts[alike][:, None] + np.arange(size)])
    return pd.DataFrame(np.exp(bounds), index=sizes.index, columns=["low", "high"])


def _notes(frame: pd.DataFrame, key: str) -> pd.Series:
    """What to say of each cell that has failed, skipped or infinite trials; the others are left out."""
    infinite = (frame["status"] == "ok") & np.isinf(frame[key])
    odd = frame[(frame["status"] != "ok") | infinite]
    what = odd["status"].mask(infinite[odd.index], "infinite")
    reason = odd["reason"].fillna("").astype(str)
    found = pd.DataFrame({"what": what, "reason": reason}, index=odd.index).reset_index()
    sizes = found.groupby([*CELL, "what", "reason"], sort=True).size().reset_index(name="count")
    sizes["note"] = [
        f"{count} {what}" + (f": {reason}" if reason else "")
        for count, what, reason in zip(sizes["count"], sizes["what"], sizes["reason"], strict=True)
    ]
    if sizes.empty:
        return pd.Series(dtype=object)
    return sizes.groupby(list(CELL))["note"].agg(_join)


def _join(parts: Sequence[str]) -> str:
    return "; ".join(dict.fromkeys(part for part in parts if part))
