"""Metrics against identities, closed forms and a library's model."""

import numpy as np
import pytest
from models import with_odds
from sklearn.linear_model import LogisticRegression

from benchmarks import registry
from benchmarks.evaluation import Evaluation, evaluate, normalised
from benchmarks.metrics import METRICS, score
from benchmarks.shape import crossings
from benchmarks.task import log_posterior, training_data

ZERO_AT_ORACLE = [
    "expected_kl",
    "tv",
    "information_gap",
    "excess_error",
    "excess_brier",
    "infinite_mass",
    "ece",
]


def numbers(evaluation, log_q):
    return {(s.metric, s.region): s.value for s in score(evaluation, log_q)}


def shifted(evaluation, by):
    log_p = evaluation.log_posterior
    return with_odds(log_p[:, 1] - log_p[:, 0] + by)


def test_the_exact_posterior_scores_zero(evaluation):
    found = numbers(evaluation, evaluation.log_posterior)
    for metric, region in found:
        if metric in ZERO_AT_ORACLE:
            assert found[metric, region] == 0, (metric, region)
    assert found["crossings_found", "all"] == len(crossings(evaluation, evaluation.log_posterior).x)
    assert found["crossing_error", "all"] == 0
    assert found["crossings_spurious", "all"] == 0
    assert found["calibration_loss", "all"] == pytest.approx(0, abs=1e-12)


def test_the_priors_have_an_information_gap_of_exactly_one(evaluation):
    found = numbers(evaluation, np.tile(evaluation.log_prior, (len(evaluation.x), 1)))
    assert found["information_gap", "all"] == 1.0
    assert found["grouping_loss", "all"] == pytest.approx(evaluation.information, rel=1e-9)
    assert found["calibration_loss", "all"] == pytest.approx(0, abs=1e-12)
    assert found["crossings_found", "all"] == 0


def test_expected_nll_is_entropy_plus_expected_kl(evaluation):
    found = numbers(evaluation, shifted(evaluation, 0.7))
    assert found["expected_nll", "all"] == pytest.approx(
        evaluation.entropy + found["expected_kl", "all"], rel=1e-12
    )


def test_bounds_between_measures_hold(evaluation):
    found = numbers(evaluation, shifted(evaluation, 0.7))
    for region in evaluation.weights:
        assert found["expected_kl", region] >= 2 * found["tv", region] ** 2  # Pinsker, then Jensen
    assert 0 < found["excess_error", "all"] <= 2 * found["tv", "all"]


def test_regions_average_the_same_function(evaluation):
    found = numbers(evaluation, shifted(evaluation, 0.7))
    strata = [found["expected_kl", f"stratum-{i}"] for i in range(1, 11)]
    assert np.mean(strata) == pytest.approx(found["expected_kl", "all"], rel=1e-12)


def test_brier_and_error_have_closed_forms_for_a_constant_model(nested):
    q = np.array([0.8, 0.2])
    found = numbers(nested, np.tile(np.log(q), (len(nested.x), 1)))
    p, weights = np.exp(nested.log_posterior), nested.weights["all"]
    assert found["excess_brier", "all"] == pytest.approx(
        2 * (weights * (p[:, 0] - 0.8) ** 2).sum(), rel=1e-12
    )
    assert found["excess_error", "all"] == pytest.approx(0.5 - nested.bayes_error, rel=1e-6)
    assert found["ece", "all"] == pytest.approx(0.3, abs=1e-6)


# --- zeros ------------------------------------------------------------------------------------------------


def test_zeros_of_a_libraries_model_that_are_rounding_are_counted_not_infinite():
    task = registry.task("gauss-separated")
    evaluation = evaluate(task)
    model = LogisticRegression(C=np.inf).fit(*training_data(task, 0, 10_000))
    with np.errstate(divide="ignore"):
        log_q = np.log(model.predict_proba(evaluation.x))
    assert np.isneginf(log_q).any()
    p = np.exp(evaluation.log_posterior)
    naive = (
        np.where(p > 0, p * (evaluation.log_posterior - log_q), 0) @ np.ones(2) @ evaluation.weights["all"]
    )
    assert naive == np.inf
    found = numbers(evaluation, log_q)
    assert found["expected_kl", "all"] == pytest.approx(1e-4, rel=0.99)  # k/2N is 1e-4
    assert 0 < found["rounded_mass", "all"] < 1e-12
    assert found["infinite_mass", "all"] == 0


def test_zeros_of_a_mass_above_rounding_are_belief(nested):
    log_q = shifted(nested, 0.0)
    log_q[nested.x[:, 0] > 6] = [0.0, -np.inf]
    found = numbers(nested, log_q)
    assert 1e-12 < found["infinite_mass", "all"] < 1e-6
    assert found["expected_kl", "all"] == np.inf


def test_zeros_that_are_belief_make_kl_infinite_and_say_how_much(nested):
    log_q = shifted(nested, 0.0)
    wrong = np.abs(nested.x[:, 0]) < 1
    log_q[wrong] = [0.0, -np.inf]
    found = numbers(nested, log_q)
    assert found["expected_kl", "all"] == np.inf
    assert found["information_gap", "all"] == np.inf
    mass = (nested.weights["all"] * np.exp(nested.log_posterior[:, 1]))[wrong].sum()
    assert found["infinite_mass", "all"] == pytest.approx(mass)
    assert found["rounded_mass", "all"] == 0
    assert found["tv", "all"] < 1
    assert not any(
        np.isnan(s.value) for s in score(nested, log_q) if s.metric in ("expected_kl", "expected_nll")
    )


def test_every_metric_of_the_evaluation_is_listed(evaluation):
    third = np.log([0.5, 0.3, 0.2])
    multi = Evaluation(np.zeros((9, 3)), {"all": np.full(9, 1 / 9)}, np.tile(third, (9, 1)), "by hand", 0.0)
    scored = {s.metric for each in (evaluation, multi) for s in score(each, each.log_posterior)}
    unscored = {name for name, metric in METRICS.items() if metric.kind == "record"} - {"rounded_mass"}
    assert scored == set(METRICS) - unscored


def test_scoring_changes_nothing_that_it_is_given(evaluation):
    log_q = shifted(evaluation, 0.3)
    before = log_q.copy(), evaluation.log_posterior.copy()
    score(evaluation, log_q)
    np.testing.assert_array_equal(log_q, before[0])
    np.testing.assert_array_equal(evaluation.log_posterior, before[1])


def test_a_multi_class_evaluation_scores_what_applies():
    log_p = normalised(np.random.default_rng(0).normal(size=(50, 3)))
    evaluation = Evaluation(np.zeros((50, 2)), {"all": np.full(50, 0.02)}, log_p, "by hand", 0.0)
    scored = {s.metric: s.value for s in score(evaluation, normalised(log_p * 0.5))}
    assert scored["expected_kl"] > 0
    assert "grouping_loss" not in scored
    assert "crossings_found" not in scored


def test_log_posterior_of_the_registry_is_what_evaluations_hold(evaluation, request):
    name = request.node.callspec.params["evaluation"]
    np.testing.assert_array_equal(evaluation.log_posterior, log_posterior(registry.task(name), evaluation.x))
