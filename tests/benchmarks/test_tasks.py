"""Each task against its closed form, its own sampler, and an independent high-precision integration."""

import dataclasses

import mpmath
import numpy as np
import pytest
from scipy import integrate, stats

from benchmarks import registry
from benchmarks.evaluation import evaluate
from benchmarks.task import (
    BLOCK,
    Stream,
    TaskError,
    checked_log_joint,
    conditional_parameters,
    log_density,
    log_posterior,
    parameters,
    training_data,
)

CASES = {  # mean and standard deviation of each class, as the study states them
    "gauss-separated": ((0, 1), (3, 1)),
    "gauss-nested": ((0, 2), (1, 1)),
    "gauss-sparse-tail": ((0, 2), (3, 1)),
}
NAMES = list(CASES)


def column(*values):
    return np.array(values, dtype=float)[:, None]


def mixture(name, x):
    return [mpmath.npdf(x, mean, std) / 2 for mean, std in CASES[name]]


def posterior(name, x):
    a, b = mixture(name, x)
    return a / (a + b), b / (a + b)


def integral(name, of):
    """Integrate of(p0, p1) under the task's density with 30 digits."""
    with mpmath.workdps(30):
        return float(
            mpmath.quad(
                lambda x: sum(mixture(name, x)) * of(*posterior(name, x)),
                [-60, -8, -3, 0, 1, 2, 3, 5, 7, 12, 60],
            )
        )


def test_separated_case_has_the_closed_form_of_the_study():
    x = np.linspace(-30, 30, 601)
    found = log_posterior(registry.task("gauss-separated"), x[:, None])
    np.testing.assert_allclose(found[:, 1], -np.logaddexp(0, -(6 * x - 9) / 2), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_posterior_equals_bayes_rule_by_scipy(name):
    x = np.linspace(-9, 12, 211)
    joint = np.stack([0.5 * stats.norm.pdf(x, mean, std) for mean, std in CASES[name]], axis=1)
    found = log_posterior(registry.task(name), x[:, None])
    np.testing.assert_allclose(np.exp(found), joint / joint.sum(axis=1, keepdims=True), atol=1e-13)
    np.testing.assert_allclose(
        log_density(registry.task(name), x[:, None]), np.log(joint.sum(axis=1)), atol=1e-12
    )


@pytest.mark.parametrize("name", NAMES)
def test_density_integrates_to_one(name):
    task = registry.task(name)
    total, _ = integrate.quad(
        lambda x: np.exp(log_density(task, column(x)))[0], -60, 60, points=[0, 1, 3], limit=400
    )
    assert total == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_posterior_is_finite_far_out(name):
    found = log_posterior(registry.task(name), column(-1e3, -100, 100, 1e3))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_sampler_follows_the_density(name):
    x, y = registry.task(name).sample(200_000, np.random.default_rng(1))
    cdf = lambda t: sum(0.5 * stats.norm.cdf(t, mean, std) for mean, std in CASES[name])  # noqa: E731
    assert stats.kstest(x[:, 0], cdf).pvalue > 1e-4
    for label, (mean, std) in enumerate(CASES[name]):
        assert stats.kstest(x[y == label, 0], stats.norm(mean, std).cdf).pvalue > 1e-4
    assert stats.binomtest(int(y.sum()), len(y), 0.5).pvalue > 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_labels_follow_the_posterior(name):
    task = registry.task(name)
    x, y = task.sample(200_000, np.random.default_rng(2))
    p = np.exp(log_posterior(task, x))[:, 1]
    bins = np.minimum((p * 20).astype(int), 19)
    residual = np.bincount(bins, weights=y - p, minlength=20)
    spread = np.sqrt(np.bincount(bins, weights=p * (1 - p), minlength=20))
    chi2 = ((residual / np.where(spread > 0, spread, np.inf)) ** 2).sum()
    assert stats.chi2.sf(chi2, 20) > 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_information_and_bayes_error_equal_an_independent_integration(name):
    evaluation = evaluate(registry.task(name))
    entropy = integral(name, lambda a, b: -sum(p * mpmath.log(p) for p in (a, b) if p > 0))
    assert evaluation.entropy == pytest.approx(entropy, abs=1e-8)
    assert evaluation.information == pytest.approx(np.log(2) - entropy, abs=1e-8)
    assert evaluation.bayes_error == pytest.approx(integral(name, min), abs=1e-6)
    assert np.exp(evaluation.log_prior) == pytest.approx([0.5, 0.5], abs=1e-8)


def test_log_odds_lie_in_the_span_of_the_basis():
    for name in NAMES:
        task = registry.task(name)
        x = np.linspace(-8, 10, 50)[:, None]
        joint = task.log_joint(x)
        odds = joint[:, 1] - joint[:, 0]
        weights, *_ = np.linalg.lstsq(task.logit_basis(x), odds, rcond=None)
        np.testing.assert_allclose(task.logit_basis(x) @ weights, odds, atol=1e-9)
    assert [conditional_parameters(registry.task(name)) for name in NAMES] == [2, 3, 3]


# --- training data ----------------------------------------------------------------------------------------


def test_smaller_budgets_are_prefixes_however_they_are_drawn():
    task = registry.task("gauss-nested")
    x, y = training_data(task, 3, 10_000)
    stream = Stream(task, 3)
    parts = [stream.take(n) for n in (64, 1, BLOCK, 5_000, 839)]
    np.testing.assert_array_equal(np.concatenate([part for part, _ in parts]), x)
    np.testing.assert_array_equal(np.concatenate([part for _, part in parts]), y)
    np.testing.assert_array_equal(training_data(task, 3, 100)[0], x[:100])


def test_seeds_and_tasks_have_data_of_their_own():
    first, _ = training_data(registry.task("gauss-nested"), 0, 1000)
    assert not np.array_equal(first, training_data(registry.task("gauss-nested"), 1, 1000)[0])
    x, y = training_data(registry.task("gauss-separated"), 0, 1000)
    same_noise = (
        first[:, 0] - np.take([0, 1], training_data(registry.task("gauss-nested"), 0, 1000)[1])
    ) / np.take([2, 1], training_data(registry.task("gauss-nested"), 0, 1000)[1])
    assert not np.allclose(same_noise, x[:, 0] - np.take([0, 3], y))


# --- the contract -----------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Broken:
    result: object
    name: str = "broken"
    version: int = 1
    features: int = 1
    classes: int = 2

    def sample(self, n, rng):
        return np.zeros((n, 2)), np.zeros(n, dtype=np.int64)

    def log_joint(self, x):
        return self.result


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (np.zeros((3, 3)), "expected|should return float64 \\(3, 2\\), returned float64 \\(3, 3\\)"),
        (np.zeros((3, 2), dtype=np.float32), "returned float32"),
        ([[0, 0]] * 3, "returned list"),
        (np.array([[0, 0], [0, np.nan], [0, 0]]), r"NaN at x = \[1.\]"),
    ],
)
def test_a_broken_log_joint_is_named_with_what_was_expected_and_found(result, words):
    with pytest.raises(TaskError, match=words) as error:
        checked_log_joint(Broken(result), column(0, 1, 2))
    assert "task broken" in str(error.value)


def test_a_sampler_of_the_wrong_shape_is_named():
    with pytest.raises(TaskError, match=r"task broken: sample\(4096\) should return x \(4096, 1\)"):
        training_data(Broken(None), 0, 10)


def test_a_standard_deviation_must_be_positive():
    with pytest.raises(ValueError, match="positive"):
        dataclasses.replace(registry.task("gauss-nested"), stds=(0.0, 1.0))


def test_words_about_a_task_are_not_part_of_what_it_is():
    task = registry.task("gauss-nested")
    assert parameters(dataclasses.replace(task, description="other words")) == parameters(task)
    assert parameters(dataclasses.replace(task, means=(0.0, 1.5))) != parameters(task)
