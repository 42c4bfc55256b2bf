"""A diff of two runs as words: for the terminal, for Markdown and for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from reports import numbers
from reports.comparing.diff import Change, Diff
from reports.comparing.diff_cells import ONE_SIDED
from reports.numbers import plural
from reports.statistics import FEWEST_SEEDS
from reports.texts import aligned, markdown, pipe_table, plain_value, printable, wrapped
from reports.trials import OVERALL_NAME

LONGEST = 6  # names in a row, and rows of what can't be told
HEADINGS = ("architecture", "task", "examples", "new / old", "95 % interval", "p")


def verdict(diff: Diff) -> str:
    """What came out, in a word or two: worse, incomplete, too few to tell, better, no difference."""
    if diff.worse:
        return "worse"
    if diff.gone:
        return "incomplete"
    if diff.too_few:
        return "too few to tell"
    return "better" if diff.of("better", "regained") else "no difference"


def sentences(diff: Diff) -> list[str]:
    """What was compared, and what came out of it."""
    rows = {change.architecture for change in diff.changes}
    tasks = {change.task for change in diff.changes} - {OVERALL_NAME}
    title = f"{diff.measure.title[:1].upper()}{diff.measure.title[1:]}"
    last = f"at {numbers.count(diff.budgets[-1])} examples, the largest budget of both runs"
    at = last if len(diff.budgets) == 1 else "at every budget of both runs"
    counts = f"{plural(len(rows), 'architecture')}, {plural(len(tasks), 'task')}"
    return [f"{title} {at}: {counts}.", *_outcome(diff)]


def _outcome(diff: Diff) -> list[str]:
    worse, better = (len(diff.of(verdict)) for verdict in ("worse", "better"))
    lost, regained = (len(diff.of(verdict)) for verdict in ("lost", "regained"))
    told = []
    if diff.tested:
        rule = (
            f"p < 0.05 after Holm over {plural(diff.tested, 'comparison')}, and a factor of {diff.smallest:g}"
        )
        changed = f"{worse} significantly worse, {better} significantly better"
        other = diff.of("worse", "better", "lost", "regained", "few", *ONE_SIDED)
        told.append(f"{changed if other else 'No difference'} ({rule} or more).")
    for count, word in ((lost, "more"), (regained, "fewer")):
        if count:
            have = "has" if count == 1 else "have"
            told.append(f"{plural(count, 'row')} {have} {word} trials without a number than before.")
    if diff.gone:
        told.append(f"Incomplete: the new run lacks {plural(len(diff.gone), 'cell')} that the old run has.")
    few = diff.of("few")
    if few:
        least, most = min(change.seeds for change in few), max(change.seeds for change in few)
        seeds = plural(most, "seed") if least == most else f"{least} to {most} seeds"
        some = "" if len(few) == len(diff.changes) else f"For {len(few)} of {len(diff.changes)} comparisons: "
        told.append(f"{some}{'t' if some else 'T'}oo few to tell: {seeds}, and it takes {FEWEST_SEEDS}.")
    if diff.identical:
        told.append("Every number is the same in both runs.")
    return told


def notes(diff: Diff) -> list[str]:
    """What a reader should know beside the comparisons."""
    found = []
    if diff.unpaired:
        found.append(f"Not paired, since the examples of the runs differ: {_some(diff.unpaired)}.")
    elif any(not change.paired for change in diff.changes):
        found.append("Rows with fewer than five seeds in common are compared unpaired (Welch's t).")
    if diff.edited:
        found.append(f"Own code changed since the old run: {_some(diff.edited)}.")
    moved = [f"{c.architecture} on {c.task} ({numbers.number(c.ratio)} times)" for c in diff.reference]
    if moved:
        found.append(f"Reference rows moved, so measuring itself has changed: {_some(moved)}.")
    for where, names_ in (("old", diff.only_old), ("new", diff.only_new)):
        if names_:
            found.append(f"Only in the {where} run: {_some(names_)}.")
    for word in ONE_SIDED:
        for where, there in (("new", "old_trials"), ("old", "new_trials")):
            cells = [_cell(change) for change in diff.of(word) if getattr(change, there)]
            if cells:
                found.append(f"{word.capitalize()} in the {where} run: {_some(cells)}.")
    none = [f"{c.architecture} on {c.task}" for c in diff.of("none") if c.task != OVERALL_NAME]
    if none:
        found.append(f"Without enough numbers to compare: {_some(none)}.")
    return found


def _cell(change: Change) -> str:
    reason = f" ({change.reason})" if change.reason else ""
    return f"{change.architecture} on {change.task} at {numbers.count(change.budget)}{reason}"


def terminal_text(diff: Diff, old: str, new: str) -> str:
    """A diff for a terminal, at most 80 columns wide; old, new: what the runs are called."""
    lines = [f"old  {printable(old)}", f"new  {printable(new)}", ""]
    lines += wrapped(printable(" ".join(sentences(diff))))
    many = len(diff.budgets) > 1
    for title, changes in _sections(diff):
        rows = [_line(change, many) for change in changes]
        longest = (18, 14, 0, 0, 0, 0) if many else (22, 18, 0, 0, 0)
        body = aligned(rows, longest, right=(2, 3) if many else (2,))
        lines += ["", f"{title} (new / old, 95 % interval, p after Holm):", *(f"  {line}" for line in body)]
    for note in notes(diff):
        lines += ["", *wrapped(printable(note))]
    for change in diff.of("lost"):
        trials = f"{change.new_lost} of {change.new_trials} trials"
        words = f"{change.architecture} on {change.task}: {trials} without a number"
        lines += ["", *wrapped(printable(f"{words}{': ' if change.reason else ''}{change.reason}"))]
    return "\n".join(lines) + "\n"


def markdown_text(diff: Diff, old: str, new: str) -> str:
    """A diff in Markdown, as a comment on a change would show it."""
    lines = [f"### {verdict(diff).capitalize()}: {markdown(old)} → {markdown(new)}", ""]
    lines += [markdown(" ".join(sentences(diff)))]
    for title, changes in _sections(diff):
        body = [_line(change, True) for change in changes]
        lines += ["", f"**{title}**", "", pipe_table(body, HEADINGS, left=2)]
    for note in notes(diff):
        lines += ["", markdown(note)]
    return "\n".join(lines) + "\n"


def json_text(diff: Diff, old: str, new: str) -> str:
    """Every number of a diff; a blank is null and infinity is the string `inf`."""
    found = {
        "old": old,
        "new": new,
        "measure": diff.measure.key,
        "smallest_ratio": diff.smallest,
        "budgets": list(diff.budgets),
        "verdict": verdict(diff),
        "identical": diff.identical,
        "comparisons": diff.tested,
        "changes": [_numbers(change) for change in diff.changes],
        "reference": [_numbers(change) for change in diff.reference],
        "unpaired_tasks": list(diff.unpaired),
        "only_old": list(diff.only_old),
        "only_new": list(diff.only_new),
        "edited": list(diff.edited),
    }
    return json.dumps(found, indent=1, allow_nan=False)


def _numbers(change: Change) -> dict[str, object]:
    return {key: plain_value(value) for key, value in asdict(change).items()}


def _sections(diff: Diff) -> list[tuple[str, Sequence[Change]]]:
    """Tables to show: what is worse, what is better, and all rows over their tasks."""
    overall = [change for change in diff.changes if change.task == OVERALL_NAME]
    found = [
        ("Worse", diff.of("worse", "lost")),
        ("Better", diff.of("better", "regained")),
        ("Over all tasks" if overall else "All", [] if diff.identical else overall or diff.changes),
    ]
    return [(title, changes) for title, changes in found if changes]


def _line(change: Change, with_budget: bool) -> list[str]:
    """A change as texts under `HEADINGS`."""
    ratio = numbers.number(change.ratio)
    if change.verdict == "lost":
        ratio = f"{change.new_lost} of {change.new_trials} lost"
    elif change.verdict == "regained":
        ratio = f"{change.old_lost} of {change.old_trials} regained"
    elif change.verdict in ONE_SIDED:
        ratio = change.verdict
    budget = [numbers.count(change.budget)] if with_budget else []
    span = numbers.span(change.low, change.high, 3)
    return [change.architecture, change.task, *budget, ratio, span, numbers.p_text(change.holm)]


def _some(words: Iterable[str]) -> str:
    every = list(words)
    more = [f"and {len(every) - LONGEST} more"] if len(every) > LONGEST else []
    return ", ".join([*every[:LONGEST], *more])
