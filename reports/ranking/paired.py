"""Whether two rows differ, seed by seed: tests of paired differences, and how many of them to believe."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reports.statistics import FEWEST_SEEDS, LEVEL

ALPHA = 1 - LEVEL
EXACT_UP_TO = 12  # seeds, whose signs are enumerated: 2,048 sums up to a common sign
FLIPS = 20_000
POWER = 0.8
MOST_SEEDS = 1_000
_AT_ONCE = 1 << 22  # sums of flipped differences in memory
_Numbers = NDArray[np.float64]


def holm(p: ArrayLike) -> _Numbers:
    """Adjust p-values so that all of a family hold at once, whatever their dependence.

    p: (n,), NaN where there was no test, which isn't counted. Returns (n,), in the given order (Holm 1979,
    "A simple sequentially rejective multiple test procedure").

    >>> holm([0.01, 0.04, 0.03]).round(4)
    array([0.03, 0.06, 0.06])
    """
    values = np.asarray(p, dtype=float)
    adjusted = np.full(values.shape, np.nan)
    there = np.flatnonzero(~np.isnan(values))
    order = there[np.argsort(values[there], kind="stable")]
    factors = np.arange(order.size, 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1.0)
    return adjusted


def paired_t(d: ArrayLike) -> tuple[_Numbers, _Numbers, _Numbers, _Numbers]:
    """Mean of paired differences with its 95 % interval and its two-sided p-value (Student's t).

    d: (..., seeds), NaN where a seed is missing. Returns (mean, low, high, p), each (...): without interval
    and p below 5 seeds; where all differences are 0, p is 1; where all are the same but not 0, p is 0.

    >>> [round(float(each), 4) for each in paired_t([0.2, 0.3, 0.1, 0.4, 0.3])]
    [0.26, 0.1184, 0.4016, 0.007]
    """
    from scipy.special import stdtr, stdtrit

    values = np.asarray(d, dtype=float)
    seeds = (~np.isnan(values)).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.nansum(values, axis=-1) / seeds
        rest = np.nansum((values - mean[..., None]) ** 2, axis=-1)
        error = np.sqrt(rest / (seeds - 1) / seeds)
        # A spread that rounding of equal differences leaves is none.
        error = np.where(error <= 1e-14 * np.abs(mean), 0.0, error)
        freedom = np.where(seeds >= FEWEST_SEEDS, seeds - 1.0, np.nan)
        t = np.where(mean == 0, 0.0, np.abs(mean) / error)
        p = 2 * stdtr(freedom, -t)
        reach = stdtrit(freedom, (1 + LEVEL) / 2) * error
    return mean, mean - reach, mean + reach, p


def sign_flip(d: ArrayLike) -> _Numbers:
    """Two-sided p-value of the mean of paired differences if each could as well have had the other sign.

    d: (..., seeds), NaN where a seed is missing. Returns (...). All signs are enumerated up to 12 seeds, else
    20,000 fixed random ones with the observed one among them (Phipson and Smyth 2010). Its smallest value is
    2 / 2^seeds.

    >>> float(sign_flip([0.2, 0.3, 0.1, 0.4, 0.3]))
    0.0625
    """
    values = np.nan_to_num(np.asarray(d, dtype=float))  # a missing seed adds 0, whatever its sign
    shape, seeds = values.shape[:-1], values.shape[-1]
    rows = values.reshape(math.prod(shape), seeds)
    observed = np.abs(rows.sum(axis=-1))
    # Sums that are equal but for the order of their terms must count as equal.
    bar = observed - 1e-12 * np.abs(rows).sum(axis=-1)
    signs = _signs(seeds)
    counts = np.empty(len(rows))
    step = max(_AT_ONCE // len(signs), 1)
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        counts[part] = (np.abs(rows[part] @ signs.T) >= bar[part, None]).sum(axis=-1)
    p = counts / len(signs) if seeds <= EXACT_UP_TO else (counts + 1) / (len(signs) + 1)
    return np.asarray(p.reshape(shape))


def seeds_to_separate(d: ArrayLike, level: float = ALPHA) -> int | None:
    """How many seeds would tell two rows apart, if their true mean and spread were the observed ones.

    d: (seeds,), two or more. Returns the smallest number of seeds with which a two-sided paired t test at
    `level` has a power of 80 %, by the noncentral t distribution; None for more than 1,000.
    """
    values = np.asarray(d, dtype=float)
    mean, spread = abs(float(values.mean())), float(values.std(ddof=1))
    if mean == 0:
        return None
    if spread <= 1e-14 * mean:
        return 2
    if _power(mean / spread, MOST_SEEDS, level) < POWER:
        return None
    low, high = 1, MOST_SEEDS  # the power grows with the number of seeds
    while high - low > 1:
        middle = (low + high) // 2
        if _power(mean / spread, middle, level) >= POWER:
            high = middle
        else:
            low = middle
    return high


def _power(effect: float, seeds: int, level: float) -> float:
    """Power of the two-sided paired t test for a true mean of so many standard deviations."""
    from scipy.special import nctdtr, stdtrit

    bound, shift = float(stdtrit(seeds - 1, 1 - level / 2)), effect * np.sqrt(seeds)
    if shift - bound > 30:  # further out than nctdtr computes
        return 1.0
    wrong_way = float(nctdtr(seeds - 1, shift, -bound)) if shift < 5 else 0.0  # below 1e-6, and NaN far out
    return float(1 - nctdtr(seeds - 1, shift, bound)) + wrong_way


@lru_cache(maxsize=4)
def _signs(seeds: int) -> _Numbers:
    """Rows of signs: all of them up to a common one, or random ones that are the same every time."""
    if seeds > EXACT_UP_TO:
        return np.asarray(1.0 - 2.0 * np.random.default_rng(0).integers(0, 2, (FLIPS, seeds)))
    bits: NDArray[np.int64] = np.arange(2 ** max(seeds - 1, 0))[:, None] >> np.arange(seeds)
    return np.asarray(1.0 - 2.0 * (bits & 1))  # the last sign is always +
