"""Trials that have no number, grouped by what happened to them."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from reports.results import Results
from reports.trials import trials


@dataclass(frozen=True)
class Failure:
    """Trials of one architecture and task that ended in the same way for the same reason."""

    architecture: str
    task: str
    status: str
    reason: str
    seeds: str
    budgets: str


def failures(results: Results) -> list[Failure]:
    """Failed, timed-out, skipped and infinite trials, grouped by architecture, task, status and reason."""
    gaps = trials(results.records).reset_index()
    endless = (gaps["status"] == "ok") & (gaps["gap"] == float("inf"))
    odd = gaps[(gaps["status"] != "ok") | endless].astype({"status": object})
    odd = odd.assign(
        status=odd["status"].mask(endless[odd.index], "infinite"), reason=odd["reason"].fillna("")
    )
    keys = ["architecture", "task", "status", "reason"]
    found = []
    for key, group in odd.groupby(keys, observed=True, sort=True):
        architecture, task, status, reason = (str(part) for part in key)
        budgets = _range(group["budget"])
        found.append(Failure(architecture, task, status, reason, _some(group["seed"]), budgets))
    return found


def _some(seeds: pd.Series, most: int = 6) -> str:
    known = sorted({int(seed) for seed in seeds.dropna()})
    if len(known) > most:
        return f"{len(known)} seeds"
    return ", ".join(str(seed) for seed in known)


def _range(budgets: pd.Series) -> str:
    low, high = int(budgets.min()), int(budgets.max())
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"  # noqa: RUF001
