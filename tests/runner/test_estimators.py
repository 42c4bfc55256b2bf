"""Every registered estimator through a run's scoring, and what of it is infinite."""

import math

import pytest

from benchmarks.architectures.estimators import ESTIMATORS
from runner import plan
from runner.run_stack import run_stack
from runner.stacks import stacked
from suites.suite import load, narrow

# Shares of labels, of neighbours or in leaves, are 0 where no label of a class is near.
INFINITE = {"k-nearest-neighbours", "random-forest", "extra-trees"}
FINITE = {
    "logistic-regression", "quadratic-logistic-regression", "lda", "qda", "gaussian-naive-bayes",
    "histogram-gradient-boosting", "svc-platt", "gaussian-process", "kernel-density-bayes", "mlp-classifier",
}  # fmt: skip


def scored(name, task="gauss-nested", budget=400):
    suite = narrow(load("gaussian1d-dataset"), tasks=[task], architectures=[name], budgets=[budget], seeds=1)
    trials = [trial for trial in plan.plan(suite, "eager") if trial.architecture == name]
    (stack,) = stacked(suite, trials, "eager", "cpu", 1, lambda *_: 0)
    (result,) = run_stack(stack, lambda _: None)
    return result


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_is_scored(name):
    result = scored(name)
    assert result.status == "ok", result.records
    values = {(r.metric, r.region): r.value for r in result.records}
    assert values["distinct_examples", "all"] == 400
    assert 0 < values["training_seconds", "all"] < 60
    assert 0 < values["tv", "all"] < 0.5
    assert not math.isnan(values["expected_kl", "all"])
    if name in INFINITE or name in FINITE:
        assert (values["expected_kl", "all"] == math.inf) == (name in INFINITE)
        assert (values["information_gap", "all"] == math.inf) == (name in INFINITE)
        assert (values["infinite_mass", "all"] > 0) == (name in INFINITE)


def test_a_training_set_above_an_estimators_limit_is_skipped_with_the_reason():
    result = scored("gaussian-process", budget=10_000)
    assert result.status == "skipped"
    (record,) = result.records
    assert "at most 1,280 examples, here are 10,000" in record.reason


def test_a_rare_class_that_is_not_there_gets_probability_zero():
    result = scored("qda", task="rare-class-1d", budget=10)
    assert result.status == "ok"
    values = {(r.metric, r.region): r.value for r in result.records}
    assert values["expected_kl", "all"] == math.inf
    assert values["infinite_mass", "all"] == pytest.approx(0.01, abs=0.009)
