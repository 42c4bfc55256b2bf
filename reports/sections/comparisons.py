"""Sections on infinite rows, bias and variance, what labels cost, and calibration before and after."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from reports import numbers
from reports.leaderboard import Summary
from reports.means import Means, arithmetic_means
from reports.ranking.pairs import OVERALL_NAME
from reports.results import Results
from reports.sections.labels import Share
from reports.sections.parts import Block, Entry, Line, Section, Table, entry, reasons
from reports.sections.spread import MLE
from reports.sections.variants import calibration_pairs
from reports.trials import largest_budget, names, told
from reports.words import at, of

BOUNDED = {"tv": "total variation", "excess_brier": "excess Brier", "infinite_mass": "mass excluded"}
CALIBRATION = {
    "calibration_loss": "calibration loss",
    "grouping_loss": "grouping loss",
    "expected_kl": "expected KL",
}
INFINITE = (
    "A model that gives probability 0 to a class that is possible has an infinite expected KL; one whose "
    "logits go wrong in a heavy tail may have, too. Bounded measures of such rows, {}, means over seeds: "
    "E total variation, E Σ (p \u2212 q)², and the probability of the classes that q excludes. Set apart for "
    "comparison: the first row of each task's ranking with a finite gap that learned from labels."
)
VARIANCE = (
    "Expected KL {}, split in two. Variance is how far a seed's model is from the geometric mean of all "
    "seeds' models: averaging more of them would take it away. Bias is how far that mean is from the "
    "exact posterior. Both are corrected for the number of seeds, so a small bias may come out below 0."
)
LABELS = (
    "The share of a row's expected KL that goes where it learns from the exact posterior of each example "
    "instead of a label drawn from it: 1 \u2212 KL on soft labels / KL on labels, means over seeds. At 0 % "
    "none of a row's error is the labels' doing; below 0 % it does better on labels. The first table is "
    "{}."
)
INTERVAL = " Its 95 % intervals are Student's t with a jackknife over paired seeds."
CALIBRATED = (
    "Each calibrated row beside the same row without its calibrator, {}, means over seeds in nats. "
    "Calibration loss is what a better map of the outputs alone could take away; grouping loss is what "
    "the outputs don't tell apart, which no one-to-one map of them can change."
)


def infinite(results: Results, summary: Summary) -> Section | None:
    """Bounded measures of the cells whose gap is infinite, beside the best row of the same task."""
    budget = largest_budget(results)
    now = summary.leaderboard[summary.leaderboard["budget"] == budget]
    means = arithmetic_means(results, tuple(BOUNDED), budget)
    blocks = []
    for task in names(results)[0]:
        rows = now[(now["task"] == task) & (now["kind"] != "reference")]
        endless = rows[rows["information_gap"] == np.inf]["architecture"].tolist()
        finite = rows[rows["information_gap"] < np.inf]["architecture"].tolist()
        finite = [name for name in finite if name not in told(results)][:1]
        lines = [
            Line(name, tuple(mean_entry(means, task, name, metric) for metric in BOUNDED), name in finite)
            for name in [*endless, *finite]
        ]
        if endless:
            blocks.append(Block(task, tuple(lines)))
    if not blocks:
        return None
    return Section(
        "bounded",
        "Rows with an infinite gap",
        "Infinite rows",
        INFINITE.format(at(results.suite, budget)),
        (Table("bounded-measures", "", tuple((text, "") for text in BOUNDED.values()), tuple(blocks)),),
    )


def variance(results: Results, summary: Summary) -> Section | None:
    """Bias and variance of every row over tasks, at the largest budget."""
    derived, budget = summary.derived, largest_budget(results)
    rows = derived[(derived["budget"] == budget) & derived["metric"].isin(["bias", "variance"])]
    if rows.empty:
        return None
    found = {(row["task"], row["architecture"], row["metric"]): row for row in rows.to_dict("records")}
    tasks, learned, _ = names(results)
    shown = [name for name in [*ordered(learned, summary, budget), MLE] if name in set(rows["architecture"])]
    over = [OVERALL_NAME] if len(tasks) > 1 else []
    lines = [
        Line(name, tuple(e for task in [*over, *tasks] for e in split(found, task, tasks, name)), name == MLE)
        for name in shown
    ]
    columns = (("bias", "nats"), ("variance", "nats"), ("variance", "share"))
    groups = ("mean over tasks", *tasks) if over else tuple(tasks)
    return Section(
        "variance",
        "Bias and variance",
        "Bias and variance",
        VARIANCE.format(of(results.suite, budget)) + reasons(rows["reason"].fillna("").tolist()),
        (Table("bias-and-variance", "", columns, (Block("", tuple(lines)),), groups),),
    )


def labels(results: Results, summary: Summary) -> Section | None:
    """What labels cost: per task at the largest budget, and over budgets."""
    budget, tasks = largest_budget(results), names(results)[0]
    budgets = sorted(int(budget) for budget in results.suite["budgets"])
    found = {(share.task, share.architecture, share.budget): share for share in summary.shares}
    rows = ordered(list(dict.fromkeys(share.architecture for share in summary.shares)), summary, budget)
    if not rows:
        return None
    now = [
        Line(name, tuple(_labels(found.get((task, name, budget)), True) for task in tasks)) for name in rows
    ]
    tables = [Table("label-noise", "", tuple((task, "") for task in tasks), (Block("", tuple(now)),))]
    if len(budgets) > 1:
        blocks = [
            Block(
                task if len(tasks) > 1 else "",
                tuple(
                    Line(name, tuple(_labels(found.get((task, name, size))) for size in budgets))
                    for name in rows
                ),
            )
            for task in tasks
        ]
        columns = tuple((numbers.count(size), "") for size in budgets)
        tables.append(Table("label-noise-budgets", "By number of examples", columns, tuple(blocks)))
    interval = any(not np.isnan(share.low) for share in found.values())
    return Section(
        "labels",
        "What labels cost",
        "What labels cost",
        LABELS.format(of(results.suite, budget)) + (INTERVAL if interval else ""),
        tuple(tables),
    )


def calibration(results: Results, summary: Summary) -> Section | None:
    """Losses of every calibrated row and of the same row without its calibrator, at the largest budget."""
    pairs, budget = calibration_pairs(results), largest_budget(results)
    if not pairs:
        return None
    many = results.tasks["classes"].astype(float) > 2
    means = arithmetic_means(results, (*CALIBRATION, *(f"{name}_ovr" for name in CALIBRATION)), budget)
    blocks = []
    for task in names(results)[0]:
        end = "_ovr" if many.get(task, False) else ""
        metrics = [name if name == "expected_kl" else name + end for name in CALIBRATION]
        lines = [
            Line(
                after,
                tuple(e for metric in metrics for e in _before_after(means, task, before, after, metric)),
            )
            for before, after in pairs
        ]
        blocks.append(Block(task, tuple(lines)))
    several = (
        " With more than two classes the two losses are of one class against the rest." if many.any() else ""
    )
    return Section(
        "calibration",
        "Calibration before and after",
        "Calibration",
        CALIBRATED.format(at(results.suite, budget)) + several,
        (
            Table(
                "before-and-after",
                "",
                (("before", ""), ("after", "")),
                tuple(blocks),
                tuple(CALIBRATION.values()),
            ),
        ),
    )


def ordered(rows: list[str], summary: Summary, budget: int) -> list[str]:
    """Rows in the order of the overall ranking at a budget."""
    now = summary.leaderboard[
        (summary.leaderboard["budget"] == budget) & (summary.leaderboard["task"] == OVERALL_NAME)
    ]
    return [name for name in now["architecture"] if name in rows]


def split(found: Mapping[Any, Any], task: str, tasks: list[str], name: str) -> list[Entry]:
    """Bias, variance and the variance's share of one row in one task, or of the means over all tasks.

    found: derived rows by (task, architecture, metric).
    """
    which = tasks if task == OVERALL_NAME else [task]
    keys = [[(one, name, metric) for one in which] for metric in ("bias", "variance")]
    if any(key not in found for part in keys for key in part):
        return [Entry(numbers.BLANK, title="fewer than 5 seeds, or trials without a number")] * 3
    parts = [[found[key] for key in part] for part in keys]
    why = "; ".join(dict.fromkeys(row["reason"] for rows in parts for row in rows if row["reason"]))
    (bias, bias_error), (spread, spread_error) = (
        (float(np.mean([row["value"] for row in rows])), float(np.mean([row["error"] for row in rows])))
        for rows in parts
    )
    known = spread > spread_error and bias + spread > 0
    share = Entry(numbers.percent(spread / (bias + spread))) if known else Entry(numbers.BLANK, title=why)
    return [entry(bias, bias_error, why), entry(spread, spread_error, why), share]


def _labels(share: Share | None, with_interval: bool = False) -> Entry:
    if share is None:
        return Entry(numbers.BLANK, title="not run")
    if np.isnan(share.value):
        return Entry(numbers.BLANK, re.split(r": | \(", share.reason)[0], share.reason)
    small = ""
    digits = 2 if share.value > 0.99 else 0  # close to all of it, whole percents tell nothing
    if with_interval and not np.isnan(share.low):
        small = f"{_percent(share.low, digits)} to {_percent(share.high, digits)}"
    return Entry(_percent(share.value, digits), small)


def _before_after(means: Means, task: str, before: str, after: str, metric: str) -> list[Entry]:
    """Two cells; below the second, by how much it is off the first."""
    old, new = (means.get((task, name, metric), (np.nan, np.nan)) for name in (before, after))
    first, second = (mean_entry(means, task, name, metric) for name in (before, after))
    told = all(np.isfinite(value) and value > np.nan_to_num(error) for value, error in (old, new))
    if not told:
        return [first, second]
    change = new[0] / old[0] - 1
    small = f"{change:+.0%}".replace("-0%", "0%").replace("+0%", "0%")
    return [first, Entry(second.text, small.replace("%", " %").replace("-", "−"))]  # noqa: RUF001


def mean_entry(means: Means, task: str, name: str, metric: str) -> Entry:
    """A cell's mean over seeds, blank where not every trial has the number."""
    value, error = means.get((task, name, metric), (np.nan, np.nan))
    return entry(value, float(np.nan_to_num(error)), "not every trial has this number")


def _percent(share: float, digits: int) -> str:
    """A share in percent, with a real minus sign; what rounds to all of it without being so stays below."""
    most = 100 - 10.0**-digits if share < 1 else math.inf
    text = f"{min(100 * share, most):.{digits}f}"
    return f"{'0' if text == '-0' else text.replace('-', '−')} %"  # noqa: RUF001
