"""Centres and intervals of positive numbers that vary over seeds by a factor rather than by a sum."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
FEWEST_SEEDS = 5  # below this a t quantile says more about the table than about the data
BOOTSTRAP_FROM = 30
RESAMPLES = 4_999
CHUNK = 16


def geometric_mean(values: ArrayLike) -> float:
    """Geometric mean of non-negative numbers.

    values: (n,). Any infinity makes it infinite, even beside a 0; else any 0 makes it 0. NaN where a value
    is NaN or there is none.

    >>> round(geometric_mean([0.01, 0.1, 1]), 4)
    0.1
    >>> geometric_mean([0, 0.1]), geometric_mean([0, float("inf")])
    (0.0, inf)
    """
    numbers = np.asarray(values, dtype=float)
    if numbers.size == 0 or np.isnan(numbers).any():
        return float("nan")
    if np.isinf(numbers).any():
        return float("inf")
    return float(np.exp(log(numbers).mean()))


def grouped_geometric_mean(values: pd.Series, keys: Sequence[str]) -> pd.Series:
    """`geometric_mean` of each group of index levels, for a whole frame at once.

    values: non-negative numbers, indexed by at least `keys`. Returns one number a group, indexed by `keys`.
    """
    logs = pd.Series(log(values.to_numpy(dtype=float)), index=values.index)
    groups = logs.groupby(level=list(keys), observed=True, sort=False)
    with np.errstate(invalid="ignore"):  # inf - inf, decided by the highest value below
        # np.mean through agg would drop NaN; a group with a hole has no mean.
        means = groups.mean().where(groups.count() == groups.size())
        highest = groups.max()
    lowest = groups.min()
    complete = groups.count() == groups.size()
    means = means.mask(complete & (lowest == -np.inf), -np.inf).mask(complete & (highest == np.inf), np.inf)
    return pd.Series(np.exp(means.to_numpy(dtype=float)), index=means.index)


def interval(logs: ArrayLike) -> tuple[float, float]:
    """95 % interval of the mean of logarithms, one number a seed: `intervals` of one row.

    logs: (seeds,), natural logarithms. Returns the bounds on the log scale.

    >>> gaps = [0.011, 0.013, 0.009, 0.012, 0.010]  # one a seed
    >>> round(geometric_mean(gaps), 4), [round(float(bound), 4) for bound in np.exp(interval(log(gaps)))]
    (0.0109, [0.0091, 0.0131])
    >>> interval(log(gaps[:4]))  # fewer than five seeds have none
    (nan, nan)
    """
    low, high = intervals(np.asarray(logs, dtype=float)[None])[0]
    return float(low), float(high)


def intervals(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """95 % intervals of means of logarithms, one row a cell and one column a seed.

    logs: (cells, seeds), natural logarithms. Returns (cells, 2), bounds on the log scale: Student's t below
    30 seeds, the BCa bootstrap of the mean with a fixed generator from there on (Efron 1987), a point where
    all seeds agree, and NaN below 5 seeds or where some but not all are infinite.
    """
    cells, seeds = logs.shape
    bounds = np.full((cells, 2), np.nan)
    if seeds < FEWEST_SEEDS:
        return bounds
    agree = (logs == logs[:, :1]).all(axis=1)
    bounds[agree] = logs[agree, :1]
    vary = ~agree & np.isfinite(logs).all(axis=1)
    if vary.any():
        bounds[vary] = _t_intervals(logs[vary]) if seeds < BOOTSTRAP_FROM else _bootstrap(logs[vary])
    return bounds


def log(values: ArrayLike) -> NDArray[np.float64]:
    """Natural logarithm with log 0 = -inf and no warning; shape as given.

    A divergence of 0 may come out below 0 by rounding, some 1e-18, and counts as 0.
    """
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.maximum(np.asarray(values, dtype=float), 0)))


@lru_cache
def t_quantile(freedom: int) -> float:
    """Return the quantile of Student's t that bounds a two-sided 95 % interval."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + LEVEL) / 2))


def _t_intervals(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    seeds = logs.shape[1]
    reach = t_quantile(seeds - 1) * logs.std(axis=1, ddof=1) / np.sqrt(seeds)
    return np.asarray(logs.mean(axis=1)[:, None] + reach[:, None] * [-1, 1])


def _bootstrap(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.stats import bootstrap

    bounds = np.empty((len(logs), 2))
    for start in range(0, len(logs), CHUNK):  # all resamples of a chunk are in memory at once
        found = bootstrap(
            (logs[start : start + CHUNK],),
            np.mean,
            axis=-1,
            n_resamples=RESAMPLES,
            confidence_level=LEVEL,
            rng=np.random.default_rng(0),  # the same records always give the same page
        ).confidence_interval
        bounds[start : start + CHUNK] = np.stack([found.low, found.high], axis=-1)
    return bounds
