"""Two runs against each other: what got better or worse, row by row."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from reports.blocks import SAME
from reports.measured import ROUNDING
from reports.measures import GAP, Measure
from reports.paired import ALPHA, holm, paired_t
from reports.pairs import OVERALL_NAME
from reports.results import Results
from reports.statistics import FEWEST_SEEDS, LEVEL, geometric_mean, log
from reports.trials import listed, names, trials

SMALLEST_RATIO = 1.1
REFERENCE_RATIO = 1.01  # a reference row learns nothing: more than this is another way of measuring
Test = tuple[float, float, float, float, int]  # mean log-ratio, its interval, p, seeds
NAN = float("nan")
NOTHING: Test = (NAN, NAN, NAN, NAN, 0)


@dataclass(frozen=True)
class Change:
    """One task (or `overall`: all those that both runs have of the row), architecture and budget.

    old, new: geometric means over each run's own seeds, NaN where a trial has no number. ratio: the geometric
    mean of new / old, with its 95 % interval; seeds: how many it is from, of the run with fewer where it
    isn't paired; p, and holm over all changes of the diff. enough: whether there are five seeds to compare.
    old_lost, new_lost: how many of old_trials and new_trials have no finite number; reason: the new run's.
    verdict: worse, better, lost (every trial had a number, and some have none now), regained, same, few (not
    enough seeds), or none (too many trials without a number for a ratio).
    """

    task: str
    architecture: str
    budget: int
    old: float
    new: float
    ratio: float
    low: float
    high: float
    p: float
    seeds: int
    paired: bool
    enough: bool
    old_lost: int
    old_trials: int
    new_lost: int
    new_trials: int
    reason: str
    identical: bool
    holm: float = NAN
    verdict: str = ""


@dataclass(frozen=True)
class Diff:
    """What two runs have in common, compared, and the names of tasks and rows that only one of them has.

    changes: of learned rows, `overall` before the tasks where there are two or more. reference: reference
    rows that moved by more than 1 %. unpaired: tasks whose examples aren't the same in both runs.
    """

    measure: Measure
    smallest: float
    budgets: tuple[int, ...]
    changes: tuple[Change, ...]
    reference: tuple[Change, ...]
    unpaired: tuple[str, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]

    def of(self, *verdicts: str) -> list[Change]:
        """Changes with one of these verdicts; the largest factor first, those without one before it."""
        found = [change for change in self.changes if change.verdict in verdicts]
        return sorted(found, key=lambda change: -abs(np.nan_to_num(np.log(change.ratio), nan=np.inf)))

    @property
    def worse(self) -> bool:
        """Whether something got significantly worse, or has no number any more."""
        return bool(self.of("worse", "lost"))

    @property
    def too_few(self) -> bool:
        """Whether some row has fewer than five seeds to compare."""
        return bool(self.of("few"))

    @property
    def identical(self) -> bool:
        """Whether every number is the same in both runs."""
        return all(change.identical for change in self.changes)

    @property
    def tested(self) -> int:
        """How many p-values Holm's adjustment is over."""
        return sum(not np.isnan(change.p) for change in self.changes)


def diff(
    old: Results,
    new: Results,
    same_examples: Collection[str],
    measure: Measure = GAP,
    smallest: float = SMALLEST_RATIO,
    every_budget: bool = False,
) -> Diff:
    """Compare what two runs have in common, at their largest common budget or at every one.

    same_examples: tasks whose training examples follow from the seed in the same way in both runs. There
    rows are paired by seed; elsewhere, and with fewer than five seeds in both, Welch's t compares them.
    Both work on logarithms, and a value below its integration error counts as that error. Worse or better is
    what is significant after Holm over all changes, `overall` among them, and by `smallest` or more.
    """
    frames = [_values(run, measure) for run in (old, new)]
    (tasks, learned, reference), (new_tasks, new_learned, new_reference) = names(old), names(new)
    common = [name for name in tasks if name in new_tasks]
    budgets = sorted({int(n) for n in old.suite["budgets"]} & {int(n) for n in new.suite["budgets"]})
    budgets = budgets if every_budget else budgets[-1:]

    def changes(rows: Sequence[str], others: Sequence[str]) -> Iterator[Change]:
        for name in rows:
            if name in others:
                yield from _row(frames, name, common, budgets, same_examples)

    return Diff(
        measure,
        smallest,
        tuple(budgets),
        tuple(_judged(list(changes(learned, new_learned)), smallest)),
        tuple(change for change in changes(reference, new_reference) if _moved(change)),
        tuple(name for name in common if name not in same_examples),
        _without([*tasks, *learned], [*new_tasks, *new_learned]),
        _without([*new_tasks, *new_learned], [*tasks, *learned]),
    )


def _values(results: Results, measure: Measure) -> pd.DataFrame:
    """One row a trial and budget that wasn't skipped: value (NaN where it failed) and reason."""
    frame = trials(listed(results))
    frame = frame[frame["status"] != "skipped"]
    value = frame[measure.key].where(frame["status"] == "ok")
    floor = frame[f"{measure.key}_error"].clip(lower=ROUNDING)
    return pd.DataFrame({"value": value.clip(lower=floor), "reason": frame["reason"].fillna("")})


def _row(
    frames: Sequence[pd.DataFrame],
    architecture: str,
    tasks: Sequence[str],
    budgets: Sequence[int],
    same_examples: Collection[str],
) -> Iterator[Change]:
    """Every change of an architecture, budget by budget."""
    for budget in budgets:
        keys: dict[str, Any] = {task: (task, architecture, budget) for task in tasks}
        there = [task for task, key in keys.items() if all(key in frame.index for frame in frames)]
        cells = [[frame.loc[keys[task]] for frame in frames] for task in there]
        if len(cells) > 1:
            whole = [_overall([both[side] for both in cells]) for side in (0, 1)]
            yield _change(OVERALL_NAME, architecture, budget, whole, set(there) <= set(same_examples))
        for task, both in zip(there, cells, strict=True):
            yield _change(task, architecture, budget, both, task in same_examples)


def _overall(cells: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Geometric means over tasks of every seed that all tasks have."""
    values = pd.concat([cell["value"] for cell in cells], axis=1, join="inner")
    means = [geometric_mean(row) for row in values.to_numpy(dtype=float)]
    return pd.DataFrame({"value": means, "reason": ""}, index=values.index)


def _change(
    task: str, architecture: str, budget: int, cells: Sequence[pd.DataFrame], same_examples: bool
) -> Change:
    old, new = (cell["value"].astype(float) for cell in cells)
    seeds = old.index.intersection(new.index)
    each = min(len(old), len(new)) >= FEWEST_SEEDS
    paired = same_examples and (len(seeds) >= FEWEST_SEEDS or (len(seeds) > 0 and not each))
    mean, low, high, p, count = _paired(old[seeds], new[seeds]) if paired else _welch(old, new)
    old_lost, new_lost = (~np.isfinite(values) for values in (old, new))
    reasons = [str(text) for text in cells[1].loc[new_lost, "reason"] if text]
    same = len(old) == len(new) == len(seeds) and np.array_equal(old[seeds], new[seeds], equal_nan=True)
    return Change(
        task=task,
        architecture=architecture,
        budget=budget,
        old=geometric_mean(old),
        new=geometric_mean(new),
        ratio=float(np.exp(mean)),
        low=float(np.exp(low)),
        high=float(np.exp(high)),
        p=p,
        seeds=count,
        paired=paired,
        enough=len(seeds) >= FEWEST_SEEDS if paired else each,
        old_lost=int(old_lost.sum()),
        old_trials=len(old),
        new_lost=int(new_lost.sum()),
        new_trials=len(new),
        reason=reasons[0] if reasons else "",
        identical=same,
    )


def _paired(old: pd.Series, new: pd.Series) -> Test:
    """Paired t over the seeds that have a number in both."""
    with np.errstate(invalid="ignore"):
        d = log(new) - log(old)
    d = np.where(np.abs(d) < SAME, 0.0, d)[np.isfinite(d)]
    if not d.size:
        return NOTHING
    mean, low, high, p = (float(part) for part in paired_t(d))
    return mean, low, high, p, d.size


def _welch(old: pd.Series, new: pd.Series) -> Test:
    """Welch's t of two sets of seeds, NaN where either has fewer than five numbers."""
    from scipy.stats import ttest_ind

    before, after = (log(values[np.isfinite(values)]) for values in (old, new))
    count = min(before.size, after.size)
    if not count:
        return NOTHING
    mean = float(after.mean() - before.mean())
    if count < FEWEST_SEEDS:
        return mean, NAN, NAN, NAN, count
    if before.std() <= SAME and after.std() <= SAME:  # nothing varies: what differs, differs for certain
        return mean, mean, mean, float(abs(mean) < SAME), count
    found = ttest_ind(after, before, equal_var=False)
    bounds = found.confidence_interval(LEVEL)
    return mean, float(bounds.low), float(bounds.high), float(found.pvalue), count


def _judged(changes: Sequence[Change], smallest: float) -> list[Change]:
    adjusted = holm([change.p for change in changes])
    return [
        replace(change, holm=float(p), verdict=_verdict(change, float(p), smallest))
        for change, p in zip(changes, adjusted, strict=True)
    ]


def _verdict(change: Change, p: float, smallest: float) -> str:
    told = p < ALPHA and abs(np.log(change.ratio)) >= np.log(smallest)
    if told and change.ratio > 1:
        return "worse"
    if change.task != OVERALL_NAME and change.new_lost and not change.old_lost:
        return "lost"
    if not change.enough:
        return "few"
    if told:
        return "better"
    if change.task != OVERALL_NAME and change.old_lost and not change.new_lost:
        return "regained"
    return "none" if np.isnan(change.p) else "same"


def _moved(change: Change) -> bool:
    return change.paired and abs(np.log(change.ratio)) > np.log(REFERENCE_RATIO)


def _without(names_: Iterable[str], others: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in names_ if name not in others)
