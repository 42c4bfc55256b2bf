"""What the headline says of the best row: how sure its place is, and what would make it surer."""

import dataclasses

import numpy as np
import pytest

from reports import numbers
from reports.headline import headline
from reports.leaderboard import summarise

LAST = 640_000


def _words(results):
    return " ".join(headline(results, summarise(results)))


def _like_the_best(results, name, factor, noise=0.3):
    """The run in which a row's gaps are those of mlp-64x64 times a factor, at the last budget."""
    rng = np.random.default_rng(7)
    records = results.records.sort_values(["task", "seed", "budget", "metric"], ignore_index=True)
    gaps = (records["metric"] == "information_gap") & (records["budget"] == LAST)
    best = records[gaps & (records["architecture"] == "mlp-64x64")]
    row = gaps & (records["architecture"] == name)
    seeds = rng.normal(0, noise, best["seed"].nunique())
    values = best["value"].to_numpy() * factor * np.exp(seeds - seeds.mean())[best["seed"].to_numpy()]
    records.loc[row, ["value", "status", "reason"]] = [[value, "ok", ""] for value in values]
    return dataclasses.replace(results, records=records)


def test_where_all_others_are_worse_the_nearest_is_named_with_its_ratio(results):
    summary = summarise(results)
    words = _words(results)
    pair = summary.pairs["gap"].query(f"budget == {LAST} and task == 'overall' and a == 'mlp-16x16'")
    pair = pair[pair["b"] == "mlp-64x64"].iloc[0]
    assert "rank 1 of 5)" in words
    span = numbers.span(pair["low"], pair["high"])
    factor = f"the nearest, mlp-16x16, is worse by a factor of {pair['ratio']:.1f} ({span}), p < 0.0001"
    assert factor in words
    assert "(paired t-test, Holm over 6 pairs)" in words  # of four rows without infinite gaps
    assert "can't be told" not in words


def test_a_gap_below_its_error_is_said_as_a_bound(results):
    records = results.records
    mine = (records["architecture"] == "mlp-64x64") & (records["budget"] == LAST)
    mine &= records["metric"] == "information_gap"
    small = records.assign(
        value=records["value"].mask(mine, 1e-12), error=records["error"].mask(mine, 1e-8 - 1e-12)
    )
    words = _words(dataclasses.replace(results, records=small))
    assert "Its probabilities lose less than 1.0e-6 % of what" in words


def test_rows_that_can_not_be_told_from_the_best_are_named_with_the_seeds_it_takes(make_results):
    close = _like_the_best(make_results(seeds=10), "mlp-16x16", 1.1)
    summary = summarise(close)
    words = _words(close)
    assert f"rank {numbers.ranks(1, 2)} of 5)" in words
    assert "mlp-16x16 can't be told from it (paired t-test, Holm over 6 pairs)." in words
    more = summary.separation.needed - 10
    assert more > 10 and f"About {float(f'{more:.1e}'):.0f} more seeds would tell it from mlp-16x16." in words


def test_more_than_a_thousand_is_an_answer(make_results):
    words = _words(_like_the_best(make_results(seeds=10), "mlp-16x16", 1.005))
    assert "It would take more than 1,000 seeds to tell it from mlp-16x16." in words


def test_two_rows_and_one(make_results):
    results = make_results()
    both = dataclasses.replace(results, suite={**results.suite, "architectures": ["mlp-64x64", "linear"]})
    words = _words(both)
    assert (
        "linear is worse by a factor of 15 (" in words and "(paired t-test)" in words and "Holm" not in words
    )
    one = dataclasses.replace(results, suite={**results.suite, "architectures": ["linear"]})
    assert "rank" not in _words(one) and "told" not in _words(one)


def test_below_five_seeds_nothing_is_tested(make_results):
    words = _words(make_results(seeds=4))
    assert "Below 5 seeds there is no interval, and the order may be chance." in words
    assert not any(word in words for word in ("rank 1", "told", "Holm", "more seeds"))


@pytest.mark.parametrize("seeds", [5, 6])
def test_infinite_rows_are_said_once(make_results, seeds):
    results = make_results(seeds=seeds)
    few = dataclasses.replace(results, suite={**results.suite, "architectures": ["mlp-64x64", "resnet-64"]})
    words = _words(few)
    assert "rank 1 of 2" in words and "The gap of resnet-64 is infinite." in words
    assert "nearest" not in words and "told" not in words
