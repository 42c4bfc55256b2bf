"""Runs what is to be trained, here or on a cluster, and stores what ends the moment it does."""

from __future__ import annotations

import shutil
import time
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks import registry
from benchmarks.shipping import Shipped
from benchmarks.tasks import transforms
from runner import plan
from runner.execution import interrupts, local
from runner.executors import Attempts, Executor, Finished, Progress
from runner.progress import count, meter, say
from runner.records import TrialResult
from runner.stacks import Stack, shared_examples
from runner.store import Store
from runner.training import checkpoint

if TYPE_CHECKING:
    from runner.run import Options

LOST = {"failed": "failed", "timeout": "timed out"}  # how a trial ends that should have numbers
SCRATCH = ".posterior-bench-examples-"  # begins the name of the folder where stacks share examples


def run_stacks(store: Store, stacks: list[Stack], options: Options, planned: Shipped) -> None:
    """Run the stacks, with somebody's files as planned, and store what ends the moment it does."""
    if not stacks:
        return
    _sweep(options.folder)
    said: set[str] = set()
    before, clock = store.run().get("wall_seconds", 0.0), time.monotonic()
    try:
        with (
            interrupts.held(),
            meter(stacks) as progress,
            TemporaryDirectory(prefix=SCRATCH, dir=options.folder) as folder,
        ):
            sharing = shared_examples(stacks, str(Path(folder).resolve()))
            attempts = Attempts(sharing, progress.advance, say)
            with _executor(sharing, options, planned, attempts.progress) as executor:
                for each in attempts.run(executor):
                    store.add(each.results, each.environment)
                    _forget(stacks[each.number], each)
                    _say_once(said, each.results)
                    progress.finished(each.number, _note(each), last=each.last)
    except KeyboardInterrupt:
        say(
            f"interrupted: {len(store.done())} finished trials are kept in {store.path};"
            " the same command goes on from there"
        )
        raise
    finally:
        store.describe({"wall_seconds": before + time.monotonic() - clock})


def _sweep(folder: Path) -> None:
    """Remove the examples that a run has left which was killed; the folder is this run's alone."""
    for left in folder.glob(f"{SCRATCH}*"):
        shutil.rmtree(left, ignore_errors=True)


def _forget(stack: Stack, finished: Finished) -> None:
    """Remove checkpoints that nobody goes on from: of what has ended by itself, or is stored in parts."""
    if finished.ended:
        checkpoint.remove(finished.stack)
    if finished.last and len(finished.stack.trials) < len(stack.trials):
        checkpoint.remove(stack)


def _note(finished: Finished) -> str:
    """Return what has ended and how, for a line of a log."""
    note = f"{finished.stack.architecture}: {count(len(finished.results), 'trial')}"
    for status, words in LOST.items():
        lost = sum(result.status == status for result in finished.results)
        note += f", {lost} {words}" if lost else ""
    return note


def _executor(
    stacks: list[Stack], options: Options, planned: Shipped, progress: Progress
) -> AbstractContextManager[Executor]:
    """Return where to run stacks; with one job and nothing of somebody else's in them, in this process."""
    if options.dask is not None:
        from runner.execution import cluster

        return cluster.connected(options.dask, options.timeout, progress, say, planned)
    if options.jobs == 1 and options.timeout is None and not any(map(_others, stacks)):
        return local.inline(progress)
    return local.processes(min(options.jobs, len(stacks)), options.timeout, progress, say, planned)


def _others(stack: Stack) -> bool:
    """Return whether somebody else's code takes part in a stack: it may end its process or never return."""
    names = {trial.task for trial in stack.trials}
    ours = all(transforms.split(name)[0] in registry.TASKS for name in names)
    return not ours or bool(registry.source(stack.architecture.removesuffix(plan.CORRECTED)))


def _say_once(said: set[str], results: list[TrialResult]) -> None:
    """Pass on what is to be said of how trials were trained, and the first reason of a row's failures."""
    for result in results:
        row = result.trial.architecture
        ends = [(LOST[each.status], each.reason) for each in result.records if each.status in LOST]
        for key, note in (
            (result.note, result.note),
            (row, f"{row} {': '.join(ends[0])}" if ends else ""),
        ):
            if note and key not in said:
                said.add(key)
                say(f"warning: {note}")
