"""Metrics against identities, closed forms and a library's model."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from benchmarks import registry
from benchmarks.evaluation import Evaluation, evaluate, normalised
from benchmarks.metrics import (
    METRICS,
    calibration_split,
    crossing_measures,
    crossings,
    equal_mass_bins,
    score,
)
from benchmarks.task import log_posterior, training_data

NAMES = ["gauss-separated", "gauss-nested", "gauss-sparse-tail"]
ZERO_AT_ORACLE = [
    "expected_kl",
    "tv",
    "information_gap",
    "excess_error",
    "excess_brier",
    "infinite_mass",
    "ece",
]


@pytest.fixture(scope="module", params=NAMES)
def evaluation(request):
    return evaluate(registry.task(request.param))


@pytest.fixture(scope="module")
def nested():
    return evaluate(registry.task("gauss-nested"))


def numbers(evaluation, log_q):
    return {(s.metric, s.region): s.value for s in score(evaluation, log_q)}


def with_odds(odds):
    return normalised(np.stack([np.zeros(len(odds)), odds], axis=1))


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


# --- calibration ------------------------------------------------------------------------------------------


def test_the_split_adds_up_to_expected_kl(evaluation):
    log_q = shifted(evaluation, np.sin(evaluation.x[:, 0]))
    found = numbers(evaluation, log_q)
    parts = [found[name, "all"] for name in ("calibration_loss", "grouping_loss", "binning_residual")]
    assert sum(parts) == pytest.approx(found["expected_kl", "all"], rel=1e-12)


def test_temperature_changes_calibration_and_leaves_grouping(nested):
    odds = np.tanh(nested.x[:, 0]) * 2
    before, after = (calibration_split(nested, with_odds(odds / t)) for t in (1.0, 2.5))
    assert after["grouping_loss"].value == before["grouping_loss"].value
    assert after["calibration_loss"].value != pytest.approx(before["calibration_loss"].value, rel=0.05)


def test_a_model_that_merges_points_has_the_grouping_loss_of_what_it_merges():
    # four points of equal mass; q sees pairs only: E[p|q] is the pair's mean, known in closed form
    p = np.array([0.9, 0.5, 0.3, 0.1])
    evaluation = Evaluation(
        x=np.arange(4.0)[:, None],
        weights={"all": np.full(4, 0.25)},
        log_posterior=np.log(np.stack([1 - p, p], axis=1)),
        method="by hand",
        error=0.0,
    )
    q = np.array([0.7, 0.7, 0.4, 0.4])
    split = calibration_split(evaluation, np.log(np.stack([1 - q, q], axis=1)))

    def kl(a, b):
        return a * np.log(a / b) + (1 - a) * np.log((1 - a) / (1 - b))

    assert split["calibration_loss"].value == pytest.approx((kl(0.7, 0.7) + kl(0.2, 0.4)) / 2)
    assert split["grouping_loss"].value == pytest.approx(
        (kl(0.9, 0.7) + kl(0.5, 0.7) + kl(0.3, 0.2) + kl(0.1, 0.2)) / 4
    )
    assert split["binning_residual"].value == pytest.approx(0, abs=1e-15)


def test_bins_have_equal_mass_and_never_part_equal_keys():
    rng = np.random.default_rng(0)
    key, weights = rng.normal(size=5000).round(3), rng.random(5000)
    weights /= weights.sum()
    bins = equal_mass_bins(key, weights, 20)
    np.testing.assert_allclose(np.bincount(bins, weights=weights), 0.05, atol=5e-3)
    for value in np.unique(key):
        assert len(np.unique(bins[key == value])) == 1


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


# --- crossings --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gauss-separated", [1.5]),
        ("gauss-nested", (1 + np.array([-1, 1]) * np.sqrt(1 - 1.5 * (0.5 - np.log(2)))) / 0.75),
        ("gauss-sparse-tail", (3 + np.array([-1, 1]) * np.sqrt(9 - 1.5 * (4.5 - np.log(2)))) / 0.75),
    ],
)
def test_crossings_of_the_posterior_equal_the_roots_of_the_log_odds(name, expected):
    evaluation = evaluate(registry.task(name))
    found = crossings(evaluation, evaluation.log_posterior)
    np.testing.assert_allclose(found.x, expected, atol=1e-5)
    assert found.pair.tolist() == [[0, 1], [1, 0]][: len(expected)]


def crossing_numbers(evaluation, odds):
    return {name: found.value for name, found in crossing_measures(evaluation, with_odds(odds)).items()}


def test_a_missing_crossing_is_missing_and_not_far_away():
    evaluation = evaluate(registry.task("gauss-sparse-tail"))
    found = crossing_numbers(evaluation, evaluation.x[:, 0] - 1.5)  # the second crossing never comes
    assert found["crossings_found"] == 1
    assert found["crossing_error"] == pytest.approx(abs(1.5 - 1.5812), abs=1e-3)
    assert found["crossings_spurious"] == 0


def test_a_crossing_outside_tolerance_or_in_the_wrong_direction_is_spurious(nested):
    x = nested.x[:, 0]
    far = crossing_numbers(nested, 0.3 - x)
    assert (far["crossings_found"], far["crossings_spurious"]) == (0, 1)
    assert np.isnan(far["crossing_error"])
    turned = crossing_numbers(nested, x - 2.85)  # the right place, the classes swapped
    assert (turned["crossings_found"], turned["crossings_spurious"]) == (0, 1)


def test_a_second_crossing_beside_a_found_one_is_spurious(nested):
    x = nested.x[:, 0]
    found = crossing_numbers(nested, (x + 0.18) * (2.75 - x) * (2.85 - x) * (2.95 - x))
    assert (found["crossings_found"], found["crossings_spurious"]) == (2, 2)


def waves(*roots):
    """An evaluation by hand whose log-odds change sign at the roots, on an even grid over [-2, 2]."""
    x = np.linspace(-2, 2, 4001)
    odds = np.prod([x - root for root in roots], axis=0)
    return Evaluation(
        x[:, None], {"all": np.full(4001, 1 / 4001)}, with_odds(odds), "by hand", 0.0, (-1.0, 1.0)
    )


def test_close_crossings_have_a_tolerance_of_their_own():
    true = waves(0.0, 0.3)  # 0.3 apart: the tolerance is 0.12, not 0.25
    near, off = waves(0.1, 0.4), waves(0.2, 0.5)
    found = crossing_measures(true, near.log_posterior)
    assert (found["crossings_found"].value, found["crossings_spurious"].value) == (2, 0)
    assert found["crossing_error"].value == pytest.approx(0.1, abs=1e-6)
    missed = crossing_measures(true, off.log_posterior)
    assert (missed["crossings_found"].value, missed["crossings_spurious"].value) == (0, 2)


def test_crossings_outside_the_window_do_not_count():
    assert crossings(waves(0.5, 1.5), waves(0.5, 1.5).log_posterior).x == pytest.approx([0.5])
    found = crossing_measures(waves(0.5), waves(0.5, 1.5, 1.8).log_posterior)
    assert found["crossings_spurious"].value == 0


def test_ece_has_fifteen_bins_of_equal_mass():
    n = 1500
    confidence = np.linspace(0.6, 0.9, n)
    accuracy = confidence + 0.05 * np.sin(np.arange(n) * 2 * np.pi / 150)  # the sign turns within two bins
    log_q, log_p = (np.log(np.stack([1 - v, v], axis=1)) for v in (confidence, accuracy))
    evaluation = Evaluation(np.arange(n)[:, None] * 1.0, {"all": np.full(n, 1 / n)}, log_p, "by hand", 0.0)
    by_hand = sum(abs(part.mean()) for part in np.split(accuracy - confidence, 15)) / 15
    assert by_hand > 1e-3
    assert numbers(evaluation, log_q)["ece", "all"] == pytest.approx(by_hand, abs=1e-4)


def test_crossings_are_blank_where_the_task_has_none(nested):
    flat = Evaluation(
        nested.x, nested.weights, with_odds(np.ones(len(nested.x))), "by hand", 0.0, nested.window
    )
    values = crossing_measures(flat, with_odds(nested.x[:, 0]))
    assert all(
        np.isnan(found.value) and found.reason == "the task has no crossing" for found in values.values()
    )


def test_every_metric_of_the_evaluation_is_listed(evaluation):
    scored = {s.metric for s in score(evaluation, evaluation.log_posterior)}
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
