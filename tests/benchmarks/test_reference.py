"""Reference rows: the k/2N law tests the whole pipeline, from sampling to scoring."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from benchmarks import registry
from benchmarks.architecture import FitFailed, Skipped
from benchmarks.architectures.reference import PILOT, fit_multinomial
from benchmarks.evaluation import evaluate, expectation, kl
from benchmarks.task import conditional_parameters, training_data

TRAINING_SETS = 2_000


def mean_kl(name, n):
    """Return mean and standard error of oracle-mle's expected KL over 2,000 training sets of n examples."""
    task, reference = registry.task(name), registry.architecture("oracle-mle")
    evaluation = evaluate(task)
    weights = evaluation.weights["all"]
    found = []
    for seed in range(TRAINING_SETS):
        log_q = reference.fit(task, evaluation, *training_data(task, seed, n))(evaluation.x)
        found.append(expectation(kl(evaluation.log_posterior, log_q), weights))
    return np.mean(found), np.std(found, ddof=1) / np.sqrt(TRAINING_SETS)


def obeys_the_law(mean, error, k, n):
    law = k / (2 * n)
    return abs(mean - law) <= 4 * error and abs(mean - law) <= 0.05 * law


@pytest.mark.parametrize("n", [1_000, pytest.param(10_000, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", ["gauss-separated", "gauss-nested", "gauss-sparse-tail"])
def test_maximum_likelihood_in_the_true_family_costs_k_over_two_n(name, n):
    k = conditional_parameters(registry.task(name))
    mean, error = mean_kl(name, n)
    assert obeys_the_law(mean, error, k, n), (mean * 2 * n / k, error * 2 * n / k)
    for wrong in (k - 1, k + 1):
        assert not obeys_the_law(mean, error, wrong, n)


def test_the_fit_equals_a_librarys():
    task = registry.task("gauss-nested")
    x, y = training_data(task, 0, 30_000)  # beyond the pilot sample
    assert len(y) > PILOT
    ours = fit_multinomial(task.logit_basis(x), y, 2)[:, 0]
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(np.concatenate([x, x**2], axis=1), y)
    np.testing.assert_allclose(ours, [model.intercept_[0], *model.coef_[0]], rtol=1e-4)


def test_three_classes_equal_a_librarys():
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=3_000)
    x = rng.normal(size=(3_000, 2)) + np.array([[0, 0], [1, 0], [0, 2]])[y]
    ours = fit_multinomial(np.concatenate([np.ones((3_000, 1)), x], axis=1), y, 3)
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(x, y)
    theirs = np.concatenate([model.intercept_[:, None], model.coef_], axis=1)
    np.testing.assert_allclose(ours.T, (theirs - theirs[0])[1:], rtol=1e-3, atol=1e-4)


def test_separable_data_have_no_maximum():
    x = np.linspace(-1, 1, 200)
    features = np.stack([np.ones(200), x], axis=1)
    with pytest.raises(FitFailed, match="200 examples has no maximum"):
        fit_multinomial(features, (x > 0.1).astype(int), 2)
    with pytest.raises(FitFailed, match="no maximum"):  # quasi-complete: one point of each class at the edge
        fit_multinomial(np.stack([np.ones(4), [0, 1, 1, 2]], axis=1), np.array([0, 0, 1, 1]), 2)


def test_a_maximum_at_infinity_is_no_maximum_however_small_the_steps_have_become():
    task = registry.task("bits-d12")
    x, y = training_data(task, 1, 1280)
    with pytest.raises(FitFailed, match="no maximum"):
        fit_multinomial(task.logit_basis(x), y, task.classes)
    x, y = training_data(task, 1, 12_800)  # the pilot sample has none, the whole has one
    weights = fit_multinomial(task.logit_basis(x), y, task.classes)
    assert np.abs(weights).max() < 10


def test_one_overlapping_pair_is_enough_for_a_maximum():
    x = np.linspace(-1, 1, 200)
    y = (x > 0.1).astype(int)
    y[[100, 120]] = 1 - y[[100, 120]]
    weights = fit_multinomial(np.stack([np.ones(200), x], axis=1), y, 2)
    assert np.isfinite(weights).all()


def test_too_few_examples_are_skipped_with_the_reason():
    task = registry.task("gauss-nested")
    with pytest.raises(Skipped, match="3 parameters are too many for 14 examples"):
        registry.architecture("oracle-mle").fit(task, evaluate(task), *training_data(task, 0, 14))
