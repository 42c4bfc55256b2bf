"""What was found, in a few sentences of plain text."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from reports import numbers
from reports.leaderboard import Summary
from reports.pairs import OVERALL_NAME
from reports.results import Results
from reports.statistics import FEWEST_SEEDS
from reports.trials import largest_budget, listed, names, told
from reports.words import at

LIMIT = 0.01  # of a value, above which its integration error is worth a word
MEASURED = (("gaps", "information_gap", "all"), ("sparse KLs", "expected_kl", "sparse99"))
MEASURE = (
    "Information gap = E[KL(exact posterior || model)] / I(X;C): the share of what x says about the class "
    "that the model's probabilities lose. 0 is the exact posterior, 1 is knowing only the class priors, "
    "more is worse than that."
)


def headline(results: Results, summary: Summary) -> list[str]:
    """Sentences: the best architecture, who can't be told from it at a glance, and what failed."""
    budget = largest_budget(results)
    table = summary.leaderboard
    now = table[(table["budget"] == budget) & (table["task"] == OVERALL_NAME)]
    ranked = now[now["rank"].notna() & (now["kind"] != "reference")]
    exact = ranked["architecture"].isin(told(results))
    if exact.all():
        return [*_best(results, ranked, budget), *_failures(results, summary)]
    own = ranked[~exact].assign(rank=ranked[~exact]["rank"].rank(method="min"))
    sentences = _best(results, own, budget)
    if exact.any():
        names_ = _list(ranked[exact]["architecture"].tolist())
        learns, is_ = ("learns", "is") if exact.sum() == 1 else ("learn", "are")
        sentences.append(f"{names_} {learns} from exact posteriors, not labels, and {is_} left out of this.")
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


def _best(results: Results, ranked: pd.DataFrame, budget: int) -> list[str]:
    finite = ranked[ranked["information_gap"].map(math.isfinite)]
    if finite.empty:
        return [f"No architecture has a finite information gap {at(results.suite, budget)}."]
    best = finite.iloc[0]
    tasks, seeds = len(names(results)[0]), int(results.suite["seeds"])
    of_seeds = numbers.plural(seeds, "seed")
    over = f"the geometric mean over {tasks} tasks and {of_seeds}" if tasks > 1 else f"over {of_seeds}"
    span = numbers.span(best["low"], best["high"])
    interval = f" (95 % interval {span})" if span else ""
    gap = numbers.bounded(best["information_gap"], best["error"])
    # A failed trial counts as a gap of 1 at least, so a row that has one can still lead a weak field.
    field = " of the rows without failed trials" if best["rank"] > 1 else ""
    lead = f"{best['architecture']} comes closest{field} to the exact posterior"
    if len(ranked) == 1:
        lead = best["architecture"]
    sentences = [
        f"{lead}: {at(results.suite, budget)} its information gap is {gap}{interval}, {over}. "
        f"{_meaning(best['information_gap'])}"
    ]
    if not span and seeds < FEWEST_SEEDS:
        sentences.append(f"Below {FEWEST_SEEDS} seeds there is no interval, and the order may be chance.")
    others = finite.iloc[1:]
    close = others[(others["low"] <= best["high"]) & (others["low"].notna())]["architecture"].tolist()
    if close:
        overlap = "its interval overlaps" if len(close) == 1 else "their intervals overlap"
        sentences.append(f"At a glance {_list(close)} can't be told from it: {overlap}.")
    elif span and len(others):
        sentences.append("No other architecture's interval overlaps with its own.")
    return sentences


def _meaning(gap: float) -> str:
    if gap > 1:
        return "That is worse than knowing only the class priors, which costs 1."
    return f"Its probabilities lose {numbers.percent(gap)} of what x says about the class."


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
