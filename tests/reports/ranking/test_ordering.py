"""Letters, rank intervals and critical differences against their definitions."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports.ranking.ordering import _insert_and_absorb, critical_difference, letters, rank_intervals
from reports.ranking.paired import holm, paired_t
from reports.ranking.ranks import ranks


def _graph(rng, size, share):
    upper = np.triu(rng.random((size, size)) < share, 1)
    return upper | upper.T


def _shared(texts):
    return np.array([[bool(set(one) & set(other)) for other in texts] for one in texts])


def _graphs():
    rng = np.random.default_rng(0)
    yield from (_graph(rng, size, share) for size in (1, 2, 4, 7, 9) for share in (0, 0.2, 0.5, 0.8, 1))
    sun = np.ones((6, 6), dtype=bool)  # 0, 1 and 2 are alike, but each two of them are with a third as well
    for alike in ((0, 1, 2), (0, 1, 3), (1, 2, 4), (0, 2, 5)):
        sun[np.ix_(alike, alike)] = False
    np.fill_diagonal(sun, False)
    yield sun
    means = np.sort(rng.normal(size=14))
    yield abs(means[:, None] - means) > 0.5  # as tests give them: 1 like 2 and 2 like 3, but 1 unlike 3


@pytest.mark.parametrize("differ", list(_graphs()), ids=lambda differ: f"{len(differ)}-{differ.sum() // 2}")
def test_rows_share_a_letter_exactly_where_they_do_not_differ(differ):
    order = np.random.default_rng(1).permutation(len(differ)).tolist()
    texts = letters(order, differ)
    expected = ~differ
    np.fill_diagonal(expected, True)
    np.testing.assert_array_equal(_shared(texts), expected)
    every = sorted(set("".join(texts)))
    assert every == [chr(ord("a") + place) for place in range(len(every))]
    for letter in every:  # none can be left out
        assert not np.array_equal(_shared([text.replace(letter, "") for text in texts]), expected)
    first = ["".join(texts[row] for row in order).index(letter) for letter in every]
    assert first == sorted(first)  # given out in the order of the ranking


@pytest.mark.parametrize("differ", list(_graphs()), ids=lambda differ: f"{len(differ)}-{differ.sum() // 2}")
def test_no_set_of_like_rows_is_within_another(differ):
    sets = _insert_and_absorb(differ)
    assert not any(one & other == one for one, other in itertools.permutations(sets, 2))


def test_letters_of_ties_that_are_not_transitive():
    differ = np.zeros((3, 3), dtype=bool)
    differ[0, 2] = differ[2, 0] = True
    assert letters([0, 1, 2], differ) == ["a", "ab", "b"]
    assert letters([2, 1, 0], differ) == ["b", "ab", "a"]
    assert letters([], np.zeros((0, 0))) == []


def test_letters_go_on_after_the_alphabet():
    differ = ~np.eye(60, dtype=bool)
    texts = letters(list(range(60)), differ)
    assert len(set(texts)) == 60 and texts[25:28] == ["z", "A", "B"] and texts[52] == "a2"


def test_rank_intervals_by_hand():
    better = np.zeros((4, 4), dtype=bool)
    better[0, 2] = better[0, 3] = better[1, 3] = True
    low, high = rank_intervals(better)
    assert low.tolist() == [1, 1, 2, 3] and high.tolist() == [2, 3, 4, 4]


def test_rank_intervals_hold_for_all_rows_at_once():
    rng = np.random.default_rng(2)
    means = np.array([0.0, 0.0, 0.5, 0.5, 1.0, 1.5])
    first, second = np.triu_indices(6, 1)
    least, most = rank_intervals(means[:, None] < means)
    repeats, right, sharp = 2_000, 0, 0
    for logs in means[:, None] + 0.5 * rng.normal(size=(repeats, 6, 10)):
        mean, _, _, p = paired_t(logs[first] - logs[second])
        better = np.zeros((6, 6), dtype=bool)
        told = holm(p) < 0.05
        better[first, second], better[second, first] = told & (mean < 0), told & (mean > 0)
        low, high = rank_intervals(better)
        right += (low <= least).all() and (high >= most).all()
        sharp += high[0] < 6
    assert right / repeats > 0.95 - 3 * np.sqrt(0.05 * 0.95 / repeats)
    assert sharp / repeats > 0.9  # and they say something


def test_critical_difference_is_demsars():
    values = np.random.default_rng(3).normal([0, 0.2, 1.0, 1.1], size=(30, 4))
    found = critical_difference(values, list("abcd"))
    ranks = stats.rankdata(values, axis=1)
    np.testing.assert_allclose(found.mean_ranks, ranks.mean(axis=0))
    assert found.cd == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 30)), rel=1e-3)  # q of his table 5 (a)
    assert found.p_friedman == pytest.approx(stats.friedmanchisquare(*values.T).pvalue)
    assert (found.blocks, found.names) == (30, ("a", "b", "c", "d"))
    near = {
        pair
        for pair in itertools.combinations(range(4), 2)
        if abs(found.mean_ranks[pair[0]] - found.mean_ranks[pair[1]]) <= found.cd
    }
    within = {pair for group in found.groups for pair in itertools.combinations(sorted(group), 2)}
    assert near == within and near != set(itertools.combinations(range(4), 2))


def test_critical_difference_with_ties_and_two_rows():
    found = critical_difference(np.ones((5, 3)))
    assert found.mean_ranks == (2.0, 2.0, 2.0) and found.p_friedman == 1 and found.groups == ((0, 1, 2),)
    two = critical_difference(np.array([[1.0, 2.0]] * 8))
    assert np.isnan(two.p_friedman) and two.groups == () and two.mean_ranks == (1.0, 2.0)
    # Two ties and two wins each, an infinite value last.
    tied = critical_difference(np.array([[1, 1, np.inf], [2, 2, 3.0]]))
    assert tied.mean_ranks == (1.5, 1.5, 3.0)


def test_a_board_of_many_rows_has_rank_intervals_and_no_letters():
    names = [f"row-{number:02d}" for number in range(61)]
    board = pd.DataFrame({"budget": 640, "task": "overall", "architecture": names, "rank": range(1, 62)})
    seeds = pd.Series(10, index=pd.MultiIndex.from_product([[640], ["overall"], names]))
    first = pd.DataFrame(
        {"budget": 640, "task": "overall", "a": names[0], "b": names[1:], "better": names[0]}
    )
    for rows, lettered in ((61, False), (60, True)):
        found = ranks(board.head(rows), first.head(rows - 1), seeds)
        assert (found["letters"] != "").all() == lettered and (found["letters"] == "").all() != lettered
        assert found["rank_high"].tolist() == [1] + [rows] * (rows - 1)
        assert found["rank_low"].tolist() == [1] + [2] * (rows - 1)
