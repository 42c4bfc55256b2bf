"""Two inputs, and heavy tails, against closed forms and adaptive integration."""

import dataclasses

import numpy as np
import pytest
from models import with_odds
from scipy import integrate, stats

from benchmarks import quadrature
from benchmarks.evaluation import evaluate, expectation, kl, normalised
from benchmarks.metrics import score
from benchmarks.task import TaskError, log_posterior
from benchmarks.tasks.mixture import Mixture


def plane(**changes):
    parameters = {
        "name": "plane",
        "description": "",
        "priors": [0.3, 0.7],
        "labels": [0, 1],
        "means": [[0, 0], [1, 1]],
        "covariances": [[[1, 0.5], [0.5, 1]], [[0.5, 0], [0, 2]]],
        "window": ((-3, 4), (-3, 5)),
    }
    return Mixture(**(parameters | changes))


def heavy(degrees):
    return Mixture(
        "heavy", "", [0.5, 0.5], [0, 1], [[0], [0]], [[[1]], [[1]]], degrees=[degrees, np.inf], window=(-6, 6)
    )


def numbers(evaluation, log_q):
    return {(s.metric, s.region): s for s in score(evaluation, log_q)}


def kinked(task, x):
    """log q of a model like a ReLU network: the exact log-odds and a kink along a slanted line."""
    return normalised(
        log_posterior(task, x)
        + np.stack([np.zeros(len(x)), 0.3 * np.maximum(x[:, 0] + 0.7 * x[:, 1] - 0.4, 0)], axis=1)
    )


def test_moments_of_a_plane_have_their_closed_form():
    task = plane()
    evaluation = evaluate(task)
    assert evaluation.error < 1e-8
    mean = expectation(evaluation.x.T, evaluation.weights["all"])
    np.testing.assert_allclose(mean, [0.7, 0.7], atol=1e-6)
    np.testing.assert_allclose(np.exp(evaluation.log_prior), [0.3, 0.7], atol=1e-7)


def test_a_plane_of_independent_inputs_has_the_information_of_the_informative_one():
    line = Mixture("line", "", [0.5, 0.5], [0, 1], [[0], [2]], [[[1]], [[1]]])
    task = plane(priors=[0.5, 0.5], means=[[0, 1], [2, 1]], covariances=[np.diag([1, 3])] * 2)
    assert evaluate(task).information == pytest.approx(evaluate(line).information, abs=1e-7)


def test_kinks_in_a_plane_stay_within_the_stated_error(monkeypatch):
    task = plane()
    coarse = evaluate(task)
    found = numbers(coarse, kinked(task, coarse.x))
    monkeypatch.setitem(quadrature.NODES, 2, 513)
    fine = evaluate(task)
    exact = numbers(fine, kinked(task, fine.x))
    for key in found:
        if key[0] in ("expected_kl", "tv", "excess_brier", "expected_nll", "information_gap", "excess_error"):
            assert abs(found[key].value - exact[key].value) <= found[key].error + 0.2 * exact[key].error, key
    assert found["expected_kl", "all"].error < 1e-3 * found["expected_kl", "all"].value
    assert found["expected_kl", "sparse99"].error < 0.01 * found["expected_kl", "sparse99"].value


def test_the_sparse_region_of_one_normal_is_outside_a_circle():
    task = plane(priors=[0.5, 0.5], means=[[1, 2]] * 2, covariances=[np.diag([1, 4])] * 2)
    evaluation = evaluate(task)
    square = (evaluation.x[:, 0] - 1) ** 2 + (evaluation.x[:, 1] - 2) ** 2 / 4
    for region, mass in (("sparse99", 0.01), ("sparse95", 0.05), ("stratum-10", 0.1)):
        edge = stats.chi2.isf(mass, 2)
        beyond = evaluation.weights[region] > 0
        assert square[beyond].min() > 0.9 * edge
        # the excess over the edge of an exponential variable has its mean, 2
        assert expectation(square, evaluation.weights[region]) == pytest.approx(edge + 2, rel=2e-3)


def test_the_uniform_sparse_region_of_a_plane_is_the_window_without_the_dense_disc():
    window = ((-4, 4), (-4, 4))
    evaluation = evaluate(plane(means=[[0, 0]] * 2, covariances=[np.eye(2)] * 2, window=window))
    weights = evaluation.weights["sparse99-uniform"]
    radius = np.sqrt(stats.chi2.isf(0.01, 2))
    moment = (8 * 2 * 4**3 / 3 - np.pi * radius**4 / 4) / (64 - np.pi * radius**2)
    assert expectation(evaluation.x[:, 0] ** 2, weights) == pytest.approx(moment, rel=5e-3)
    assert (np.abs(evaluation.x[weights > 0]) < 4.2).all()


# --- heavy tails ------------------------------------------------------------------------------------------


def test_a_linear_logit_of_the_wrong_sign_has_a_finite_expected_kl_under_two_degrees_of_freedom():
    task = heavy(2)
    evaluation = evaluate(task)
    found = numbers(evaluation, with_odds(evaluation.x[:, 0]))["expected_kl", "all"]

    def integrand(x):
        at = np.array([[x]])
        return float(kl(log_posterior(task, at), with_odds(at[:, 0]))[0]) * float(
            np.exp(task.log_joint(at)).sum()
        )

    middle = integrate.quad(integrand, -50, 50, limit=500, points=[-5, 0, 5])[0]
    tails = integrate.quad(integrand, 50, np.inf)[0] + integrate.quad(integrand, -np.inf, -50)[0]
    assert abs(found.value - middle - tails) <= found.error
    assert found.error < 0.01 * found.value


@pytest.mark.parametrize(("degrees", "power"), [(2, 2), (2, 3), (1, 1), (3, 3)])
def test_a_divergent_expectation_is_infinite_and_says_why(degrees, power):
    evaluation = evaluate(heavy(degrees))
    x = evaluation.x[:, 0]
    found = numbers(evaluation, with_odds(0.01 * np.abs(x) ** power))
    for key in (("expected_kl", "all"), ("expected_kl", "sparse99"), ("information_gap", "all")):
        assert found[key].value == np.inf
        assert found[key].reason == "divergent tail"
    assert np.isfinite(found["tv", "all"].value)
    assert found["expected_kl", "stratum-1"].value < np.inf


@pytest.mark.parametrize(("degrees", "power"), [(2, 1), (3, 2), (4, 3), (np.inf, 4)])
def test_an_expectation_that_exists_is_not_called_divergent(degrees, power):
    evaluation = evaluate(heavy(degrees))
    x = evaluation.x[:, 0]
    found = numbers(evaluation, with_odds(np.minimum(0.01 * np.abs(x) ** power, 1e250)))
    assert np.isfinite(found["expected_kl", "all"].value)
    assert not found["expected_kl", "all"].reason


def test_one_tail_is_enough_to_diverge():
    evaluation = evaluate(heavy(2))
    x = evaluation.x[:, 0]
    found = numbers(evaluation, with_odds(np.where(x > 0, x**2, -np.abs(x))))
    assert found["expected_kl", "all"].value == np.inf


def test_an_average_over_the_window_never_diverges():
    task = heavy(2)
    wide = Mixture(**{f: getattr(task, f) for f in Mixture.__dataclass_fields__} | {"window": (-1e4, 1e4)})
    evaluation = evaluate(wide)
    found = numbers(evaluation, with_odds(evaluation.x[:, 0]))
    assert np.isfinite(found["expected_kl", "sparse99-uniform"].value)


# --- awkward places and scales ----------------------------------------------------------------------------


@pytest.mark.parametrize(("mean", "std"), [(1000, 0.1), (1e5, 1), (1, 1e-5), (0, 1e-20), (0, 1e12)])
def test_places_and_scales_where_float32_is_coarse_integrate(mean, std):
    task = Mixture("far", "", [0.5, 0.5], [0, 1], [[mean], [mean + 3 * std]], [[[std**2]]] * 2)
    assert evaluate(task).error < 1e-6
    square = Mixture(
        "far", "", [0.5, 0.5], [0, 1], [[mean] * 2, [mean + 3 * std] * 2], [np.eye(2) * std**2] * 2
    )
    assert evaluate(square).error < 1e-6


class Uniform:
    """Two overlapping squares, a density with jumps."""

    name, version, features, classes = "squares", 1, 2, 2

    def sample(self, n, rng):
        y = rng.integers(2, size=n)
        return rng.random((n, 2)) + 0.5 * y[:, None], y

    def log_joint(self, x):
        inside = [((x >= low) & (x <= low + 1)).all(axis=1) for low in (0, 0.5)]
        with np.errstate(divide="ignore"):
            return np.log(0.5 * np.stack(inside, axis=1))


def test_a_density_with_jumps_is_integrated_with_an_error_that_says_so():
    evaluation = evaluate(Uniform())
    assert 1e-6 < evaluation.error < 1e-2
    found = numbers(evaluation, np.tile(np.log([0.5, 0.5]), (len(evaluation.x), 1)))["expected_kl", "all"]
    assert abs(found.value - 0.75 * np.log(2)) <= found.error  # a quarter of each square overlaps
    oracle = numbers(evaluation, log_posterior(Uniform(), evaluation.x))
    assert oracle["expected_kl", "all"].value == 0 and np.isfinite(evaluation.log_posterior).any(axis=1).all()


@pytest.mark.parametrize("window", [(4, -3), (1, 2, 3), "wide", (0, np.inf)])
def test_a_window_that_is_none_is_refused(window):
    with pytest.raises(TaskError, match=r"task heavy: expected a window \(low, high\)"):
        evaluate(dataclasses.replace(heavy(3), window=window))


def test_inputs_that_say_nothing_have_no_gap():
    evaluation = evaluate(plane(means=[[0, 0]] * 2, covariances=[np.eye(2)] * 2))
    found = numbers(evaluation, evaluation.log_posterior)["information_gap", "all"]
    assert np.isnan(found.value) and "says nothing" in found.reason
