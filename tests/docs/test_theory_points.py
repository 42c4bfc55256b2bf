"""The formulas of docs/theory.md on calibration and grouping, regions, integration and crossings."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.stats import chi2, norm
from theory import scored

from benchmarks import registry
from benchmarks.architectures.calibrators import temperature
from benchmarks.evaluation import evaluate, expectation, kl, normalised
from benchmarks.metrics import score
from benchmarks.shape import calibration_split, crossing_measures, crossings, ece

SHARE = {"sparse99": 0.01, "sparse95": 0.05}


@dataclass(frozen=True)
class Ball:
    """A standard normal density in d dimensions, whatever the class: its regions are known."""

    features: int
    version: int = 1
    classes = 2

    @property
    def name(self):
        return f"ball-d{self.features}"

    @property
    def window(self):
        return (-4.0, 4.0) if self.features == 1 else None

    def sample(self, n, rng):
        return rng.normal(size=(n, self.features)), rng.integers(2, size=n)

    def log_joint(self, x):
        return np.tile(norm.logpdf(x).sum(axis=1)[:, None] + np.log(0.5), (1, 2))


@pytest.fixture(scope="module", params=[1, 2, 3])
def ball(request):
    return evaluate(Ball(request.param))


def split(evaluation, log_q):
    """Return calibration loss, grouping loss and residual."""
    return tuple(value.value for value in calibration_split(evaluation, log_q).values())


def levels(evaluation, log_q, count=7):
    """Return log q rounded to a few levels of its log-odds, and E[p|q] (n, 2) by plain averaging."""
    odds = log_q[:, 1] - log_q[:, 0]
    which = np.digitize(odds, np.linspace(-2, 2, count - 1))
    level = np.linspace(-2.5, 2.5, count)[which]
    stepped = -np.logaddexp(0, np.stack([level, -level], axis=1))
    p, weights = np.exp(evaluation.log_posterior), evaluation.weights["all"]
    mean = np.empty_like(p)
    for each in np.unique(which):
        rows = which == each
        mean[rows] = np.average(p[rows], axis=0, weights=weights[rows])
    return stepped, mean


# --- calibration and grouping ----------------------------------------------------------------------------


def test_calibration_and_grouping_sum_to_expected_kl_where_q_has_few_values(xor, rough):
    stepped, mean = levels(xor, rough(xor.x))
    weights = xor.weights["all"]
    calibration, grouping, residual = split(xor, stepped)
    assert calibration == pytest.approx(expectation(kl(np.log(mean), stepped), weights), rel=1e-9)
    assert grouping == pytest.approx(expectation(kl(xor.log_posterior, np.log(mean)), weights), rel=1e-9)
    assert abs(residual) < 1e-12
    assert calibration + grouping == pytest.approx(scored(xor, stepped)["expected_kl"], rel=1e-9)
    assert calibration > 0.01 and grouping > 0.01


def test_the_best_map_of_q_leaves_the_grouping_loss(xor, rough):
    stepped, mean = levels(xor, rough(xor.x))
    _, grouping, _ = split(xor, stepped)
    assert scored(xor, np.log(mean))["expected_kl"] == pytest.approx(grouping, rel=1e-9)
    rng = np.random.default_rng(0)
    for _ in range(20):  # other maps of the same levels
        scale, shift = rng.uniform(0.3, 2), rng.normal()
        other = normalised(np.log(mean) * scale + np.array([0, shift]))
        assert scored(xor, other)["expected_kl"] > grouping


def test_the_residual_is_what_differs_within_bins(nested, rough):
    log_q = rough(nested.x)
    odds, weights = log_q[:, 1] - log_q[:, 0], nested.weights["all"]
    p, q = np.exp(nested.log_posterior), np.exp(log_q)
    order = np.argsort(odds, kind="stable")
    ends = np.cumsum(weights[order])
    which = np.empty(len(odds), dtype=int)
    which[order] = np.minimum((ends - weights[order] / 2) / ends[-1] * 100, 99).astype(int)
    mean_p, mean_q = np.empty_like(p), np.empty_like(q)
    for b in np.unique(which):
        rows = which == b
        mean_p[rows] = np.average(p[rows], axis=0, weights=weights[rows])
        mean_q[rows] = np.average(q[rows], axis=0, weights=weights[rows])
    calibration, grouping, residual = split(nested, log_q)
    assert calibration == pytest.approx(weights @ kl(np.log(mean_p), np.log(mean_q)), rel=1e-9)
    assert grouping == pytest.approx(weights @ kl(nested.log_posterior, np.log(mean_p)), rel=1e-9)
    assert residual == pytest.approx(weights @ (p * np.log(mean_q / q)).sum(axis=1), rel=1e-6)
    whole = scored(nested, log_q)["expected_kl"]
    assert calibration + grouping + residual == pytest.approx(whole, rel=1e-12)
    assert 0 < abs(residual) < 0.02 * whole


def test_temperature_scaling_changes_calibration_and_leaves_grouping(xor, rough):
    log_q = rough(xor.x, slope=2.0)
    x, y = registry.task("xor-2d").sample(5_000, np.random.default_rng(0))
    scaled = temperature(rough(x, slope=2.0), y)(log_q)
    before, after = split(xor, log_q), split(xor, scaled)
    assert after[1] == pytest.approx(before[1], rel=1e-12)
    assert after[0] < 0.5 * before[0]


def test_outputs_that_tell_every_x_apart_have_no_grouping_loss():
    task = registry.task("gauss-separated")
    evaluation = evaluate(task)
    odds = 1.5 * evaluation.x[:, 0] - 1
    log_q = -np.logaddexp(0, np.stack([odds, -odds], axis=1))
    calibration, grouping, _ = split(evaluation, log_q)
    assert grouping < 1e-3 * calibration
    assert calibration == pytest.approx(scored(evaluation, log_q)["expected_kl"], rel=0.01)


def test_calibrated_outputs_lose_the_information_that_they_do_not_use(nested):
    """q = P(c | s) with s = whether x > 1, by hand from normal laws."""
    s = nested.x[:, 0] > 1
    above = np.array([norm.sf(1, 0, 2), norm.sf(1, 1, 1)]) / 2  # P(c, s = 1)
    joint = np.stack([0.5 - above, above])
    q = joint / joint.sum(axis=1, keepdims=True)
    of_s = (joint * np.log(q / 0.5)).sum()
    log_q = np.log(q)[s.astype(int)]
    found = scored(nested, log_q)
    assert found["expected_kl"] == pytest.approx(nested.information - of_s, rel=2e-3)
    assert found["grouping_loss"] == pytest.approx(found["expected_kl"], rel=1e-4)
    assert found["calibration_loss"] < 1e-6 and 0 < of_s < nested.information
    assert found["information_gap"] == pytest.approx(0.85, abs=0.005)  # as the page says, and
    assert found["ece"] == pytest.approx(1e-4, abs=5e-5)


def test_ece_is_the_gap_between_confidence_and_accuracy_in_bins(xor, rough):
    stepped, mean = levels(xor, rough(xor.x))
    confidence, top = np.exp(stepped.max(axis=1)), stepped.argmax(axis=1)
    accuracy, weights = mean[np.arange(len(top)), top], xor.weights["all"]
    expected = 0.0
    for each in np.unique(np.round(confidence, 12)):  # both classes may have the same confidence
        rows = np.round(confidence, 12) == each
        expected += abs(weights[rows] @ (accuracy - confidence)[rows])
    assert ece(xor, stepped)["ece"].value == pytest.approx(expected, rel=1e-9)
    assert expected > 0.01


def test_ece_is_zero_for_outputs_that_know_nothing(xor, three):
    for evaluation in (xor, three):
        prior = np.tile(evaluation.log_prior, (len(evaluation.x), 1))
        found = scored(evaluation, prior)
        assert found["ece"] < 1e-12 and found["information_gap"] == 1.0
    assert scored(xor, np.tile(xor.log_prior, (len(xor.x), 1)))["calibration_loss"] < 1e-12


# --- regions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("region", ["sparse99", "sparse95"])
def test_the_sparse_region_is_what_the_highest_density_region_leaves_out(ball, region):
    d, share = ball.x.shape[1], SHARE[region]
    radius = (ball.x**2).sum(axis=1)
    edge = chi2(d).isf(share)
    weights = ball.weights[region]
    assert weights[radius < edge - 0.3].sum() == 0
    exact = d * chi2(d + 2).sf(edge) / share  # E[r^2 | r^2 > edge]
    assert weights @ radius == pytest.approx(exact, rel=3e-3)


def test_the_strata_share_the_mass_and_average_to_the_whole(nested, rough):
    log_q = rough(nested.x)
    parts = [scored(nested, log_q, f"stratum-{i}")["expected_kl"] for i in range(1, 11)]
    assert np.mean(parts) == pytest.approx(scored(nested, log_q)["expected_kl"], rel=1e-9)
    assert max(parts) > 2 * min(parts)


def test_the_uniform_sparse_region_weights_length_alone():
    evaluation = evaluate(Ball(1))
    edge = norm.isf(0.005)
    exact = (4**3 - edge**3) / 3 / (4 - edge)
    found = evaluation.weights["sparse99-uniform"] @ evaluation.x[:, 0] ** 2
    assert found == pytest.approx(exact, rel=1e-4)


# --- integration -----------------------------------------------------------------------------------------


def test_quadrature_weights_are_density_times_jacobian(nested):
    x, weights = nested.x[:, 0], nested.weights["all"]
    # With x = c + s sinh(t) and steps h, (x_next + x_last) / 2 - c = cosh(h) (x - c), whatever x.
    middle = (x[2:] + x[:-2]) / 2
    slope, _ = line = np.polyfit(x[1:-1], middle, 1)
    np.testing.assert_allclose(np.polyval(line, x[1:-1]), middle, atol=1e-5)
    assert slope > 1 + 1e-6
    density = sum(0.5 * norm.pdf(x, *law) for law in ((0, 2), (1, 1)))
    jacobian = np.arccosh(slope) / np.sinh(np.arccosh(slope)) * (x[2:] - x[:-2]) / 2
    expected = density[1:-1] * jacobian
    np.testing.assert_allclose(weights[1:-1], expected / expected.sum(), rtol=2e-3, atol=1e-15)


def test_the_error_of_quadrature_is_its_largest_disagreement_with_coarser_rules(nested, rough):
    values = kl(nested.log_posterior, rough(nested.x))
    whole = float(nested.weights["all"] @ values)
    others = [float(rule.weights["all"] @ values[rule.points]) for rule in nested.checks]
    factors = [rule.factor for rule in nested.checks]
    largest = max(f * abs(other - whole) for f, other in zip(factors, others, strict=True))
    found = next(s for s in score(nested, rough(nested.x)) if s.metric == "expected_kl" and s.region == "all")
    assert found.error == pytest.approx(largest + (2.0**-24 + nested.error) * whole, rel=1e-6)
    assert set(factors) == {1.0, 0.5}


def test_the_error_of_a_sample_is_two_standard_errors_and_a_jackknifes_bias(rough):
    evaluation = evaluate(Ball(3))
    log_q = rough(evaluation.x)
    values = kl(evaluation.log_posterior, log_q)
    whole = float(evaluation.weights["all"] @ values)
    each = np.array([rule.weights["all"] @ values[rule.points] for rule in evaluation.checks])
    assert len(each) == 16
    expected = 2 * each.std(ddof=1) / 4  # a mean over P(x) has no bias
    found = next(s for s in score(evaluation, log_q) if s.metric == "expected_kl" and s.region == "all")
    assert found.error == pytest.approx(expected + 2.0**-24 * whole, rel=1e-6)
    biased = 1 + np.linspace(-0.1, 0.3, 16)
    expected = 2 * biased.std(ddof=1) / 4 + abs(biased.mean() - 1) / 15 + 2.0**-24
    assert evaluation.integration_error(1.0, biased) == pytest.approx(expected, rel=1e-9)


def test_errors_cover_what_is_known_exactly(ball):
    for a in np.linspace(0.2, 3, 20):
        values = 1 + np.cos(a * ball.x[:, 0])
        found = float(ball.weights["all"] @ values)
        checks = [rule.weights["all"] @ values[rule.points] for rule in ball.checks]
        error = ball.integration_error(found, checks)
        assert abs(found - 1 - np.exp(-(a**2) / 2)) <= error < 0.01


# --- crossings -------------------------------------------------------------------------------------------


def test_crossings_of_two_normal_classes_are_the_roots_of_the_log_odds(nested):
    roots = np.sort(np.roots([-3 / 8, 1, np.log(2) - 0.5]).real)
    np.testing.assert_allclose(crossings(nested, nested.log_posterior).x, roots, atol=1e-4)


def test_a_crossing_between_points_is_where_the_chord_of_the_log_odds_is_zero(nested):
    odds = np.sinh(nested.x[:, 0] - 0.3)
    log_q = -np.logaddexp(0, np.stack([odds, -odds], axis=1))
    (found,) = crossings(nested, log_q).x
    i = int(np.flatnonzero((odds[:-1] < 0) & (odds[1:] >= 0))[0])
    x = nested.x[:, 0]
    assert found == pytest.approx(x[i] + (x[i + 1] - x[i]) * odds[i] / (odds[i] - odds[i + 1]), rel=1e-9)


def test_a_crossing_is_found_within_its_tolerance(nested):
    true = crossings(nested, nested.log_posterior).x
    tolerance = min(0.25, 0.4 * np.diff(true)[0])

    def measured(shift):
        odds = -(nested.x[:, 0] - true[0] - shift) * (nested.x[:, 0] - true[1])
        log_q = -np.logaddexp(0, np.stack([odds, -odds], axis=1))
        return {name: value.value for name, value in crossing_measures(nested, log_q).items()}

    near, far = measured(tolerance - 0.01), measured(tolerance + 0.01)
    assert near["crossings_found"] == 2 and near["crossings_spurious"] == 0
    assert near["crossing_error"] == pytest.approx((tolerance - 0.01) / 2, abs=1e-3)
    assert far["crossings_found"] == 1 and far["crossings_spurious"] == 1
