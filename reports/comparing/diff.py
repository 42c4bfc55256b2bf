"""Two runs against each other: what got better or worse, row by row."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from reports.comparing.diff_cells import ONE_SIDED, absent, chosen, is_paired, lifted, overall, values
from reports.ranking.blocks import SAME
from reports.ranking.measures import GAP, Measure
from reports.ranking.paired import ALPHA, holm, paired_t
from reports.results import Results
from reports.statistics import FEWEST_SEEDS, LEVEL, geometric_mean, log
from reports.trials import OVERALL_NAME, names

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
    isn't paired; p, and holm over all changes of the diff. enough: whether five seeds can be compared.
    old_lost, new_lost: how many of old_trials and new_trials have no finite number; reason: the new run's.
    verdict: worse, better, lost (more trials without a number than before), regained (fewer), same, few (not
    enough seeds), none (no trial has a number in either run); not run or skipped, in the run whose trials
    are 0, the other run's number beside it.
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
    edited: rows of somebody's own code (a file or plug-in) that isn't the old run's.
    """

    measure: Measure
    smallest: float
    budgets: tuple[int, ...]
    changes: tuple[Change, ...]
    reference: tuple[Change, ...]
    unpaired: tuple[str, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]
    edited: tuple[str, ...]

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
    def gone(self) -> list[Change]:
        """What the new run has not run, or has skipped, and the old run has."""
        return [change for change in self.of(*ONE_SIDED) if not change.new_trials]

    @property
    def identical(self) -> bool:
        """Whether both runs have the same tasks, rows and cells, and every number is the same in both."""
        apart = self.only_old or self.only_new or self.reference
        return not apart and all(change.identical for change in self.changes)

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
    edited: Collection[str] = (),
) -> Diff:
    """Compare what two runs have in common, at their largest common budget or at every one.

    same_examples: tasks whose training examples follow from the seed in the same way in both runs. There
    rows are paired by seed; elsewhere, and with fewer than five seeds in both, Welch's t compares them.
    Both work on logarithms; a value below its integration error counts as in `measured.counted`, and so does
    one that isn't larger in the other run: what integration hides is no difference. Worse or better is what
    is significant after Holm over all changes, `overall` among them, and by `smallest` or more. edited: rows
    of somebody's own code that isn't the old run's, to be named where both runs have them.
    """
    frames = [values(run, measure) for run in (old, new)]
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
        tuple(name for name in learned if name in new_learned and name in edited),
    )


def _row(
    frames: Sequence[pd.DataFrame],
    architecture: str,
    tasks: Sequence[str],
    budgets: Sequence[int],
    same_examples: Collection[str],
) -> Iterator[Change]:
    """Every change of an architecture, budget by budget."""
    for budget in budgets:
        every = {task: [chosen(frame, (task, architecture, budget)) for frame in frames] for task in tasks}
        there = {
            task: lifted(both, task in same_examples)
            for task, both in every.items()
            if all(absent(cell) is None for cell in both)
        }
        if len(there) > 1:
            whole = [overall([both[side] for both in there.values()]) for side in (0, 1)]
            yield _change(OVERALL_NAME, architecture, budget, whole, set(there) <= set(same_examples))
        for task, both in every.items():
            if task in there:
                yield _change(task, architecture, budget, there[task], task in same_examples)
            elif any(absent(cell) is None for cell in both):
                yield _one_sided(task, architecture, budget, both)


def _one_sided(task: str, architecture: str, budget: int, cells: Sequence[pd.DataFrame]) -> Change:
    """What only one of the runs has of a cell."""
    words = [absent(cell) for cell in cells]
    old, new = (cell if word is None else cell.iloc[:0] for cell, word in zip(cells, words, strict=True))
    change = _change(task, architecture, budget, (old, new), same_examples=False)
    both = pd.concat(cells)
    reason = both.loc[both["status"] == "skipped", "reason"].max() if "skipped" in words else ""
    return replace(change, verdict=words[0] or words[1] or "", reason=str(reason))


def _change(
    task: str, architecture: str, budget: int, cells: Sequence[pd.DataFrame], same_examples: bool
) -> Change:
    old, new = (cell["value"].astype(float) for cell in cells)
    seeds = old.index.intersection(new.index)
    paired = is_paired(old.index, new.index, same_examples)
    mean, low, high, p, count = _paired(old[seeds], new[seeds]) if paired else _welch(old, new)
    old_lost, new_lost = (~np.isfinite(values) for values in (old, new))
    reasons = [str(text) for text in cells[1].loc[new_lost, "reason"] if text]
    raw = [cell["raw"].astype(float) for cell in cells]
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
        enough=count >= FEWEST_SEEDS,
        old_lost=int(old_lost.sum()),
        old_trials=len(old),
        new_lost=int(new_lost.sum()),
        new_trials=len(new),
        reason=reasons[0] if reasons else "",
        identical=raw[0].equals(raw[1]),
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
        replace(change, holm=float(p), verdict=change.verdict or _verdict(change, float(p), smallest))
        for change, p in zip(changes, adjusted, strict=True)
    ]


def _verdict(change: Change, p: float, smallest: float) -> str:
    told = p < ALPHA and abs(np.log(change.ratio)) >= np.log(smallest)
    least = min(change.old_trials, change.new_trials)
    old, new = change.old_lost, change.new_lost
    # More of them and a larger share: twice as many seeds lose twice as many.
    shares = (old * change.new_trials, new * change.old_trials) if change.task != OVERALL_NAME else (0, 0)
    if told and change.ratio > 1:
        return "worse"
    if new > old and shares[1] > shares[0]:
        return "lost"
    if told:
        return "better"
    if old > new and shares[0] > shares[1] and least >= FEWEST_SEEDS:
        return "regained"
    if change.enough:
        return "same"
    nothing = (old, new) == (change.old_trials, change.new_trials) and least >= FEWEST_SEEDS
    return "none" if nothing else "few"


def _moved(change: Change) -> bool:
    return change.paired and abs(np.log(change.ratio)) > np.log(REFERENCE_RATIO)


def _without(names_: Iterable[str], others: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in names_ if name not in others)
