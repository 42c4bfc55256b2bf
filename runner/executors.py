"""What runs stacks, and what becomes of those whose worker dies: tried again, then halved to the culprit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from benchmarks.errors import Refused
from runner.records import TrialResult, unscored
from runner.stacks import Stack

TRIES = 2  # of a whole stack, and of a single trial, before its worker's death is put down to it

Progress: TypeAlias = Callable[[int, float], None]  # called with a ticket and the share of it done since
Tell: TypeAlias = Callable[[str], None]  # called with a line for the user


class WorkersFail(Refused):
    """No stack can be run, whatever is in it; the message says why and what can be done."""


@dataclass(frozen=True)
class Done:
    """A stack ran to its end; environment: what its numbers' last bits depend on."""

    results: list[TrialResult]
    environment: dict[str, str]


@dataclass(frozen=True)
class Died:
    """The worker that ran a stack is gone; reason: how it went."""

    reason: str


@dataclass(frozen=True)
class TimedOut:
    """A stack took longer than it may; reason: how long that is."""

    reason: str


Ending: TypeAlias = Done | Died | TimedOut


class Executor(Protocol):
    """Runs stacks somewhere, in the order in which they are handed in, each under a ticket."""

    def submit(self, ticket: int, stack: Stack) -> None:
        """Hand in a stack, without waiting for it; `ended` says under its ticket what became of it."""
        ...

    def ended(self, seconds: float) -> list[tuple[int, Ending]]:
        """Return what has ended, waiting so long at most; raises WorkersFail."""
        ...


class Finished(NamedTuple):
    """Results to store.

    number: of their stack; stack: it, or the part of it that was run; ended: whether by itself, and not with
    its worker; last: whether nothing of the stack is left to run.
    """

    number: int
    stack: Stack
    results: list[TrialResult]
    environment: dict[str, str]
    ended: bool
    last: bool


class Attempt(NamedTuple):
    """A stack, or a part of one, that is to run: the number of the whole stack, and which try it is."""

    number: int
    stack: Stack
    tried: int = 1


class Attempts:
    """Which stacks are to run, are running and have to run again; a ticket is the number of an attempt."""

    def __init__(self, stacks: Sequence[Stack], progress: Progress, tell: Tell) -> None:
        """progress: told the number of a stack and the share of it that was done since the last call."""
        self._stacks, self._told, self._tell = stacks, progress, tell
        self._warned: set[str] = set()  # architectures of which a worker died
        self._attempts: list[Attempt] = []
        self._left = Counter(range(len(stacks)))  # parts of each stack that haven't ended
        self._open = len(stacks)  # stacks of which some part hasn't

    def progress(self, ticket: int, share: float) -> None:
        """Pass on the share of an attempt that was done as the share of its stack."""
        number, part, _ = self._attempts[ticket]
        self._told(number, share * len(part.trials) / len(self._stacks[number].trials))

    def run(self, executor: Executor) -> Iterator[Finished]:
        """Run every stack and yield what ends the moment it does, the costliest first.

        Interrupted, it yields what has ended meanwhile. Raises WorkersFail.
        """
        for number, stack in enumerate(self._stacks):
            self._submit(executor, Attempt(number, stack))
        try:
            while self._open:
                for ticket, ending in executor.ended(0.2):
                    yield from self._finished(executor, self._attempts[ticket], ending)
        except KeyboardInterrupt:
            for ticket, ending in executor.ended(0.0):
                if isinstance(ending, Done):
                    yield from self._finished(executor, self._attempts[ticket], ending)
            raise

    def _warn(self, architecture: str, ending: Died) -> None:
        if architecture not in self._warned:
            self._warned.add(architecture)
            self._tell(f"warning: {architecture}: {ending.reason}; what it trained is run again")

    def _submit(self, executor: Executor, attempt: Attempt) -> None:
        self._attempts.append(attempt)
        executor.submit(len(self._attempts) - 1, attempt.stack)

    def _finished(self, executor: Executor, attempt: Attempt, ending: Ending) -> Iterator[Finished]:
        number, stack, tried = attempt
        if isinstance(ending, Died) and (again := _again(attempt)):
            self._warn(stack.architecture, ending)
            self._left[number] += len(again) - 1
            for each in again:
                self._submit(executor, each)
            return
        if isinstance(ending, Done):
            results, environment = ending.results, ending.environment
        else:
            from runner import provenance

            timed_out = isinstance(ending, TimedOut)
            reason = ending.reason if timed_out else f"{ending.reason}, {tried} times"
            results = unscored(stack.trials, "timeout" if timed_out else "failed", reason, again=True)
            environment = provenance.environment(stack.device)
        self._left[number] -= 1
        self._open -= not self._left[number]
        ended, last = isinstance(ending, Done), not self._left[number]
        yield Finished(number, stack, results, environment, ended, last)


def _again(attempt: Attempt) -> list[Attempt]:
    """Return what to run after a worker's death: the same once more, then halves; nothing of a culprit.

    Halves aren't tried twice, so that a trial that kills its workers is found after few deaths; one that is
    alone is, because its worker may have died of something else.
    """
    number, stack, tried = attempt
    if tried < TRIES:
        return [Attempt(number, stack, tried + 1)]
    return [Attempt(number, half, 1 if len(half.trials) == 1 else TRIES) for half in stack.halves]
