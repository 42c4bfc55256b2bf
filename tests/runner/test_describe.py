"""What pages tell of tasks and architectures: recipes as they are, checks that run, stated limits."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import facts, registry
from benchmarks.evaluation import evaluate
from benchmarks.verification import CHECKS, applicable, verify
from runner import describe
from suites.suite import load

STREAM, DATASET = load("smoke"), load("gaussian1d-dataset")


def of(name, suite=STREAM):
    found = describe.of_architecture(name, suite)
    return dict(found["facts"]), found


def test_the_facts_of_a_network_are_those_of_its_recipe():
    told, _ = of("mlp-64x64+focal(3)+sgd(0.8)+batch(16)+weight-decay(0.02)+ema(0.99)+ensemble(4)")
    assert told == {
        "network": "mlp: activation relu, depth 2, width 64",
        "loss": "focal, gamma 3",
        "targets": "labels",
        "optimiser": "stochastic gradient descent, momentum 0.8",
        "learning rate": "0.05",
        "schedule": "constant",
        "batch": "16 examples",
        "training": "each example is seen once",
        "weight decay": "0.02, decoupled",
        "averaging": "exponential moving average of the weights, decay 0.99",
        "ensemble": "mean probability of 4 networks",
    }


def test_training_is_told_as_the_suite_has_it():
    told, _ = of("mlp-64x64+cosine+temperature", DATASET)
    assert told["schedule"] == f"cosine down to 0 over {DATASET.most_steps:,} steps"
    assert told["calibration"] == "temperature, fitted to held-out examples"
    assert "no longer falls" not in told["training"]
    assert "no longer falls" in of("mlp-64x64", DATASET)[0]["training"]
    assert of("mlp-64x64", load("gaussian1d-original"))[0]["training"].startswith("mini-batches from ")


def test_the_facts_of_an_estimator_are_its_class_and_parameters():
    told, found = of("random-forest(n_estimators=500)+isotonic", DATASET)
    assert told["class"] == "sklearn.ensemble.RandomForestClassifier"
    assert told["parameters"] == "n_estimators 500"
    assert told["calibration"] == "isotonic, cross-validated"
    assert found["version"] == 1
    assert of("qda", DATASET)[0]["parameters"] == "defaults"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("mlp-64x64", "its limit is the posterior, as closely as the network can express it"),
        ("mlp-64x64+squared-error+sgd+ensemble", "its limit is the posterior, as closely as"),
        ("mlp-64x64+focal(0)", "its limit is the posterior, as closely as"),  # that is cross-entropy
        ("mlp-64x64+focal", "its limit isn't the posterior (focal)."),
        ("mlp-64x64+focal+weight-decay", "flatter than the posterior (weight-decay)."),
        ("mlp-64x64+label-smoothing", "(1 - e) p + e / k, not p (label-smoothing)."),
        ("mlp-64x64+mc-dropout", "its limit isn't the posterior (dropout)."),
        ("lda", "exact in the limit where that is the truth."),
        ("k-nearest-neighbours", "tends to the posterior."),
    ],
)
def test_a_limit_is_stated_as_the_recipe_has_it(name, sentence):
    assert sentence in of(name, DATASET)[1]["limit"]


@pytest.mark.parametrize("name", ["oracle", "gaussian-process", "kernel-density-bayes+isotonic"])
def test_where_no_description_states_a_limit_none_is_told(name):
    assert of(name, DATASET)[1]["limit"] == ""


@pytest.mark.parametrize("name", ["gauss-nested", "xor-2d+prior-shift(0.7,0.3)"])
def test_the_checks_that_are_told_are_those_that_run(name):
    task = registry.task(name)
    outcomes = verify(task)
    assert not [outcome for outcome in outcomes if outcome.status == "failed"]
    run = [outcome.check for outcome in outcomes if outcome.status != "skipped"]
    assert list(applicable(task)) == run
    assert describe.of_task(name)["checks"] == [f"{check}: {CHECKS[check].asks}" for check in run]


def test_priors_are_the_stated_ones_or_else_integrated(monkeypatch):
    assert describe.of_task("xor-2d+prior-shift(0.7,0.3)")["priors"] == pytest.approx([0.7, 0.3])
    stated = registry.task("rare-class-1d")
    silent = SimpleNamespace(
        version=1, features=1, classes=2, sample=stated.sample, log_joint=stated.log_joint
    )
    expected = stated.priors
    monkeypatch.setitem(registry.TASKS, "rare-class-1d", silent)
    monkeypatch.setattr(describe, "evaluation_of", lambda _: evaluate(stated))
    np.testing.assert_allclose(describe.of_task("rare-class-1d")["priors"], expected, rtol=1e-6)


def test_known_numbers_are_those_of_the_committed_table_and_of_no_other_version(monkeypatch):
    row = facts.committed()["gauss-separated"]
    known = describe.of_task("gauss-separated")["known"]
    assert len(known) == 3
    assert known[0].startswith(
        f"Bayes error {float(row['bayes_error']):.6g}, integration error 5e-07, by quad"
    )
    assert describe.of_task("gauss-separated+prior-shift(0.9,0.1)")["known"] == []
    monkeypatch.setattr(facts, "committed", lambda: {"gauss-separated": {**row, "version": "0"}})
    assert describe.of_task("gauss-separated")["known"] == []


def test_what_is_told_is_plain_data():
    for name in ("mlp-64x64+ema", "linear", "oracle"):
        found = describe.of_architecture(name, STREAM)
        assert json.loads(json.dumps(found)) == {**found, "facts": [list(pair) for pair in found["facts"]]}
