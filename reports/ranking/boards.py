"""Boards: every row's value, interval and rank at each budget and task, by one measure."""

from __future__ import annotations

import pandas as pd

from reports.ranking.pairs import OVERALL_NAME
from reports.ranking.ranks import RANK_COLUMNS, ranks
from reports.results import Results
from reports.trials import kind, names

BOARD_COLUMNS = (
    "budget", "task", "architecture", "kind", "value", "low", "high", "error", "rank", "rank_low",
    "rank_high", "letters", "ok", "total", "note",
)  # fmt: skip
KEYS = ["budget", "task", "architecture"]


def board(
    results: Results,
    counts: pd.DataFrame,
    table: pd.DataFrame,
    over: pd.DataFrame,
    pairs: pd.DataFrame,
    seeds: pd.Series,
) -> pd.DataFrame:
    """One measure's board, long, columns `BOARD_COLUMNS`: by budget, task (`overall` first) and rank.

    counts: ok and total, from `cells`; table and over: from `measured.measured` and `measured_overall`;
    pairs: from `pairs`; seeds: from `ranks.seed_counts`. Reference rows have no rank and stand last; a row of
    the suite that wasn't run is there without a number. Over all tasks the value is the geometric mean over
    tasks of the geometric means over seeds. A value is NaN where any trial failed, and the rank then counts
    each of these as `measured.counted` does.
    """
    tasks, learned, reference = names(results)
    both = [over.reset_index().assign(task=OVERALL_NAME), table.reset_index()]
    long = pd.concat(both, ignore_index=True).merge(_totals(counts), on=KEYS, how="left")
    long = _with_missing(long, learned, tasks, results)
    long["kind"] = long["architecture"].map({name: kind(results, name) for name in [*learned, *reference]})
    long["note"] = _with_coverage(long, learned, int(results.suite["seeds"]), len(tasks))
    # A row with nothing but failures has no place among those that finished.
    none = (long["ok"] == 0) & (long["total"] > 0)
    ranked = long["ranking"].where(~none & long["architecture"].isin(learned))
    long["rank"] = ranked.groupby([long["budget"], long["task"]]).rank(method="min").astype("Int64")
    order = {name: place for place, name in enumerate([OVERALL_NAME, *tasks])}
    place = {name: number for number, name in enumerate([*learned, *reference])}
    long = long.assign(
        at=long["task"].map(order),
        set_apart=long["architecture"].isin(reference),
        place=long["architecture"].map(place),
    ).sort_values(["budget", "at", "set_apart", "rank", "place"], na_position="last", ignore_index=True)
    long = long.merge(ranks(long, pairs, seeds)[list(RANK_COLUMNS)], on=KEYS, how="left")
    whole = dict.fromkeys(["budget", "ok", "total"], "Int64")
    return long.fillna({"letters": ""}).astype(whole)[list(BOARD_COLUMNS)]


def _totals(counts: pd.DataFrame) -> pd.DataFrame:
    """Trials ok and in all of every cell, and over all tasks."""
    cells = counts[["ok", "total"]].reset_index()
    whole = cells.groupby(["budget", "architecture"], as_index=False)[["ok", "total"]].sum()
    return pd.concat([cells, whole.assign(task=OVERALL_NAME)], ignore_index=True)


def _with_missing(long: pd.DataFrame, learned: list[str], tasks: list[str], results: Results) -> pd.DataFrame:
    """Add a row for each cell of the suite that wasn't run, so that an unfinished run shows it."""
    budgets = [int(budget) for budget in results.suite["budgets"]]
    grid = pd.MultiIndex.from_product([budgets, [OVERALL_NAME, *tasks], learned], names=KEYS)
    absent = grid.difference(pd.MultiIndex.from_frame(long[KEYS])).to_frame(index=False)
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
