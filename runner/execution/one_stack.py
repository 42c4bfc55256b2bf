"""What whoever runs a stack does with it, and whether somebody's tasks still are what was planned."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable

from runner import plan, provenance
from runner.records import TrialResult
from runner.stacks import Stack


def on_one_thread(
    stack: Stack, progress: Callable[[float], None]
) -> tuple[list[TrialResult], dict[str, str]]:
    """Run one stack on one thread, so that its numbers don't depend on how many cores there are."""
    import torch
    from threadpoolctl import threadpool_limits

    from runner.run_stack import run_stack

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            return run_stack(stack, progress), provenance.environment(stack.device)
    finally:
        torch.set_num_threads(before)


def planned_fingerprints(stack: Stack) -> dict[str, str | None]:
    """Return what the fingerprint of each of a stack's tasks was when its trials' ids were made."""
    return {trial.task: json.loads(trial.spec).get("fingerprint") for trial in stack.trials}


@functools.cache
def fingerprint(task: str) -> str | None:
    """Return the fingerprint of a task that isn't ours, as it is here; raises what loading does."""
    found = plan.described(task).get("fingerprint")
    return None if found is None else str(found)
