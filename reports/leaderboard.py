"""Frames to ranked tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from reports import aside
from reports.cells import cells, overall
from reports.derived import TARGETS, derived_records
from reports.failures import Failure, failures
from reports.ranking.blocks import Blocks, blocks
from reports.ranking.boards import KEYS, board
from reports.ranking.measured import measured, measured_overall
from reports.ranking.measures import BOARD, GAP, Measure
from reports.ranking.ordering import CriticalDifference
from reports.ranking.pairs import OVERALL_NAME, pair_table
from reports.ranking.ranks import Separation, critical_differences, seed_counts, separation
from reports.results import Results
from reports.sections.exponents import exponents
from reports.sections.labels import Share, label_shares, share_rows
from reports.sections.spread import spread_rows
from reports.trials import CELL, in_order, largest_budget, names, shown, told, trials

COLUMNS = (
    "budget", "task", "rank", "architecture", "kind", "information_gap", "low", "high", "error",
    "arithmetic_mean", "sparse_kl", "sparse_kl_error", "crossings_found", "crossings",
    "budget_to_0.1", "budget_to_0.01", "parameters", "multiply_adds", "training_seconds", "ok", "total",
    "note", "rank_low", "rank_high", "letters",
)  # fmt: skip
_RENAMED = {
    "arithmetic": "arithmetic_mean",
    "sparse": "sparse_kl",
    "sparse_error": "sparse_kl_error",
    "crossings": "crossings_found",
    "seconds": "training_seconds",
    "parameters": "parameters",
    "multiply_adds": "multiply_adds",
}


@dataclass(frozen=True)
class Summary:
    """What a report says in numbers.

    trials and cells: as from the functions of these names; derived: derived records; leaderboard: with
    `COLUMNS`; shares: what labels cost; pairs and boards: by a measure's key, from the modules of these
    names; critical: by budget, mean ranks of the information gap; separation: of the top two by the
    information gap at the largest budget, None where they aren't tested; exponents: of learning curves;
    failures: trials without a number.
    """

    trials: pd.DataFrame
    cells: pd.DataFrame
    derived: pd.DataFrame
    leaderboard: pd.DataFrame
    shares: list[Share]
    pairs: Mapping[str, pd.DataFrame]
    boards: Mapping[str, pd.DataFrame]
    critical: Mapping[int, CriticalDifference]
    separation: Separation | None
    exponents: pd.DataFrame
    failures: list[Failure]

    @cached_property
    def counted(self) -> pd.DataFrame:
        """The leaderboard with how many trials of each row failed and how many were skipped."""
        cells = self.cells.reset_index()[["budget", "task", "architecture", "failed", "skipped"]]
        whole = cells.groupby(["budget", "architecture"], as_index=False)[["failed", "skipped"]].sum()
        counts = pd.concat([cells, whole.assign(task=OVERALL_NAME)], ignore_index=True)
        joined = self.leaderboard.merge(counts, on=["budget", "task", "architecture"], how="left")
        return joined.fillna({"failed": 0, "skipped": 0}).astype({"failed": int, "skipped": int})


def summarise(results: Results) -> Summary:
    """Everything that a report shows in numbers, computed once."""
    every = trials(results.records)
    frame = every[shown(results, *(every.index.get_level_values(key) for key in ("task", "architecture")))]
    table = in_order(results, cells(frame).reset_index()).set_index(list(CELL))
    over = overall(frame, table, names(results)[0])
    shares = label_shares(results, frame, table)
    derived = derived_records(table, results.tasks, [*spread_rows(results, table), *share_rows(shares)])
    arranged = {measure.key: blocks(results, frame, measure) for measure in BOARD}
    critical = aside.submit(critical_differences, arranged[GAP.key])
    pairs = {key: pair_table(found) for key, found in arranged.items()}
    boards = {
        measure.key: board(
            results,
            table,
            *_measured(results, frame, table, over, measure),
            pairs[measure.key],
            seed_counts(arranged[measure.key]),
        )
        for measure in BOARD
    }
    return Summary(
        frame,
        table,
        derived,
        _leaderboard(results, boards[GAP.key], table, over, derived),
        shares,
        pairs,
        boards,
        critical.result(),
        _separation(results, boards[GAP.key], arranged[GAP.key]),
        exponents(results, frame),
        failures(every),
    )


def contenders(results: Results, ranked: pd.DataFrame) -> pd.DataFrame:
    """Ranked rows that learned from labels; all of them where none did."""
    exact = ranked["architecture"].isin(told(results))
    return ranked if exact.all() else ranked[~exact]


def _measured(
    results: Results, frame: pd.DataFrame, table: pd.DataFrame, over: pd.DataFrame, measure: Measure
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`cells.measured` and `measured_overall` of a measure; those of the gap are there already."""
    if measure == GAP:
        columns = {"gap": "value", "gap_error": "error"}
        shown = ["value", "error", "low", "high", "ranking", "note"]
        return table.rename(columns=columns)[shown], over.rename(columns=columns)[shown]
    found = measured(frame, measure, names(results)[1])
    return found, measured_overall(frame, found, names(results)[0], measure)


def _separation(results: Results, gaps: pd.DataFrame, arranged: Blocks) -> Separation | None:
    budget = largest_budget(results)
    now = gaps[(gaps["budget"] == budget) & (gaps["task"] == OVERALL_NAME) & gaps["rank"].notna()]
    top = contenders(results, now)["architecture"].tolist()[:2]
    return separation(arranged, budget, *top) if len(top) == 2 else None


def leaderboard(results: Results) -> pd.DataFrame:
    """The leaderboard, long: a row a budget, task (`overall` first) and architecture, columns `COLUMNS`.

    Sorted by budget, task, rank; reference rows have no rank and stand last. Gaps have no unit, KL is in
    nats, budgets are examples, `training_seconds` is per model and `multiply_adds` per optimiser step. `low`
    and `high` bound the information gap at 95 %; a value below its integration error is kept, with that error
    beside it. A number is NaN where any of its trials failed, and the rank then counts each of these as the
    larger of gap 1 and the worst finite gap in its cell. A row of which a trial was skipped has neither a
    number nor a rank. `rank_low`, `rank_high` and `letters` are as from `ranks`, blank below five seeds.
    """
    return summarise(results).leaderboard


def _leaderboard(
    results: Results, gaps: pd.DataFrame, table: pd.DataFrame, over: pd.DataFrame, derived: pd.DataFrame
) -> pd.DataFrame:
    """The board of the information gap with what else is known of each row."""
    tasks = names(results)[0]
    both = [over.reset_index().assign(task=OVERALL_NAME), table.reset_index()]
    others = pd.concat(both, ignore_index=True).rename(columns=_RENAMED)[[*KEYS, *_RENAMED.values()]]
    long = gaps.rename(columns={"value": "information_gap"}).merge(others, on=KEYS, how="left")
    long["crossings"] = long["task"].map(_true_crossings(results, tasks))
    long["crossings_found"] = long["crossings_found"].where(long["crossings"].notna())
    long = _with_targets(long, derived, tasks)
    counts = dict.fromkeys(("crossings", "parameters", "multiply_adds"), "Int64")
    return long.astype(counts)[list(COLUMNS)]


def _true_crossings(results: Results, tasks: list[str]) -> dict[str, float]:
    """Crossings of the exact posterior by task and over all tasks; NaN where there are none to find."""
    counts = results.tasks["crossings"].reindex(tasks).astype(float)
    counts = counts.where(counts > 0)
    return {OVERALL_NAME: float(counts.sum(min_count=1)), **dict(zip(tasks, counts, strict=True))}


def _with_targets(long: pd.DataFrame, derived: pd.DataFrame, tasks: list[str]) -> pd.DataFrame:
    """Add `budget_to_...`: of each task, and overall the budget that is enough for every task."""
    rows = derived[derived["metric"] == "budget_to_target"]
    for target in TARGETS:
        found = rows[rows["region"] == f"gap-{target:g}"].set_index(["task", "architecture"])["value"]
        wide = found.unstack("task").reindex(columns=tasks)
        worst = wide.max(axis=1).where(wide.notna().all(axis=1))
        values: dict[object, float] = dict(found.items())
        values.update({(OVERALL_NAME, name): value for name, value in worst.items()})
        pairs = zip(long["task"], long["architecture"], strict=True)
        long[f"budget_to_{target:g}"] = [values.get(pair, np.nan) for pair in pairs]
    return long
