"""Calibration, grouping and crossings against identities and closed forms."""

import numpy as np
import pytest
from bins import equal_mass_bins
from models import with_odds

from benchmarks import registry
from benchmarks.evaluation import Evaluation, evaluate, normalised
from benchmarks.metrics import score
from benchmarks.shape import (
    calibration_split,
    crossing_measures,
    crossings,
    split_by_class,
)

# --- calibration ------------------------------------------------------------------------------------------


def test_the_split_adds_up_to_expected_kl(evaluation):
    log_p = evaluation.log_posterior
    log_q = with_odds(log_p[:, 1] - log_p[:, 0] + np.sin(evaluation.x[:, 0]))
    found = {(s.metric, s.region): s.value for s in score(evaluation, log_q)}
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
        x[:, None], {"all": np.full(4001, 1 / 4001)}, with_odds(odds), "by hand", 0.0, np.array([[-1.0, 1.0]])
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


def test_crossings_are_blank_where_the_task_has_none(nested):
    flat = Evaluation(
        nested.x, nested.weights, with_odds(np.ones(len(nested.x))), "by hand", 0.0, nested.window
    )
    values = crossing_measures(flat, with_odds(nested.x[:, 0]))
    assert all(
        np.isnan(found.value) and found.reason == "the task has no crossing" for found in values.values()
    )


# --- more than two classes --------------------------------------------------------------------------------


def test_one_against_the_rest_splits_the_binary_kl_of_each_class():
    rng = np.random.default_rng(0)
    log_p = normalised(rng.normal(size=(4000, 3)))
    log_q = normalised(0.3 * log_p + 0.6 * rng.normal(size=(4000, 3)))
    evaluation = Evaluation(np.zeros((4000, 3)), {"all": np.full(4000, 1 / 4000)}, log_p, "by hand", 0.0)
    found = {name: value.value for name, value in split_by_class(evaluation, log_q).items()}
    p, q = np.exp(log_p), np.exp(log_q)
    binary = (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).mean()
    assert set(found) == {"calibration_loss_ovr", "grouping_loss_ovr", "binning_residual_ovr"}
    assert sum(found.values()) == pytest.approx(binary, rel=1e-9)
    assert found["calibration_loss_ovr"] > 0.01 and found["grouping_loss_ovr"] > 0.01
    assert calibration_split(evaluation, log_q) == {}


def test_two_classes_have_no_split_by_class(nested):
    assert split_by_class(nested, nested.log_posterior) == {}
