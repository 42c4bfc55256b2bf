"""The formulas of docs/theory.md on the posterior, cross-entropy, priors and distances."""

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm
from theory import pairs, scored

from benchmarks import registry
from benchmarks.architecture import Recipe
from benchmarks.architectures.losses import log_q as outputs_to_log_q
from benchmarks.architectures.losses import mean_log_q
from benchmarks.evaluation import corrected, evaluate, expectation, kl
from benchmarks.metrics import excess_error, squared_error, total_variation
from benchmarks.shape import ece
from benchmarks.task import log_density, log_posterior, train_log_posterior

NESTED = ((0.0, 2.0), (1.0, 1.0))  # mean and standard deviation of each class of gauss-nested


# --- the posterior ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("x", [-3.0, 0.5, 4.0, 150.0])
def test_the_posterior_is_bayes_rule(x):
    with mpmath.workdps(60):
        joint = [mpmath.npdf(x, mean, std) / 2 for mean, std in NESTED]
        expected = [float(mpmath.log(each / sum(joint))) for each in joint]
        density = float(mpmath.log(sum(joint)))
    task = registry.task("gauss-nested")
    at = np.array([[x]])
    np.testing.assert_allclose(log_posterior(task, at)[0], expected, rtol=1e-12)
    assert log_density(task, at)[0] == pytest.approx(density, rel=1e-12)


def test_logits_that_are_the_log_joint_up_to_a_shift_are_the_posterior(nested):
    x = nested.x
    shifted = registry.task("gauss-nested").log_joint(x) + np.sin(x) * 50
    found = outputs_to_log_q(Recipe(), shifted)
    np.testing.assert_allclose(found, nested.log_posterior, atol=1e-12)
    odds = shifted[:, 1] - shifted[:, 0]
    np.testing.assert_allclose(np.exp(found[:, 1]), expit(odds), rtol=1e-9, atol=1e-300)


def test_two_normal_classes_have_a_quadratic_log_odds(nested):
    x = nested.x[:, 0]
    (m0, s0), (m1, s1) = NESTED
    formula = np.log(s0 / s1) + (x - m0) ** 2 / (2 * s0**2) - (x - m1) ** 2 / (2 * s1**2)
    found = nested.log_posterior[:, 1] - nested.log_posterior[:, 0]
    np.testing.assert_allclose(found, formula, rtol=1e-9, atol=1e-9)


# --- cross-entropy ---------------------------------------------------------------------------------------


def test_the_mean_loss_of_labelled_examples_tends_to_expected_nll(nested, rough):
    x, y = registry.task("gauss-nested").sample(200_000, np.random.default_rng(1))
    losses = -rough(x)[np.arange(len(y)), y]
    error = losses.std() / np.sqrt(len(y))
    assert error < 0.003
    assert abs(losses.mean() - scored(nested, rough(nested.x))["expected_nll"]) < 4 * error


def test_expected_nll_is_entropy_plus_expected_kl(nested, rough):
    def density(x):
        joint = np.array([0.5 * norm.pdf(x, *law) for law in NESTED])
        return joint, joint / joint.sum()

    def entropy(x):
        joint, p = density(x)
        return -(joint * np.log(p)).sum()

    def divergence(x):
        joint, p = density(x)
        return (joint * (np.log(p) - rough(np.array([[x]]))[0])).sum()

    h, d = (quad(f, -15, 15, limit=400, epsabs=1e-11)[0] for f in (entropy, divergence))
    found = scored(nested, rough(nested.x))
    assert nested.entropy == pytest.approx(h, abs=1e-8)
    assert h == pytest.approx(0.565, abs=5e-4)  # as the page says
    assert found["expected_kl"] == pytest.approx(d, abs=1e-7)
    assert found["expected_nll"] == pytest.approx(h + d, abs=1e-7)
    assert d > 0.01


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_gibbs_inequality(classes):
    p, q = pairs(classes)
    found = kl(np.log(p), np.log(q))
    assert (found > 0).all()
    np.testing.assert_allclose(kl(np.log(p), np.log(p)), 0)
    t = q / p
    assert (np.log(t) <= t - 1).all()


# --- other class priors ----------------------------------------------------------------------------------


def test_outputs_are_corrected_by_the_ratio_of_priors():
    task = registry.task("rare-class-1d+prior-shift(0.6,0.4)")
    evaluation = evaluate(task)
    trained = train_log_posterior(task, evaluation.x)
    found = np.exp(corrected(task, evaluation, trained))
    by_hand = np.exp(trained) * np.array([0.6, 0.4]) / np.array([0.99, 0.01])
    np.testing.assert_allclose(found, by_hand / by_hand.sum(axis=1, keepdims=True), rtol=1e-9)
    np.testing.assert_allclose(found, np.exp(evaluation.log_posterior), rtol=1e-7)
    assert scored(evaluation, trained)["expected_kl"] > 0.1


# --- information -----------------------------------------------------------------------------------------


def test_mutual_information_is_what_the_priors_cost(three):
    p = np.exp(three.log_posterior)
    prior = np.exp(three.log_prior)
    np.testing.assert_allclose(prior, expectation(p.T, three.weights["all"]))
    of_class = -(prior * np.log(prior)).sum()
    assert three.information == pytest.approx(of_class - three.entropy, abs=1e-9)

    def by_quadrature(x):
        joint = 0.5 * np.array([norm.pdf(x, *law) for law in NESTED])
        return (joint * np.log(joint / (0.5 * joint.sum()))).sum()

    exact = quad(by_quadrature, -15, 15, limit=400, epsabs=1e-11)[0]
    assert evaluate(registry.task("gauss-nested")).information == pytest.approx(exact, abs=1e-8)


def test_no_constant_beats_the_priors(three):
    prior = np.exp(three.log_prior)
    for q in pairs(3, 30)[1]:
        constant = np.tile(np.log(q), (len(three.x), 1))
        found = scored(three, constant)["expected_kl"]
        assert found == pytest.approx(three.information + kl(np.log(prior), np.log(q)), rel=1e-9)


def test_the_information_gap_is_one_for_the_priors_and_zero_for_the_oracle(three, rough):
    prior = scored(three, np.tile(three.log_prior, (len(three.x), 1)))
    oracle = scored(three, three.log_posterior)
    assert prior["information_gap"] == 1.0 and oracle["information_gap"] == 0.0
    found = scored(three, rough(three.x, 3))
    of_class = three.information + three.entropy
    share = (found["expected_nll"] - three.entropy) / (of_class - three.entropy)
    assert found["information_gap"] == pytest.approx(share, rel=1e-9)


# --- other distances -------------------------------------------------------------------------------------


def test_distances_by_hand():
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.3, 0.6, 0.1])
    assert total_variation(np.log(p), np.log(q)) == pytest.approx(0.3)
    assert squared_error(np.log(p), np.log(q)) == pytest.approx(0.04 + 0.09 + 0.01)
    assert excess_error(np.log(p[None]), np.log(q[None, None]))[0, 0] == pytest.approx(0.5 - 0.3)
    by_hand = 0.5 * np.log(5 / 3) + 0.3 * np.log(1 / 2) + 0.2 * np.log(2)
    assert kl(np.log(p), np.log(q)) == pytest.approx(by_hand)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_pinskers_inequality_at_a_point_and_on_average(classes, nested, rough):
    p, q = np.log(pairs(classes))
    assert (total_variation(p, q) <= np.sqrt(kl(p, q) / 2) * (1 + 1e-12)).all()
    close = np.log([[0.5, 0.5]]), np.log([[0.501, 0.499]])  # where it is nearly an equality
    assert total_variation(*close)[0] == pytest.approx(np.sqrt(kl(*close)[0] / 2), rel=1e-5)
    found = scored(nested, rough(nested.x))
    assert 0 < found["tv"] <= np.sqrt(found["expected_kl"] / 2)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_excess_error_is_at_most_twice_the_total_variation(classes):
    p, q = np.log(pairs(classes))
    excess = np.array([excess_error(p[[i]], q[None, [i]])[0, 0] for i in range(len(p))])
    assert (excess >= 0).all() and (excess <= 2 * total_variation(p, q) + 1e-12).all()
    assert (excess > 0).any()
    p, q = np.log([[0.5 - 0.2, 0.5 + 0.2]]), np.log([[0.5 + 1e-9, 0.5 - 1e-9]])
    assert excess_error(p, q[None])[0, 0] == pytest.approx(2 * total_variation(p, q)[0], rel=1e-7)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_squared_distance_lies_between_multiples_of_squared_total_variation(classes):
    p, q = np.log(pairs(classes))
    brier, square = squared_error(p, q), total_variation(p, q) ** 2
    assert (brier <= 2 * square * (1 + 1e-12)).all()
    assert (brier >= 4 / classes * square * (1 - 1e-12)).all()
    if classes == 2:
        np.testing.assert_allclose(brier, 2 * square, rtol=1e-9)
    assert (brier <= kl(p, q) * (1 + 1e-12)).all()


def test_kl_has_no_bound_in_total_variation(nested):
    with np.errstate(divide="ignore"):
        excluded = np.where(nested.x > 4, np.log([1.0, 0.0]), nested.log_posterior)
    found = scored(nested, excluded)
    mass = 0.5 * norm.sf(4, 1, 1)
    assert found["expected_kl"] == np.inf
    assert found["infinite_mass"] == pytest.approx(mass, rel=0.02)
    assert found["tv"] == pytest.approx(mass, rel=0.02)


def test_ece_is_at_most_the_total_variation(nested, rough):
    for slope in (-0.7, 0.2, 0.7, 2.0):
        log_q = rough(nested.x, slope=slope)
        top = log_q.argmax(axis=1)[:, None]
        gap = np.abs(np.exp(np.take_along_axis(nested.log_posterior, top, 1)) - np.exp(log_q.max(1))[:, None])
        bound = float(expectation(gap[:, 0], nested.weights["all"]))
        assert 0 < ece(nested, log_q)["ece"].value <= bound + 1e-12
        assert bound <= scored(nested, log_q)["tv"] + 1e-12


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_the_mean_of_several_models_is_no_worse_than_they_are_on_average(classes):
    p, q = pairs(classes)
    _, other = pairs(classes, seed=1)
    together = kl(np.log(p), mean_log_q([np.log(q), np.log(other)]))
    apart = (kl(np.log(p), np.log(q)) + kl(np.log(p), np.log(other))) / 2
    assert (together <= apart * (1 + 1e-12)).all() and (together < 0.9 * apart).any()
