"""What was found, in a few sentences of plain text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from reports import numbers
from reports.leaderboard import Summary, contenders
from reports.ranking.measures import GAP
from reports.ranking.pairs import OVERALL_NAME
from reports.ranking.ranks import Separation
from reports.results import Results
from reports.statistics import FEWEST_SEEDS
from reports.trials import largest_budget, listed, names
from reports.words import at

LIMIT = 0.01  # of a value, above which its integration error is worth a word
MEASURED = (("gaps", "information_gap", "all"), ("sparse KLs", "expected_kl", "sparse99"))
MEASURE = (
    "Information gap = E[KL(exact posterior || model)] / I(X;C): the share of what x says about the class "
    "that the model's probabilities lose. 0 is the exact posterior, 1 is knowing only the class priors, "
    "more is worse than that."
)
RANK = "Rank: the ranks that a row may have by paired t-tests over seeds (5 %, Holm over all pairs)."


def headline(results: Results, summary: Summary) -> list[str]:
    """Sentences: the best architecture, who can't be told from it, and what failed."""
    budget = largest_budget(results)
    table = summary.leaderboard
    now = table[(table["budget"] == budget) & (table["task"] == OVERALL_NAME)]
    ranked = now[now["rank"].notna() & (now["kind"] != "reference")]
    own = contenders(results, ranked)
    exact = ranked.loc[~ranked.index.isin(own.index), "architecture"].tolist()
    sentences = _best(results, summary, own.assign(rank=own["rank"].rank(method="min")), budget)
    if exact:
        learns, is_ = ("learns", "is") if len(exact) == 1 else ("learn", "are")
        sentences.append(
            f"{_list(exact)} {learns} from exact posteriors, not labels, and {is_} left out of this."
        )
    return [*sentences, *_failures(results, summary)]


def integration_error(results: Results) -> str:
    """Whether integration errors stay below 1 % of the gaps and sparse KLs, and where they don't, how many.

    Over the learned architectures, every seed and budget, without values that tables show as below their
    error.
    """
    records = listed(results)
    records = records[records["architecture"].isin(names(results)[1])]
    words = []
    for what, metric, region in MEASURED:
        chosen = records[(records["metric"] == metric) & (records["region"] == region)]
        value, error = (chosen[name].to_numpy(dtype=float) for name in ("value", "error"))
        there = np.isfinite(value) & np.isfinite(error) & (value > error)
        ratio = error[there] / value[there]
        over = int((ratio >= LIMIT).sum())
        if over:
            worst = numbers.percent(float(ratio.max()))
            words.append(f"above 1 % of {over:,} of {len(ratio):,} {what} (at most {worst})")
        elif len(ratio):
            words.append(f"at most {numbers.percent(float(ratio.max()))} of a {what.removesuffix('s')}")
    return f"Integration errors are {' and '.join(words)}." if words else ""


def _best(results: Results, summary: Summary, ranked: pd.DataFrame, budget: int) -> list[str]:
    finite = ranked[ranked["information_gap"].map(math.isfinite)]
    if finite.empty:
        return [f"No architecture has a finite information gap {at(results.suite, budget)}."]
    best = finite.iloc[0]
    tasks, seeds = len(names(results)[0]), int(results.suite["seeds"])
    of_seeds = numbers.plural(seeds, "seed")
    over = f"the geometric mean over {tasks} tasks and {of_seeds}" if tasks > 1 else f"over {of_seeds}"
    rivals = _rivals(summary, ranked["architecture"].tolist(), str(best["architecture"]), budget)
    span = numbers.span(best["low"], best["high"])
    sure = [f"95 % interval {span}"] if span else []
    if len(ranked) > 1 and not pd.isna(best["rank_low"]):
        low, high = 1 + len(rivals.ahead), len(ranked) - len(rivals.behind)
        sure.append(f"rank {numbers.ranks(low, high)} of {len(ranked)}")
    about = f" ({', '.join(sure)})" if sure else ""
    gap = numbers.bounded(best["information_gap"], best["error"])
    # A failed trial counts as a gap of 1 at least, so a row that has one can still lead a weak field.
    field = " of the rows without failed trials" if best["rank"] > 1 else ""
    lead = f"{best['architecture']} comes closest{field} to the exact posterior"
    if len(ranked) == 1:
        lead = best["architecture"]
    sentences = [
        f"{lead}: {at(results.suite, budget)} its information gap is {gap}"
        f"{about}, {over}. {_meaning(best['information_gap'], best['error'])}"
    ]
    if not span and seeds < FEWEST_SEEDS:
        sentences.append(f"Below {FEWEST_SEEDS} seeds there is no interval, and the order may be chance.")
    return [*sentences, *_certainty(rivals, summary.separation)]


@dataclass(frozen=True)
class _Rivals:
    """The other rows against the best: names significantly ahead, level and behind, in order of rank.

    nearest: the first of those behind with a finite gap, as a pair of `pairs`; tests: pairs tested in all.
    """

    best: str
    ahead: list[str]
    level: list[str]
    behind: list[str]
    nearest: Mapping[str, Any] | None
    tests: int


def _rivals(summary: Summary, rows: list[str], best: str, budget: int) -> _Rivals:
    pairs = summary.pairs[GAP.key]
    now = pairs[(pairs["budget"] == budget) & (pairs["task"] == OVERALL_NAME)]
    mine = now[(now["a"] == best) | (now["b"] == best)].astype(object).to_dict("records")
    found = {str(row["b"] if row["a"] == best else row["a"]): row for row in mine}
    tested = [name for name in rows if name in found and (found[name]["better"] or found[name]["p"] >= 0)]
    behind = [name for name in tested if found[name]["better"] == best]
    nearest = next((found[name] for name in behind if found[name]["p"] >= 0), None)
    return _Rivals(
        best,
        [name for name in tested if found[name]["better"] == name],
        [name for name in tested if not found[name]["better"]],
        behind,
        None if nearest is None else {str(key): value for key, value in nearest.items()},
        int(now["p"].notna().sum()),
    )


def _certainty(rivals: _Rivals, separation: Separation | None) -> list[str]:
    """Who can't be told from the best, and what it would take; or by how much the nearest is worse."""
    of = f" over {rivals.tests} pairs" if rivals.tests > 1 else ""
    test = "paired t-test" + (f", Holm{of}" if of else "")
    if rivals.level:
        return [f"{_list(rivals.level)} can't be told from it ({test}).", *_needed(rivals, separation)]
    if rivals.nearest is None:
        return []
    pair = rivals.nearest
    turn = pair["a"] == rivals.best
    name = pair["b"] if turn else pair["a"]
    ratio, low, high = (pair[key] ** (-1 if turn else 1) for key in ("ratio", "low", "high"))
    factor = f"by a factor of {numbers.number(ratio, 2)}"
    if span := numbers.span(min(low, high), max(low, high)):
        factor += f" ({span})"
    others = len(rivals.ahead) + len(rivals.behind)
    lead = f"None of the others comes as close: the nearest, {name}, is" if others > 1 else f"{name} is"
    if rivals.ahead:
        lead = f"The nearest behind it, {name}, is"
    p = "p < 0.0001" if pair["holm"] < 1e-4 else f"p = {numbers.number(pair['holm'], 2)}"
    return [f"{lead} worse {factor}, {p} ({test})."]


def _needed(rivals: _Rivals, separation: Separation | None) -> list[str]:
    """How many more seeds would tell the top two apart, where they can't be."""
    if separation is None or {separation.better, separation.worse} - {rivals.best, *rivals.level}:
        return []
    other = separation.worse if separation.better == rivals.best else separation.better
    if rivals.best not in (separation.better, separation.worse):
        return []
    if separation.needed is None:
        return [f"It would take more than 1,000 seeds to tell it from {other}."]
    more = max(separation.needed - separation.seeds, 1)
    about = int(float(f"{more:.1e}"))
    return [f"About {numbers.plural(about, 'more seed')} would tell it from {other}."]


def _meaning(gap: float, error: float) -> str:
    if gap > 1:
        return "That is worse than knowing only the class priors, which costs 1."
    bound = f"less than {numbers.percent(error)}" if error > 0 and error >= gap else numbers.percent(gap)
    return f"Its probabilities lose {bound} of what x says about the class."


def _failures(results: Results, summary: Summary) -> list[str]:
    table = summary.leaderboard
    rows = summary.cells.reset_index()
    learned = rows["architecture"].isin(names(results)[1])
    last = rows[learned & (rows["budget"] == largest_budget(results))]
    failed, total = int(last["failed"].sum()), int(last["total"].sum())
    sentences = []
    if failed:
        counts = "it counts against its row's rank" if failed == 1 else "they count against their rows' ranks"
        sentences.append(f"{failed} of {total} trials failed; {counts}.")
    now = table[(table["budget"] == largest_budget(results)) & (table["task"] == OVERALL_NAME)]
    endless = now[(now["information_gap"] == math.inf) & (now["kind"] != "reference")][
        "architecture"
    ].tolist()
    if endless:
        sentences.append(f"The gap of {_list(endless)} is infinite.")
    skipped = list(dict.fromkeys(last.loc[last["skipped"] > 0, "architecture"]))
    if skipped:
        verbs = ("is", "has") if len(skipped) == 1 else ("are", "have")
        sentences.append(f"{_list(skipped)} {verbs[0]} skipped at this budget and {verbs[1]} no rank.")
    expected = int(results.suite["seeds"]) * len(names(results)[0])
    short = now[(now["total"] < expected) & (now["kind"] != "reference")]["architecture"].tolist()
    if short:
        sentences.append(f"Not run, or only in part: {_list(short)}.")
    return sentences


def _list(words: list[str], most: int = 4) -> str:
    shown = [str(word) for word in words]
    if len(shown) > most:
        shown = [*shown[: most - 1], f"{len(shown) - most + 1} others"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
