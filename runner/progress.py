"""How a run tells how far it is: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from benchmarks.errors import visible
from runner.stacks import Stack

QUIET_SECONDS = 30


def say(message: str) -> None:
    """Tell the user something beside the results, on standard error."""
    print(visible(message), file=sys.stderr, flush=True)


def count(number: int, word: str) -> str:
    """Return a number with its word: 1 trial, 30 trials."""
    return f"{number:,} {word}" + ("" if number == 1 else "s")


class Meter(Protocol):
    """Told of each share of a stack that was done, and of each stack, or part of one, that has ended."""

    def advance(self, number: int, share: float) -> None:
        """A share of a stack, from 0 to 1, has been done since the last call; number: the stack's place."""
        ...

    def finished(self, number: int, note: str, *, last: bool) -> None:
        """A stack, or part of one, has ended; note: what to say of it; last: whether none of it is left."""
        ...


@contextmanager
def meter(stacks: Sequence[Stack]) -> Iterator[Meter]:
    """A meter for a run of these stacks, on standard error."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(stacks)
        return
    columns = (
        TextColumn("{task.fields[count]} stacks"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[steps]} network-steps"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=console) as bar:
        yield _Bar(stacks, bar)


def _steps(stack: Stack) -> int:
    """Return the training steps of a stack's networks, none for reference rows."""
    return stack.steps * stack.networks


class _Shares:
    """How much of each stack is done: what stops early is done when it ends."""

    def __init__(self) -> None:
        self._done: dict[int, float] = {}

    def add(self, number: int, share: float) -> float:
        """Return what a share adds to a stack, so that no stack comes to more than 1."""
        before = self._done.get(number, 0.0)
        self._done[number] = min(1.0, before + share)
        return self._done[number] - before


class _Bar:
    def __init__(self, stacks: Sequence[Stack], bar: Progress) -> None:
        self._stacks, self._bar, self._ended, self._steps = stacks, bar, 0, 0.0
        self._shares = _Shares()
        total = sum(stack.cost for stack in stacks)
        self._all_steps = sum(_steps(stack) for stack in stacks)
        self._task: TaskID = bar.add_task(
            "", total=total, count=f"0/{len(stacks)}", steps=f"0 of {self._all_steps:,}"
        )

    def advance(self, number: int, share: float) -> None:
        stack, share = self._stacks[number], self._shares.add(number, share)
        self._steps += share * _steps(stack)
        steps = f"{self._steps:,.0f} of {self._all_steps:,}"
        self._bar.update(self._task, advance=share * stack.cost, steps=steps)

    def finished(self, number: int, note: str, *, last: bool) -> None:
        if last:
            self.advance(number, 1.0)
            self._ended += 1
        self._bar.update(self._task, count=f"{self._ended}/{len(self._stacks)}")
        self._bar.console.print(f"  {note}", style="dim", highlight=False, markup=False)


class _Lines:
    def __init__(self, stacks: Sequence[Stack]) -> None:
        self._stacks, self._ended, self._done = stacks, 0, 0.0
        self._total = sum(stack.cost for stack in stacks)
        self._start = self._last = time.monotonic()
        self._shares = _Shares()

    def advance(self, number: int, share: float) -> None:
        """A line every half minute: more would drown a log, and silence would look like a hang."""
        self._done += self._shares.add(number, share) * self._stacks[number].cost
        if time.monotonic() - self._last >= QUIET_SECONDS:
            self._say(f"{min(self._done / self._total, 1):.0%} of the work done")

    def finished(self, number: int, note: str, *, last: bool) -> None:
        if last:
            self._done += self._shares.add(number, 1.0) * self._stacks[number].cost
            self._ended += 1
        self._say(f"[{self._ended}/{len(self._stacks)}] {note}")

    def _say(self, what: str) -> None:
        self._last = time.monotonic()
        print(f"{what}, {self._last - self._start:.0f} s after the start", file=sys.stderr, flush=True)
