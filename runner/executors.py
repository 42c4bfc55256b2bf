"""Where stacks run: in this process, or side by side in local worker processes."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from runner.records import TrialResult
from runner.stacks import Stack
from runner.workers import CONTEXT, ONE_THREAD, environment, workers

Progress = Callable[[int, float], None]  # called with a stack's number and the share of it done since
Outcome = tuple[int, list[TrialResult], dict[str, str]]  # a stack's number, its results, its environment


class WorkerDied(RuntimeError):
    """A worker process ended before its stack did; the message says what can be done."""


def run_stacks(stacks: Sequence[Stack], jobs: int, progress: Progress) -> Iterator[Outcome]:
    """Run every stack on one thread each, and yield each outcome the moment it is there.

    With one job the stacks run in this process, one after the other. Raises WorkerDied.
    """
    if jobs == 1 or len(stacks) == 1:
        for number, stack in enumerate(stacks):
            yield number, *_work(stack, lambda share, number=number: progress(number, share))  # type: ignore[misc]
    else:
        yield from _side_by_side(stacks, min(jobs, len(stacks)), progress)


def _side_by_side(stacks: Sequence[Stack], jobs: int, progress: Progress) -> Iterator[Outcome]:
    shares: Any = CONTEXT.Queue()
    with environment(ONE_THREAD), workers(jobs, _start_worker, shares) as pool:
        running = {pool.submit(_work_in_pool, number, stack): number for number, stack in enumerate(stacks)}
        while running:
            finished, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
            _pass_on(shares, progress)
            # Those that have a result first: what they trained is kept whatever became of the others.
            for future in sorted(finished, key=lambda future: future.exception() is not None):
                number = running.pop(future)
                yield number, *_result(future, stacks[number])


def _result(future: Future[Any], stack: Stack) -> tuple[list[TrialResult], dict[str, str]]:
    try:
        results, environment = future.result()
    except BrokenProcessPool:
        raise WorkerDied(
            f"a worker process died while {stack.architecture} or a stack beside it trained (killed, perhaps"
            " for memory); the finished trials are kept, and the same command goes on from there"
        ) from None
    return results, environment


def _pass_on(shares: Any, progress: Progress) -> None:
    with contextlib.suppress(queue.Empty):
        while True:
            progress(*shares.get_nowait())


_shares: Any = None  # a worker's end of the queue; set when it starts


def _start_worker(shares: Any) -> None:
    global _shares  # noqa: PLW0603 (a worker has one queue for its whole life, handed over at its start)
    _shares = shares


def _work_in_pool(number: int, stack: Stack) -> tuple[list[TrialResult], dict[str, str]]:
    return _work(stack, lambda share: _shares.put((number, share)))


def _work(stack: Stack, progress: Callable[[float], None]) -> tuple[list[TrialResult], dict[str, str]]:
    """Run one stack on one thread, so that its numbers don't depend on how many cores there are."""
    import torch
    from threadpoolctl import threadpool_limits

    from runner import provenance
    from runner.scoring import run_stack

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            return run_stack(stack, progress), provenance.environment(stack.device)
    finally:
        torch.set_num_threads(before)
