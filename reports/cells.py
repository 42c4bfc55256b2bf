"""Trials to cells: what is known of each task, architecture and budget over its seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from reports.ranking.measured import FAILED, OVERALL, centres, measured, measured_overall
from reports.ranking.measures import BY_KEY, GAP
from reports.trials import CELL


def cells(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a (task, architecture, budget), from `trials`.

    Columns: gap, sparse (geometric means over seeds) with gap_error and sparse_error (integration error);
    low, high (95 % interval of the gap); arithmetic (mean gap), kl, sparse_mean (arithmetic means, nats);
    crossings, seconds, best_step (means), parameters, multiply_adds, distinct (the most); ok, total, failed,
    skipped (trials); ranking (the gap as ranks count it, `measured.counted`, NaN where a trial was skipped);
    note. A cell's means are NaN where any of its trials failed or was skipped.
    """
    gap = measured(frame, GAP).rename(columns={"value": "gap", "error": "gap_error"})
    table = _counts(frame).join(gap.drop(columns="note"))
    sparse = centres(frame, BY_KEY["sparse"])
    table[["sparse", "sparse_error"]] = sparse[["value", "error"]]
    complete = table["ok"] == table["total"]
    groups = frame.groupby(level=list(CELL), sort=False)
    with np.errstate(invalid="ignore"):
        table["arithmetic"] = groups["gap"].mean().where(complete)
        table["kl"] = groups["kl"].mean().where(complete)
        table["sparse_mean"] = groups["sparse"].mean().where(complete)
    for name in ("crossings", "seconds", "best_step"):
        table[name] = groups[name].mean().where(complete)
    for name in (
        "parameters",
        "multiply_adds",
        "distinct",
    ):  # known before training, so a failed trial doesn't hide them
        table[name] = groups[name].max()
    table["note"] = gap["note"]
    return table


def overall(frame: pd.DataFrame, table: pd.DataFrame, tasks: Sequence[str]) -> pd.DataFrame:
    """One row an (architecture, budget) over all tasks, with columns of `cells`: not kl, distinct, best_step.

    The gap is as in `measured_overall`. Sparse KL is the arithmetic mean over tasks.
    """
    chosen = table[table.index.get_level_values("task").isin(tasks)]
    groups = chosen.groupby(level=list(OVERALL), sort=False)
    result = groups[["ok", "total", "failed", "skipped"]].sum()
    gap = table.rename(columns={"gap": "value", "gap_error": "error"})
    result = result.join(measured_overall(frame, gap, tasks, GAP))
    result = result.rename(columns={"value": "gap", "error": "gap_error"})
    # Arithmetic over tasks: a geometric mean would let a task whose tails are easy hide one whose aren't.
    result["sparse"] = groups["sparse"].mean().where(groups["sparse"].count() == len(tasks))
    result["sparse_error"] = groups["sparse_error"].mean()
    with np.errstate(invalid="ignore"):
        result["arithmetic"] = groups["arithmetic"].mean().where(result["gap"].notna())
    # A task without crossings adds none, one whose trials failed leaves the sum unknown.
    known = groups["crossings"].count() > 0
    result["crossings"] = groups["crossings"].sum().where(known & result["gap"].notna())
    for name in ("parameters", "multiply_adds"):
        result[name] = groups[name].max()
    result["seconds"] = groups["seconds"].mean().where(result["gap"].notna())
    return result


def _counts(frame: pd.DataFrame) -> pd.DataFrame:
    status = frame["status"]
    flags = pd.DataFrame(
        {
            "ok": status == "ok",
            "total": True,
            "failed": status.isin(FAILED),
            "skipped": status == "skipped",
        },
        index=frame.index,
    )
    return flags.astype(int).groupby(level=list(CELL), sort=False).sum()
