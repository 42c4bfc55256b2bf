"""From a suite to trials, and from the trials that are missing to stacks."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import sysconfig
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import architecture as architectures
from benchmarks import evaluation, registry
from benchmarks import task as tasks
from suites.suite import Suite

ENGINE_VERSION = 1  # of the training program and of the scoring; a change of numbers bumps it
CORRECTED = "+prior-corrected"  # the row of a network whose outputs are corrected for the test law's priors
SHARED_FROM = 8  # inputs from which on reading examples is faster than drawing them
SHARED_BYTES = 2 * 2**30
FINGERPRINT_DRAWS = 64
COMPILE_STEPS = 2_000  # a schedule this long pays for the seconds that torch.compile takes
STACK_SIZE = 32  # places in a compiled program: whole vectors, and few enough for the processor's cache


@dataclass(frozen=True)
class Trial:
    """One task, one architecture, one seed; id is a hash of everything that it is, spec says what that is.

    corrected: the same network with its outputs corrected for the test law's class priors, a row of its own
    that needs no training of its own; None where no task of the grid shifts them.
    """

    task: str
    architecture: str
    seed: int
    id: str
    spec: str
    corrected: Trial | None = None

    @property
    def rows(self) -> list[Trial]:
        """The trial and, where there is one, its corrected twin."""
        return [self] if self.corrected is None else [self, self.corrected]


@dataclass(frozen=True)
class Stack:
    """Trials of one architecture and one shape that train as one program, and how.

    budgets in examples; mode "compiled", "eager" or, for reference rows, "none"; parameters: trainable
    ones of one network; device: "cpu" or "cuda"; cost: rough seconds of one core, which orders and paces;
    shared: the folder where the examples of a task and seed are kept for all stacks that train on them.
    """

    trials: tuple[Trial, ...]
    budgets: tuple[int, ...]
    batch: int
    pool: int | None
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
    described = {task: _described(task) for task in suite.tasks}
    return [
        _trial(suite, task, described[task], name, seed, mode)
        for name in [*suite.architectures, *suite.reference]
        for task in suite.tasks
        for seed in range(suite.seeds)
    ]


def _described(name: str) -> dict[str, Any]:
    """Return what a task is, as the part of a spec that is about it; anybody's own has a fingerprint.

    Registered tasks state a version and all that they are; a file may change without saying so.
    """
    task = registry.task(name)
    spec: dict[str, Any] = {"task": tasks.parameters(task)}
    return spec | {"fingerprint": fingerprint(task)} if ":" in name else spec


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
    return [row for name in suite.architectures for row in ([name, name + CORRECTED] if twins else [name])]


def _trial(suite: Suite, task: str, described: dict[str, Any], name: str, seed: int, mode: str) -> Trial:
    """Return a trial; neither the suite's name nor the budgets asked for are in its id."""
    architecture = registry.architecture(name)
    spec = {
        **described,
        "architecture": architectures.parameters(architecture),
        "protocol": {"kind": suite.protocol, "batch": suite.batch, "pool": suite.pool},
        "seed": seed,
        "mode": mode if isinstance(architecture, architectures.Network) else "none",
        "engine": ENGINE_VERSION,
        "evaluation": evaluation.VERSION,
    }
    twin = None
    if isinstance(architecture, architectures.Network) and shifts(suite):
        twin = _hashed(task, name + CORRECTED, seed, spec | {"corrected": True})
    return replace(_hashed(task, name, seed, spec), corrected=twin)


def _hashed(task: str, name: str, seed: int, spec: dict[str, Any]) -> Trial:
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
    """Return the trials for which some budget of a row has no record; done: {trial id: budgets}."""
    return [
        trial
        for trial in trials
        if not all(done.get(row.id, set()).issuperset(budgets) for row in trial.rows)
    ]


def shared_examples(stacks: Sequence[Stack], folder: str) -> list[Stack]:
    """Return the stacks with a folder for examples that several architectures train on.

    Only where drawing costs more than reading (from eight inputs on), several draw the same, and all of it
    fits on a disk with room to spare.
    """
    wide = [stack for stack in stacks if stack.mode != "none" and _features(stack) >= SHARED_FROM]
    readers = Counter((trial.task, trial.seed) for stack in wide for trial in stack.trials)
    bytes_ = sum(4 * registry.task(task).features * max(stacks[0].budgets) for task, _ in readers)
    if not readers or max(readers.values()) < 2 or bytes_ > SHARED_BYTES:
        return list(stacks)
    return [replace(stack, shared=folder) if stack in wide else stack for stack in stacks]


def _features(stack: Stack) -> int:
    return registry.task(stack.trials[0].task).features
