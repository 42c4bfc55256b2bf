"""From comparisons of pairs to ranks, to letters, and to differences between mean ranks."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reports.statistics import LEVEL

_ALPHABET = string.ascii_lowercase + string.ascii_uppercase
_Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class CriticalDifference:
    """Mean ranks of rows over blocks, 1 for the lowest value, and how far apart they must be.

    mean_ranks: (rows,); cd: the critical difference at 5 %; p_friedman: of the hypothesis that all rows rank
    alike, NaN below three rows; blocks: how many; groups: positions of rows that aren't told apart, every
    largest run of two or more, best first; names: of the rows, where given.
    """

    mean_ranks: tuple[float, ...]
    cd: float
    p_friedman: float
    blocks: int
    groups: tuple[tuple[int, ...], ...]
    names: tuple[str, ...] = ()


def rank_intervals(better: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lowest and highest rank that each row can have.

    better: (rows, rows), whether the first is significantly better than the second. Returns 1 + how many are
    better than a row, and all rows less how many are worse. If no pair is called wrongly, the ranks of all
    rows lie within: they are simultaneous at the family-wise level of the tests (Al Mohamad, Goeman and van
    Zwet 2022, "Simultaneous confidence intervals for ranks with application to ranking institutions").

    >>> lowest, highest = rank_intervals([[0, 0, 1], [0, 0, 0], [0, 0, 0]])  # the first beats the third
    >>> lowest.tolist(), highest.tolist()
    ([1, 1, 2], [2, 3, 3])
    """
    beats = np.asarray(better, dtype=bool)
    return 1 + beats.sum(axis=0), len(beats) - beats.sum(axis=1)


def letters(order: Sequence[int], significant: ArrayLike) -> list[str]:
    """Letters of rows, so that two rows share one exactly where they aren't significantly different.

    order: positions of the rows, best first, in which letters are given out; significant: (rows, rows),
    symmetric. Returns a text a row, in the order of `significant`'s rows. Insert and absorb (Piepho 2004, "An
    algorithm for a letter-based representation of all-pairwise comparisons"), then no letter that says
    nothing of its own.

    >>> letters([0, 1, 2], [[0, 0, 1], [0, 0, 0], [1, 0, 0]])  # the first differs from the third
    ['a', 'ab', 'b']
    """
    differ = np.asarray(significant, dtype=bool)[np.ix_(order, order)]
    columns = _needed(_insert_and_absorb(differ), ~differ)
    columns.sort(key=lambda column: [place for place in range(len(order)) if column >> place & 1])
    texts = [""] * len(order)
    for number, column in enumerate(columns):
        lap, letter = divmod(number, len(_ALPHABET))
        for place, row in enumerate(order):
            if column >> place & 1:
                texts[row] += _ALPHABET[letter] + (str(lap + 1) if lap else "")
    return texts


def critical_difference(values: ArrayLike, names: Sequence[str] = ()) -> CriticalDifference:
    """Friedman's test and Nemenyi's critical difference of mean ranks at 5 %.

    values: (blocks, rows), two or more of each, lower is better, ties share their mean rank. Demšar 2006,
    "Statistical comparisons of classifiers over multiple data sets".

    >>> found = critical_difference([[0.1, 0.2, 0.3], [0.1, 0.3, 0.2], [0.1, 0.2, 0.3], [0.2, 0.1, 0.3]])
    >>> found.mean_ranks, round(found.cd, 3), found.groups
    ((1.25, 2.0, 2.75), 1.657, ((0, 1, 2),))
    """
    from scipy.stats import friedmanchisquare, rankdata

    blocks = np.asarray(values, dtype=float)
    count, rows = blocks.shape
    ranks = rankdata(blocks, axis=1)
    means = ranks.mean(axis=0)
    cd = _nemenyi(rows) * np.sqrt(rows * (rows + 1) / (6 * count))
    p = float("nan")
    if rows > 2:
        tied = bool((ranks == ranks[:, :1]).all())  # where Friedman's statistic is 0/0
        p = 1.0 if tied else float(friedmanchisquare(*ranks.T).pvalue)
    return CriticalDifference(
        tuple(map(float, means)), float(cd), p, count, _runs(means, float(cd)), tuple(names)
    )


def _insert_and_absorb(differ: _Flags) -> list[int]:
    """Largest sets of rows that don't differ, each as the bits of a number."""
    size = len(differ)
    columns = [(1 << size) - 1] if size else []
    pairs = list(zip(*np.nonzero(np.triu(differ, 1)), strict=True))
    # Rows far apart first: what is left are runs of the ranking, few sets, until the exceptions among them.
    for one, other in sorted(pairs, key=lambda pair: pair[0] - pair[1]):
        first, second = 1 << int(one), 1 << int(other)
        both = [column for column in columns if column & first and column & second]
        kept = [column for column in columns if not (column & first and column & second)]
        for half in [part for column in both for part in (column & ~second, column & ~first)]:
            if not any(half & column == half for column in kept):
                kept = [column for column in kept if column & half != column]
                kept.append(half)
        columns = kept
    return columns


def _needed(columns: list[int], alike: _Flags) -> list[int]:
    """Leave out sets all of whose rows and pairs are in other sets, the smallest first."""
    size = len(alike)
    uses = np.zeros((size, size), dtype=int)
    members = {column: [place for place in range(size) if column >> place & 1] for column in columns}
    for places in members.values():
        uses[np.ix_(places, places)] += 1
    kept = []
    for column in sorted(columns, key=lambda column: (len(members[column]), column)):
        square = np.ix_(members[column], members[column])
        if (uses[square] > 1).all():
            uses[square] -= 1
        else:
            kept.append(column)
    return kept


def _runs(means: NDArray[np.float64], cd: float) -> tuple[tuple[int, ...], ...]:
    order = np.argsort(means, kind="stable")
    ordered = means[order]
    found: list[tuple[int, ...]] = []
    end = 0
    for start in range(len(order)):
        reach = int(np.searchsorted(ordered, ordered[start] + cd, side="right"))
        if reach > end and reach - start > 1:
            found.append(tuple(int(place) for place in order[start:reach]))
        end = max(end, reach)
    return tuple(found)


@lru_cache
def _nemenyi(rows: int) -> float:
    """Quantile of the studentized range over sqrt 2, for so many rows and infinite degrees of freedom."""
    from scipy.stats import studentized_range

    return float(studentized_range.ppf(LEVEL, rows, np.inf) / np.sqrt(2))
