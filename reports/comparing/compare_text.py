"""Two rows head to head in words, for a terminal, Markdown, scripts, and a page that stands alone."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

from reports import numbers
from reports.comparing.compare import Comparison, Line, Trouble
from reports.numbers import plural
from reports.ranking.paired import ALPHA
from reports.statistics import FEWEST_SEEDS
from reports.texts import WIDTH, aligned, markdown, pipe_table, plain_value, printable, wrapped
from reports.trials import OVERALL_NAME
from reports.words import at, joined

NAN = float("nan")
FAMILY = (
    "p is of a paired t test over seeds on the log scale. The pair was chosen beforehand, so over all tasks "
    "it is as it is; of single tasks it is adjusted (Holm) over the tasks of the table, and over no other "
    "pairs."
)


def verdict(found: Comparison) -> list[str]:
    """Sentences: who is better, by how much and how surely, whether on every task, and what went wrong."""
    line = found.overall
    if not line.compared:
        place = at(found.suite, found.budget)
        lead = [f"{found.first} and {found.second} can't be compared over all tasks {place}."]
    elif line.ratio in (0.0, math.inf) or math.isnan(line.ratio):
        lead = [_endless(found)]
    elif line.seeds < FEWEST_SEEDS:
        few = f"{_factor(found)}, {_over(found)}; it takes {FEWEST_SEEDS} seeds"
        lead = [f"Too few seeds to tell: {few}."]
    elif line.better:
        lead = [f"{_names(found)[0]} is better: {_factor(found)}, {_over(found)} ({_certainty(line)})."]
    else:
        seen = f"{_factor(found)}, {_over(found)} ({_certainty(line)})"
        lead = [f"{found.first} and {found.second} can't be told apart: {seen}.", _needed(found)]
    return [*lead, *_check(line), *_tasks(found), *troubles(found)]


def troubles(found: Comparison) -> list[str]:
    """What has no finite number at the largest budget, and what that counts as."""
    pairs = zip((found.first, found.second), found.troubles, strict=True)
    return [sentence for name, trouble in pairs for sentence in _trouble(found, name, trouble)]


def _names(found: Comparison) -> tuple[str, str]:
    """The row that is lower, and the other."""
    return (found.second, found.first) if found.overall.ratio > 1 else (found.first, found.second)


def _factor(found: Comparison) -> str:
    """The lower row's mean as a multiple of the other's, with its interval."""
    line = found.overall
    ends = (line.low, line.ratio, line.high)
    low, centre, high = ends if line.ratio <= 1 else tuple(1 / end for end in reversed(ends))
    span = numbers.span(low, high, 3)
    interval = f" (95 % interval {span})" if span else ""
    better, other = _names(found)
    whose = f"its {found.measure.title}" if line.better else f"the {found.measure.title} of {better}"
    place = at(found.suite, found.budget)
    return f"{place} {whose} is {numbers.number(centre)} times that of {other}{interval}"


def _over(found: Comparison) -> str:
    tasks, seeds = len(found.suite["tasks"]), f"{plural(found.overall.seeds, 'seed')}, paired"
    return f"over {plural(tasks, 'task')} and {seeds}" if tasks > 1 else f"over {seeds}"


def _certainty(line: Line) -> str:
    return f"{numbers.p_value(line.p)}; with signs flipped at random {numbers.p_value(line.flip)}"


def _endless(found: Comparison) -> str:
    """Where one row or both have an infinite value, of which no mean can be compared."""
    title, line = found.measure.title, found.overall
    if math.isnan(line.ratio):
        return f"{found.first} and {found.second} can't be compared: the {title} of both is infinite."
    better, other = _names(found)
    few = "" if line.better else f", on only {plural(line.seeds, 'seed')}"
    return f"{better} is better, without a test: the {title} of {other} is infinite and its own isn't{few}."


def _needed(found: Comparison) -> str:
    seeds = f"about {found.more:,} seeds" if found.more else "more than 1,000 seeds"
    return f"If the true difference and spread are those seen, telling them apart takes {seeds} (power 80 %)."


def _check(line: Line) -> list[str]:
    """A word where the sign-flip test doesn't bear the t test out."""
    if not line.better or math.isnan(line.flip) or line.flip < ALPHA:
        return []
    least = 2.0 ** (1 - line.seeds)
    if least >= ALPHA:
        return [
            f"With {line.seeds} seeds flipping signs can't give less than p = {numbers.number(least, 2)}."
        ]
    return ["Flipping signs doesn't bear that out."]


def _tasks(found: Comparison) -> list[str]:
    """Whether it holds on every task, and where it doesn't."""
    lines = [line for line in found.by_task if line.compared and not math.isnan(line.ratio)]
    if len(found.suite["tasks"]) < 2 or not lines:
        return []
    sign = found.overall.better
    told = [line for line in lines if line.better and line.better != sign]
    if told:
        names = (found.first, found.second)
        single = joined([f"{names[line.better < 0]} on {line.task}" for line in told])
        lead = "It doesn't hold on every task: better there is" if sign else "On single tasks, better is"
        return [f"{lead} {single}."]
    if not sign:
        return []
    lower = sum((line.ratio < 1) == (sign > 0) and line.ratio != 1 for line in lines)
    sure, count = sum(line.better == sign for line in lines), len(found.by_task)
    if sure == count:
        return ["It holds on every task."]
    every = "every task" if lower == count else f"{lower} of {count} tasks"
    return [f"It is lower on {every}, on {sure} of them significantly."]


def _trouble(found: Comparison, name: str, trouble: Trouble) -> list[str]:
    why = f" ({trouble.reason})" if trouble.reason else ""
    total = plural(trouble.total, "trial")
    if not trouble.total:
        return [f"{name} was not run at this budget."]
    if trouble.skipped:
        return [f"{trouble.skipped} of {total} of {name} skipped{why}."]
    if trouble.infinite:
        return [f"{trouble.infinite} of {total} of {name} infinite{why}."]
    if not trouble.failed:
        return []
    least = f"{found.measure.failed:g} or the " if found.measure.failed else "the "
    counts = "counts as" if trouble.failed == 1 else "count as"
    larger = "the larger of " if found.measure.failed else ""
    whose = "worst of its task" if found.measure.failed else "worst of any row on its task"
    return [f"{trouble.failed} of {total} of {name} failed{why} and {counts} {larger}{least}{whose}."]


def heading(found: Comparison) -> str:
    """Both names, reference rows said to be so."""
    texts = [
        f"{name} (reference row)" if reference else name
        for name, reference in zip((found.first, found.second), found.reference, strict=True)
    ]
    return f"{texts[0]} against {texts[1]}"


def tables(found: Comparison) -> list[tuple[str, str, list[Line]]]:
    """Title, name of the first column, and lines: by task, and by budget where there are several."""
    place = at(found.suite, found.budget)
    by_task = [found.overall, *found.by_task] if len(found.suite["tasks"]) > 1 else found.by_task
    shown = [(f"By task, {place}", "task", by_task)]
    if len(found.by_budget) > 1:
        over = ", over all tasks" if len(by_task) > 1 else ""
        shown.append((f"By budget{over}", "examples", found.by_budget))
    return shown


def cells(line: Line, what: str) -> list[str]:
    """A line as texts: task or budget, both means, ratio, interval, p, p with flipped signs, share lower."""
    single = what == "task" and line.task != OVERALL_NAME
    p = line.holm if single else line.p
    return [
        line.task if what == "task" else numbers.count(line.budget),
        numbers.number(line.first),
        numbers.number(line.second),
        numbers.number(line.ratio) if line.compared else "not compared",
        numbers.span(line.low, line.high, 3),
        numbers.p_text(p),
        numbers.p_text(line.flip),
        numbers.share(line.wins),
    ]


def headings(what: str) -> list[str]:
    """Headings of `cells`."""
    return [what, "A", "B", "A / B", "95 % interval", "p", "flips p", "A lower"]


def terminal_text(found: Comparison) -> str:
    """A comparison for a terminal, at most 80 columns wide."""
    lines = [*wrapped(printable(heading(found))), "", *wrapped(printable(" ".join(verdict(found)))), ""]
    about = f"A is {found.first}, B is {found.second}; values are the {found.measure.title}."
    lines += wrapped(printable(about))
    for title, what, rows in tables(found):
        body = [headings(what), *(cells(line, what) for line in rows)]
        right = range(1, 8) if what == "task" else range(8)
        for longest, columns in ((20, 8), (16, 8), (12, 8), (12, 7), (12, 6), (9, 6)):
            shown = [line[:columns] for line in body]
            table = aligned(shown, [longest, *[0] * (columns - 1)], right)
            if max(map(len, table)) <= WIDTH:
                break
        lines += ["", f"{title}:", *table]
    return "\n".join([*lines, "", *wrapped(FAMILY)]) + "\n"


def markdown_text(found: Comparison) -> str:
    """A comparison in Markdown."""
    sentences = verdict(found)
    lines = [
        f"### {markdown(heading(found))}",
        "",
        f"**{markdown(sentences[0])}** {markdown(' '.join(sentences[1:]))}",
    ]
    about = f"A is {found.first}, B is {found.second}; values are the {found.measure.title}."
    lines = [*lines, "", markdown(about)]
    for title, what, rows in tables(found):
        body = [cells(line, what) for line in rows]
        lines += ["", f"**{markdown(title)}**", "", pipe_table(body, headings(what), left=1)]
    return "\n".join([*lines, "", markdown(FAMILY)]) + "\n"


def json_text(found: Comparison) -> str:
    """Every number of a comparison; a blank is null and infinity is the string `inf`."""
    sides = [
        {"name": name, "reference": reference, **asdict(trouble)}
        for name, reference, trouble in zip(
            (found.first, found.second), found.reference, found.troubles, strict=True
        )
    ]
    told = {
        "suite": found.suite["name"],
        "measure": found.measure.key,
        "a": sides[0],
        "b": sides[1],
        "verdict": verdict(found),
        "seeds_to_separate": found.more,
        "lines": [
            {key: plain_value(value) for key, value in asdict(line).items()} for line in found.lines.values()
        ],
    }
    return json.dumps(told, indent=1, allow_nan=False)
