"""Trials that have no number, grouped by what happened to them."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Failure:
    """Trials of one architecture and task that ended in the same way for the same reason."""

    architecture: str
    task: str
    status: str
    reason: str
    seeds: str
    budgets: str


def failures(frame: pd.DataFrame) -> list[Failure]:
    """Failed, timed-out, skipped and infinite trials, grouped by architecture, task, status and reason.

    frame: from `trials`.
    """
    endless = ((frame["status"] == "ok") & (frame["gap"] == float("inf"))).to_numpy()
    kept = (frame["status"] != "ok").to_numpy() | endless
    odd = frame.loc[kept, ["status", "reason"]].reset_index().astype({"status": object})
    words = odd["status"].mask(endless[kept], "infinite").replace("timeout", "timed out")
    odd = odd.assign(status=words, reason=odd["reason"].fillna(""))
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
