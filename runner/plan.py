"""From a suite to trials, and from the trials that are missing to stacks."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import sysconfig
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import architecture as architectures
from benchmarks import evaluation, registry
from benchmarks import task as tasks
from benchmarks.architecture import Architecture, Estimator, Network, Reference
from benchmarks.tasks import transforms
from suites.suite import Suite

ENGINE_VERSION = 2  # of the training program and of the scoring; a change of numbers bumps it
CORRECTED = "+prior-corrected"  # the row of a network whose outputs are corrected for the test law's priors
SHARED_FROM = 8  # inputs from which on reading examples is faster than drawing them
SHARED_BYTES = 2 * 2**30
FINGERPRINT_DRAWS = 64
COMPILE_STEPS = 2_000  # a schedule this long pays for the seconds that torch.compile takes
STACK_SIZE = 32  # places in a compiled program: whole vectors, and few enough for the processor's cache


@dataclass(frozen=True)
class Trial:
    """One task, one architecture, one seed; id is a hash of everything that it is, spec says what that is.

    budgets, in examples: all of the grid under `stream`, one under `dataset`. members: networks that it
    trains, more than one of an ensemble. corrected: the same network with its outputs corrected for the test
    law's class priors, a row of its own that needs no training of its own; None where no task shifts them.
    """

    task: str
    architecture: str
    seed: int
    id: str
    spec: str
    budgets: tuple[int, ...]
    members: int = 1
    corrected: Trial | None = None

    @property
    def rows(self) -> list[Trial]:
        """The trial and, where there is one, its corrected twin."""
        return [self] if self.corrected is None else [self, self.corrected]


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


def compiler_present() -> bool:
    """Return whether torch.compile can build its kernels: a C++ compiler and Python's headers."""
    header = Path(sysconfig.get_path("include")) / "Python.h"
    return header.is_file() and any(shutil.which(name) for name in ("c++", "g++", "clang++"))


def mode(suite: Suite, *, quick: bool) -> str:
    """Return how networks train: the suite file's own schedule decides, never what is asked for of it.

    Compiled and eager programs round differently, so the choice may not depend on budgets given on the
    command line, on what is left to train or on what a cache holds. Under `dataset` stacks shrink as their
    trials stop early, which a compiled program, of one size, can't.
    """
    long = suite.protocol == "stream" and suite.most_steps >= COMPILE_STEPS
    return "compiled" if long and not quick and compiler_present() else "eager"


def plan(suite: Suite, mode: str) -> list[Trial]:
    """Return every trial of a suite, architecture by architecture in the suite's order."""
    described = {task: _described(task) for task in suite.tasks}
    each = tuple(suite.budgets)
    sets = [each] if suite.protocol == "stream" else [(budget,) for budget in each]
    return [
        _trial(suite, task, described[task], name, seed, budgets, mode)
        for name in [*suite.architectures, *suite.reference]
        for task in suite.tasks
        for seed in range(suite.seeds)
        for budgets in sets
    ]


def _described(name: str) -> dict[str, Any]:
    """Return what a task is, as the part of a spec that is about it; anybody's own has a fingerprint.

    Registered tasks state a version and all that they are; a file may change without saying so.
    """
    task = registry.task(name)
    spec: dict[str, Any] = {"task": tasks.parameters(task)}
    ours = transforms.split(name)[0] in registry.TASKS
    return spec if ours else spec | {"fingerprint": fingerprint(task)}


def fingerprint(task: tasks.Task) -> str:
    """Return a hash of a few draws and of log_joint there, to nine digits, which every machine agrees on.

    Raises TaskError where the task breaks its contract.
    """
    numbers: list[tasks.Array] = []
    for method in ("sample", "sample_train"):
        if hasattr(task, method):
            x, y = tasks.checked_sample(task, FINGERPRINT_DRAWS, np.random.default_rng(0), method)
            numbers += [x, y, tasks.checked_log_joint(task, x)]
    # Adding 0 makes one zero of the two.
    text = " ".join(f"{number + 0.0:.8e}" for part in numbers for number in part.ravel().tolist())
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def shifts(suite: Suite) -> bool:
    """Return whether some task's training data follow other class priors than its test law."""
    return any(getattr(registry.task(task), "train_priors", None) is not None for task in suite.tasks)


def learned_rows(suite: Suite) -> list[str]:
    """Return the rows of learned architectures, each network followed by its corrected twin if it has one."""
    twins = shifts(suite)
    return [
        row
        for name in suite.architectures
        for row in ([name, name + CORRECTED] if twins and _learns(name) else [name])
    ]


def _learns(name: str) -> bool:
    return not isinstance(registry.architecture(name), Reference)


def _trial(
    suite: Suite,
    task: str,
    described: dict[str, Any],
    name: str,
    seed: int,
    budgets: tuple[int, ...],
    mode: str,
) -> Trial:
    """Return a trial; neither the suite's name nor, under `stream`, the budgets asked for are in its id."""
    architecture = registry.architecture(name)
    network = isinstance(architecture, Network)
    spec = {
        **described,
        "architecture": architectures.parameters(architecture),
        "protocol": _protocol(suite, network, budgets),
        "seed": seed,
        "mode": network_mode(architecture, mode),
        "engine": ENGINE_VERSION,
        "evaluation": evaluation.VERSION,
    }
    if source := registry.source(name):
        spec["source"] = source
    members = architecture.recipe.members if isinstance(architecture, Network) else 1

    def hashed(row: str, spec: dict[str, Any]) -> Trial:
        text = json.dumps(spec, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return Trial(task, row, seed, digest, text, budgets, members)

    twin = _learns(name) and shifts(suite)
    corrected = hashed(name + CORRECTED, spec | {"corrected": True}) if twin else None
    return replace(hashed(name, spec), corrected=corrected)


def _protocol(suite: Suite, network: bool, budgets: tuple[int, ...]) -> dict[str, Any]:
    if suite.protocol == "stream":
        return {"kind": "stream", "batch": suite.batch, "pool": suite.pool}
    schedule = {"batch": suite.batch, "steps": suite.most_steps} if network else {}
    return {"kind": "dataset", "budget": budgets[0], **schedule}


def network_mode(architecture: Architecture, mode: str) -> str:
    """Return how an architecture trains where networks train in this mode."""
    if not isinstance(architecture, Network):
        return "none"
    return mode if architecture.compiles else "eager"


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
        architecture, members = registry.architecture(name), list(group)
        how = network_mode(architecture, mode)
        parameters = size(architecture, features, classes) if how != "none" else 0
        whole = how == "compiled"
        limit = max(1, (STACK_SIZE if whole else share) // members[0].members)
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


def missing(trials: Iterable[Trial], done: Mapping[str, set[int]]) -> list[Trial]:
    """Return the trials for which some budget of a row has no record; done: {trial id: budgets}."""
    return [
        trial
        for trial in trials
        if not all(done.get(row.id, set()).issuperset(trial.budgets) for row in trial.rows)
    ]


def shared_examples(stacks: Sequence[Stack], folder: str) -> list[Stack]:
    """Return the stacks with a folder for examples that several architectures train on.

    Only where drawing costs more than reading (from eight inputs on), several draw the same, and all of it
    fits on a disk with room to spare.
    """
    wide = [stack for stack in stacks if stack.mode != "none" and _features(stack) >= SHARED_FROM]
    readers = Counter((trial.task, trial.seed) for stack in wide for trial in stack.trials)
    bytes_ = sum(4 * registry.task(task).features * _longest(wide) for task, _ in readers)
    if not readers or max(readers.values()) < 2 or bytes_ > SHARED_BYTES:
        return list(stacks)
    return [replace(stack, shared=folder) if stack in wide else stack for stack in stacks]


def _longest(stacks: Sequence[Stack]) -> int:
    return max(budget for stack in stacks for trial in stack.trials for budget in trial.budgets)


def _features(stack: Stack) -> int:
    return registry.task(stack.trials[0].task).features
