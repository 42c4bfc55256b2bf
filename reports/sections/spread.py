"""Bias and variance of expected KL over seeds.

With g the normalised geometric mean of the outputs q_s of all seeds, mean_s KL(p || q_s) = KL(p || g) +
mean_s KL(g || q_s) at every x: bias and variance (Heskes 1998, "Bias/variance decompositions for
likelihood-based estimators", Neural Computation 10(6):1425-1433).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.results import Predictions, Results
from reports.statistics import FEWEST_SEEDS
from reports.trials import ZEROS, names

MLE = "oracle-mle"
RESOLUTION = 2.0**-24  # of the float32 numbers that log q is kept in
ENDLESS = "expected KL is infinite"


class Spread(NamedTuple):
    """Bias and variance in nats; their sum is the mean over seeds of the expected KL."""

    bias: float
    variance: float


def spread(predictions: Predictions, log_q: NDArray[np.floating]) -> Spread:
    """Return bias and variance of one cell, corrected for the number of its seeds.

    log_q: (seeds, m, k), finite, two seeds or more. The geometric mean of S seeds has a variance of its own,
    1/S of theirs: taken as it is, it would make the variance too small by that share and the bias too large
    by as much. The corrected bias may come out a little below 0.
    """
    seeds = len(log_q)
    log_q = log_q.astype(np.float64)
    # Rounding to float32 leaves sums of q up to 1e-7 off, more than a small variance.
    log_q -= np.log(_over_classes(np.exp(log_q)))[..., None]
    mean = log_q.mean(axis=0)
    # KL(g || q_s), averaged over s, is -log of what the geometric mean sums to.
    variance = -float(predictions.weights @ np.log(_over_classes(np.exp(mean))))
    corrected = variance * seeds / (seeds - 1)
    return Spread(mean_kl(predictions, mean) - corrected, corrected)


def mean_kl(predictions: Predictions, mean_log_q: NDArray[np.float64]) -> float:
    """Return E_x of the mean over seeds of KL(p || q_s), nats, from the mean (m, k) of log q_s."""
    log_p = predictions.log_posterior.astype(np.float64)
    log_p -= np.log(_over_classes(np.exp(log_p)))[:, None]
    p = np.exp(log_p)
    with np.errstate(invalid="ignore"):
        terms = np.where(p > 0, p * (log_p - mean_log_q), 0.0)
    return float(predictions.weights @ _over_classes(terms))


def spread_rows(results: Results, table: pd.DataFrame) -> list[tuple[object, ...]]:
    """Return rows of records.csv, `bias` and `variance` in region `all`, of every cell that has them.

    table: from `cells`. A cell has them with five seeds or more and no trial failed or skipped; its error
    is how far the points' mean expected KL is from the exact one. `skipped` where q has zeros: no finite
    geometric mean then exists that is near all seeds.
    """
    tasks, learned, _ = names(results)
    wanted = {*learned, MLE}
    rows: list[tuple[object, ...]] = []
    for task in tasks:
        predictions = results.predictions.get(task)
        for (name, budget), log_q in predictions.log_q.items() if predictions else ():
            key: Any = (task, name, budget)
            if name not in wanted or len(log_q) < FEWEST_SEEDS or key not in table.index:
                continue
            cell = table.loc[key]
            if cell["ok"] == cell["total"] and predictions:
                rows.extend(_rows(key, predictions, log_q, int(cell["total"]), float(cell["kl"])))
    return rows


def _rows(
    key: tuple[str, str, int], predictions: Predictions, log_q: NDArray[np.floating], total: int, kl: float
) -> list[tuple[object, ...]]:
    task, name, budget = key
    values, error = Spread(np.nan, np.nan), np.nan
    reason = _reason(log_q, total, kl)
    if not reason:
        values = spread(predictions, log_q)
        error = abs(sum(values) - kl)
    status = "skipped" if reason else "ok"
    return [
        (task, name, pd.NA, budget, metric, "all", value, error + RESOLUTION * abs(value), status, reason)
        for metric, value in values._asdict().items()
    ]


def _reason(log_q: NDArray[np.floating], total: int, kl: float) -> str:
    """Why a cell has no bias and variance; empty where it has."""
    if len(log_q) != total:
        return f"outputs of {len(log_q)} of {total} trials were kept"
    if np.isneginf(log_q.min()):
        return ZEROS
    return ENDLESS if np.isinf(kl) else ""


def _over_classes(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over the last axis; for the few classes that there are, faster one by one."""
    total = values[..., 0].copy()
    for place in range(1, values.shape[-1]):
        total += values[..., place]
    return total
