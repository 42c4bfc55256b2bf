"""From tests of pairs to the ranks that rows can have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pandas as pd

from reports.ranking.blocks import Blocks
from reports.ranking.ordering import CriticalDifference, critical_difference, letters, rank_intervals
from reports.ranking.paired import ALPHA, seeds_to_separate
from reports.ranking.pairs import OVERALL_NAME
from reports.statistics import FEWEST_SEEDS

RANK_COLUMNS = ("budget", "task", "architecture", "rank_low", "rank_high", "letters")


MOST_LETTERED = 60  # rows; with twice as many a row has a hundred letters, and finding them takes seconds


@dataclass(frozen=True)
class Separation:
    """How many seeds it takes to tell two rows apart at one budget.

    better, worse: names, the lower mean first; ratio: of the first to the second; seeds: that both have;
    needed: so many in all, by a test at `level`, None for more than 1,000 (`paired.seeds_to_separate`).
    `level` is 5 % over all pairs of the board (Bonferroni), so that the board would show them apart.
    """

    better: str
    worse: str
    ratio: float
    seeds: int
    needed: int | None
    level: float


def ranks(board: pd.DataFrame, pairs: pd.DataFrame, seeds: pd.Series) -> pd.DataFrame:
    """Rank intervals and letters of all ranked rows, columns `RANK_COLUMNS`.

    board: budget, task, architecture, rank (NaN for none), in the order of the board; pairs: from `pairs`;
    seeds: how many seeds a row has, indexed by (budget, task, architecture); below 5 there is neither rank
    interval nor letter, and with more than 60 rows there are no letters. `rank_low` is 1 + rows significantly
    better, `rank_high` all ranked rows less those significantly worse. Holm's adjustment controls the chance
    of any wrong verdict within a budget and task, so the intervals of all its rows hold at once in 95 % of
    cases (Al Mohamad, Goeman and van Zwet 2022, "Simultaneous confidence intervals for ranks with application
    to ranking institutions").
    """
    keys = ["budget", "task"]
    groups = dict(list(pairs[pairs["better"] != ""].groupby(keys, sort=False)[["a", "b", "better"]]))
    found: list[tuple[object, ...]] = []
    known = seeds.to_dict()
    for key, rows in board[board["rank"].notna()].groupby(keys, sort=False):
        budget, task = cast(tuple[int, str], key)
        names = rows["architecture"].tolist()
        enough = [known.get((budget, task, name), 0) >= FEWEST_SEEDS for name in names]
        found += [(budget, task, *row) for row in _of_rows(names, groups.get(key), enough)]
    whole = dict.fromkeys(["budget", "rank_low", "rank_high"], "Int64")
    return pd.DataFrame(found, columns=list(RANK_COLUMNS)).astype(whole)


def seed_counts(blocks: Blocks) -> pd.Series:
    """How many seeds each row has, indexed by (budget, task, architecture); `overall`: on every task."""
    index = pd.MultiIndex.from_product(
        [blocks.budgets, [OVERALL_NAME, *blocks.tasks], blocks.rows],
        names=["budget", "task", "architecture"],
    )
    return pd.Series(blocks.seeds.ravel(), index=index)


def critical_differences(blocks: Blocks) -> dict[int, CriticalDifference]:
    """Mean ranks over blocks of (task, seed) at each budget, among the suite's own tasks.

    Rows that have a place, blocks in which all of them have a value. Blocks of one seed share its examples
    only within a task, yet a suite's tasks are no sample of any larger set: this speaks of them alone.
    Budgets with fewer than two such rows or 5 seeds are left out.
    """
    found = {}
    for place, budget in enumerate(blocks.budgets):
        rows = np.flatnonzero(blocks.ranked[place, 0])
        values, below = (  # tasks, seeds, rows
            np.moveaxis(part[place][:, rows], 1, -1) for part in (blocks.logs, blocks.below)
        )
        whole = ~np.isnan(values).any(axis=-1)
        if len(rows) > 1 and whole.all(axis=0).sum() >= FEWEST_SEEDS:
            # Close values are one rank: what is left between them is rounding.
            # Values below their errors can't be told apart either: in a block they share the largest error.
            tied = np.where(below, values, -np.inf).max(axis=-1, keepdims=True)
            ranked = np.round(np.where(below, tied, values)[whole], 12)
            found[budget] = critical_difference(ranked, [blocks.rows[row] for row in rows])
    return found


def separation(blocks: Blocks, budget: int, first: str, second: str) -> Separation | None:
    """How many seeds would tell two rows apart over all tasks at a budget.

    None where they aren't tested: below 5 seeds that both have, or where a value is infinite; nor where the
    lower one can't be called better for its failures.
    """
    place = blocks.budgets.index(budget)
    one, other = blocks.rows.index(first), blocks.rows.index(second)
    ratios = blocks.log_ratios(place, np.array([one]), np.array([other]))[0, 0]
    ratios = ratios[~np.isnan(ratios)]
    if len(ratios) < FEWEST_SEEDS or blocks.infinite[place, 0, [one, other]].any():
        return None
    tested = int((blocks.ranked[place, 0] & ~blocks.infinite[place, 0]).sum())
    level = ALPHA / max(tested * (tested - 1) // 2, 1)
    mean = float(ratios.mean())
    if not blocks.can_win[place, 0, one if mean <= 0 else other]:
        return None
    found = Separation(
        first, second, float(np.exp(mean)), len(ratios), seeds_to_separate(ratios, level), level
    )
    return found if mean <= 0 else replace(found, better=second, worse=first, ratio=float(np.exp(-mean)))


def _of_rows(
    names: list[str], verdicts: pd.DataFrame | None, enough: list[bool]
) -> list[tuple[str, object, object, str]]:
    place: Mapping[str, int] = {name: number for number, name in enumerate(names)}
    better = np.zeros((len(names), len(names)), dtype=bool)
    if verdicts is not None:
        for a, b, won in verdicts.itertuples(index=False):
            if a in place and b in place:
                better[place[won], place[b if won == a else a]] = True
    low, high = rank_intervals(better)
    told = np.flatnonzero(enough)
    differ = (better | better.T)[np.ix_(told, told)]
    lettered = letters(list(range(len(told))), differ) if len(told) <= MOST_LETTERED else [""] * len(told)
    texts = dict(zip(told.tolist(), lettered, strict=True))
    return [
        (name, *((int(low[row]), int(high[row])) if enough[row] else (pd.NA, pd.NA)), texts.get(row, ""))
        for row, name in enumerate(names)
    ]
