"""Each task against its closed form, its own sampler, and an independent high-precision integration."""

import dataclasses
import json
import math
from pathlib import Path

import mpmath
import numpy as np
import pytest
from scipy import integrate, stats

from benchmarks import registry
from benchmarks.evaluation import evaluate
from benchmarks.identity import parameters
from benchmarks.task import (
    BLOCK,
    Stream,
    TaskError,
    checked_log_joint,
    checked_sample,
    conditional_parameters,
    log_density,
    log_posterior,
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


@dataclasses.dataclass(frozen=True)
class Drawn(Broken):
    """A task whose sampler returns what it is told."""

    features: int = 2
    classes: int = 3

    def sample(self, n, rng):
        return self.result

    sample_train = sample


X, Y = np.zeros((3, 2)), np.array([0, 1, 2])


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (None, "should return a pair x, y, returned NoneType"),
        ((X, Y, Y), "should return a pair x, y, returned tuple"),
        (
            (X[:2], Y),
            r"x \(3, 2\) float64 and y \(3,\) int64, returned x float64 \(2, 2\) and y int64 \(3,\)",
        ),
        ((X.astype(np.float32), Y), "returned x float32"),
        ((X.tolist(), Y), "returned x list"),
        ((X, Y[:, None]), r"and y int64 \(3, 1\)"),
        ((X, Y.astype(float)), r"and y float64 \(3,\)"),
        ((X, Y.tolist()), "and y list"),
        ((X, Y + 1), "should return labels from 0 to 2, returned 1 to 3"),
        ((X, Y - 1), "should return labels from 0 to 2, returned -1 to 1"),
        ((np.array([[0, 0], [1, np.nan], [0, 0]]), Y), r"should return finite x, returned \[ ?1. nan\]"),
        ((np.array([[0, 0], [1, np.inf], [0, 0]]), Y), r"should return finite x, returned \[ ?1. inf\]"),
    ],
)
@pytest.mark.parametrize("method", ["sample", "sample_train"])
def test_a_broken_sampler_is_named_with_what_was_expected_and_found(result, words, method):
    with pytest.raises(TaskError, match=words) as error:
        checked_sample(Drawn(result), 3, np.random.default_rng(0), method)
    assert str(error.value).startswith(f"task broken: {method}(3) should return ")


def test_integer_labels_of_any_width_will_do():
    x, y = checked_sample(Drawn((X, Y.astype(np.uint8))), 3, np.random.default_rng(0))
    assert (x is X, y.dtype, y.tolist()) == (True, np.int64, [0, 1, 2])
    none = checked_sample(Drawn((X[:0], Y[:0])), 0, np.random.default_rng(0))
    assert [len(each) for each in none] == [0, 0]


def test_training_data_are_checked_wherever_they_come_from():
    labels = np.full(BLOCK, 3)
    with pytest.raises(
        TaskError, match=r"task broken: sample_train\(4096\) should return labels from 0 to 2"
    ):
        training_data(Drawn((np.zeros((BLOCK, 2)), labels)), 0, 10)


class Raises(Broken):
    def sample(self, n, rng):
        raise ValueError("no\nluck")

    def log_joint(self, x):
        return np.linalg.cholesky(-np.eye(2))


def test_what_a_task_raises_is_one_line_that_says_where():
    lines = Path(__file__).read_text().splitlines()
    at = {word: next(i for i, line in enumerate(lines, 1) if word in line) for word in ("no\\n", "y(-np.eye")}
    with pytest.raises(TaskError) as error:
        training_data(Raises(None), 0, 1)
    assert str(error.value) == (
        f"task broken: sample raised ValueError: no luck (test_tasks.py, line {at['no' + chr(92) + 'n']})"
    )
    assert isinstance(error.value.__cause__, ValueError)
    with pytest.raises(TaskError) as error:
        checked_log_joint(Raises(None), column(0))
    assert str(error.value) == (
        "task broken: log_joint raised LinAlgError: Matrix is not positive definite"
        f" (test_tasks.py, line {at['y(-np.eye']})"
    )


def test_a_standard_deviation_must_be_positive():
    with pytest.raises(ValueError, match="positive"):
        dataclasses.replace(registry.task("gauss-nested"), stds=(0.0, 1.0))


def test_words_about_a_task_are_not_part_of_what_it_is():
    task = registry.task("gauss-nested")
    assert parameters(dataclasses.replace(task, description="other words")) == parameters(task)
    assert parameters(dataclasses.replace(task, means=(0.0, 1.5))) != parameters(task)


# --- what a task is -----------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Holds(Broken):
    """A task with a field that holds what it is told."""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(0.5), 0.5),
        (np.int32(3), 3),
        (np.True_, True),
        ([np.float32(0.5), (1, None)], [0.5, [1, None]]),
        ({"b": np.int64(1), "a": {"c": (2,)}}, {"a": {"c": [2]}, "b": 1}),
        ({(0, 1): 2, 3: 4}, {"[0, 1]": 2, "3": 4}),
        ({10, 9, 2}, [2, 9, 10]),
        (frozenset({"b", "a", 1}), [1, "a", "b"]),
        (np.array([1, "a"], dtype=object), [1, "a"]),
        (math.hypot, "math.hypot"),
        (column, f"{__name__}.column"),
        (Broken, f"{__name__}.Broken"),
    ],
)
def test_fields_become_plain_data(value, expected):
    found = parameters(Holds(value))["result"]
    assert json.loads(json.dumps(found, sort_keys=True)) == expected


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (np.random.default_rng(0), "numpy.random._generator.Generator"),
        ({"a": [object()]}, "builtins.object"),
        (1j, "builtins.complex"),
        (np.longdouble(1), "numpy.longdouble"),
        (b"", "builtins.bytes"),
    ],
)
def test_a_field_that_is_not_plain_data_is_named(value, kind):
    with pytest.raises(TaskError) as error:
        parameters(Holds(value))
    assert str(error.value) == (
        f"task broken: field result should hold plain data, arrays, tasks or functions, found {kind}"
    )
