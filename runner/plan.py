"""From a suite to trials, and from the trials that are missing to stacks."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import sysconfig
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

from benchmarks import architecture as architectures
from benchmarks import evaluation, registry
from benchmarks import task as tasks
from suites.suite import Suite

ENGINE_VERSION = 1  # of the training program and of the scoring; a change of numbers bumps it
COMPILE_STEPS = 2_000  # a schedule this long pays for the seconds that torch.compile takes
STACK_SIZE = 32  # places in a compiled program: whole vectors, and few enough for the processor's cache


@dataclass(frozen=True)
class Trial:
    """One task, one architecture, one seed; id is a hash of everything that it is, spec says what that is."""

    task: str
    architecture: str
    seed: int
    id: str
    spec: str


@dataclass(frozen=True)
class Stack:
    """Trials of one architecture and one shape that train as one program, and how.

    budgets in examples; mode "compiled", "eager" or, for reference rows, "none"; parameters: trainable
    ones of one network; device: "cpu" or "cuda"; cost: rough seconds of one core, which orders and paces.
    """

    trials: tuple[Trial, ...]
    budgets: tuple[int, ...]
    batch: int
    pool: int | None
    mode: str
    device: str
    parameters: int
    cost: float

    @property
    def architecture(self) -> str:
        """Name of the architecture that all its trials share."""
        return self.trials[0].architecture

    @property
    def steps(self) -> int:
        """Mini-batches up to the largest budget."""
        return max(self.budgets) // self.batch


def compiler_present() -> bool:
    """Return whether torch.compile can build its kernels: a C++ compiler and Python's headers."""
    header = Path(sysconfig.get_path("include")) / "Python.h"
    return header.is_file() and any(shutil.which(name) for name in ("c++", "g++", "clang++"))


def mode(suite: Suite, *, quick: bool) -> str:
    """Return how networks train: the suite file's own schedule decides, never what is asked for of it.

    Compiled and eager programs round differently, so the choice may not depend on budgets given on the
    command line, on what is left to train or on what a cache holds.
    """
    if quick or suite.steps < COMPILE_STEPS or not compiler_present():
        return "eager"
    return "compiled"


def plan(suite: Suite, mode: str) -> list[Trial]:
    """Return every trial of a suite, architecture by architecture in the suite's order."""
    return [
        _trial(suite, task, name, seed, mode)
        for name in [*suite.architectures, *suite.reference]
        for task in suite.tasks
        for seed in range(suite.seeds)
    ]


def _trial(suite: Suite, task: str, name: str, seed: int, mode: str) -> Trial:
    """Return a trial; neither the suite's name nor the budgets asked for are in its id."""
    architecture = registry.architecture(name)
    spec = {
        "task": tasks.parameters(registry.task(task)),
        "architecture": architectures.parameters(architecture),
        "protocol": {"kind": suite.protocol, "batch": suite.batch, "pool": suite.pool},
        "seed": seed,
        "mode": mode if isinstance(architecture, architectures.Network) else "none",
        "engine": ENGINE_VERSION,
        "evaluation": evaluation.VERSION,
    }
    text = json.dumps(spec, sort_keys=True, separators=(",", ":"))
    return Trial(task, name, seed, hashlib.sha256(text.encode()).hexdigest()[:16], text)


def stacks(
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
        architecture = registry.architecture(name)
        network = isinstance(architecture, architectures.Network)
        parameters = size(architecture, features, classes) if network else 0
        compiled = network and mode == "compiled"
        for part in _parts(list(group), STACK_SIZE if compiled else share):
            made.append(
                Stack(
                    trials=tuple(part),
                    budgets=tuple(suite.budgets),
                    batch=suite.batch,
                    pool=suite.pool,
                    mode=mode if network else "none",
                    device=device if network else "cpu",
                    parameters=parameters,
                    cost=(STACK_SIZE if compiled else len(part))
                    * _trial_cost(suite, architecture, parameters),
                )
            )
    return sorted(made, key=lambda stack: -stack.cost)


def _trial_cost(suite: Suite, architecture: architectures.Architecture, parameters: int) -> float:
    """Return rough seconds for one trial, from the measured speed of compiled stacks and of fits."""
    scoring = 0.005 * len(suite.budgets)
    if isinstance(architecture, architectures.Network):
        return scoring + suite.steps * (5e-6 + 9e-9 * parameters)
    return scoring + (5e-7 * sum(suite.budgets) if architecture.needs_data else 0.0)


def _stacking_key(trial: Trial) -> tuple[str, int, int]:
    task = registry.task(trial.task)
    return trial.architecture, task.features, task.classes


def _parts(members: Sequence[Trial], limit: int) -> list[Sequence[Trial]]:
    """Return members in as few parts of at most `limit` as can be, of nearly equal size."""
    count = math.ceil(len(members) / limit)
    bounds = [round(i * len(members) / count) for i in range(count + 1)]
    return [members[a:b] for a, b in pairwise(bounds)]


def missing(trials: Iterable[Trial], budgets: Collection[int], done: dict[str, set[int]]) -> list[Trial]:
    """Return the trials for which some budget has no record; done: {trial id: budgets}."""
    return [trial for trial in trials if not done.get(trial.id, set()).issuperset(budgets)]
