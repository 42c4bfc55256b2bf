"""The formulas of docs/theory.md on maximum likelihood, k/2N, and means over seeds."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import chi2, kstest

from benchmarks import registry
from benchmarks.architectures.reference import fit_multinomial
from benchmarks.evaluation import evaluate, expectation, kl
from benchmarks.task import conditional_parameters
from reports.derived import budget_to_target, efficiency
from reports.results import Predictions
from reports.sections.spread import spread
from reports.statistics import geometric_mean, grouped_geometric_mean

N, REPEATS = 1_000, 600


class Fits:
    """Maximum likelihood of a logit that is linear in a basis (n, b), on many training sets of one task."""

    def __init__(self, name, basis):
        self.task, self.basis = registry.task(name), basis
        self.evaluation = evaluate(self.task)
        self.weights = self.evaluation.weights["all"]
        self.features, self.p = basis(self.evaluation.x), np.exp(self.evaluation.log_posterior[:, 1])

    def expected_kl(self, theta):
        odds = self.features @ theta
        log_q = -np.logaddexp(0, np.stack([odds, -odds], axis=1))
        return float(expectation(kl(self.evaluation.log_posterior, log_q), self.weights))

    def fit(self, x, y):
        return fit_multinomial(self.basis(x), y, 2)[:, 0]

    def simulated(self):
        """Return expected KL (REPEATS,) of the fits to as many training sets of N examples."""
        x, y = self.task.sample(N * REPEATS, np.random.default_rng(0))
        sets = zip(x.reshape(REPEATS, N, -1), y.reshape(REPEATS, N), strict=True)
        return np.array([self.expected_kl(self.fit(*each)) for each in sets])

    def nearest(self):
        """Return the coefficients with the least expected KL, by a general optimiser."""
        start = np.zeros(self.features.shape[1])
        return minimize(self.expected_kl, start, method="BFGS", options={"gtol": 1e-9}).x

    def average(self, values):
        """Return E of values (n,) times f f^T, (b, b)."""
        return (self.features * (self.weights * values)[:, None]).T @ self.features


@pytest.fixture(scope="module")
def separated():
    task = registry.task("gauss-separated")
    return Fits("gauss-separated", task.logit_basis)


@pytest.fixture(scope="module")
def true_family(separated):
    return separated.simulated()


@pytest.fixture(scope="module")
def line_through_nested():
    return Fits("gauss-nested", lambda x: np.concatenate([np.ones_like(x), x], axis=1))


# --- k / 2N ----------------------------------------------------------------------------------------------


def test_near_the_truth_expected_kl_is_half_a_quadratic_form_in_fishers_information(separated):
    truth = np.array([-4.5, 3.0])
    assert separated.expected_kl(truth) == pytest.approx(0, abs=1e-15)
    fisher = separated.average(separated.p * (1 - separated.p))
    for direction in np.random.default_rng(0).normal(size=(5, 2)):
        off = [
            abs(separated.expected_kl(truth + step * direction) / (step**2 / 2 * form) - 1)
            for step in (1e-1, 1e-2, 1e-3)
            for form in [direction @ fisher @ direction]
        ]
        assert off[-1] < 2e-3 and all(b < 0.2 * a for a, b in pairwise(off))  # of third order


def test_expected_kl_of_maximum_likelihood_is_k_over_two_n(separated, true_family):
    k = conditional_parameters(separated.task)
    law, error = k / (2 * N), true_family.std(ddof=1) / np.sqrt(REPEATS)
    assert error == pytest.approx(law * np.sqrt(2 / k / REPEATS), rel=0.2)  # what chi-squared says it is
    assert abs(true_family.mean() - law) < 4 * error
    assert abs(true_family.mean() - (k + 1) / (2 * N)) > 8 * error


def test_two_n_expected_kl_follows_chi_squared(true_family):
    assert kstest(2 * N * true_family, chi2(2).cdf).pvalue > 1e-3
    assert kstest(2 * N * true_family, chi2(3).cdf).pvalue < 1e-6


def test_efficiency_is_the_law_over_what_was_measured(true_family):
    mean = true_family.mean()
    assert efficiency(2, N, mean) == pytest.approx(2 / (2 * N) / mean)
    assert efficiency(2, N, 2 / (2 * N)) == pytest.approx(1)
    assert abs(efficiency(2, N, mean) - 1) < 0.15


def test_a_generative_fit_may_beat_the_law(separated, true_family):
    """Equal variances, class means and shares by counting: linear discriminant analysis."""
    x, y = separated.task.sample(N * REPEATS, np.random.default_rng(0))
    found = []
    for one, label in zip(x[:, 0].reshape(REPEATS, N), y.reshape(REPEATS, N), strict=True):
        means, share = [one[label == c].mean() for c in (0, 1)], label.mean()
        variance = ((one - np.array(means)[label]) ** 2).mean()
        slope = (means[1] - means[0]) / variance
        shift = np.log(share / (1 - share)) - slope * (means[0] + means[1]) / 2
        found.append(separated.expected_kl(np.array([shift, slope])))
    difference = true_family - np.array(found)  # on the same training sets
    assert difference.mean() > 4 * difference.std() / np.sqrt(REPEATS)
    assert efficiency(2, N, float(np.mean(found))) == pytest.approx(1.75, abs=0.1)  # as the page says


def test_outside_the_family_a_floor_stays_and_the_trace_takes_the_place_of_k(line_through_nested):
    fits = line_through_nested
    best = fits.nearest()
    floor, q = fits.expected_kl(best), expit(fits.features @ best)
    curvature = fits.average(q * (1 - q))
    noise = fits.average(fits.p * (1 - q) ** 2 + (1 - fits.p) * q**2)
    trace = np.trace(np.linalg.solve(curvature, noise))
    found = fits.simulated() - floor
    error = found.std(ddof=1) / np.sqrt(REPEATS)
    assert floor > 20 * trace / (2 * N)
    assert abs(found.mean() - trace / (2 * N)) < 4 * error < trace / (2 * N)
    assert floor == pytest.approx(0.0799, abs=5e-5) and trace == pytest.approx(2.13, abs=5e-3)  # as there


def test_inside_the_family_the_trace_is_k(separated):
    q = expit(separated.features @ np.array([-4.5, 3.0]))
    curvature = separated.average(q * (1 - q))
    noise = separated.average(separated.p * (1 - q) ** 2 + (1 - separated.p) * q**2)
    assert np.trace(np.linalg.solve(curvature, noise)) == pytest.approx(2, abs=1e-9)


# --- over seeds ------------------------------------------------------------------------------------------


def some_seeds(seeds=6, points=30, classes=3, noise=0.5):
    """Return weights (points,), log p (points, classes) and log q (seeds, points, classes)."""
    rng = np.random.default_rng(4)
    centre = rng.normal(size=(points, classes))
    logits = centre + 0.3 + noise * rng.normal(size=(seeds, points, classes))
    log_q = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    log_p = centre - np.logaddexp.reduce(centre, axis=-1, keepdims=True)
    return rng.dirichlet(np.ones(points)), log_p, log_q


def test_mean_kl_is_kl_to_the_geometric_mean_plus_the_spread_around_it():
    weights, log_p, log_q = some_seeds()
    g = np.exp(log_q.mean(axis=0))
    log_g = np.log(g / g.sum(axis=-1, keepdims=True))
    mean = np.mean([kl(log_p, each) for each in log_q], axis=0)
    around = np.mean([kl(log_g, each) for each in log_q], axis=0)
    np.testing.assert_allclose(mean, kl(log_p, log_g) + around, rtol=1e-10)
    np.testing.assert_allclose(around, -np.log(g.sum(axis=-1)), rtol=1e-10)
    found = spread(Predictions(weights, log_p, {}), log_q)
    assert sum(found) == pytest.approx(weights @ mean, rel=1e-10)


def test_variance_has_the_factor_of_a_sample_variance_and_bias_is_the_rest():
    weights, log_p, log_q = some_seeds()
    g = log_q.mean(axis=0)
    log_g = g - np.logaddexp.reduce(g, axis=-1, keepdims=True)
    around = np.mean([weights @ kl(log_g, each) for each in log_q])
    found = spread(Predictions(weights, log_p, {}), log_q)
    assert found.variance == pytest.approx(6 / 5 * around, rel=1e-10)
    mean = np.mean([weights @ kl(log_p, each) for each in log_q])
    assert found.bias == pytest.approx(mean - found.variance, rel=1e-10)


def test_a_small_spread_is_half_the_variance_of_the_log_odds_times_q_one_minus_q():
    odds = 0.8 + 1e-3 * np.random.default_rng(5).normal(size=(5, 1))
    log_q = -np.logaddexp(0, np.stack([odds, -odds], axis=-1))
    q = expit(odds.mean())
    expected = q * (1 - q) / 2 * odds.var(ddof=1)
    found = spread(Predictions(np.ones(1), np.log([[0.5, 0.5]]), {}), log_q)
    assert found.variance == pytest.approx(expected, rel=1e-3)


def test_the_centre_of_a_cell_is_the_exponential_of_the_mean_log():
    values = np.array([[1e-3, 4e-3, 2e-3], [0.1, 0.2, 0.05]])  # tasks by seeds
    index = pd.MultiIndex.from_product([["a", "b"], range(3)], names=["task", "seed"])
    cells = grouped_geometric_mean(pd.Series(values.ravel(), index=index), ["task"])
    np.testing.assert_allclose(cells, np.exp(np.log(values).mean(axis=1)))
    assert geometric_mean(cells) == pytest.approx(np.exp(np.log(values).mean()))
    assert (cells.to_numpy() <= values.mean(axis=1)).all()
    assert geometric_mean([0.0, 1.0]) == 0 and geometric_mean([0.0, 1.0, np.inf]) == np.inf


def test_a_power_law_reaches_a_target_where_the_formula_says():
    constant, exponent, target = 30.0, 0.8, 0.1
    budgets = [100, 1_000, 10_000]
    gaps = [constant * n**-exponent for n in budgets]
    found, status, _ = budget_to_target(budgets, gaps, target)
    assert status == "ok" and found == pytest.approx((constant / target) ** (1 / exponent), rel=1e-9)
