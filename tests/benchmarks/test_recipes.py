"""What recipes lead to: the targets they make, and end to end where the limit is known."""

import numpy as np
import pytest
from scipy.stats import kstest

from benchmarks import registry
from benchmarks.architecture import Recipe
from benchmarks.task import log_posterior, train_log_posterior, training_data
from benchmarks.tasks.discrete import BinaryTrees
from runner import plan
from runner.run_stack import run_stack
from runner.stacks import stacked
from runner.training.data import Targets
from suites.suite import SuiteError, load, narrow


def scored(architectures, tasks, suite="smoke", metric="expected_kl", **grid):
    """Return {architecture: mean of a metric over seeds at the last budget}, of rows and corrected twins."""
    grid = narrow(load(suite), tasks=tasks, architectures=architectures, **grid)
    found = {}
    for stack in stacked(grid, plan.plan(grid, "eager"), "eager", "cpu", 1, lambda *_: 0):
        for result in run_stack(stack, lambda _: None):
            values = [
                r.value
                for r in result.records
                if (r.metric, r.region, r.budget) == (metric, "all", grid.budgets[-1])
            ]
            found.setdefault(result.trial.architecture, []).extend(values)
    return {name: float(np.mean(values)) for name, values in found.items()}


def batches(task, count=3, batch=200):
    x, y = training_data(task, 0, count * batch)
    return x.astype(np.float32).reshape(count, batch, -1), y.reshape(count, batch)


def targets(task, recipe, rng=0):
    return Targets(recipe, task, np.random.default_rng(rng))(*batches(task))


# --- targets ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gauss-nested", "ten-class-2d"])
def test_soft_labels_are_exact_posteriors_at_the_inputs_that_networks_see(name):
    task = registry.task(name)
    x, found = targets(task, Recipe(soft_labels=True))
    assert found.dtype == np.float32
    flat = x.reshape(-1, task.features).astype(np.float64)
    expected = np.exp(log_posterior(task, flat))
    np.testing.assert_allclose(found.reshape(-1, task.classes), expected, atol=1e-7)


def test_soft_labels_under_a_prior_shift_are_posteriors_of_the_training_law():
    task, trained_on = registry.task("gauss-nested+prior-shift(0.9,0.1)"), registry.task("gauss-nested")
    x, found = targets(task, Recipe(soft_labels=True))
    flat = x.reshape(-1, 1).astype(np.float64)
    np.testing.assert_allclose(found.reshape(-1, 2), np.exp(log_posterior(trained_on, flat)), atol=1e-7)
    np.testing.assert_allclose(found.reshape(-1, 2), np.exp(train_log_posterior(task, flat)), atol=1e-7)
    assert np.abs(found.reshape(-1, 2) - np.exp(log_posterior(task, flat))).max() > 0.3


def test_labels_are_smoothed_to_all_classes():
    task = registry.task("three-class-1d")
    _, y = batches(task)
    _, found = targets(task, Recipe(smoothing=0.3))
    np.testing.assert_allclose(found, 0.7 * np.eye(3)[y] + 0.1, rtol=1e-6)
    _, both = targets(task, Recipe(smoothing=0.3, soft_labels=True))
    _, soft = targets(task, Recipe(soft_labels=True))
    np.testing.assert_allclose(both, 0.7 * soft + 0.1, rtol=1e-5)


def test_without_recipes_labels_stay_labels():
    task = registry.task("gauss-nested")
    x, y = batches(task)
    for name in ("mlp-8", "mlp-8+focal", "mlp-8+ensemble", "mlp-8+dropout", "mlp-8+weight-decay"):
        same_x, same_y = targets(task, registry.architecture(name).recipe)
        np.testing.assert_array_equal(same_x, x)
        np.testing.assert_array_equal(same_y, y)


def test_mixup_mixes_inputs_and_labels_of_a_batch_by_one_share():
    task = registry.task("xor-2d")
    x, y = batches(task)
    mixed, found = targets(task, Recipe(mixup=0.4))
    for i in range(len(x)):
        ones = np.concatenate([x[i], np.eye(2)[y[i]]], axis=1)
        after = np.concatenate([mixed[i], found[i]], axis=1)
        np.testing.assert_allclose(
            after.mean(axis=0), ones.mean(axis=0), atol=1e-4
        )  # pairs are a permutation
        share = np.unique(np.round(found[i][:, 0], 5))
        inner = share[(share > 0) & (share < 1)]
        assert len(inner) == 2 and inner.sum() == pytest.approx(1, abs=1e-4)
        weight = min(inner, key=lambda w: np.abs(after[0] - w * ones[0] - (1 - w) * ones).sum(1).min())
        partner = np.abs(after[0] - weight * ones[0] - (1 - weight) * ones).sum(1)
        assert partner.min() < 1e-3
    _, again = targets(task, Recipe(mixup=0.4))
    np.testing.assert_array_equal(found, again)
    assert not np.array_equal(found, targets(task, Recipe(mixup=0.4), rng=1)[1])


def test_mixups_shares_follow_the_beta_distribution():
    task = registry.task("gauss-separated")
    x, y = batches(task, count=800, batch=4)
    y[:] = [0, 0, 0, 1]  # so a share shows: the one of class 1 that stays with itself, or with another
    _, found = Targets(Recipe(mixup=0.7), task, np.random.default_rng(0))(x, y)
    inner = found[..., 1][:, 3]
    shares = inner[inner < 1 - 1e-6]
    assert len(shares) > 500
    assert kstest(shares, "beta", args=(0.7, 0.7)).pvalue > 1e-4


def test_how_many_mini_batches_are_asked_for_at_once_changes_no_target():
    task = registry.task("gauss-nested")
    x, y = batches(task)
    recipe = Recipe(mixup=0.2, smoothing=0.1)
    whole = Targets(recipe, task, np.random.default_rng(0))(x, y)
    apart = Targets(recipe, task, np.random.default_rng(0))
    parts = [apart(x[:1], y[:1]), apart(x[1:], y[1:])]
    for i in (0, 1):
        np.testing.assert_array_equal(whole[i], np.concatenate([part[i] for part in parts]))


# --- end to end ---------------------------------------------------------------------------------------------


def test_proper_losses_reach_the_truth_and_improper_ones_do_not():
    """The log-odds of gauss-separated are linear in x, so `linear` holds the truth."""
    proper = {"cross-entropy": "", "squared-error": "+squared-error", "soft-labels": "+soft-labels"}
    improper = {"focal": "+focal(2)", "label-smoothing": "+label-smoothing(0.2)"}
    names = {each: f"linear{part}+lr(0.1)+ema" for each, part in (proper | improper).items()}
    rows = scored([*names.values()], ["gauss-separated"], budgets=[19_200], seeds=2)
    found = {each: rows[name] for each, name in names.items()}
    assert 0 <= found["cross-entropy"] < 1e-3 and 0 <= found["squared-error"] < 1e-3, found
    assert 0 <= found["soft-labels"] < 1e-5, found
    assert min(found[each] for each in improper) > 0.05, found
    assert rows["oracle"] == 0


def test_linear_outputs_reach_the_truth_where_it_is_linear_in_x(monkeypatch):
    """Of one bit every posterior is linear."""
    bit = BinaryTrees("bit", "", [0.3, 0.7], [[-1], [-1]], [[[0.2, 0.2]], [[0.9, 0.9]]])
    monkeypatch.setitem(registry.TASKS, "bit", bit)
    names = ["linear+squared-error-linear+soft-labels+lr(0.05)+ema", "linear+focal(2)+lr(0.1)+ema"]
    found = scored(names, ["bit"], budgets=[12_800], seeds=1)
    assert 0 <= found[names[0]] < 1e-4 < 0.02 < found[names[1]], found


def test_soft_labels_under_a_prior_shift_lead_to_the_corrected_truth():
    task, name = "gauss-separated+prior-shift(0.9,0.1)", "linear+soft-labels+lr(0.1)+ema"
    found = scored([name], [task], budgets=[19_200], seeds=1)
    assert found[name + plan.CORRECTED] < 1e-5
    assert found[name] > 0.01


def test_a_batch_of_its_own_takes_as_many_steps_as_its_examples_allow():
    grid = narrow(load("smoke"), architectures=["linear+batch(320)"], tasks=["gauss-nested"], seeds=1)
    (stack,) = [
        each
        for each in stacked(grid, plan.plan(grid, "eager"), "eager", "cpu", 1, lambda *_: 0)
        if each.mode != "none"
    ]
    assert (stack.batch, stack.steps) == (320, 4)
    (result,) = run_stack(stack, lambda _: None)
    assert result.status == "ok" and {r.budget for r in result.records} == {640, 1280}
    with pytest.raises(SuiteError, match=r"budgets of linear\+batch\(100\): expected multiples of the batch"):
        narrow(load("smoke"), architectures=["linear+batch(100)"])


def test_every_recipe_runs_and_says_what_it_was():
    names = [
        "mlp-8+squared-error-linear",
        "mlp-8+ema(0)",
        "mlp-8+mixup",
        "mlp-8+weight-decay(0.1)",
        "mlp-8+sgd",
        "mlp-8+dropout(0.2)",
        "mlp-8+mc-dropout(0.2, 3)",
        "mlp-8+ema(0.99)",
        "mlp-8+ensemble(2)",
    ]
    found = scored(names, ["gauss-nested"], metric="tv", budgets=[1280], seeds=2)
    values = [found[name] for name in names]
    assert np.isfinite(values).all() and len(set(values)) == len(values)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"loss": "hinge"}, "expected loss to be one of cross-entropy, squared-error, squared-error-linear"),
        ({"optimiser": "Adam"}, "expected optimiser to be one of adam, sgd, found 'Adam'"),
        ({"schedule": "step"}, "expected schedule to be one of constant, cosine, found 'step'"),
        ({"calibration": "platt"}, "expected calibration to be one of None, temperature, vector, isotonic"),
        ({"epsilon": 0.0}, "expected epsilon above 0, found 0.0"),
        ({"momentum": -0.1}, "expected momentum from 0 to below 1, found -0.1"),
        ({"samples": 3}, "expected dropout above 0 beside samples"),
    ],
)
def test_a_recipe_that_means_nothing_is_refused(changed, words):
    with pytest.raises(ValueError) as raised:
        Recipe(**changed).check()
    assert words in str(raised.value)
