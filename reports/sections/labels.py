"""What labels cost: how much of a row's expected KL goes where it learns from exact posteriors instead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from reports.results import Results
from reports.sections.variants import soft_label_pairs
from reports.statistics import FEWEST_SEEDS, t_quantile
from reports.trials import names

METRIC = "label_noise_share"


@dataclass(frozen=True)
class Share:
    """1 - KL on soft labels / KL on labels of one row, task and budget; NaN with a reason where unknown.

    error: what integration may have hidden; low, high: 95 % interval over paired seeds, NaN where none.
    """

    task: str
    architecture: str
    budget: int
    value: float
    error: float
    low: float
    high: float
    status: str
    reason: str


def label_shares(results: Results, frame: pd.DataFrame, table: pd.DataFrame) -> list[Share]:
    """Return the share of every cell whose row was run on labels and on soft labels.

    frame: from `trials`; table: from `cells`. Means over seeds are arithmetic.
    """
    budgets = sorted(int(budget) for budget in results.suite["budgets"])
    return [
        _share((task, labelled, budget), soft, frame, table)
        for labelled, soft in soft_label_pairs(results)
        for task in names(results)[0]
        for budget in budgets
        if (task, labelled, budget) in table.index and (task, soft, budget) in table.index
    ]


def share_rows(shares: Iterable[Share]) -> list[tuple[object, ...]]:
    """Return rows of records.csv, `label_noise_share` in region `all`."""
    return [
        (s.task, s.architecture, pd.NA, s.budget, METRIC, "all", s.value, s.error, s.status, s.reason)
        for s in shares
    ]


def ratio_interval(numerators: ArrayLike, denominators: ArrayLike) -> tuple[float, float]:
    """95 % interval of a ratio of means over paired seeds.

    Both (seeds,). Student's t with the jackknife's standard error (leaving out one seed after the other);
    NaN below 5 seeds.
    """
    over, under = np.asarray(numerators, dtype=float), np.asarray(denominators, dtype=float)
    seeds = over.size
    if seeds < FEWEST_SEEDS:
        return float("nan"), float("nan")
    ratio = over.sum() / under.sum()
    left_out = (over.sum() - over) / (under.sum() - under)
    deviation = np.sqrt((seeds - 1) * np.mean((left_out - left_out.mean()) ** 2))
    reach = t_quantile(seeds - 1) * deviation
    return float(ratio - reach), float(ratio + reach)


def _share(key: tuple[str, str, int], soft: str, frame: pd.DataFrame, table: pd.DataFrame) -> Share:
    """key: task, row trained on labels, budget; soft: the row trained on soft labels."""
    task, labelled, budget = key
    here: Any = key
    beside: Any = (task, soft, budget)
    blank = float("nan")
    status, reason = _unknown(table.loc[here], table.loc[beside], soft)
    if reason:
        return Share(task, labelled, budget, blank, blank, blank, blank, status, reason)
    hard, easy = frame.loc[here], frame.loc[beside]
    kl, soft_kl = hard["kl"].mean(), easy["kl"].mean()
    value = float(1 - soft_kl / kl)
    error = float(easy["kl_error"].mean() / kl + soft_kl / kl * hard["kl_error"].mean() / kl)
    low, high = blank, blank
    if hard.index.equals(easy.index):  # the same seeds, hence the same examples
        below, above = ratio_interval(easy["kl"], hard["kl"])
        low, high = 1 - above, 1 - below
    return Share(task, labelled, budget, value, error, low, high, "ok", "")


def _unknown(hard: pd.Series, easy: pd.Series, soft: str) -> tuple[str, str]:
    """Status and reason where a share can't be told; an empty reason where it can."""
    for cell, whose in ((hard, ""), (easy, f" ({soft})")):
        for status in ("failed", "skipped"):
            if cell[status]:
                return status, str(cell["note"]) + whose
        if np.isinf(cell["kl"]):
            return "skipped", f"expected KL is infinite{whose}"
    return ("skipped", "expected KL is 0") if hard["kl"] == 0 else ("ok", "")
