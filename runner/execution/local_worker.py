"""The life of a worker process on this machine: stacks in, results out, until there are no more."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks import shipping
from benchmarks.shipping import Shipped
from runner import provenance
from runner.execution.one_stack import fingerprint, on_one_thread, planned_fingerprints
from runner.execution.workers import begin
from runner.records import TrialResult, unscored
from runner.stacks import Stack


def _with_other_law(stack: Stack) -> str:
    """Return the first task of a stack that isn't what was planned; empty where all are.

    Files are held as they were when the ids were made from them, but a task's fingerprint is of what was
    loaded before that.
    """
    for name, expected in planned_fingerprints(stack).items():
        with contextlib.suppress(Exception, SystemExit):  # what it can't do is told where it has to
            if fingerprint(name) != expected:
                return name
    return ""


def _as_planned(stack: Stack, progress: Callable[[float], None]) -> tuple[list[TrialResult], dict[str, str]]:
    """Run one stack, or none of its trials where that would give another task's numbers."""
    if not (name := _with_other_law(stack)):
        return on_one_thread(stack, progress)
    reason = (
        f"task {name}: expected the law that the run was planned with, found another; has its file changed"
        " since the run began?"
    )
    return unscored(stack.trials, "failed", reason, again=True), provenance.environment(stack.device)


def serve(connection: Any, output: Any, planned: Shipped) -> None:
    """Run stacks until there are no more, with somebody's files as they were when the run was planned."""
    begin(output)
    shipping.hold(planned)  # first of all: what is loaded before is ours and the libraries that we need
    import runner.training.learning  # noqa: F401 (what takes time, before the clock of a stack starts)

    own = os.getpid()

    def say(*words: Any) -> None:
        if os.getpid() == own:
            connection.send(words)

    say("ready")
    while True:
        try:
            _, stack = connection.recv()
        except EOFError:
            return
        say("began")
        ended = _as_planned(stack, partial(say, "share"))
        if os.getpid() != own:
            os._exit(0)  # a copy of us, which somebody's code made: one set of results is enough
        say("done", *ended)
