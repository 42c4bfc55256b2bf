"""Calibrators: known truths, optima that another optimiser confirms, and what they refuse."""

import time

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

from benchmarks.architecture import FitFailed
from benchmarks.architectures import calibrators
from benchmarks.evaluation import kl, normalised


def drawn(n, k, seed=0, spread=2.0):
    """Return exact log p (n, k) and labels that follow it."""
    rng = np.random.default_rng(seed)
    log_p = normalised(spread * rng.normal(size=(n, k)))
    return log_p, np.argmin(rng.exponential(size=(n, k)) / np.exp(log_p), axis=1)


def nll(log_q, y):
    return -log_q[np.arange(len(y)), y].mean()


def box(classes):
    return [(0.01, 100)] * classes + [(-100, 100)] * (classes - 1)


def vector_nll(log_q, y):
    """Return vector scaling's NLL and its gradient as a function of its 2k - 1 numbers."""
    k, rows = log_q.shape[1], np.arange(len(y))
    finite = np.where(np.isinf(log_q), 0.0, log_q)

    def both(numbers):
        found = normalised(numbers[:k] * log_q + np.append(0.0, numbers[k:]))
        rest = np.exp(found)
        rest[rows, y] -= 1
        return -found[rows, y].mean(), np.append((rest * finite).mean(axis=0), rest.mean(axis=0)[1:])

    return both


@pytest.mark.parametrize("classes", [2, 5])
def test_temperature_recovers_how_overconfident_logits_are(classes):
    log_p, y = drawn(50_000, classes)
    overconfident = normalised(3 * log_p)
    calibrate = calibrators.fit("temperature", overconfident, y)
    found = calibrate(overconfident)
    log_odds = (found[:, 1] - found[:, 0]) / (overconfident[:, 1] - overconfident[:, 0])
    np.testing.assert_allclose(1 / log_odds, 3, rtol=0.03)
    np.testing.assert_array_equal(np.argsort(found, axis=1), np.argsort(overconfident, axis=1))
    np.testing.assert_allclose(kl(log_p, found).mean(), 0, atol=1e-4)


@pytest.mark.parametrize("seed", range(12))
def test_temperature_and_vector_are_the_optimum_that_others_find(seed):
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(20, 200)), int(rng.integers(2, 5))
    log_q = normalised(rng.normal(size=(n, k)) * 10 ** rng.uniform(-2, 2.5))
    y = rng.integers(k, size=n) if seed % 3 == 0 else np.argmax(log_q + rng.gumbel(size=(n, k)), axis=1)
    y[:k] = np.arange(k)

    def at(scale):
        return nll(normalised(scale * log_q), y)

    best = minimize_scalar(lambda t: at(np.exp(t)), bounds=np.log([0.01, 100]), options={"xatol": 1e-9})
    least = min(best.fun, at(0.01), at(100.0))
    assert nll(calibrators.fit("temperature", log_q, y)(log_q), y) <= least + 1e-8
    both = vector_nll(log_q, y)
    starts = [np.append(np.full(k, scale), np.zeros(k - 1)) for scale in (1.0, 10.0)]
    found = [
        minimize(both, start, jac=True, method=method, bounds=box(k), options={"maxiter": 2_000}).fun
        for start in starts
        for method in ("L-BFGS-B", "SLSQP")
    ]
    assert nll(calibrators.fit("vector", log_q, y)(log_q), y) <= min(found) + 1e-8


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_vector_nests_temperature(classes):
    log_p, y = drawn(3_000, classes, seed=1)
    skewed = normalised(0.5 * log_p + np.linspace(-2, 2, classes))
    by = {method: nll(calibrators.fit(method, skewed, y)(skewed), y) for method in ("temperature", "vector")}
    assert by["vector"] < by["temperature"] - 0.01
    log_p, y = drawn(50, classes, seed=2)
    y[:classes] = np.arange(classes)
    by = {method: nll(calibrators.fit(method, log_p, y)(log_p), y) for method in ("temperature", "vector")}
    assert by["vector"] <= by["temperature"]


def test_vector_with_two_classes_undoes_a_shift_of_the_log_odds():
    log_p, y = drawn(100_000, 2)
    shifted = normalised(log_p + np.array([0.0, 1.5]))
    np.testing.assert_allclose(kl(log_p, calibrators.fit("vector", shifted, y)(shifted)).mean(), 0, atol=1e-4)


def test_scales_end_at_their_bounds_where_held_out_examples_are_separable():
    log_q = normalised(np.array([[1.0, 0.0], [0.5, 0.0], [0.0, 0.5], [0.0, 1.0]]))
    hot = calibrators.fit("temperature", log_q, np.array([0, 0, 1, 1]))(log_q)
    np.testing.assert_allclose(hot[:, 1] - hot[:, 0], [-100, -50, 50, 100])
    cold = calibrators.fit("temperature", log_q, np.array([1, 1, 0, 0]))(log_q)
    np.testing.assert_allclose(cold[:, 1] - cold[:, 0], [-0.01, -0.005, 0.005, 0.01])
    vector = calibrators.fit("vector", log_q, np.array([0, 0, 1, 1]))(log_q)
    assert np.isfinite(vector).all() and nll(vector, np.array([0, 0, 1, 1])) < 1e-10


def test_isotonic_gives_the_means_of_pooled_examples():
    log_odds = np.array([-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0])
    y = np.array([0, 1, 0, 0, 1, 0, 1, 1])  # pools: {0}, {1, 0, 0}, {1, 0}, {1, 1}
    log_q = normalised(np.stack([np.zeros(8), log_odds], axis=1))
    calibrate = calibrators.fit("isotonic", log_q, y)
    expected = np.array([0, 1 / 3, 1 / 3, 1 / 3, 1 / 2, 1 / 2, 1, 1])
    np.testing.assert_allclose(np.exp(calibrate(log_q)), np.stack([1 - expected, expected], axis=1))
    beyond = normalised(np.array([[0.0, -50.0], [0.0, -np.inf], [0.0, -2.5], [0.0, 50.0], [-np.inf, 0.0]]))
    np.testing.assert_allclose(np.exp(calibrate(beyond))[:, 1], [0, 0, 1 / 6, 1, 1])
    assert np.isneginf(calibrate(beyond)[[0, 1, 3, 4], [1, 1, 0, 0]]).all()


def test_isotonic_is_monotone():
    log_p, y = drawn(2_000, 2)
    calibrate = calibrators.fit("isotonic", normalised(-0.3 + 2 * log_p), y)
    log_odds = np.linspace(-20, 20, 5_000)
    found = np.exp(calibrate(normalised(np.stack([np.zeros(5_000), log_odds], axis=1))))[:, 1]
    assert (np.diff(found) >= 0).all() and found[-1] - found[0] > 0.9


def test_isotonic_of_many_classes_is_uniform_where_none_is_left():
    log_q = np.log(np.array([[0.55, 0.4, 0.05], [0.05, 0.55, 0.4], [0.4, 0.05, 0.55]]))
    calibrate = calibrators.fit("isotonic", log_q, np.array([0, 1, 2]))
    np.testing.assert_allclose(np.exp(calibrate(log_q)), np.eye(3))
    third = np.log(np.full((1, 3), 1 / 3))
    np.testing.assert_allclose(np.exp(calibrate(third)), 1 / 3)
    halfway = (log_q[0, 0] - np.log(0.45) + log_q[0, 1] - np.log(0.6)) / 2
    q = 1 / (1 + np.exp(-halfway))
    np.testing.assert_allclose(np.exp(calibrate(np.log([[q, 0.5 - q / 2, 0.5 - q / 2]]))), [[1, 0, 0]])


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize(("method", "most"), [("temperature", 1e-4), ("vector", 4e-4), ("isotonic", 6e-3)])
def test_what_is_calibrated_stays_nearly_as_it_is(method, most, classes):
    log_p, y = drawn(20_000, classes, seed=3, spread=1.0)
    fresh, _ = drawn(20_000, classes, seed=4, spread=1.0)
    within = np.exp(fresh).min(axis=1) > 0.02  # beyond the held-out range isotonic regression is 0 or 1
    change = kl(fresh, calibrators.fit(method, log_p, y)(fresh))[within]
    assert 0 <= change.mean() < most


@pytest.mark.parametrize("method", ["temperature", "vector", "isotonic"])
def test_zeros_stay_zeros_and_never_become_nan(method):
    log_p, y = drawn(400, 3)
    log_q = log_p.copy()
    log_q[:50, 0] = -np.inf
    log_q[50:60, :2] = -np.inf
    log_q = normalised(log_q)
    calibrate = calibrators.fit(method, log_q, y)
    found = calibrate(log_q)
    assert not np.isnan(found).any()
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1)
    if method != "isotonic":
        np.testing.assert_array_equal(np.isneginf(found), np.isneginf(log_q))
    assert calibrate(log_q[:0]).shape == (0, 3)


@pytest.mark.parametrize("method", ["temperature", "vector"])
def test_examples_that_q_excludes_are_left_out(method):
    log_p, y = drawn(500, 3)
    overconfident = normalised(2 * log_p)
    excluded = np.tile([0.0, -np.inf, -np.inf], (20, 1))
    with_excluded = np.concatenate([overconfident, excluded]), np.append(y, np.full(20, 1))
    alone = calibrators.fit(method, overconfident, y)(log_p)
    np.testing.assert_allclose(calibrators.fit(method, *with_excluded)(log_p), alone, atol=1e-9)


def test_one_class_is_enough_for_a_temperature_only():
    log_p, _ = drawn(100, 2)
    zeros = np.zeros(100, dtype=np.int64)
    assert np.isfinite(calibrators.fit("temperature", log_p, zeros)(log_p)).all()
    for method in ("vector", "isotonic"):
        expected = (
            f"{method} calibration needs a held-out example of each of 2 classes, found none of 1 among 100"
        )
        with pytest.raises(FitFailed, match=expected):
            calibrators.fit(method, log_p, zeros)


@pytest.mark.parametrize("method", ["temperature", "vector", "isotonic"])
def test_what_cannot_be_fitted_is_refused_with_the_reason(method):
    log_p, y = drawn(10, 2)
    with pytest.raises(FitFailed, match=f"{method} calibration needs held-out examples, found none"):
        calibrators.fit(method, log_p[:0], y[:0])
    with pytest.raises(FitFailed, match=r"needs log q \(9, k\), found \(10, 2\)"):
        calibrators.fit(method, log_p, y[:9])
    log_p[[2, 5]] = np.nan
    with pytest.raises(FitFailed, match="found NaN in log q of 2 of 10 examples"):
        calibrators.fit(method, log_p, y)


def test_a_true_class_that_q_always_excludes_is_refused():
    log_q = np.array([[0.0, -np.inf], [-np.inf, 0.0]])
    with pytest.raises(FitFailed, match="q of the true class is 0 in all 2 held-out examples"):
        calibrators.fit("temperature", log_q, np.array([1, 0]))


def test_an_unknown_method_says_which_there_are():
    with pytest.raises(ValueError, match="'temprature'; did you mean temperature"):
        calibrators.fit("temprature", *drawn(10, 2))


def test_a_fit_is_cheap():
    log_p, y = drawn(20_000, 2)
    for method in calibrators.METHODS:
        calibrators.fit(method, log_p, y)  # imports
        taken = []
        for _ in range(5):
            start = time.process_time()
            calibrators.fit(method, 3 * log_p, y)
            taken.append(time.process_time() - start)
        assert min(taken) < 0.25, (method, taken)
