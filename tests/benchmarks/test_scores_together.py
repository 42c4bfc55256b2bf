"""Scoring many models, and all rules of an evaluation, at once gives what each has alone."""

import numpy as np
import pytest
from bins import equal_mass_bins

from benchmarks import registry
from benchmarks.binning import Sorter
from benchmarks.evaluation import Evaluation, evaluate, normalised
from benchmarks.metrics import score, scores
from benchmarks.regions import Averages, Rule
from benchmarks.shape import calibration_split, crossing_measures, ece, split_by_class

SHAPES = (calibration_split, split_by_class, crossing_measures, ece)


def by_hand(classes, n=600):
    """An evaluation of independent replicates, as of a sample in many dimensions."""
    rng = np.random.default_rng(classes)
    log_p = normalised(2 * rng.normal(size=(n, classes)))
    weights = rng.random(n) + 0.1
    parts = [slice(i * n // 4, (i + 1) * n // 4) for i in range(4)]
    rules = tuple(Rule(part, {"all": weights[part] / weights[part].sum()}) for part in parts)
    return Evaluation(
        rng.normal(size=(n, 5)),
        {"all": weights / weights.sum()},
        log_p,
        "by hand",
        float("nan"),
        checks=rules,
        replicates=True,
    )


@pytest.fixture(
    scope="module",
    params=["gauss-nested", "heavy-tail-1d", "three-class-1d", "pinwheel-2d", "bits-d12", 2, 3, 20],
    ids=str,
)
def case(request):
    """An evaluation and models of it, some with ties, with zeros and with none of either."""
    made = request.param
    evaluation = by_hand(made) if isinstance(made, int) else evaluate(registry.task(made))
    rng, k = np.random.default_rng(7), evaluation.classes
    log_p = np.maximum(evaluation.log_posterior, -60)
    slope = rng.normal(size=(evaluation.x.shape[1], k))
    models = [normalised((0.5 + 0.1 * i) * log_p + 0.2 * i * np.tanh(evaluation.x @ slope)) for i in range(5)]
    models.append(normalised(np.round(np.tanh(log_p + evaluation.x @ slope) * 2)))
    models.append(np.tile(evaluation.log_prior, (len(log_p), 1)))
    models.append(models[0].copy())
    models[-1][::9] = np.where(np.arange(k) == 0, 0.0, -np.inf)
    models.append(evaluation.log_posterior)
    return evaluation, models


@pytest.mark.parametrize("count", [2, 3, 9])
def test_a_models_scores_are_the_same_bits_beside_any_others(case, count):
    evaluation, models = case
    alone = [[(*s[:2], *map(float.hex, s[2:4]), s.reason) for s in score(evaluation, q)] for q in models]
    for first in range(0, len(models) - count + 1, 2):
        together = scores(evaluation, models[first : first + count])
        for own, found in zip(alone[first:], together, strict=False):
            assert [(*s[:2], *map(float.hex, s[2:4]), s.reason) for s in found] == own


def test_the_layout_of_a_models_output_changes_no_score(case):
    evaluation, models = case
    for log_q in models[:3]:
        turned = np.asfortranarray(log_q)
        assert str(score(evaluation, turned)) == str(score(evaluation, np.ascontiguousarray(log_q)))


def test_what_check_rules_say_is_the_measure_on_their_points(case):
    evaluation, models = case
    compared = 0
    for log_q in models[:6]:
        for fn in SHAPES:
            for name, value in fn(evaluation, log_q).items():
                parts = zip(evaluation.restrictions, evaluation.checks, strict=True)
                alone = [fn(part, log_q[rule.points])[name].value for part, rule in parts]
                np.testing.assert_allclose(value.checks, alone, rtol=1e-9, atol=1e-14)
                compared += len(alone)
    assert compared or not evaluation.checks


def test_bins_under_every_rule_are_those_of_the_rule_alone(case):
    evaluation, models = case
    for log_q in (models[3], models[5]):
        key = log_q[:, 1] - log_q[:, 0]
        bins = Sorter(evaluation.rules)(key, 30)
        of_points = np.repeat(np.arange(len(bins.starts)), np.diff(bins.starts, append=len(bins.points)))
        ends = [*bins.rules.tolist(), len(bins.starts)]
        for number, rule in enumerate(evaluation.rules):
            place = bins.order[number]
            own = (of_points >= ends[place]) & (of_points < ends[place + 1])
            there = np.full(len(key), -1)
            there[bins.points[own]] = of_points[own]
            expected = equal_mass_bins(key[rule.points], rule.weights["all"], 30)
            assert own.sum() == len(expected)
            # The same partition: bins that hold points are numbered one after the other.
            found = np.unique(there[rule.points], return_inverse=True)[1]
            np.testing.assert_array_equal(found, np.unique(expected, return_inverse=True)[1])


def test_averages_are_weighted_sums_whatever_stands_where_there_is_no_weight():
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=(3, 50)), rng.random((2, 50)) * (rng.random((2, 50)) < 0.5)
    rows = [(np.arange(50), weights[0]), (np.arange(20, 30), np.zeros(10)), (np.arange(50), weights[1])]
    expected = np.stack([values @ weights[0], np.zeros(3), values @ weights[1]], axis=1)
    values[:, (weights == 0).all(axis=0)] = [[np.inf], [-np.inf], [np.nan]]
    np.testing.assert_allclose(Averages.of(rows)(values), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("replicates", [True, False])
def test_integration_errors_follow_their_formulas(replicates):
    rules = tuple(Rule(slice(None), {"all": np.ones(1)}, factor) for factor in (1.0, 0.5, 0.5, 0.25))
    evaluation = Evaluation(
        np.zeros((1, 1)), {"all": np.ones(1)}, np.zeros((1, 1)), "", 1e-3, checks=rules, replicates=replicates
    )
    values = np.array([1.0, 2.0, np.inf, 0.0, 4.0])
    checks = values[:, None] + np.random.default_rng(1).normal(size=(5, 4))
    checks[1, 2], checks[3] = np.nan, np.nan
    found = evaluation.integration_errors(values, checks, 1e-6)
    for value, own, error in zip(values, checks, found, strict=True):
        if not np.isfinite(value) or np.isnan(own).all():
            assert np.isnan(error)
            continue
        off = own[~np.isnan(own)] - value
        if replicates:
            expected = 2 * off.std(ddof=1) / np.sqrt(len(off)) + abs(off.mean()) / (len(off) - 1)
        else:
            factors = np.array([rule.factor for rule in rules])[~np.isnan(own)]
            expected = abs(off * factors).max()
        assert error == pytest.approx(expected + (1e-6 + 1e-3) * value, rel=1e-12)
        assert error == evaluation.integration_error(value, own, 1e-6)
