"""From trials to stacks: which train as one program, on what, and in which order."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from benchmarks import registry
from benchmarks.architecture import Architecture, Estimator, Network, Reference
from runner.plan import Trial, network_mode
from suites.suite import Suite

STACK_SIZE = 32  # networks in a stack
CACHED = 400_000  # bytes of weights and optimiser state beside which a program's layers fit in a core's cache
FITS = 8  # of estimators in a stack: nothing is gained by more, and what is finished is kept
SHARED_BYTES = 2 * 2**30


@dataclass(frozen=True)
class Stack:
    """Trials of one architecture and one shape that train as one program, and how.

    batch and pool in examples; steps: the most optimiser steps; mode "compiled", "eager" or, for what isn't
    a network, "none"; parameters: trainable ones of one trial; device: "cpu" or "cuda"; cost: rough seconds
    of one core, which orders and paces;
    shared: the folder where the examples of a task and seed are kept for all stacks that train on them.
    """

    trials: tuple[Trial, ...]
    protocol: str
    batch: int
    pool: int | None
    steps: int
    mode: str
    device: str
    parameters: int
    cost: float
    shared: str = ""

    @property
    def architecture(self) -> str:
        """Name of the architecture that all its trials share."""
        return self.trials[0].architecture

    @property
    def networks(self) -> int:
        """Networks that train side by side, none where it isn't networks that it holds."""
        return 0 if self.mode == "none" else sum(trial.members for trial in self.trials)


def places(parameters: int, mode: str) -> int:
    """Return how many networks one program trains at once; compiled ones have a size that is theirs for good.

    As many as stay in the processor's cache, weights and both moments in float32 each; 32 divides by it.
    """
    if mode != "compiled":
        return STACK_SIZE
    fit = CACHED // (12 * max(1, parameters))
    return next((size for size in (32, 16, 8, 4) if size <= fit), 2)


def stacked(
    suite: Suite, trials: Iterable[Trial], mode: str, device: str, jobs: int, size: Callable[..., int]
) -> list[Stack]:
    """Return the trials as stacks, the costliest first; size(network, features, classes) -> parameters.

    How trials are put together never changes their numbers, so stacks are cut for the machine: at most 32
    networks each and, unless they are compiled (where a half-empty stack costs as much as a full one),
    enough stacks to keep every worker busy.
    """
    todo = sorted(trials, key=_stacking_key)
    share = min(STACK_SIZE, max(1, math.ceil(len(todo) / jobs)))
    made = []
    for (name, features, classes), group in groupby(todo, key=_stacking_key):
        architecture, members = registry.architecture(name), list(group)
        how = network_mode(architecture, mode)
        parameters = size(architecture, features, classes) if how != "none" else 0
        whole = STACK_SIZE if how == "compiled" else share
        limit = max(1, whole // members[0].members)
        if isinstance(architecture, Estimator):
            limit = min(limit, FITS)
        for part in _parts(members, limit):
            stack = Stack(
                trials=tuple(part),
                protocol=suite.protocol,
                batch=_batch(suite, architecture),
                pool=suite.pool,
                steps=_steps(suite, architecture),
                mode=how,
                device=device if how != "none" else "cpu",
                parameters=parameters * members[0].members,
                cost=0.0,
            )
            made.append(replace(stack, cost=_cost(stack, architecture)))
    return sorted(made, key=lambda stack: -stack.cost)


def _batch(suite: Suite, architecture: Architecture) -> int:
    own = architecture.recipe.batch if isinstance(architecture, Network) else None
    return suite.batch if own is None else own


def _steps(suite: Suite, architecture: Architecture) -> int:
    """Return the most optimiser steps; of a stream, up to the largest budget in batches of its own size."""
    if suite.protocol == "dataset":
        return suite.most_steps
    return max(suite.budgets) // _batch(suite, architecture)


def _cost(stack: Stack, architecture: Architecture) -> float:
    """Return rough seconds for a stack, from the measured speed of compiled stacks and of fits."""
    examples = sum(sum(trial.budgets) for trial in stack.trials)
    scoring = 0.005 * sum(len(trial.budgets) for trial in stack.trials)
    if isinstance(architecture, Reference):
        return scoring + (5e-7 * examples if architecture.needs_data else 0.0)
    if isinstance(architecture, Estimator):
        return scoring + 0.3 * len(stack.trials) + 1e-4 * examples
    places = STACK_SIZE if stack.mode == "compiled" else stack.networks
    one = stack.parameters / stack.trials[0].members
    return scoring + places * stack.steps * (5e-6 + 9e-9 * one) * stack.batch / 64


def _stacking_key(trial: Trial) -> tuple[str, int, int]:
    task = registry.task(trial.task)
    return trial.architecture, task.features, task.classes


def _parts(members: Sequence[Trial], limit: int) -> list[Sequence[Trial]]:
    """Return members in as few parts of at most `limit` as can be, of nearly equal size."""
    count = math.ceil(len(members) / limit)
    bounds = [round(i * len(members) / count) for i in range(count + 1)]
    return [members[a:b] for a, b in pairwise(bounds)]


def shared_examples(stacks: Sequence[Stack], folder: str) -> list[Stack]:
    """Return the stacks with a folder for examples that several architectures train on.

    Only where several draw the same, and all of it fits on a disk with room to spare.
    """
    trained = [stack for stack in stacks if stack.mode != "none"]
    readers = Counter((trial.task, trial.seed) for stack in trained for trial in stack.trials)
    bytes_ = sum(4 * (registry.task(task).features + 1) * _longest(trained) for task, _ in readers)
    if not readers or max(readers.values()) < 2 or bytes_ > SHARED_BYTES:
        return list(stacks)
    return [replace(stack, shared=folder) if stack.mode != "none" else stack for stack in stacks]


def _longest(stacks: Sequence[Stack]) -> int:
    return max(budget for stack in stacks for trial in stack.trials for budget in trial.budgets)
