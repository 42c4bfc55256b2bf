"""Rows that differ in one recipe alone, what labels cost, and whether learning rates change an order."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from reports.headline import headline
from reports.leaderboard import summarise
from reports.sections.labels import METRIC, ratio_interval
from reports.sections.rates import Group, compared_at, finding, leaders, rank, swaps
from reports.sections.variants import (
    calibration_pairs,
    learning_rate_groups,
    neighbours,
    soft_label_pairs,
    variants,
)

ROWS = {  # name: base, recipes, learning rate, calibration, soft labels
    "net": ("net", [], 1e-3, "", False),
    "net+focal(2)": ("net", ["focal(2)"], 1e-3, "", False),
    "net+focal(2)+soft-labels": ("net", ["focal(2)", "soft-labels"], 1e-3, "", True),
    "net+soft-labels+focal(3)": ("net", ["soft-labels", "focal(3)"], 1e-3, "", True),
    "net+lr(0.01)": ("net", ["lr(0.01)"], 1e-2, "", False),
    "net+lr(0.01)+temperature": ("net", ["lr(0.01)", "temperature"], 1e-2, "temperature", False),
    "net+vector": ("net", ["vector"], 1e-3, "vector", False),
    "forest": ("forest", [], np.nan, "", False),
    "forest+calibrated(isotonic)": ("forest", ["calibrated(isotonic)"], np.nan, "isotonic", False),
    "other+temperature": ("other", ["temperature"], 1e-3, "temperature", False),
}


@pytest.fixture
def recipes(results):
    columns = ("base", "recipes", "learning_rate", "calibration", "soft_labels")
    table = pd.DataFrame.from_dict(ROWS, orient="index", columns=columns).assign(
        kind="network", description=""
    )
    suite = {**results.suite, "architectures": list(ROWS)}
    return dataclasses.replace(results, suite=suite, architectures=table)


def test_pairs_differ_in_the_recipe_named_and_in_nothing_else(recipes):
    assert soft_label_pairs(recipes) == [("net+focal(2)", "net+focal(2)+soft-labels")]
    assert calibration_pairs(recipes) == [
        ("net+lr(0.01)", "net+lr(0.01)+temperature"),
        ("net", "net+vector"),
        ("forest", "forest+calibrated(isotonic)"),
    ]


def test_neighbours_have_one_recipe_more_fewer_or_other_and_no_two(recipes):
    assert neighbours(recipes, "net+focal(2)+soft-labels") == [("net+focal(2)", "without soft-labels")]
    assert neighbours(recipes, "net+soft-labels+focal(3)") == []
    assert neighbours(recipes, "net+lr(0.01)+temperature") == [("net+lr(0.01)", "without temperature")]
    assert ("net+vector", "vector instead of focal(2)") in neighbours(recipes, "net+focal(2)")


def test_learning_rate_groups_are_what_was_run_at_two_rates_or_more(recipes):
    assert learning_rate_groups(recipes) == {("net",): {1e-3: "net", 1e-2: "net+lr(0.01)"}}


def test_a_file_that_knows_nothing_of_recipes_has_no_pairs(results):
    assert [row.parts for row in variants(results)] == [(name,) for name in results.suite["architectures"]]
    assert (
        not soft_label_pairs(results) and not calibration_pairs(results) and not learning_rate_groups(results)
    )


def test_the_interval_of_a_ratio_is_student_t_with_the_jackknife():
    soft, hard = np.array([1.0, 2.0, 3.0, 4.0, 6.0]), np.array([2.0, 3.0, 5.0, 8.0, 10.0])
    left_out = [np.delete(soft, i).sum() / np.delete(hard, i).sum() for i in range(5)]
    reach = 2.7764451 * np.sqrt(4 / 5 * sum((r - np.mean(left_out)) ** 2 for r in left_out))
    np.testing.assert_allclose(ratio_interval(soft, hard), (16 / 28 - reach, 16 / 28 + reach), rtol=1e-6)
    assert np.isnan(ratio_interval(soft[:4], hard[:4])).all()


def test_the_interval_of_a_ratio_covers_it():
    rng = np.random.default_rng(0)
    common = rng.lognormal(0, 0.4, (3_000, 10))
    soft, hard = (
        common * rng.lognormal(0, 0.2, common.shape),
        2 * common * rng.lognormal(0, 0.2, common.shape),
    )
    ends = np.array([ratio_interval(a, b) for a, b in zip(soft, hard, strict=True)])
    assert 0.92 < ((ends[:, 0] < 0.5) & (ends[:, 1] > 0.5)).mean() < 0.97


def _shares(results):
    rows = summarise(results).derived
    return rows[rows["metric"] == METRIC].set_index(["task", "architecture", "budget"])


def _with_soft_labels(results, factors):
    """`mlp-64x64` trained on soft labels, with its KL times a factor a seed, as a row of its own."""
    name = "mlp-64x64+soft-labels"
    rows = results.records[results.records["architecture"] == "mlp-64x64"].assign(architecture=name)
    scaled = rows["metric"] == "expected_kl"
    rows["value"] = rows["value"].mask(scaled, rows["value"] * rows["seed"].map(factors))
    table = results.architectures.assign(base=results.architectures.index, soft_labels=False)
    table["recipes"] = [[] for _ in table.index]
    table.loc[name] = {
        "base": "mlp-64x64",
        "recipes": ["soft-labels"],
        "soft_labels": True,
        "kind": "network",
    }
    suite = {**results.suite, "architectures": [*results.suite["architectures"], name]}
    return dataclasses.replace(
        results,
        suite=suite,
        architectures=table,
        records=pd.concat([results.records, rows], ignore_index=True),
    )


def test_rows_that_were_told_the_posterior_do_not_lead_the_headline(results):
    told = _with_soft_labels(results, dict.fromkeys(range(6), 1e-3))
    gaps = (told.records["metric"] == "information_gap") & told.records["architecture"].str.endswith("labels")
    told.records.loc[gaps, "value"] *= 1e-6
    words = " ".join(headline(told, summarise(told)))
    soft = told.architectures.index[told.architectures["soft_labels"]].item()
    assert not words.startswith(soft)
    assert f"{soft} learns from exact posteriors, not labels, and is left out of this." in words
    assert "of the rows without failed trials" not in words
    plain = " ".join(headline(results, summarise(results)))
    assert words.partition(":")[0] == plain.partition(":")[0]


def test_label_noise_share_is_what_soft_labels_take_away_of_the_mean_kl(results):
    kl = results.records.query("metric == 'expected_kl' and region == 'all' and architecture == 'mlp-64x64'")
    kl = kl[(kl["task"] == "gauss-nested") & (kl["budget"] == 640)].set_index("seed")["value"]
    factors = {seed: 0.1 + 0.3 * seed for seed in range(6)}  # some above 1: those seeds do better on labels
    rows = _shares(_with_soft_labels(results, factors))
    assert len(rows) == 3 * 5 and set(rows.index.get_level_values("architecture")) == {"mlp-64x64"}
    soft = kl * pd.Series(factors)
    found = rows.loc[("gauss-nested", "mlp-64x64", 640)]
    assert found["value"] == pytest.approx(1 - soft.sum() / kl.sum())
    assert found["error"] == pytest.approx(1e-9 / kl.mean() * (1 + soft.sum() / kl.sum()))
    worse = _shares(_with_soft_labels(results, dict.fromkeys(range(6), 1.5)))
    assert worse["value"].to_numpy() == pytest.approx(-0.5)


def test_label_noise_share_says_why_it_cannot_be_told(results):
    endless = _shares(_with_soft_labels(results, {**dict.fromkeys(range(6), 0.5), 2: np.inf}))
    assert set(endless["status"]) == {"skipped"} and endless["value"].isna().all()
    assert set(endless["reason"]) == {"expected KL is infinite (mlp-64x64+soft-labels)"}
    changed = _with_soft_labels(results, dict.fromkeys(range(6), 0.5))
    records = changed.records
    lost = (records["architecture"] == "mlp-64x64") & (records["seed"] == 1) & (records["budget"] == 640)
    records.loc[lost, ["value", "status", "reason"]] = (np.nan, "failed", "diverged")
    rows = _shares(dataclasses.replace(changed, records=records))
    assert rows.xs(640, level="budget")["status"].tolist() == ["failed"] * 3
    assert rows.xs(640, level="budget")["reason"].tolist() == ["1 failed: diverged"] * 3
    assert rows.xs(3_200, level="budget")["value"].to_numpy() == pytest.approx(0.5)


def test_pairs_that_swap_between_a_rate_and_each_one_s_best():
    # At 0.001: a, b, c, and d without a place. At their best: b (1), a (2), c (5), so a and b swap alone.
    groups = [
        Group("a", {1e-4: 8, 1e-3: 2}),
        Group("b", {1e-4: 1, 1e-3: 4}),
        Group("c", {1e-3: 6, 1e-2: 5}),
        Group("d", {1e-2: 3}),
    ]
    assert swaps(groups, 1e-3) == (1, 3)
    assert [group.best for group in groups] == [1e-3, 1e-4, 1e-2, 1e-2]
    assert leaders(groups) == {1e-4: "b", 1e-3: "a", 1e-2: "d"}  # ranked at a rate: at least two
    assert swaps(groups[:1], 1e-3) == (0, 0)
    steady = [Group("a", {1e-4: 1, 1e-3: 2}), Group("b", {1e-4: 3, 1e-3: 4})]
    words = "each at its best rate instead of all at 0.001, none of 1 pair swaps."
    assert finding(steady, 1e-3) == f"The order doesn't change with the learning rate: {words}"
    ties = [Group("a", {1e-3: 2, 1e-2: 1}), Group("b", {1e-3: 2, 1e-2: 5})]
    assert swaps(ties, 1e-3) == (0, 1)
    assert rank({"a": 7, "b": 2, "c": 7, "d": 9}) == {"a": 2, "b": 1, "c": 2, "d": 4}
    assert Group("e", {}).best is None


def test_orders_are_compared_at_one_thousandth_or_the_middle_rate():
    assert compared_at([1e-3, 1e-2, 1e-1]) == 1e-3
    assert compared_at([1e-4, 3e-3, 1e-2]) == 3e-3 and compared_at([0.01, 0.1]) == 0.01
