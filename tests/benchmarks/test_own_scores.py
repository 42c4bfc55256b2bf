"""Scoring anybody's function without training: equal to a run's numbers, and clear about what is wrong."""

import numpy as np
import pytest
import torch

import benchmarks
from benchmarks import registry
from benchmarks.evaluation import evaluate, normalised
from benchmarks.metrics import METRICS
from benchmarks.metrics import score as scores
from benchmarks.own_scores import ModelError, score
from benchmarks.task import log_posterior, training_data
from runner import plan
from runner.run_stack import run_stack
from runner.stacks import stacked
from suites.suite import load, narrow

TASKS = ["gauss-nested", "xor-2d", "bits-d12", "three-class-1d"]
NESTED = registry.task("gauss-nested")


def posterior(task):
    return lambda x: np.exp(log_posterior(registry.task(task), x))


def blurred(x):
    """Return a hand-made model of two classes: half the true log-odds of gauss-nested."""
    return normalised(0.5 * log_posterior(NESTED, x))


def by_metric(frame):
    return {(row.metric, row.region): row for row in frame.itertuples()}


def run_of(name, task):
    """Return what a run records of a reference row, {(metric, region): (value, error, reason)}."""
    suite = narrow(load("smoke"), architectures=[name], tasks=[task], seeds=1)
    trials = [trial for trial in plan.plan(suite, "eager") if trial.architecture == name]
    (stack,) = stacked(suite, trials, "eager", "cpu", 1, lambda *_: 0)
    (result,) = run_stack(stack, lambda _: None)
    return {(r.metric, r.region): (r.value, r.error, r.reason) for r in result.records if r.budget == 640}


@pytest.mark.parametrize("task", TASKS)
def test_the_exact_posterior_scores_what_the_oracle_does(task):
    found, expected = by_metric(score(task, posterior(task))), run_of("oracle", task)
    assert found.keys() == expected.keys()
    assert found["expected_kl", "all"].value == pytest.approx(0, abs=1e-12)
    for key, (value, _, reason) in expected.items():
        near = (
            1e-5 if key[0].startswith(("grouping", "binning")) else 1e-9
        )  # rounding may move a bin's edge among equal q
        assert found[key].value == pytest.approx(value, abs=near, nan_ok=True), key
        assert found[key].reason == reason


@pytest.mark.parametrize("task", ["gauss-nested", "three-class-1d"])
def test_the_priors_score_what_the_row_prior_does(task):
    evaluation = evaluate(registry.task(task))
    weights = evaluation.weights["all"]
    priors = (np.exp(evaluation.log_posterior) * weights[:, None]).sum(axis=0)
    found = by_metric(score(task, lambda x: np.tile(priors / priors.sum(), (len(x), 1))))
    for key, (value, _, _) in run_of("prior", task).items():
        assert found[key].value == pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True), key
    assert found["information_gap", "all"].value == pytest.approx(1)


def test_a_model_scores_what_its_log_q_does_and_what_a_hand_computation_says():
    frame, evaluation = score("gauss-nested", blurred), evaluate(NESTED)
    expected = scores(evaluation, blurred(evaluation.x))
    found = by_metric(frame)
    assert list(frame.columns) == ["metric", "region", "value", "error", "reason"]
    assert len(frame) == len(expected) == len(found)
    for each in expected:
        assert found[each.metric, each.region].value == pytest.approx(each.value, rel=1e-12, nan_ok=True)
        assert found[each.metric, each.region].error == pytest.approx(
            each.error, rel=1e-6, abs=1e-12, nan_ok=True
        )
    # On an even grid of one's own, far into both tails.
    x = np.linspace(-40, 42, 400_001)[:, None]
    log_joint = NESTED.log_joint(x)
    p, log_p = np.exp(log_joint), log_posterior(NESTED, x)
    kl = (p * (log_p - blurred(x))).sum() * (x[1, 0] - x[0, 0])
    assert found["expected_kl", "all"].value == pytest.approx(kl, abs=1e-4)
    # Half the log-odds of what is half-certain everywhere has the same choices.
    assert found["excess_error", "all"].value == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("task", ["gauss-nested", "xor-2d", "three-class-1d"])
def test_every_measure_of_a_model_is_there_with_its_error(task):
    frame, shape = score(task, posterior(task)), registry.task(task)
    regions = len(evaluate(shape).weights)
    for name, metric in METRICS.items():
        if metric.kind == "record":
            continue
        splits = name.startswith(("calibration_loss", "grouping_loss", "binning_residual"))
        applies = not (splits and name.endswith("_ovr") is (shape.classes == 2))
        applies &= shape.features == 1 or not name.startswith("crossing")
        rows = frame[frame.metric == name]
        assert len(rows) == (regions if metric.everywhere else applies), name
        for row in rows.itertuples():
            assert row.reason or (np.isfinite(row.value) and row.error >= 0), row


FORMS = {
    "probabilities": np.exp,
    "log-probabilities": lambda q: q,
    "a list": lambda q: np.exp(q).tolist(),
    "float32": lambda q: np.exp(q).astype(np.float32),
    "float32 logs": lambda q: q.astype(np.float32),
    "a tensor": lambda q: torch.tensor(np.exp(q)),
    "a tensor with gradients": lambda q: torch.tensor(q, dtype=torch.float32, requires_grad=True).log_softmax(
        -1
    ),
    "nearly 1": lambda q: np.exp(q) * (1 + 5e-5),
}


@pytest.mark.parametrize("form", FORMS)
def test_probabilities_and_their_logs_in_any_form_will_do(form):
    found = by_metric(score("gauss-nested", lambda x: FORMS[form](blurred(x))))
    expected = by_metric(score("gauss-nested", blurred))
    for key in (("expected_kl", "all"), ("tv", "sparse99"), ("excess_brier", "all")):
        assert found[key].value == pytest.approx(expected[key].value, rel=2e-3), key


def test_a_task_itself_will_do_and_x_is_the_models_own():
    def vain(x):
        assert x.dtype == np.float64 and x.shape[1] == 1
        found = posterior("gauss-nested")(x)
        x[:] = 0
        return found

    for _ in range(2):
        assert by_metric(score(NESTED, vain))["expected_kl", "all"].value == pytest.approx(0, abs=1e-12)
    assert benchmarks.score(NESTED, vain).equals(score("gauss-nested", vain))


def test_a_transformed_task_and_a_long_evaluation_will_do(monkeypatch):
    from benchmarks import own_scores

    monkeypatch.setattr(own_scores, "ROWS", 1_000)
    name, asked = "gauss-nested+label-noise(0.2)", []
    found = score(name, lambda x: (asked.append(len(x)), posterior(name)(x))[1])
    assert by_metric(found)["expected_kl", "all"].value == pytest.approx(0, abs=1e-12)
    assert max(asked) == 1_000 and sum(asked) == len(evaluate(registry.task(name)).x)


def test_zeros_make_kl_infinite_and_say_how_much_they_exclude():
    def certain(x):
        return np.eye(2)[posterior("gauss-nested")(x).argmax(axis=1)]

    found = by_metric(score("gauss-nested", certain))
    assert found["expected_kl", "all"].value == np.inf
    bayes_error = evaluate(NESTED).bayes_error
    assert found["infinite_mass", "all"].value == pytest.approx(bayes_error, rel=1e-6)
    assert np.isfinite(found["tv", "all"].value)


def test_a_network_fitted_by_hand_scores_below_the_priors():
    x, y = training_data(NESTED, 0, 2_000)
    basis = np.concatenate([np.ones_like(x), x, x**2], axis=1)
    weights = np.zeros(3)
    for _ in range(20):  # Newton's method on the log-likelihood
        q = 1 / (1 + np.exp(-basis @ weights))
        weights += np.linalg.solve((basis * (q * (1 - q))[:, None]).T @ basis, basis.T @ (y - q))

    def fitted(points):
        odds = np.concatenate([np.ones_like(points), points, points**2], axis=1) @ weights
        return normalised(np.stack([np.zeros_like(odds), odds], axis=1))

    assert 0 < by_metric(score(NESTED, fitted))["expected_kl", "all"].value < 10 * 3 / (2 * 2_000)


def raising(x):
    raise RuntimeError("no\nmodel")


WRONG = {
    "logits": (lambda x: np.stack([-x[:, 0], 3 * x[:, 0]], axis=1), "(of logits, log_softmax), found ["),
    "a column": (lambda x: np.full((len(x), 1), 0.5), "found ("),
    "three classes": (lambda x: np.full((len(x), 3), 1 / 3), ", 3)"),
    "a vector": (lambda x: np.full(len(x), 0.5), "expected probabilities or log-probabilities ("),
    "NaN": (lambda x: np.where(x > 1, np.nan, [[0.5, 0.5]]), "found [nan, nan] at x = ["),
    "sums of 0.9": (lambda x: np.full((len(x), 2), 0.45), "expected rows of probabilities that sum to 1"),
    "negative": (lambda x: np.tile([1.5, -0.5], (len(x), 1)), "found [1.5, -0.5] at x = ["),
    "both kinds": (
        lambda x: np.where(x > 0, posterior("gauss-nested")(x), log_posterior(NESTED, x)),
        "found some rows of the one and some of the other",
    ),
    "raising": (raising, "the model raised RuntimeError: no model (test_own_scores.py, line "),
    "words": (lambda x: "class 0", "the model raised ValueError"),
    "nothing": (lambda x: None, "found ()"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_with_a_model_is_said_in_a_line(what):
    model, words = WRONG[what]
    with pytest.raises(ModelError) as raised:
        score("gauss-nested", model)
    message = str(raised.value)
    assert words in message and "\n" not in message
    assert message.startswith("task gauss-nested: ")


def test_an_unknown_task_says_what_it_might_have_meant():
    with pytest.raises(registry.UnknownName, match="did you mean gauss-nested"):
        score("gauss-nestd", blurred)
