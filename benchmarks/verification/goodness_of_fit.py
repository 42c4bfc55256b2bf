"""Tests of counts and curves against what they should be, and the faults that they detect at their size."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from benchmarks.task import Array

POWER = 0.99  # with which a fault of the stated size is detected
LEAST = 5.0  # expected count, or variance, below which cells are taken together


class Test(NamedTuple):
    """A test's p-value, and the size of the smallest fault that it detects with power 99 %."""

    p: float
    detects: float


def together(tests: list[Test]) -> Test:
    """Return several tests as one, with the coarsest size.

    The p-value is 1 - (1 - p)^m for the smallest p of m (Sidak 1967): m p where p is small.
    """
    least = min(test.p for test in tests)
    p = 1.0 if least >= 1 else float(-np.expm1(len(tests) * np.log1p(-least)))
    return Test(p, max(test.detects for test in tests))


def kolmogorov_smirnov(counts: Array, mass: Array, level: float) -> Test:
    """Test counts in consecutive cells (m,) against their mass (m,) by the cumulative sums.

    Kolmogorov and Smirnov's statistic with its supremum over the cells' edges alone, so that the p-value is
    at most too large. Detects: how far the distribution function is off, anywhere.
    """
    from scipy import stats

    n = int(counts.sum())
    distance = np.abs(np.cumsum(counts) / n - np.cumsum(mass) / mass.sum()).max()
    critical = stats.kstwo.isf(level, n)
    return Test(float(stats.kstwo.sf(distance, n)), float(critical + stats.norm.ppf(POWER) / 2 / np.sqrt(n)))


def multinomial(counts: Array, mass: Array, level: float, error: Array | float = 0.0) -> Test:
    """Test counts (m,) against the cells' mass (m,), which is known to within error (m,).

    The likelihood ratio statistic, whose far tail is nearer to chi-square's than Pearson's where expected
    counts are small (Cressie and Read 1984). Detects: how much mass lies in wrong cells, whichever they are.
    """
    n = counts.sum()
    expected = n * mass / mass.sum()
    counts = np.clip(expected, counts - n * error, counts + n * error)
    small = expected < LEAST
    counts, expected = _pooled(counts, small), _pooled(expected, small)
    if counts[expected == 0].any():
        return Test(0.0, 0.0)
    counts, expected = counts[expected > 0], expected[expected > 0]
    ratio = np.where(counts > 0, counts, 1.0) / expected
    deviance = 2 * (counts * np.log(ratio) - counts + expected).sum()
    freedom = max(len(counts) - 1, 1)
    # By Cauchy and Schwarz, moving a mass t between cells gives a noncentrality of at least 4 n t^2.
    return Test(_chi_square(deviance, freedom), float(np.sqrt(noncentrality(level, freedom) / (4 * n))))


class Residuals(NamedTuple):
    """Sums over cells of 0-1 outcomes less their probabilities, all (m,).

    total: the residuals; variance: of total; size: outcomes; expected: the probabilities' sum.
    """

    total: Array
    variance: Array
    size: Array
    expected: Array


def residuals(outcome: Array, probability: Array, cell: Array) -> Residuals:
    """Return the residuals of independent 0-1 outcomes (n,) with known probabilities (n,) over cells (n,)."""
    variance = probability * (1 - probability)
    summed = (outcome - probability, variance, np.ones(len(cell)), probability)
    return Residuals(*(np.bincount(cell, weights=each) for each in summed))


def bernoulli(found: Residuals, level: float) -> Test:
    """Test the residuals of 0-1 outcomes.

    Detects: how far probabilities are off, on average over all.
    """
    p, freedom = _bennett(found)
    # By Cauchy and Schwarz: a probability that is off by c in a cell of m outcomes moves its residual by c m.
    size = np.sqrt(noncentrality(level, freedom) * found.variance.sum()) / found.size.sum()
    return Test(p, float(min(1.0, size)))


def two_samples(found: Residuals, level: float) -> Test:
    """Test the residuals of which of two samples of equal size a point is from, their densities being known.

    One degree of freedom is left out, for the ratio of the densities' integrals, which is estimated. Detects:
    how much of the first sample lies in wrong cells, whichever they are.
    """
    p, freedom = _bennett(found, lost=1)
    large = found.variance >= LEAST
    share = found.expected[large] / found.expected.sum()
    # By Cauchy and Schwarz: a relative change c of a cell's mass moves its residual by c V.
    inverse = float((share * share / found.variance[large]).sum())
    return Test(p, float(min(1.0, np.sqrt(noncentrality(level, freedom) * inverse) / 2)))


def _bennett(found: Residuals, lost: int = 0) -> tuple[float, int]:
    """Return the p-value of residuals and its degrees of freedom, of which some may be lost to an estimate.

    The statistic sums 2 V h(|R| / V) over cells with variance V and residual R. h(u) = (1 + u) log(1 + u) - u
    is the exponent in Bennett's (1962) inequality: it gives R² / V where V is large, and isn't fooled where V
    is small, where outcomes are all but certain.
    """
    small = found.variance < LEAST
    total, variance = _pooled(np.abs(found.total), small), _pooled(found.variance, small)
    if (total[variance == 0] > 1e-6).any():
        return 0.0, 1
    some = variance > 0
    excess = total[some] / variance[some]
    statistic = 2 * (variance[some] * ((1 + excess) * np.log1p(excess) - excess)).sum()
    freedom = int((~small).sum()) + int(found.variance[small].sum() >= 1) - lost
    return _chi_square(statistic, max(freedom, 1)), max(freedom, 1)


def _pooled(values: Array, small: Array) -> Array:
    """Return values with all those of small cells as one, at the end."""
    return np.append(values[~small], values[small].sum()) if small.any() else values


def _chi_square(statistic: float, freedom: int) -> float:
    from scipy import stats

    return float(stats.chi2.sf(statistic, freedom))


def quantile_bins(values: Array, sample: Array, bins: int) -> Array:
    """Return which of the bins between a sample's quantiles each of the values (n,) is in, (n,)."""
    edges = np.unique(np.quantile(sample, np.arange(1, bins) / bins, method="nearest"))
    return np.searchsorted(edges, values, side="right")


@functools.cache
def noncentrality(level: float, freedom: int) -> float:
    """Return the noncentrality at which chi-square's test of a level has power 99 %."""
    from scipy import optimize, stats

    critical = stats.chi2.isf(level, freedom)

    def excess(value: float) -> float:
        return float(stats.ncx2.sf(critical, freedom, value)) - POWER

    return float(optimize.brentq(excess, 1e-3, 4 * critical + 100))
