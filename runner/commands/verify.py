"""`runner verify`: every check on every task, side by side in worker processes, and what they found."""

from __future__ import annotations

import itertools
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, NamedTuple, TypeVar

from benchmarks import registry
from benchmarks.verification import ALARM, Outcome, fingerprint, verify
from runner.execution.workers import ONE_THREAD, environment, workers

T = TypeVar("T")

JOBS = 8  # at most: a worker takes up to half a gigabyte
SETTINGS = ONE_THREAD | {"PYTHONHASHSEED": "random"}  # string hashes of a worker's own
FEW = 3  # tasks, up to which each check has a row of its own
WIDTH = 100


class Verified(NamedTuple):
    """A task and what its checks found."""

    task: str
    features: int
    classes: int
    outcomes: list[Outcome]
    seconds: float

    @property
    def failed(self) -> list[Outcome]:
        """The checks that failed."""
        return [each for each in self.outcomes if each.status == "failed"]


def verify_all(names: Sequence[str], jobs: int, progress: Callable[[str], None]) -> list[Verified]:
    """Return what the checks of each named task found, in the order of the names.

    The probability of a false alarm is shared among the tasks. progress is called with a task's name when it
    is verified. Raises UnknownName or TaskError where a name is no task's.
    """
    for name in names:
        registry.task(name)
    with environment(SETTINGS):
        calls = {name: (ALARM / len(names), digests) for name, digests in _elsewhere(names).items()}
        found = {}
        with workers(max(1, min(jobs, len(names), JOBS))) as pool:
            running = {pool.submit(_verified, name, *calls[name]): name for name in names}
            for future in as_completed(running):
                name = running[future]
                try:
                    found[name] = future.result()
                except BrokenProcessPool:  # a neighbour may be to blame
                    found[name] = _alone(_verified, name, *calls[name]) or _died(name)
                progress(name)
    return [found[name] for name in names]


def _elsewhere(names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return each task's digest as one fresh interpreter finds it, or what kept it from that."""
    together = _alone(_fingerprints, names)
    if together is not None:
        return together
    died = {"error": "the process died"}
    return {name: (_alone(_fingerprints, [name]) or {name: died})[name] for name in names}


def _alone(call: Callable[..., T], *args: Any) -> T | None:
    """Return what a call returns in an interpreter of its own; None where that died."""
    with workers(1) as pool:
        try:
            return pool.submit(call, *args).result()
        except BrokenProcessPool:
            return None


def _verified(name: str, alarm: float, elsewhere: dict[str, str]) -> Verified:
    task, start = registry.task(name), time.perf_counter()
    outcomes = verify(task, alarm=alarm, elsewhere=elsewhere)
    return Verified(task.name, task.features, task.classes, outcomes, time.perf_counter() - start)


def _died(name: str) -> Verified:
    task = registry.task(name)
    outcome = Outcome("contract", "failed", "the process died, killed perhaps for memory", "an answer")
    return Verified(task.name, task.features, task.classes, [outcome], 0.0)


def _fingerprints(names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return each task's digest as this interpreter finds it, or the error that it met."""
    found = {}
    for name in names:
        try:
            found[name] = fingerprint(registry.task(name))
        except Exception as error:  # whatever a task's code raises is for its check to say
            found[name] = {"error": f"{type(error).__name__}: {error}"}
    return found


def progress(total: int) -> Callable[[str], None]:
    """Return what says on standard error, where a person reads it, how many tasks are verified."""
    done = itertools.count(1)

    def say(name: str) -> None:
        number = next(done)
        if sys.stderr.isatty():
            line = f"verified {number} of {total}: {name}" if number < total else ""
            print(f"\r{line[:WIDTH]:<{WIDTH}}\r", end="", file=sys.stderr, flush=True)

    return say


def rows(results: Sequence[Verified]) -> list[dict[str, Any]]:
    """Return a row for each check of each task, as plain data."""
    return [{"task": result.task, **outcome._asdict()} for result in results for outcome in result.outcomes]


def table(results: Sequence[Verified]) -> str:
    """Return what was found as text: a row for each check of a few tasks, or for each of many tasks."""
    parts = [_by_check(result) for result in results] if len(results) <= FEW else [_by_task(results)]
    parts += [_failure(result, outcome) for result in results for outcome in result.failed]
    return "\n\n".join([*parts, _summary(results)])


def _by_check(result: Verified) -> str:
    from tabulate import tabulate

    shown = {"ok": "ok", "failed": "FAILED", "skipped": "skipped"}
    body = [
        (each.check, shown[each.status], each.found, f"{each.n:,}" if each.n else "", each.detects)
        for each in result.outcomes
    ]
    headers = ("check", "", "found", "n", "detects (power 99 %)")
    title = f"{result.task}: d = {result.features}, k = {result.classes}, {result.seconds:.1f} s"
    align = ("left", "left", "left", "right", "left")
    text = tabulate(body, headers, "simple", colalign=align, maxcolwidths=[None, None, 31, None, 29])
    return f"{title}\n\n{text}"


def _by_task(results: Sequence[Verified]) -> str:
    from tabulate import tabulate

    body = []
    for each in results:
        done = [outcome for outcome in each.outcomes if outcome.status != "skipped"]
        passed = f"{len(done) - len(each.failed)}/{len(done)}{'  FAILED' if each.failed else ''}"
        body.append((each.task, each.features, each.classes, passed, _least(each), f"{each.seconds:.1f}"))
    headers = ("task", "d", "k", "passed", "smallest p-value", "s")
    align = ("left", "right", "right", "left", "left", "right")
    widths = [44, None, None, None, None, None]
    return tabulate(body, headers, "simple", colalign=align, maxcolwidths=widths, disable_numparse=True)


def _least(result: Verified) -> str:
    tested = [each for each in result.outcomes if each.p is not None]
    if not tested:
        return ""
    least = min(tested, key=lambda each: each.p or 0.0)
    return f"{least.p:.2g} {least.check}"


def _failure(result: Verified, outcome: Outcome) -> str:
    lines = [f"FAILED {result.task}: {outcome.check}"]
    for what, words in (
        ("expected", outcome.expected),
        ("found", outcome.found),
        ("n", f"{outcome.n:,}" if outcome.n else ""),
    ):
        if words:
            lines.append(
                textwrap.fill(f"{what}: {words}", WIDTH, initial_indent="  ", subsequent_indent="    ")
            )
    return "\n".join(lines)


def _summary(results: Sequence[Verified]) -> str:
    failed = [each for each in results if each.failed]
    checks = sum(outcome.status != "skipped" for each in results for outcome in each.outcomes)
    words = f"{len(results)} task{'s' * (len(results) != 1)}, {checks} check{'s' * (checks != 1)}: "
    words += f"{sum(len(each.failed) for each in failed)} failed" if failed else "all passed"
    return f"{words}. The probability of any false alarm is at most {ALARM:g}."
