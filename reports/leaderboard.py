"""Frames to ranked tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.cells import cells, overall
from reports.derived import TARGETS, derived_records
from reports.labels import Share, label_shares, share_rows
from reports.results import Results
from reports.spread import spread_rows
from reports.trials import CELL, in_order, is_reference, kind, listed, names, trials

COLUMNS = (
    "budget", "task", "rank", "architecture", "kind", "information_gap", "low", "high", "error",
    "arithmetic_mean", "sparse_kl", "sparse_kl_error", "crossings_found", "crossings",
    "budget_to_0.1", "budget_to_0.01", "parameters", "training_seconds", "ok", "total", "note",
)  # fmt: skip
OVERALL_NAME = "overall"
_RENAMED = {
    "gap": "information_gap",
    "gap_error": "error",
    "arithmetic": "arithmetic_mean",
    "sparse": "sparse_kl",
    "sparse_error": "sparse_kl_error",
    "crossings": "crossings_found",
    "seconds": "training_seconds",
}


@dataclass(frozen=True)
class Summary:
    """What a report says in numbers.

    trials and cells: as from the functions of these names; derived: derived records; leaderboard: with
    `COLUMNS`; shares: what labels cost.
    """

    trials: pd.DataFrame
    cells: pd.DataFrame
    derived: pd.DataFrame
    leaderboard: pd.DataFrame
    shares: list[Share]


def summarise(results: Results) -> Summary:
    """Everything that a report shows in numbers, computed once."""
    frame = trials(listed(results))
    table = in_order(results, cells(frame).reset_index()).set_index(list(CELL))
    shares = label_shares(results, frame, table)
    derived = derived_records(table, results.tasks, [*spread_rows(results, table), *share_rows(shares)])
    return Summary(frame, table, derived, _leaderboard(results, frame, table, derived), shares)


def leaderboard(results: Results) -> pd.DataFrame:
    """The leaderboard, long: a row a budget, task (`overall` first) and architecture, columns `COLUMNS`.

    Sorted by budget, task, rank; reference rows have no rank and stand last. Gaps have no unit, KL is in
    nats, budgets are examples, `training_seconds` is per model. `low` and `high` bound the information
    gap at 95 %; a value below its integration error is kept, with that error beside it. A number is NaN
    where any of its trials failed, and the rank then counts each of these as the larger of gap 1 and the
    worst finite gap in its cell. A row of which a trial was skipped has neither a number nor a rank.
    """
    return summarise(results).leaderboard


def _leaderboard(
    results: Results, frame: pd.DataFrame, table: pd.DataFrame, derived: pd.DataFrame
) -> pd.DataFrame:
    tasks, learned, reference = names(results)
    over = overall(frame, table, tasks).reset_index().assign(task=OVERALL_NAME)
    long = pd.concat([over, table.reset_index()], ignore_index=True).rename(columns=_RENAMED)
    long = _with_missing(long, learned, tasks, results)
    long["kind"] = long["architecture"].map({name: kind(results, name) for name in [*learned, *reference]})
    long["crossings"] = long["task"].map(_true_crossings(results, tasks))
    long["crossings_found"] = long["crossings_found"].where(long["crossings"].notna())
    long["note"] = _with_coverage(long, learned, int(results.suite["seeds"]), len(tasks))
    long = _with_targets(long, derived, tasks)
    # A row with nothing but failures has no place among those that finished.
    none = (long["ok"] == 0) & (long["total"] > 0)
    left_out = none | long["architecture"].map(lambda name: is_reference(results, name))
    ranked = long["ranking"].where(~left_out)
    long["rank"] = ranked.groupby([long["budget"], long["task"]]).rank(method="min").astype("Int64")
    order = {name: place for place, name in enumerate([OVERALL_NAME, *tasks])}
    place = {name: number for number, name in enumerate([*learned, *reference])}
    long = long.assign(
        at=long["task"].map(order),
        set_apart=long["architecture"].isin(reference),
        place=long["architecture"].map(place),
    ).sort_values(["budget", "at", "set_apart", "rank", "place"], na_position="last")
    whole = dict.fromkeys(["budget", "crossings", "parameters", "ok", "total"], "Int64")
    return long.astype(whole).reset_index(drop=True)[list(COLUMNS)]


def _with_missing(long: pd.DataFrame, learned: list[str], tasks: list[str], results: Results) -> pd.DataFrame:
    """Add a row for each cell of the suite that wasn't run, so that an unfinished run shows it."""
    keys = ["budget", "task", "architecture"]
    budgets = [int(budget) for budget in results.suite["budgets"]]
    grid = pd.MultiIndex.from_product([budgets, [OVERALL_NAME, *tasks], learned], names=keys)
    absent = grid.difference(pd.MultiIndex.from_frame(long[keys])).to_frame(index=False)
    if absent.empty:
        return long
    return pd.concat([long, absent.assign(note="not run", ok=0, total=0)], ignore_index=True)


def _with_coverage(long: pd.DataFrame, learned: list[str], seeds: int, tasks: int) -> list[str]:
    """Notes that also say where fewer trials were run than the suite asks for."""
    notes = []
    for row in long[["task", "architecture", "total", "note"]].to_dict("records"):
        expected = seeds * (tasks if row["task"] == OVERALL_NAME else 1)
        short = row["architecture"] in learned and 0 < row["total"] < expected
        run = f"{row['total']:.0f} of {expected} trials run" if short else ""
        notes.append("; ".join(part for part in (run, row["note"]) if part))
    return notes


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
