"""Learning-curve exponents of simulated curves whose truth is known."""

import numpy as np
import pandas as pd
import pytest

from reports.leaderboard import summarise
from reports.sections.exponents import EXPONENT_COLUMNS, exponents, falling, fit

BUDGETS = [640, 1_280, 2_560, 5_120, 10_240, 20_480, 40_960, 81_920]
X = np.log(BUDGETS)


def _curves(rng, exponent=0.7, floor=0.0, seeds=10, noise=0.2, own=0.1):
    """Log KL: a power law from 0.2 on and a floor, seeds with an exponent of their own."""
    slopes = exponent + own * rng.normal(size=(seeds, 1))
    return np.log(0.2 * np.exp(-slopes * (X - X[0])) + floor) + noise * rng.normal(size=(seeds, len(X)))


def test_a_line_without_noise_gives_its_slope():
    logs = 1.5 - np.linspace(0.4, 0.8, 5)[:, None] * X
    found = fit(BUDGETS, logs)
    assert found.value == pytest.approx(0.6)
    assert (found.first, found.last, found.plateau, found.reason) == (640, 81_920, None, "")
    half = 2.7764451 * np.std([0.4, 0.5, 0.6, 0.7, 0.8], ddof=1) / np.sqrt(5)  # t of 4 degrees of freedom
    assert (found.low, found.high) == pytest.approx((0.6 - half, 0.6 + half))


def test_the_interval_covers_the_exponent_of_power_laws():
    rng = np.random.default_rng(0)
    repeats = 1_000
    found = [fit(BUDGETS, _curves(rng)) for _ in range(repeats)]
    covered = np.mean([one.low <= 0.7 <= one.high for one in found])
    assert abs(covered - 0.95) < 4 * np.sqrt(0.05 * 0.95 / repeats)
    assert np.mean([one.plateau is not None for one in found]) < 0.08


def test_a_flat_power_law_that_few_seeds_can_hardly_see_is_no_plateau():
    rng = np.random.default_rng(1)
    found = [fit(BUDGETS, _curves(rng, exponent=0.3, seeds=5, noise=0.5)) for _ in range(300)]
    values = np.array([one.value for one in found])
    assert np.isnan(values).mean() < 0.15
    assert np.nanmean(values) == pytest.approx(0.3, abs=0.04)


@pytest.mark.parametrize("floor", [0.03, 0.05])
def test_a_floor_is_found_and_does_not_drag_the_exponent_to_0(floor):
    rng = np.random.default_rng(2)
    curves = [_curves(rng, exponent=1.0, floor=floor, own=0.05) for _ in range(200)]
    found = [fit(BUDGETS, logs) for logs in curves]
    assert np.mean([one.plateau is not None for one in found]) > 0.9
    plateaus = np.array([one.plateau for one in found if one.plateau])
    reached = 640 * 0.2 / floor  # where the power law comes down to the floor
    assert (plateaus >= reached).mean() > 0.95
    assert all(one.last < one.plateau for one in found if one.plateau and one.last)
    value = np.nanmean([one.value for one in found])
    naive = np.mean([-np.polyfit(X, logs.mean(axis=0), 1)[0] for logs in curves])
    assert value > 1.25 * naive and value > 0.5


def test_a_flat_curve_is_a_plateau_from_its_first_budget_on():
    rng = np.random.default_rng(6)
    found = [fit(BUDGETS, 0.2 * rng.normal(size=(10, 8))) for _ in range(200)]
    assert np.mean([one.plateau == 640 for one in found]) > 0.85


def test_a_curve_that_gets_worse_ends_where_it_is_lowest():
    rng = np.random.default_rng(3)
    logs = _curves(rng, noise=0.05, own=0.02)
    logs[:, 6:] = logs[:, [5]] + 0.5 + 0.05 * rng.normal(size=(10, 2))
    found = fit(BUDGETS, logs)
    assert (found.last, found.plateau) == (10_240, 20_480)
    assert found.value == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize(
    ("logs", "reason"),
    [
        (np.zeros((4, 8)), "fewer than 5 seeds"),
        (np.where(np.arange(8) < 2, 0.0, np.nan) * np.ones((6, 1)), "fewer than 3 budgets with a finite KL"),
        (np.where(np.arange(8) < 2, 0.0, np.inf) * np.ones((6, 1)), "fewer than 3 budgets with a finite KL"),
        (np.random.default_rng(4).normal(size=(6, 8)), "no longer falls from 640 examples on"),
    ],
)
def test_where_there_is_no_exponent_there_is_a_reason(logs, reason):
    found = fit(BUDGETS, logs)
    assert np.isnan([found.value, found.low, found.high]).all() and found.last is None
    assert found.reason.startswith(reason)


def test_a_budget_that_some_seed_lacks_is_left_out():
    logs = 1.5 - np.linspace(0.4, 0.8, 5)[:, None] * X
    logs[2, 0] = np.nan
    found = fit(BUDGETS, logs)
    assert (found.first, found.value) == (1_280, pytest.approx(0.6))


def test_falling_counts_the_budgets_before_the_plateau():
    rng = np.random.default_rng(5)
    logs = -0.7 * np.minimum(X, X[3]) + 0.01 * rng.normal(size=(8, 8))
    assert falling(X, logs) == 3
    assert falling(X, -0.7 * X + 0.01 * rng.normal(size=(8, 8))) == 8


def test_a_plateau_is_looked_for_after_a_noisy_step():
    rng = np.random.default_rng(1)
    spread = np.array([0.02, 0.02, 1.5, 0.02, 0.02, 0.02, 0.02, 0.02])
    found = [falling(X, -0.7 * np.minimum(X, X[5]) + spread * rng.normal(size=(10, 8))) for _ in range(100)]
    assert np.mean(np.array(found) == 8) < 0.1  # 0.2 where the search ends at the noisy step
    assert np.mean(np.array(found) == 5) > 0.65


def test_a_second_look_does_not_make_plateaus_of_chance_more_frequent():
    rng = np.random.default_rng(0)
    found = [falling(X, _curves(rng, exponent=0.3, seeds=5, noise=0.5)) < 8 for _ in range(1_000)]
    assert np.mean(found) < 0.08


def test_exponents_of_a_run(results):
    frame = summarise(results).trials
    table = exponents(results, frame)
    assert tuple(table.columns) == EXPONENT_COLUMNS
    assert len(table) == 3 * 6 and set(table["architecture"]) == {
        *results.suite["architectures"],
        "oracle-mle",
    }
    rows = table.set_index(["task", "architecture"])
    for task in results.suite["tasks"]:
        mle = rows.loc[(task, "oracle-mle")]
        assert mle["low"] < 1 < mle["high"]  # the k/2N law
        made = rows.loc[(task, "mlp-64x64")]
        assert made["low"] < 0.7 < made["high"]
    assert rows.loc[("gauss-separated", "oracle-mle"), "first"] == 3_200  # skipped at 640
    failed = rows.loc[("gauss-nested", "fourier-64")]
    assert np.isnan(failed["exponent"]) and "finite KL" in failed["reason"]  # fails from the third budget on
    assert rows.loc[("gauss-nested", "linear"), "plateau"] == 640 and pd.isna(
        rows.loc[("gauss-nested", "linear"), "exponent"]
    )
    pd.testing.assert_frame_equal(table, summarise(results).exponents)
