"""Bias and variance over seeds, against cases by hand and by simulation."""

import dataclasses

import numpy as np
import pytest

from reports.leaderboard import summarise
from reports.results import Predictions
from reports.sections.spread import spread

HALF = np.log([[0.5, 0.5]])


def bernoulli(*logits):
    """log q of two classes, one point, a seed a logit: (seeds, 1, 2)."""
    q = 1 / (1 + np.exp(-np.array(logits)))
    return np.log(np.stack([1 - q, q], axis=-1))[:, None, :]


def kl(p, q):
    return float((p * np.log(p / q)).sum())


def test_two_seeds_that_miss_a_fair_coin_by_the_same_on_both_sides_are_all_variance():
    # q = 0.2 and 0.8: the geometric mean is 1/2 = p, and KL(p || q) = log(1/2) - log(0.4) = log 1.25.
    found = spread(Predictions(np.ones(1), HALF, {}), bernoulli(-np.log(4), np.log(4)))
    plugged_in = np.log(1.25)
    assert found.variance == pytest.approx(2 * plugged_in)  # times S / (S - 1)
    assert found.bias == pytest.approx(-plugged_in)  # less a variance / S: below 0, and kept


def test_seeds_that_agree_are_all_bias():
    found = spread(Predictions(np.ones(1), HALF, {}), bernoulli(*[np.log(4)] * 3))
    assert found.bias == pytest.approx(np.log(1.25)) and found.variance == pytest.approx(0, abs=1e-15)


def test_bias_and_variance_sum_to_the_mean_kl_and_are_those_of_the_definition():
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet([1, 2, 3], 40), rng.dirichlet([2, 2, 2], (7, 40))
    weights = rng.dirichlet(np.ones(40))
    found = spread(Predictions(weights, np.log(p), {}), np.log(q))
    mean = np.exp(np.log(q).mean(axis=0))
    mean /= mean.sum(axis=-1, keepdims=True)
    to_mean = sum(w * kl(one, other) for w, one, other in zip(weights, p, mean, strict=True))
    around = np.mean(
        [sum(w * kl(g, one) for w, g, one in zip(weights, mean, seed, strict=True)) for seed in q]
    )
    total = np.mean([sum(w * kl(a, b) for w, a, b in zip(weights, p, seed, strict=True)) for seed in q])
    assert found.bias + found.variance == pytest.approx(total, rel=1e-12)
    assert found.variance == pytest.approx(around * 7 / 6, rel=1e-12)
    assert found.bias == pytest.approx(to_mean - around / 6, rel=1e-12)


def test_the_corrected_bias_and_variance_are_right_on_average():
    rng = np.random.default_rng(1)
    predictions = Predictions(np.ones(1), np.log([[0.4, 0.6]]), {})
    logits = 0.7 + 0.3 * rng.normal(size=(4_000, 5))
    found = np.array([spread(predictions, bernoulli(*five)) for five in logits])
    truth = spread(predictions, bernoulli(*(0.7 + 0.3 * rng.normal(size=400_000))))
    error = found.std(axis=0) / np.sqrt(len(found))
    assert np.all(abs(found.mean(axis=0) - truth) < 4 * error)
    assert abs(found[:, 1].mean() * 4 / 5 - truth.variance) > 10 * error[1]  # uncorrected, it isn't


def test_a_class_that_the_posterior_excludes_costs_nothing():
    with np.errstate(divide="ignore"):
        predictions = Predictions(np.ones(1), np.log([[0.0, 1.0]]), {})
    found = spread(predictions, bernoulli(0.0, 0.0))
    assert found.bias == pytest.approx(np.log(2))


def test_rounding_to_float32_is_taken_out_of_a_small_variance():
    rng = np.random.default_rng(2)
    logits = 1.0 + 1e-3 * rng.normal(size=6)
    exact = bernoulli(*logits)
    predictions = Predictions(np.ones(1), HALF, {})
    rough = spread(predictions, exact.astype(np.float32))
    assert rough.variance == pytest.approx(spread(predictions, exact).variance, rel=2e-3)


def _rows(results):
    derived = summarise(results).derived
    rows = derived[derived["metric"].isin(["bias", "variance"])]
    return rows.set_index(["task", "architecture", "budget", "metric"]).sort_index()


def _with_outputs(results, outputs):
    """The stream run with outputs at two points of one task."""
    kept = Predictions(np.array([0.5, 0.5]), np.repeat(HALF, 2, axis=0), outputs)
    return dataclasses.replace(results, predictions={"gauss-nested": kept})


def test_rows_say_how_far_their_points_are_from_the_exact_expected_kl(results):
    log_q = np.repeat(bernoulli(*np.linspace(-0.4, 0.6, 6)), 2, axis=1).astype(np.float32)
    changed = _with_outputs(
        results, {("linear", 640): log_q, ("oracle", 640): log_q, ("oracle-mle", 640): log_q}
    )
    rows = _rows(changed)
    assert set(rows.index.get_level_values("architecture")) == {"linear", "oracle-mle"}
    row = rows.loc[("gauss-nested", "linear", 640, "variance")]
    exact = summarise(changed).cells.loc[("gauss-nested", "linear", 640), "kl"]
    total = -np.mean(0.5 * log_q.astype(float).sum(axis=-1)) - np.log(2)
    assert row["error"] == pytest.approx(abs(total - exact) + 2.0**-24 * row["value"], rel=1e-4)
    assert (row["region"], row["status"], row["reason"]) == ("all", "ok", "")
    assert rows["seed"].isna().all()


def test_cells_with_zeros_few_seeds_or_failures_have_no_number(results, make_results):
    log_q = np.repeat(bernoulli(*np.linspace(-0.4, 0.6, 6)), 2, axis=1).astype(np.float32)
    zero = log_q.copy()
    zero[3, 1] = (-np.inf, 0)
    outputs = {("linear", 640): zero, ("fourier-64", 32_000): log_q[:5], ("mlp-16x16", 640): log_q[:5]}
    rows = _rows(_with_outputs(results, outputs))
    found = rows.loc[("gauss-nested", "linear", 640)]
    assert set(found["status"]) == {"skipped"} and set(found["reason"]) == {"q has zeros"}
    assert found["value"].isna().all() and found["error"].isna().all()
    assert set(rows.loc[("gauss-nested", "mlp-16x16", 640), "reason"]) == {
        "outputs of 5 of 6 trials were kept"
    }
    assert "fourier-64" not in rows.index.get_level_values("architecture")  # one of its trials failed
    assert _rows(_with_outputs(make_results(seeds=4), {("linear", 640): log_q[:4]})).empty


def test_outputs_whose_exact_kl_is_infinite_have_no_number(results):
    log_q = np.repeat(bernoulli(*np.linspace(-0.4, 0.6, 6)), 2, axis=1)
    kept = Predictions(np.array([0.5, 0.5]), np.repeat(HALF, 2, axis=0), {("resnet-64", 640_000): log_q})
    rows = _rows(dataclasses.replace(results, predictions={"gauss-sparse-tail": kept}))
    assert set(rows["reason"]) == {"expected KL is infinite"} and set(rows["status"]) == {"skipped"}
