"""What whoever runs a stack does with it, and the life of a worker process."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from runner.records import TrialResult
from runner.stacks import Stack
from runner.workers import begin


def work(stack: Stack, progress: Callable[[float], None]) -> tuple[list[TrialResult], dict[str, str]]:
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


def serve(connection: Any, output: Any) -> None:
    """Run stacks until there are no more."""
    begin(output)
    import runner.learning  # noqa: F401 (what takes time, before the clock of a stack starts)

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
        ended = work(stack, partial(say, "share"))
        if os.getpid() != own:
            os._exit(0)  # a copy of us, which somebody's code made: one set of results is enough
        say("done", *ended)
