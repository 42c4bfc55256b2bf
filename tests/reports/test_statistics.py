import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports.statistics import geometric_mean, grouped_geometric_mean, interval, intervals, log


def test_interval_is_student_t_below_thirty_seeds():
    logs = np.random.default_rng(3).normal(-4, 0.5, 12)
    expected = stats.t.interval(0.95, 11, loc=logs.mean(), scale=stats.sem(logs))
    np.testing.assert_allclose(interval(logs), expected, rtol=1e-12)


def test_interval_is_the_bca_bootstrap_from_thirty_seeds_on():
    logs = np.random.default_rng(4).gamma(1.0, size=30)  # skewed, so that BCa and t differ
    low, high = interval(logs)
    t_low, t_high = stats.t.interval(0.95, 29, loc=logs.mean(), scale=stats.sem(logs))
    assert (low, high) == interval(logs)  # fixed generator
    assert low > t_low and high > t_high  # BCa leans to the long tail, t is symmetric
    other = stats.bootstrap((logs,), np.mean, n_resamples=20_000, rng=np.random.default_rng(99))
    ends = other.confidence_interval
    np.testing.assert_allclose((low, high), (ends.low, ends.high), atol=0.03)


@pytest.mark.parametrize(
    ("logs", "expected"),
    [
        ([0.1, 0.2, 0.3, 0.4], (np.nan, np.nan)),
        ([0.1] * 4, (np.nan, np.nan)),
        ([0.1] * 5, (0.1, 0.1)),
        ([-np.inf] * 6, (-np.inf, -np.inf)),
        ([np.inf] * 6, (np.inf, np.inf)),
        ([0.0, 0.0, 0.0, 0.0, np.inf], (np.nan, np.nan)),
        ([0.0, 0.0, 0.0, 0.0, np.nan], (np.nan, np.nan)),
    ],
)
def test_interval_where_there_is_no_spread_to_measure(logs, expected):
    np.testing.assert_equal(interval(logs), expected)


def test_interval_covers_the_geometric_mean_of_log_normal_gaps():
    rng = np.random.default_rng(0)
    samples = rng.lognormal(np.log(0.02), 0.6, (2_000, 10))
    covered = 0
    for gaps in samples:
        low, high = np.exp(interval(np.log(gaps)))
        covered += low <= 0.02 <= high
    assert 0.93 <= covered / 2_000 <= 0.97


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 100.0], 10.0),
        ([0.0, np.inf], np.inf),
        ([np.inf, 2.0], np.inf),
        ([0.0, 5.0], 0.0),
        ([0.0, 0.0], 0.0),
        ([np.nan, np.inf], np.nan),
        ([np.nan, 0.0], np.nan),
        ([], np.nan),
    ],
)
def test_geometric_mean_rules_alone_and_grouped(values, expected):
    np.testing.assert_allclose(geometric_mean(values), expected, rtol=1e-12)
    if values:
        index = pd.MultiIndex.from_product([["cell"], range(len(values))], names=["cell", "seed"])
        grouped = grouped_geometric_mean(pd.Series(values, index=index), ["cell"])
        np.testing.assert_allclose(grouped.to_numpy(), [expected], rtol=1e-12)


def test_grouped_geometric_mean_agrees_with_scipy_whatever_the_order():
    rng = np.random.default_rng(5)
    index = pd.MultiIndex.from_product([["b", "a"], range(7)], names=["cell", "seed"])
    values = pd.Series(rng.lognormal(size=14), index=index).sample(frac=1, random_state=0)
    grouped = grouped_geometric_mean(values, ["cell"])
    for name in ("a", "b"):
        np.testing.assert_allclose(grouped[name], stats.gmean(values.xs(name)), rtol=1e-12)


def test_log_of_zero_is_minus_infinity_without_a_warning(recwarn):
    assert log([0.0]).tolist() == [-np.inf]
    assert not recwarn.list


def test_a_divergence_of_zero_that_rounding_took_below_zero_counts_as_zero():
    assert geometric_mean([0.1, -4e-18]) == 0
    series = pd.Series([0.1, -4e-18], index=pd.MultiIndex.from_tuples([("a", 0), ("a", 1)], names=["k", "s"]))
    assert grouped_geometric_mean(series, ["k"]).tolist() == [0]


def test_intervals_of_many_cells_are_those_of_each():
    rng = np.random.default_rng(6)
    for seeds in (4, 5, 12, 30):
        logs = rng.normal(size=(20, seeds))
        logs[3], logs[4, 1], logs[5, 0] = 0.2, np.inf, np.nan
        np.testing.assert_allclose(intervals(logs), [interval(row) for row in logs], rtol=1e-12)
