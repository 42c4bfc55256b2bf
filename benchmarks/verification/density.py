"""Checks of the inputs: that the density integrates to 1, and that inputs are drawn with it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.task import Array, TaskError
from benchmarks.verification.case import Case, Finding, Skipped, support, within_chance
from benchmarks.verification.goodness_of_fit import (
    POWER,
    Test,
    kolmogorov_smirnov,
    multinomial,
    quantile_bins,
    residuals,
    together,
    two_samples,
)

EXACT = 1e-6  # how far an integral may be from what it should be, beside its own error
UNKNOWN = 0.01  # an integral that isn't known better than this says nothing
OVERLAP = 100  # draws that an estimate should at least be worth
BINS = 10
CELLS = 128  # in the plane, of about equal mass, each a stretch of the tree's curve
ROUNDING = 1e-5  # relative; an input this near one of the support is that one


def normalisation(case: Case) -> Finding:
    """Check that the density integrates to 1, where the sampler goes if there are more than two inputs."""
    if case.method == "bridge sampling":
        return _estimated_total(case)
    if case.method == "enumeration":
        total, error, n = float(case.support_joint.sum()), 0.0, len(case.support_joint)
    else:
        total, error, n = float(case.integral.boxes.sum()), float(case.integral.error.sum()), None
    margin = EXACT + 2 * error
    return Finding(
        abs(total - 1) <= margin and error <= UNKNOWN,
        f"{total:.9f} by {case.method}" + (f", known to {error:.1g}" if error else ""),
        f"1 to within {margin:.1g}",
        n,
        f"a total off by {margin:.1g}",
    )


def _estimated_total(case: Case) -> Finding:
    from scipy import stats

    bridge = case.bridge
    if bridge.overlap < OVERLAP:
        raise Skipped("no proposal comes near this density; see sampler-density")
    p = float(2 * stats.norm.sf(abs(bridge.log_total) / bridge.error))
    size = (stats.norm.isf(case.level / 2) + stats.norm.ppf(POWER)) * bridge.error
    return within_chance(
        case.level,
        p,
        "1,",
        len(bridge.x),
        f"a total off by {np.expm1(size):.2%}",
        f"{np.exp(bridge.log_total):.5f} ± {bridge.error:.1g} where the sampler goes",
    )


def sampler_density(case: Case) -> Finding:
    """Check that inputs are drawn with the stated density, whatever its integral."""
    test, words = {
        "enumeration": _against_enumeration,
        "quadrature": _against_quadrature,
        "bridge sampling": _against_proposal,
    }[case.method](case)
    return within_chance(case.level, test.p, "inputs that follow the density", len(case.sample[0]), words)


def _against_quadrature(case: Case) -> tuple[Test, str]:
    mass, error = case.integral.boxes, case.integral.error
    counts = np.bincount(case.tree.place(case.sample[0]), minlength=len(mass))
    if case.task.features == 1:
        test = kolmogorov_smirnov(counts, mass, case.level)
        return test, f"a CDF off by {test.detects:.2%} anywhere"
    cell = (np.cumsum(mass) / mass.sum() * CELLS).clip(0, CELLS - 1).astype(np.int64)
    counts, mass, error = (np.bincount(cell, weights=each, minlength=CELLS) for each in (counts, mass, error))
    test = multinomial(counts, mass, case.level, error)
    return test, f"{test.detects:.2%} of the mass in wrong cells, of {CELLS}"


def _against_enumeration(case: Case) -> tuple[Test, str]:
    points = np.asarray(support(case.task), dtype=np.float64)
    mass, place = case.support_joint.sum(axis=1), _places(case.sample[0], points)
    counts = np.bincount(place[place >= 0], minlength=len(points)).astype(float)
    if (place < 0).any() or (counts[mass == 0] > 0).any():
        raise TaskError(
            f"expected inputs that the support lists, and with a probability above 0, found"
            f" {(place < 0).sum():,} others, such as {case.sample[0][place < 0][:1]}"
        )
    groups = [np.arange(len(points)), _equal_mass(mass)]
    groups += [np.unique(column, return_inverse=True)[1] for column in points.T]
    tests = [
        multinomial(
            np.bincount(group, weights=counts), np.bincount(group, weights=mass), case.level / len(groups)
        )
        for group in groups
    ]
    test = together(tests)
    return test, f"{test.detects:.2%} of the mass at wrong inputs, of {len(points):,}"


def _equal_mass(mass: Array) -> Array:
    """Return groups of points with about equal mass, from rare to frequent ones."""
    order = np.argsort(mass)
    group = np.empty(len(mass), dtype=np.int64)
    group[order] = np.minimum(np.cumsum(mass[order]) / mass.sum() * 2 * BINS, 2 * BINS - 1).astype(np.int64)
    return np.asarray(np.unique(group, return_inverse=True)[1])


def _places(x: Array, points: Array) -> Array:
    """Return which of the points (m, d) each x (n, d) is, -1 where none.

    Looked up along one random direction, on which different points have different places.
    """
    direction = np.random.default_rng(0).standard_normal(points.shape[1])
    order = np.argsort(points @ direction)
    ends = (points @ direction)[order]
    right = np.minimum(np.searchsorted(ends, x @ direction), len(ends) - 1)
    left = np.maximum(right - 1, 0)
    room = ROUNDING * max(1.0, float(np.abs(points).max()))
    found = np.full(len(x), -1)
    for candidate in (order[left], order[right]):
        found = np.where((np.abs(points[candidate] - x) <= room).all(axis=1), candidate, found)
    return np.asarray(found)


def _against_proposal(case: Case) -> tuple[Test, str]:
    """Test which of two samples each input is from: the task's, or an own proposal's of known density.

    Given the pooled inputs, the origins are independent with probability p / (p + g), which holds whatever g
    is. The integral of p is estimated from the same data, at the cost of one degree of freedom.
    """
    bridge = case.bridge
    origin = np.arange(len(bridge.x)) < len(case.sample[0])
    partitions = list(_partitions(case))
    found = [residuals(origin, bridge.share, cell) for cell in partitions]
    tests = [two_samples(each, case.level / len(found)) for each in found]
    size = float(np.median([test.detects for test in tests]))
    return together(tests), f"{size:.2%} of the mass in wrong bins of most of {len(found)} histograms"


def _partitions(case: Case) -> Iterator[Array]:
    """Yield the cell (2n,) of each pooled input in one histogram after the other."""
    bridge = case.bridge
    yield quantile_bins(bridge.log_ratio, bridge.log_ratio, 2 * BINS)
    yield quantile_bins(bridge.log_p, bridge.log_p, 2 * BINS)
    yield 4 * bridge.component + quantile_bins(bridge.log_ratio, bridge.log_ratio, 4)
    for j, column in enumerate(bridge.x.T):
        yield quantile_bins(column, case.training[0][:, j], BINS)
