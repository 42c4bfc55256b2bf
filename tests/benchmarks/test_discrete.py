"""Binary trees against a product written out, over every input there is, and the sampler against that."""

import dataclasses
import itertools

import numpy as np
import pytest
from scipy import stats

from benchmarks.evaluation import evaluate
from benchmarks.identity import parameters
from benchmarks.task import TaskError, conditional_parameters, log_posterior
from benchmarks.tasks.discrete import TASKS, BinaryTrees, fair_trees, lagged

BITS = TASKS["bits-d12"]
SMALL = BinaryTrees(  # trees that differ, biased inputs, and a probability for each state of a parent
    name="small",
    description="",
    priors=(0.7, 0.3),
    parents=((-1, 0, 1, 1), (-1, -1, 0, 2)),
    on=(((0.2, 0.5), (0.9, 0.3), (0.5, 0.6), (0.1, 0.8)), ((0.6, 0.5), (0.4, 0.5), (0.7, 0.2), (0.35, 0.9))),
)


def probability(task, x, c):
    """Return P(x, c) as the product that the tree stands for."""
    product = task.priors[c]
    for i, value in enumerate(x):
        parent = task.parents[c, i]
        on = task.on[c, i, int(x[parent]) if parent >= 0 else 0]
        product *= on if value else 1 - on
    return product


@pytest.mark.parametrize("task", [BITS, SMALL], ids=lambda task: task.name)
def test_the_joint_is_the_product_along_the_tree_and_sums_to_one(task):
    joint = np.exp(task.log_joint(task.support))
    expected = [[probability(task, x, c) for c in range(task.classes)] for x in task.support]
    np.testing.assert_allclose(joint, expected, rtol=1e-12)
    assert joint.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(joint.sum(axis=0), task.priors, rtol=1e-12)


def test_the_support_is_every_input_once():
    np.testing.assert_array_equal(BITS.support, list(itertools.product((0.0, 1.0), repeat=12)))
    assert BITS.support is BITS.support
    assert BITS.support.dtype == np.float64
    assert not BITS.support.flags.writeable


@pytest.mark.parametrize("task", [BITS, SMALL], ids=lambda task: task.name)
def test_the_sampler_follows_the_joint(task):
    n = 400_000
    x, y = task.sample(n, np.random.default_rng(1))
    assert (x.dtype, y.dtype) == (np.float64, np.int64)
    d = task.features
    cell = (x @ 2 ** np.arange(d)[::-1]).astype(int) * task.classes + y
    expected = n * np.exp(task.log_joint(task.support)).ravel()
    found = np.bincount(cell, minlength=len(expected))
    rare = expected < 5  # together, as the chi-square law is a limit
    found, expected = (np.append(part[~rare], part[rare].sum()) for part in (found, expected))
    statistic = ((found - expected)[expected > 0] ** 2 / expected[expected > 0]).sum()
    assert stats.chi2.sf(statistic, (expected > 0).sum() - 1) > 1e-4


def test_outside_the_bits_nothing_is_possible():
    x = np.array([[0.5, 0, 1, 1], [0, 0, 2, 1], [0, -1, 0, 1], [np.nan, 0, 0, 0], [np.inf, 0, 0, 0]])
    assert (SMALL.log_joint(x) == -np.inf).all()
    assert np.isfinite(SMALL.log_joint(np.array([[0.0, 1, 1, -0.0]]))).all()


@pytest.mark.parametrize("task", [BITS, SMALL], ids=lambda task: task.name)
def test_log_odds_lie_in_the_span_of_the_basis_and_no_function_repeats_others(task):
    joint = task.log_joint(task.support)
    odds = joint[:, 1:] - joint[:, :1]
    basis = task.logit_basis(task.support)
    weights, _, rank, _ = np.linalg.lstsq(basis, odds, rcond=None)
    np.testing.assert_allclose(basis @ weights, odds, atol=1e-10)
    assert rank == basis.shape[1]


def test_a_shared_tree_has_one_product_for_each_edge():
    shared = dataclasses.replace(SMALL, parents=((-1, 0, 1, 1),) * 2)
    assert conditional_parameters(shared) == 1 + 4 + 3
    assert conditional_parameters(SMALL) == 1 + 4 + 5  # 0-1 1-2 1-3, 0-2 2-3
    assert conditional_parameters(BITS) == 2 * (1 + 12 + 11 + 9 + 6)


def test_no_bit_alone_tells_about_the_class():
    joint = np.exp(BITS.log_joint(BITS.support))
    np.testing.assert_allclose(BITS.support.T @ joint / BITS.priors, 0.5, rtol=1e-12)
    pairs = np.einsum("ni,nj,nc->cij", BITS.support, BITS.support, joint) / BITS.priors[:, None, None]
    for c, lag in enumerate((1, 3, 6)):
        for i in range(lag, 12):
            flips = (0.2, 0.15, 0.1, 0.05)[i % 4]
            assert pairs[c, i, i - lag] == pytest.approx((1 - flips) / 2, abs=1e-12)


def test_the_bayes_error_is_as_intended():
    joint = np.exp(BITS.log_joint(BITS.support))
    assert 0.05 < 1 - joint.max(axis=1).sum() < 0.15
    x, y = BITS.sample(100_000, np.random.default_rng(2))
    wrong = (log_posterior(BITS, x).argmax(axis=1) != y).sum()
    assert stats.binomtest(int(wrong), len(y), 1 - joint.max(axis=1).sum()).pvalue > 1e-4


def test_the_evaluation_is_the_sum_over_all_inputs():
    evaluation = evaluate(BITS)
    joint = np.exp(BITS.log_joint(BITS.support))
    mass = joint.sum(axis=1)
    assert evaluation.bayes_error == pytest.approx(1 - joint.max(axis=1).sum(), abs=1e-12)
    entropy = -(joint * np.log(joint / mass[:, None])).sum()
    assert evaluation.information == pytest.approx(stats.entropy(BITS.priors) - entropy, abs=1e-12)


def test_what_the_task_is_includes_its_probabilities():
    other = fair_trees("bits-d12", "", BITS.priors, BITS.parents, np.full(12, 0.1))
    assert parameters(other) != parameters(BITS)
    assert parameters(dataclasses.replace(BITS, description="")) == parameters(BITS)
    np.testing.assert_array_equal(lagged(4, 2), (-1, -1, 0, 1))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"priors": (0.7, 0.2)}, "priors should be positive and sum to 1, found"),
        ({"priors": (1.0, 0.0)}, "priors should be positive and sum to 1, found"),
        ({"priors": (0.5, 0.3, 0.2)}, r"parents should have the shape \(3, 4\), found \(2, 4\)"),
        ({"on": np.full((2, 4), 0.5)}, r"on should have the shape \(2, 4, 2\), found \(2, 4\)"),
        (
            {"parents": ((-1, 0, 1, 3), (-1, -1, 0, 2))},
            "the parent of an input should be one before it or -1",
        ),
        (
            {"parents": ((-2, 0, 1, 1), (-1, -1, 0, 2))},
            "the parent of an input should be one before it or -1",
        ),
        (
            {"on": np.full((2, 4, 2), 1.0)},
            "probabilities should be between 0 and 1, both excluded, found 1 to 1",
        ),
        ({"parents": np.zeros((2, 17), int)}, "expected 1 to 16 inputs, so that all can be listed, found 17"),
    ],
)
def test_wrong_parameters_are_named(change, words):
    with pytest.raises(TaskError, match=words) as error:
        dataclasses.replace(SMALL, **change)
    assert str(error.value).startswith("task small: ")
