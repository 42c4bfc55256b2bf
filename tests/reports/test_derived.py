import numpy as np
import pandas as pd
import pytest

from reports.derived import budget_to_target, derived_records, efficiency
from reports.leaderboard import summarise
from reports.results import RECORD_COLUMNS

BUDGETS = [100, 1_000, 10_000]


def test_budget_to_target_interpolates_on_log_log_axes():
    # From 1 at 100 to 0.01 at 10,000 the curve is 100 / N, so it passes 0.1 at 1,000 and 0.05 at 2,000.
    assert budget_to_target([100, 10_000], [1.0, 0.01], 0.1)[0] == pytest.approx(1_000)
    assert budget_to_target([100, 10_000], [1.0, 0.01], 0.05) == (pytest.approx(2_000), "ok", "")


def test_a_curve_that_dips_below_and_comes_back_counts_from_its_last_passage():
    budgets = [100, 200, 400, 800, 1_600]
    value, status, _ = budget_to_target(budgets, [0.5, 0.05, 0.2, 0.05, 0.04], 0.1)
    assert (value, status) == (pytest.approx(400 * 2 ** (np.log(2) / np.log(4))), "ok")


@pytest.mark.parametrize(
    ("gaps", "value", "status", "reason"),
    [
        ([0.5, 0.05, 0.2], None, "censored", "not below 0.1 at the last budget, 10,000 examples"),
        ([0.5, 0.3, 0.1], None, "censored", "not below 0.1 at the last budget, 10,000 examples"),
        ([0.5, 0.05, np.nan], None, "censored", "no mean at the last budget, 10,000 examples"),
        ([0.5, 0.05, np.inf], None, "censored", "not below 0.1 at the last budget, 10,000 examples"),
        ([0.09, 0.05, 0.01], 100, "ok", "at or before the first budget"),
        ([0.0, 0.0, 0.0], 100, "ok", "at or before the first budget"),
        ([np.nan, 0.05, 0.01], 1_000, "ok", "at or before this budget: no line to interpolate on"),
        ([0.05, np.inf, 0.01], 10_000, "ok", "at or before this budget: no line to interpolate on"),
        ([0.5, 0.0, 0.0], 1_000, "ok", "at or before this budget: no line to interpolate on"),
    ],
)
def test_budget_to_target_without_a_line_to_interpolate(gaps, value, status, reason):
    found = budget_to_target(BUDGETS, gaps, 0.1)
    np.testing.assert_equal(found, (np.nan if value is None else float(value), status, reason))


def test_efficiency_is_one_on_the_limit_and_infinite_without_error():
    assert efficiency(3, 1_000, 3 / 2_000) == pytest.approx(1.0)
    assert efficiency(3, 1_000, 0.0) == np.inf
    assert efficiency(3, 1_000, np.inf) == 0.0


def _cells(**changes):
    cell = {"gap": 0.5, "kl": 0.01, "distinct": 500.0, "failed": 0, "skipped": 0, "note": ""} | changes
    index = pd.MultiIndex.from_tuples([("t", "net", 640)], names=["task", "architecture", "budget"])
    return pd.DataFrame([cell], index=index)


def _efficiency_row(k=2.0, **changes):
    tasks = pd.DataFrame({"parameters": [k]}, index=["t"])
    rows = derived_records(_cells(**changes), tasks)
    return rows[rows["metric"] == "efficiency"]


def test_efficiency_counts_distinct_examples_not_the_budget():
    row = _efficiency_row().iloc[0]
    assert row["value"] == pytest.approx(2 / (2 * 500 * 0.01))
    assert (row["budget"], row["region"], row["status"]) == (640, "all", "ok")


def test_efficiency_is_blank_with_the_reason_where_trials_failed_and_absent_without_k():
    row = _efficiency_row(failed=1, note="1 failed: diverged", kl=np.nan).iloc[0]
    assert np.isnan(row["value"]) and (row["status"], row["reason"]) == ("failed", "1 failed: diverged")
    assert _efficiency_row(k=np.nan).empty
    assert _efficiency_row(distinct=np.nan, kl=0.0).empty  # the oracle learns from no examples


def test_derived_rows_of_a_whole_run(results):
    derived = summarise(results).derived
    assert tuple(derived.columns) == RECORD_COLUMNS
    assert derived["seed"].isna().all()
    targets = derived[derived["metric"] == "budget_to_target"]
    assert len(targets) == 3 * 8 * 2 and set(targets["region"]) == {"gap-0.1", "gap-0.01"}
    failed = targets[(targets["architecture"] == "fourier-64") & (targets["task"] == "gauss-nested")]
    assert set(failed["status"]) == {"censored"} and failed["reason"].str.contains("diverged").all()
    prior = targets[targets["architecture"] == "prior"]
    assert set(prior["status"]) == {"censored"} and prior["value"].isna().all()
    efficiencies = derived[derived["metric"] == "efficiency"]
    mle = efficiencies[(efficiencies["architecture"] == "oracle-mle") & (efficiencies["budget"] == 640_000)]
    assert mle["value"].between(0.3, 3).all()  # made with mean k/2N, 6 seeds
    assert set(efficiencies["architecture"]) & {"oracle", "prior"} == set()
