"""Trials to cells: what is known of each task, architecture and budget over its seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from reports.statistics import grouped_geometric_mean, interval, log
from reports.trials import CELL

OVERALL = ("architecture", "budget")


def cells(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a (task, architecture, budget), from `trials`.

    Columns: gap, sparse (geometric means over seeds) with gap_error and sparse_error (integration error);
    low, high (95 % interval of the gap); arithmetic (mean gap), kl, sparse_mean (arithmetic means, nats);
    crossings, seconds, parameters, distinct (means); ok, total, failed, skipped (trials); ranking (the gap
    with a failed trial counted as the larger of 1 and the worst finite gap of its cell, NaN where one was
    skipped); note. A cell's means are NaN where any of its trials failed or was skipped.
    """
    table = _counts(frame)
    for name in ("gap", "sparse"):
        table[name] = grouped_geometric_mean(frame[name], CELL)
        # The mean of values each too small by its error: the most that integration can have hidden.
        table[f"{name}_error"] = (
            grouped_geometric_mean(frame[name] + frame[f"{name}_error"], CELL) - table[name]
        ).where(np.isfinite(table[name]), 0.0)
    table = table.join(_intervals(frame["gap"], CELL))
    complete = table["ok"] == table["total"]
    groups = frame.groupby(level=list(CELL), sort=False)
    with np.errstate(invalid="ignore"):
        table["arithmetic"] = groups["gap"].mean().where(complete)
        table["kl"] = groups["kl"].mean().where(complete)
        table["sparse_mean"] = groups["sparse"].mean().where(complete)
    for name in ("crossings", "seconds"):
        table[name] = groups[name].mean().where(complete)
    for name in ("parameters", "distinct"):  # known before training, so a failed trial doesn't hide them
        table[name] = groups[name].max()
    table["ranking"] = _ranking(frame).where(table["skipped"] == 0)
    table["note"] = _notes(frame).reindex(table.index).fillna("")
    return table


def overall(frame: pd.DataFrame, table: pd.DataFrame, tasks: Sequence[str]) -> pd.DataFrame:
    """One row an (architecture, budget) over all tasks, with the columns of `cells` but `kl`, `distinct`.

    The gap is the geometric mean over tasks, NaN unless every task has one; its interval takes the seed as
    its unit: for each seed the mean over tasks of the log gap, then the interval over seeds. Sparse KL is
    the arithmetic mean over tasks.
    """
    chosen = table[table.index.get_level_values("task").isin(tasks)]
    groups = chosen.groupby(level=list(OVERALL), sort=False)
    every = groups.size() == len(tasks)
    result = groups[["ok", "total", "failed", "skipped"]].sum()
    for name in ("gap", "ranking"):
        result[name] = grouped_geometric_mean(chosen[name], OVERALL).where(every)
    upper = grouped_geometric_mean(chosen["gap"] + chosen["gap_error"], OVERALL)
    result["gap_error"] = (upper - result["gap"]).where(np.isfinite(result["gap"]), 0.0)
    # Arithmetic over tasks: a geometric mean would let a task whose tails are easy hide one whose aren't.
    result["sparse"] = groups["sparse"].mean().where(groups["sparse"].count() == len(tasks))
    result["sparse_error"] = groups["sparse_error"].mean()
    seeds = grouped_geometric_mean(
        frame.loc[frame.index.get_level_values("task").isin(tasks), "gap"], (*OVERALL, "seed")
    )
    result = result.join(_intervals(seeds, OVERALL))
    result[["low", "high"]] = result[["low", "high"]].where(result["gap"].notna())
    with np.errstate(invalid="ignore"):
        result["arithmetic"] = groups["arithmetic"].mean().where(result["gap"].notna())
    # A task without crossings adds none, one whose trials failed leaves the sum unknown.
    known = groups["crossings"].count() > 0
    result["crossings"] = groups["crossings"].sum().where(known & result["gap"].notna())
    result["parameters"] = groups["parameters"].max()
    result["seconds"] = groups["seconds"].mean().where(result["gap"].notna())
    result["note"] = groups["note"].agg(_join)
    short = ~every
    run = groups.size()[short].astype(str) + f" of {len(tasks)} tasks run"
    result.loc[short, "note"] = [_join([a, b]) for a, b in zip(run, result.loc[short, "note"], strict=True)]
    return result


def _counts(frame: pd.DataFrame) -> pd.DataFrame:
    status = frame["status"]
    flags = pd.DataFrame(
        {
            "ok": status == "ok",
            "total": True,
            "failed": status.isin(["failed", "timeout"]),
            "skipped": status == "skipped",
        },
        index=frame.index,
    )
    return flags.astype(int).groupby(level=list(CELL), sort=False).sum()


def _intervals(values: pd.Series, keys: Sequence[str]) -> pd.DataFrame:
    logs = pd.Series(log(values.to_numpy(dtype=float)), index=values.index)
    groups = logs.groupby(level=list(keys), sort=False)
    pairs = [interval(group.to_numpy()) for _, group in groups]
    bounds = np.exp(np.array(pairs, dtype=float).reshape(-1, 2))
    return pd.DataFrame(bounds, index=groups.size().index, columns=["low", "high"])


def _ranking(frame: pd.DataFrame) -> pd.Series:
    gap = frame["gap"]
    finite = gap.where(np.isfinite(gap))
    worst = finite.groupby(level=list(CELL), sort=False).transform("max").fillna(1.0)
    return grouped_geometric_mean(gap.fillna(worst.clip(lower=1.0)), CELL)


def _notes(frame: pd.DataFrame) -> pd.Series:
    """What to say of each cell that has failed, skipped or infinite trials; the others are left out."""
    infinite = (frame["status"] == "ok") & np.isinf(frame["gap"])
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
