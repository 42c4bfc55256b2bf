"""Stacks run on this machine: in this process, or side by side in worker processes."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import wait
from typing import Any

from benchmarks.shipping import Shipped
from reports.numbers import seconds as in_words
from runner.execution.interrupts import released
from runner.execution.local_worker import serve
from runner.execution.one_stack import on_one_thread
from runner.execution.worker_output import Printed
from runner.execution.workers import CONTEXT, ONE_THREAD, environment
from runner.executors import Died, Done, Ending, Executor, Progress, Tell, TimedOut, WorkersFail
from runner.stacks import Stack

FORCE = getattr(signal, "SIGKILL", signal.SIGTERM)
GRACE = 5.0  # seconds between asking a worker to end and ending it
STARTS = 3  # workers in a row that may end before they are ready to run anything


# --- in this process -------------------------------------------------------------------------------------


class Inline:
    """Runs one stack after the other in this process."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._waiting = progress, deque[tuple[int, Stack]]()

    def submit(self, ticket: int, stack: Stack) -> None:
        """Take a stack to run."""
        self._waiting.append((ticket, stack))

    def ended(self, seconds: float) -> list[tuple[int, Ending]]:
        """Run the next stack, however long that takes, and return it; none where no time is given."""
        if not self._waiting or not seconds:
            return []
        ticket, stack = self._waiting.popleft()
        with released():
            results, where = on_one_thread(stack, partial(self._progress, ticket))
        return [(ticket, Done(results, where))]


@contextlib.contextmanager
def inline(progress: Progress) -> Iterator[Executor]:
    """Run stacks in this process: no time is spent on starting workers, and what ends a stack ends all."""
    yield Inline(progress)


# --- in worker processes ---------------------------------------------------------------------------------


@contextlib.contextmanager
def processes(
    jobs: int, timeout: float | None, progress: Progress, tell: Tell, planned: Shipped
) -> Iterator[Executor]:
    """Run stacks in so many processes, gone with all that they started when the block is left.

    timeout: seconds that a stack may take; progress: told each share done; tell: told what stacks print;
    planned: somebody's files as they were when the ids were made, which is what runs.
    """
    pool = _Processes(jobs, timeout, progress, tell, planned)
    try:
        with environment(ONE_THREAD):
            yield pool
    finally:
        pool.close()


@dataclass
class _Worker:
    """A process, our ends of its connections, and what it is at.

    began: when its stack did; ends: when it is to be ended by force; name: of its last architecture; line:
    that it has begun to print.
    """

    process: Any
    connection: Any
    output: Any
    ready: bool = False
    ticket: int | None = None
    began: float | None = None
    ends: float | None = None
    timed_out: bool = False
    name: str = ""
    line: bytes = b""

    def end(self, how: int) -> None:
        """Send a signal to the process and to all that it has started."""
        if self.ready and hasattr(os, "killpg"):  # then it leads a group, which may outlive it
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, how)
        elif how == signal.SIGTERM:
            self.process.terminate()
        else:
            self.process.kill()


class _Processes:
    def __init__(
        self, jobs: int, timeout: float | None, progress: Progress, tell: Tell, planned: Shipped
    ) -> None:
        self._jobs, self._timeout, self._progress, self._planned = jobs, timeout, progress, planned
        self._printed = Printed(tell)
        self._waiting = deque[int]()
        self._stacks: dict[int, Stack] = {}
        self._workers: list[_Worker] = []
        self._unready = 0

    def submit(self, ticket: int, stack: Stack) -> None:
        self._stacks[ticket] = stack
        self._waiting.append(ticket)

    def ended(self, seconds: float) -> list[tuple[int, Ending]]:
        if seconds:  # else the run is being ended
            self._hand_out()
        with released():
            ready = wait([each for worker in self._workers for each in _signs(worker)], self._pause(seconds))
        found: list[tuple[int, Ending]] = []
        for worker in list(self._workers):
            if ready and not set(_signs(worker)).isdisjoint(ready):
                found += self._read(worker)
            self._watch(worker)
        return found

    def close(self) -> None:
        """End every worker, and whatever it has started."""
        for worker in self._workers:
            worker.connection.close()  # which ends one that has nothing to do
            if worker.ticket is not None:
                worker.end(signal.SIGTERM)
        for worker in self._workers:
            worker.process.join(GRACE)
            self._drain(worker)
            self._finish_line(worker)
            _bury(worker)
        self._workers = []
        self._printed.end()

    def _hand_out(self) -> None:
        """Give what waits to workers that have nothing to do, or to new ones."""
        while self._waiting:
            # One that was asked to end may have finished in time, but won't be there for long.
            idle = [each for each in self._workers if each.ticket is None and each.ends is None]
            if not idle and len(self._workers) >= self._jobs:
                return
            worker = idle[0] if idle else self._started()
            worker.ticket = self._waiting.popleft()
            stack = self._stacks[worker.ticket]
            self._finish_line(worker)
            worker.name = stack.architecture
            with contextlib.suppress(OSError):  # it has just died, as its sentinel will say
                worker.connection.send((worker.ticket, stack))

    def _started(self) -> _Worker:
        ours, theirs = CONTEXT.Pipe()
        output, written = CONTEXT.Pipe(duplex=False)
        process = CONTEXT.Process(target=serve, args=(theirs, written, self._planned), daemon=False)
        process.start()
        theirs.close()
        written.close()
        worker = _Worker(process, ours, output)
        self._workers.append(worker)
        return worker

    def _read(self, worker: _Worker) -> list[tuple[int, Ending]]:
        """Return what a worker has brought to an end, having read all that it has said."""
        found: list[tuple[int, Ending]] = []
        dead = bool(wait([worker.process.sentinel], 0))  # first: all that it has said is in the pipe then
        if dead:
            # A copy of it would keep the pipes open, and half a message would be waited for.
            worker.end(FORCE)
        self._drain(worker)
        with contextlib.suppress(EOFError, OSError):
            while worker.connection.poll():
                found += self._heard(worker, *worker.connection.recv())
        if dead:
            found += self._lost(worker)
        return found

    def _heard(self, worker: _Worker, word: str, *rest: Any) -> list[tuple[int, Ending]]:
        if word == "ready":
            worker.ready, self._unready = True, 0
        elif word == "began":
            worker.began = time.monotonic()
        elif word == "share" and worker.ticket is not None:
            self._progress(worker.ticket, rest[0])
        elif word == "done" and worker.ticket is not None:
            ticket, worker.ticket, worker.began = worker.ticket, None, None
            del self._stacks[ticket]
            self._hand_out()  # before the results are stored, so that nobody waits for that
            return [(ticket, Done(*rest))]
        return []

    def _lost(self, worker: _Worker) -> list[tuple[int, Ending]]:
        """Return what a worker that is gone was at; what it hadn't begun is run by another one."""
        self._workers.remove(worker)
        self._finish_line(worker)
        _bury(worker)
        ticket, how = worker.ticket, _how(worker.process.exitcode)
        if not worker.ready:
            self._unready += 1
            if self._unready >= STARTS:
                raise WorkersFail(
                    f"worker processes: expected them to start, found that {STARTS} in a row did not: the"
                    f" last {how}"
                )
        if ticket is None:
            return []
        if worker.began is None:
            self._waiting.appendleft(ticket)
            return []
        del self._stacks[ticket]
        if worker.timed_out and self._timeout is not None:
            return [(ticket, TimedOut(f"its stack took longer than {in_words(self._timeout)}"))]
        return [(ticket, Died(f"its worker process {how}"))]

    def _drain(self, worker: _Worker) -> None:
        """Read what a worker has printed, no more than a pipe holds: it may print for ever."""
        with contextlib.suppress(OSError, EOFError):
            for _ in range(4):
                if worker.output.closed or not worker.output.poll():
                    break
                if not (data := os.read(worker.output.fileno(), 1 << 16)):
                    worker.output.close()  # by somebody's code, which would wake us again and again
                    break
                worker.line = self._printed.add(worker.name, worker.line, data)

    def _finish_line(self, worker: _Worker) -> None:
        self._printed.show(worker.name, worker.line)
        worker.line = b""

    def _watch(self, worker: _Worker) -> None:
        """End a worker whose stack takes too long: asked first, by force if it doesn't listen."""
        now = time.monotonic()
        if worker.ends is not None and now >= worker.ends:
            worker.end(FORCE)
        elif self._late(worker) and worker.ends is None:
            worker.timed_out, worker.ends = True, now + GRACE
            worker.end(signal.SIGTERM)

    def _late(self, worker: _Worker) -> bool:
        began = worker.began
        return began is not None and self._timeout is not None and time.monotonic() - began > self._timeout

    def _pause(self, seconds: float) -> float:
        """Return how long to wait: no longer than until a worker is to be ended."""
        now = time.monotonic()
        ends = [worker.ends for worker in self._workers if worker.ends is not None]
        if self._timeout is not None:
            ends += [each.began + self._timeout for each in self._workers if each.began is not None]
        return max(0.0, min([seconds, *(end - now for end in ends)]))


def _bury(worker: _Worker) -> None:
    """Make sure that a worker and all that it has started are gone."""
    worker.end(FORCE)
    worker.process.join()
    worker.connection.close()
    worker.output.close()


def _signs(worker: _Worker) -> list[Any]:
    """Return what tells that a worker has something to say, prints something or is gone."""
    said = [] if worker.output.closed else [worker.output]
    return [worker.connection, worker.process.sentinel, *said]


def _how(code: int | None) -> str:
    """Return how a process ended, in words."""
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in {each.value for each in signal.Signals} else ""
        hint = {"SIGKILL": ", as the system does where memory is short", "SIGSEGV": ", a segmentation fault"}
        return f"was ended by signal {-code} ({name}{hint.get(name, '')})"
    return f"ended by itself with exit code {code}"
