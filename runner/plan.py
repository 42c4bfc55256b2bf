"""From a suite to trials, and which of them are missing."""

from __future__ import annotations

import hashlib
import json
import sysconfig
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import architecture as architectures
from benchmarks import evaluation, identity, registry
from benchmarks import task as tasks
from benchmarks.architecture import Architecture, Network, Reference
from benchmarks.errors import Refused
from benchmarks.tasks import transforms
from runner import provenance
from runner.garbage_collection import without_garbage_collection
from suites.suite import Suite

ENGINE_VERSION = 3  # of the training program and of the scoring; a change of numbers bumps it
CORRECTED = "+prior-corrected"  # the row of a network whose outputs are corrected for the test law's priors
SEED = "\0"  # which no JSON text contains
FINGERPRINT_DRAWS = 64
COMPILE_STEPS = 2_000  # a schedule this long pays for the seconds that compiling takes


class PlanError(Refused):
    """A grid can't be run; the message says what was expected and found."""


class CompileFailed(RuntimeError):
    """A training step can't be compiled here; the message says with what and why."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One task, one architecture, one seed; id is a hash of everything that it is, spec says what that is.

    common: the spec with SEED for the seed, one text for all seeds, of which there may be thousands; budgets,
    in examples: all of the grid under `stream`, one under `dataset`. members: networks that it trains, more
    than one of an ensemble. corrected: the same network with its outputs corrected for the test law's class
    priors, a row of its own that needs no training of its own; None where no task shifts them.
    """

    task: str
    architecture: str
    seed: int
    id: str
    common: str
    budgets: tuple[int, ...]
    members: int = 1
    corrected: Trial | None = None

    @property
    def spec(self) -> str:
        """Everything that it is, as JSON."""
        return self.common.replace(SEED, str(self.seed))

    @property
    def rows(self) -> list[Trial]:
        """The trial and, where there is one, its corrected twin."""
        return [self] if self.corrected is None else [self, self.corrected]


def compiler_present() -> bool:
    """Return whether programs can be made: with Python's headers and a C++ compiler, $CXX or else g++."""
    header = Path(sysconfig.get_path("include")) / "Python.h"
    return header.is_file() and bool(provenance.compiler())


def mode(suite: Suite, *, quick: bool) -> str:
    """Return how networks train: the suite file's own schedule decides, never what is asked for of it.

    Compiled and eager programs round differently, so the choice may not depend on budgets given on the
    command line, on what is left to train or on what a cache holds. Under `dataset` stacks shrink as their
    trials stop early, which a compiled program, of one size, can't.
    """
    long = suite.protocol == "stream" and suite.most_steps >= COMPILE_STEPS
    return "compiled" if long and not quick and compiler_present() else "eager"


@without_garbage_collection()
def plan(suite: Suite, mode: str) -> list[Trial]:
    """Return every trial of a suite, architecture by architecture in the suite's order.

    Raises PlanError where two names are one architecture.
    """
    laws = {task: described(task) for task in suite.tasks}
    each = tuple(suite.budgets)
    sets = [each] if suite.protocol == "stream" else [(budget,) for budget in each]
    trials = [
        make(seed)
        for name in [*suite.architectures, *suite.reference]
        for task in suite.tasks
        for makers in [[_maker(suite, task, laws[task], name, budgets, mode) for budgets in sets]]
        for seed in range(suite.seeds)
        for make in makers
    ]
    _check_each_once(trials)
    return trials


def _check_each_once(trials: Iterable[Trial]) -> None:
    """Raise PlanError where two names are one architecture; one seed tells."""
    first: dict[str, Trial] = {}
    for trial in trials:
        if trial.seed == 0 and (other := first.setdefault(trial.id, trial)) is not trial:
            raise PlanError(
                f"architectures: expected each once, found {other.architecture} and {trial.architecture},"
                " which are the same"
            )


def described(name: str) -> dict[str, Any]:
    """Return what a task is, as the part of a spec that is about it; anybody's own has a fingerprint.

    Registered tasks state a version and all that they are; a file may change without saying so.
    """
    task = registry.task(name)
    spec: dict[str, Any] = {"task": identity.parameters(task)}
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


def _maker(
    suite: Suite, task: str, law: dict[str, Any], name: str, budgets: tuple[int, ...], mode: str
) -> Callable[[int], Trial]:
    """Return what makes the trial of a seed; all seeds of a cell share everything else.

    Neither the suite's name nor, under `stream`, the budgets asked for are in its id.
    """
    architecture = registry.architecture(name)
    network = isinstance(architecture, Network)
    spec = {
        **law,
        "architecture": architectures.parameters(architecture),
        "protocol": protocol(suite, network, budgets),
        "mode": network_mode(architecture, mode),
        "engine": ENGINE_VERSION,
        "evaluation": evaluation.VERSION,
    }
    if source := registry.source(name):
        spec["source"] = source
    members = architecture.recipe.members if isinstance(architecture, Network) else 1
    hashed = _hashed(spec)
    if not (_learns(name) and shifts(suite)):
        return lambda seed: Trial(task, name, seed, *hashed(seed), budgets, members)
    row, also = name + CORRECTED, _hashed(spec | {"corrected": True})

    def with_twin(seed: int) -> Trial:
        twin = Trial(task, row, seed, *also(seed), budgets, members)
        return Trial(task, name, seed, *hashed(seed), budgets, members, twin)

    return with_twin


def _hashed(spec: Mapping[str, Any]) -> Callable[[int], tuple[str, str]]:
    """Return what gives a seed's id, and the text around the seed: a spec as JSON, by sorted keys."""
    head = canonical({key: value for key, value in spec.items() if key < "seed"})[:-1] + ',"seed":'
    tail = "," + canonical({key: value for key, value in spec.items() if key > "seed"})[1:]
    common, begun = head + SEED + tail, hashlib.sha256(head.encode())

    def of_seed(seed: int) -> tuple[str, str]:
        digest = begun.copy()
        digest.update(f"{seed}{tail}".encode())
        return digest.hexdigest()[:16], common

    return of_seed


def canonical(values: Any) -> str:
    """Return plain data as the JSON that specs are hashed in: keys sorted, no spaces."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


def protocol(suite: Suite, network: bool, budgets: tuple[int, ...]) -> dict[str, Any]:
    """Return how a network, or what isn't one, gets its examples, as the part of a spec that is about it."""
    if suite.protocol == "stream":
        return {"kind": "stream", "batch": suite.batch, "pool": suite.pool}
    schedule = {"batch": suite.batch, "steps": suite.most_steps} if network else {}
    return {"kind": "dataset", "budget": budgets[0], **schedule}


def network_mode(architecture: Architecture, mode: str) -> str:
    """Return how an architecture trains where networks train in this mode."""
    if not isinstance(architecture, Network):
        return "none"
    return mode if architecture.compiles else "eager"


def missing(trials: Iterable[Trial], done: Mapping[str, set[int]]) -> list[Trial]:
    """Return the trials for which some budget of a row has no record; done: {trial id: budgets}."""
    return [trial for trial in trials if not all(_has(done, row) for row in trial.rows)]


def _has(done: Mapping[str, set[int]], trial: Trial) -> bool:
    return (found := done.get(trial.id)) is not None and found.issuperset(trial.budgets)
