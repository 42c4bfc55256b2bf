"""Tests of paired differences against scipy, brute force and hand-computed cases."""

import itertools

import numpy as np
import pytest
from scipy import stats

from reports.ranking import paired
from reports.ranking.paired import holm, paired_t, seeds_to_separate, sign_flip


def test_paired_t_is_scipys():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 9))
    found = stats.ttest_rel(one, other)
    ends = found.confidence_interval(0.95)
    expected = ((one - other).mean(), ends.low, ends.high, found.pvalue)
    np.testing.assert_allclose(paired_t(one - other), expected, rtol=1e-12)


def test_paired_t_takes_many_pairs_at_once_and_leaves_missing_seeds_out():
    rng = np.random.default_rng(1)
    d = rng.normal(0.3, 1, (2, 3, 12))
    d[0, 1, [2, 5]] = np.nan
    mean, low, high, p = paired_t(d)
    assert mean.shape == low.shape == high.shape == p.shape == (2, 3)
    there = d[0, 1][~np.isnan(d[0, 1])]
    assert p[0, 1] == pytest.approx(stats.ttest_1samp(there, 0).pvalue, rel=1e-12)
    assert p[1, 2] == pytest.approx(stats.ttest_1samp(d[1, 2], 0).pvalue, rel=1e-12)


def test_paired_t_without_spread_or_seeds():
    assert paired_t(np.zeros(6))[3] == 1
    assert [float(part) for part in paired_t(np.full(7, 0.1))] == pytest.approx([0.1, 0.1, 0.1, 0.0])
    four = paired_t([1.0, 2.0, 1.5, 1.2])
    assert four[0] == pytest.approx(1.425) and np.isnan(four[1:]).all()
    assert np.isnan(paired_t([1.0, np.nan, 1.5, 1.2, 2.0])[3])


@pytest.mark.parametrize("seeds", [5, 8, 12])
def test_sign_flips_are_enumerated(seeds):
    d = np.random.default_rng(seeds).normal(0.5, 1, seeds)
    sums = [abs(np.dot(signs, d)) for signs in itertools.product([-1, 1], repeat=seeds)]
    expected = np.mean(np.array(sums) >= abs(d.sum()) - 1e-9)
    assert sign_flip(d) == pytest.approx(expected, rel=1e-12)
    within = np.append(d, np.nan)[None] if seeds < 12 else d[None]
    assert sign_flip(within)[0] == pytest.approx(expected, rel=1e-12)  # a missing seed changes nothing


def test_sign_flips_end_at_one_and_at_two_of_all():
    assert sign_flip(np.zeros(6)) == 1
    assert sign_flip(np.arange(1.0, 11.0)) == pytest.approx(2 / 2**10)
    # Equal sums in another order differ by rounding, and all of them count.
    assert sign_flip([0.1, 0.2, 0.3, -0.3, 0.1]) == pytest.approx(
        np.mean([abs(np.dot(s, [1, 2, 3, -3, 1])) >= 4 for s in itertools.product([-1, 1], repeat=5)])
    )


def test_random_sign_flips_agree_with_scipy():
    d = np.random.default_rng(3).normal(0.3, 1, (1, 20))
    found = stats.permutation_test(
        (d[0],), np.mean, permutation_type="samples", n_resamples=50_000, rng=np.random.default_rng(9)
    )
    assert sign_flip(d)[0] == pytest.approx(found.pvalue, abs=4 * np.sqrt(0.25 / 20_000))
    assert sign_flip(d)[0] == sign_flip(d)[0]
    assert sign_flip(np.full((1, 40), 1.0))[0] == pytest.approx(1 / 20_001)


def test_sign_flips_in_parts_are_the_same(monkeypatch):
    d = np.random.default_rng(4).normal(0.3, 1, (50, 9))
    whole = sign_flip(d)
    monkeypatch.setattr(paired, "_AT_ONCE", 1_000)
    np.testing.assert_array_equal(sign_flip(d), whole)


@pytest.mark.parametrize(
    ("p", "adjusted"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),  # Holm by hand: x3, max(x1, .06), x2, x4
        ([0.01, np.nan, 0.04], [0.02, np.nan, 0.04]),
        ([0.5, 0.9], [1.0, 1.0]),
        ([0.02, 0.02, 0.02], [0.06, 0.06, 0.06]),
        ([], []),
        ([np.nan], [np.nan]),
    ],
)
def test_holm_by_hand(p, adjusted):
    np.testing.assert_allclose(holm(p), adjusted, rtol=1e-12)


def _with_effect(effect):
    """Two differences with a standard deviation of 1 and this mean."""
    return np.array([effect - np.sqrt(0.5), effect + np.sqrt(0.5)])


@pytest.mark.parametrize(("effect", "seeds"), [(0.5, 34), (0.8, 15), (0.2, 199), (1.0, 10)])
def test_seeds_to_separate_are_those_of_the_textbook(effect, seeds):
    # G*Power, paired t test, two-sided, alpha 0.05, power 0.8.
    assert seeds_to_separate(_with_effect(effect)) == seeds
    assert seeds_to_separate(-_with_effect(effect)) == seeds


def test_seeds_to_separate_have_the_power_that_they_claim():
    seeds = seeds_to_separate(_with_effect(0.6))
    rng = np.random.default_rng(5)
    for count, enough in ((seeds, True), (seeds - 4, False)):
        p = paired_t(rng.normal(0.6, 1, (20_000, count)))[3]
        assert ((p < 0.05).mean() > 0.79) == enough
    assert seeds_to_separate(_with_effect(0.6), level=0.001) > seeds


def test_seeds_to_separate_at_the_ends():
    assert seeds_to_separate(_with_effect(0.0887)) is not None  # 999 or so
    assert seeds_to_separate(_with_effect(0.0884)) is None  # more than 1,000
    assert seeds_to_separate(np.zeros(6)) is None
    assert seeds_to_separate(np.full(6, 0.1)) == 2
    assert seeds_to_separate(_with_effect(100.0)) == 2
