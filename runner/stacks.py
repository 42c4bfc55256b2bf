"""From trials to stacks: which train as one program, on what, and in which order."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from benchmarks import registry
from benchmarks.architecture import Architecture, Estimator, Module, Network
from runner import cost
from runner.cost import NOTHING, Known, Work
from runner.garbage_collection import without_garbage_collection
from runner.plan import Trial, network_mode
from runner.speeds import TYPICAL, Speeds
from suites.suite import Suite

STACK_SIZE = 30  # networks in a stack: ten seeds of three tasks fill it
PROGRAMS = ((2_000, 30), (10_000, 15), (40_000, 10), (400_000, 5))  # parameters at most, and places
MANY = 8  # workers: fewer wait little for one another, and a stack's networks share what a step costs
GRAIN = 0.05  # of a worker's share of everything that a stack may take, where there are many
CHUNK = 64  # mini-batches that are drawn at once
FITS = 8  # of estimators in a stack: nothing is gained by more, and what is finished is kept
SHARED_BYTES = 2 * 2**30


@dataclass(frozen=True)
class Stack:
    """Trials of one architecture and one shape that train as one program, and how.

    batch and pool in examples; steps: the most optimiser steps; mode "compiled", "eager" or, for what isn't
    a network, "none"; parameters: trainable ones of one trial; multiply_adds: of one trial's step, 0 where
    they can't be counted; device: "cpu" or "cuda"; cost: seconds of one core, about, which order and pace;
    shared: the folder where the examples of a task and seed are kept for all stacks that train on them;
    checkpoints: the folder for its checkpoint, "" for none.
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
    multiply_adds: int = 0
    checkpoints: str = ""

    @property
    def architecture(self) -> str:
        """Name of the architecture that all its trials share."""
        return self.trials[0].architecture

    @property
    def networks(self) -> int:
        """Networks that train side by side, none where it isn't networks that it holds."""
        return 0 if self.mode == "none" else sum(trial.members for trial in self.trials)

    @property
    def places(self) -> int:
        """Places of the programs that train them, each of which costs as much as a network."""
        return math.ceil(self.networks / self.program) * self.program

    @property
    def program(self) -> int:
        """Places of one of its programs, at least one."""
        one = self.parameters // self.trials[0].members
        return places(one) if self.compiles else max(self.networks, 1)

    @property
    def halves(self) -> list[Stack]:
        """What it is split into where it fails: nothing if it is one trial."""
        half = len(self.trials) // 2
        return [replace(self, trials=part) for part in (self.trials[:half], self.trials[half:]) if half]

    @property
    def compiles(self) -> bool:
        """Whether its steps are compiled programs: on a GPU they are captured instead."""
        return self.mode == "compiled" and self.device == "cpu"


def places(parameters: int) -> int:
    """Return how many networks of so many parameters one compiled program trains.

    Few enough for what they need at each step to stay in a core's cache, and enough to share the time that a
    call takes: the fastest on the networks of gaussian1d of sizes that thirty networks fill. A constant of
    the architecture, because programs of different sizes round differently.
    """
    return next((size for most, size in PROGRAMS if parameters <= most), PROGRAMS[-1][1])


@without_garbage_collection()
def stacked(
    suite: Suite,
    trials: Iterable[Trial],
    mode: str,
    device: str,
    jobs: int,
    size: Callable[..., int],
    count: Callable[..., Work] | None = None,
    speeds: Speeds = TYPICAL,
    known: Known = NOTHING,
    together: Sequence[Sequence[str]] = (),
) -> list[Stack]:
    """Return the trials as stacks, the costliest first.

    size(network, features, classes) -> parameters; count(network, features, classes, batch) -> the work of a
    network's step; speeds and known: where costs come from.

    How trials are put together never changes their numbers, so stacks are cut for the machine: at most 30
    networks each, on a GPU as many as fit, and enough stacks to keep every worker busy; compiled ones between
    programs only, because a half-empty program costs as much as a full one. together: ids of
    trials that began in one stack, which they go on in if all of them are there.
    """
    groups = _groups(trials)
    share = min(STACK_SIZE, max(1, math.ceil(sum(map(len, groups.values())) / jobs)))
    compiling = not cost.programs_kept()
    made: list[tuple[Stack, Work]] = []
    going_on: list[Stack] = []
    for (_, features, _), members in groups.items():
        stack, work = _uncut(suite, members, mode, device, size, count)
        limit = _limit(stack, work, share, features, jobs)
        begun, fresh = _reunited(members, together)
        for number, part in enumerate([*begun, *_parts(fresh, limit, full=stack.mode == "compiled")]):
            one = replace(stack, trials=tuple(part))
            price = cost.seconds(one, work, speeds, known, compiling=compiling and not number)
            if number < len(begun):
                going_on.append(replace(one, cost=price))
            else:
                made.append((replace(one, cost=price), work))
    evened = _evened(made, jobs, lambda stack, work: cost.seconds(stack, work, speeds, known))
    return sorted([*going_on, *evened], key=lambda stack: -stack.cost)


def _uncut(
    suite: Suite,
    members: Sequence[Trial],
    mode: str,
    device: str,
    size: Callable[..., int],
    count: Callable[..., Work] | None,
) -> tuple[Stack, Work]:
    """Return a stack of all trials of one architecture and shape, and the work of one network's step.

    Somebody's own network isn't looked into here, where its code could crash or hang: what trains it counts.
    """
    architecture, task = registry.architecture(members[0].architecture), registry.task(members[0].task)
    how, batch = network_mode(architecture, mode), _batch(suite, architecture)
    shape = task.features, task.classes
    parameters, work, multiply_adds = 0, Work(), 0
    if isinstance(architecture, Network):
        work = cost.UNKNOWN
        if isinstance(architecture.build, Module):
            parameters = size(architecture, *shape)
            work = count(architecture, *shape, batch) if count else Work()
            multiply_adds = work.multiply_adds
    stack = Stack(
        trials=tuple(members),
        protocol=suite.protocol,
        batch=batch,
        pool=suite.pool,
        steps=_steps(suite, architecture),
        mode=how,
        device=device if how != "none" else "cpu",
        parameters=parameters * members[0].members,
        multiply_adds=multiply_adds * members[0].members,
        cost=0.0,
    )
    return stack, work


def _limit(stack: Stack, work: Work, share: int, features: int, jobs: int) -> int:
    """Return how many trials a stack may have at most."""
    members = stack.trials[0].members
    whole = STACK_SIZE if stack.mode == "compiled" else share
    if stack.device == "cuda" and stack.parameters:
        from runner.training.gpu import networks_that_fit  # imports torch

        examples = CHUNK * stack.batch * (features + 2)  # a label takes as much as two numbers
        whole = networks_that_fit(stack.parameters // members, work.elementwise, examples, jobs)
    limit = max(1, whole // members)
    return min(limit, FITS) if isinstance(registry.architecture(stack.architecture), Estimator) else limit


def _evened(
    made: Sequence[tuple[Stack, Work]], jobs: int, price: Callable[[Stack, Work], float]
) -> list[Stack]:
    """Return stacks, the costliest of them cut where many workers would else wait for the last ones."""
    most = GRAIN * sum(stack.cost for stack, _ in made) / jobs

    def cut(stack: Stack, work: Work) -> list[Stack]:
        parts = _halves(stack) if stack.cost > most else []
        costed = [replace(each, cost=price(each, work)) for each in parts]
        return [part for each in costed for part in cut(each, work)] or [stack]

    return [part for each in made for part in (cut(*each) if jobs >= MANY else each[:1])]


def _halves(stack: Stack) -> list[Stack]:
    """Return two parts of a stack, of a compiled one whole programs, or none where it can't be cut."""
    trials, members = stack.trials, stack.trials[0].members
    least = math.lcm(stack.program, members) // members if stack.compiles else 1
    half = math.ceil(len(trials) / least / 2) * least
    if stack.device == "cuda" or half >= len(trials):
        return []
    return [replace(stack, trials=part) for part in (trials[:half], trials[half:])]


def _batch(suite: Suite, architecture: Architecture) -> int:
    own = architecture.recipe.batch if isinstance(architecture, Network) else None
    return suite.batch if own is None else own


def _steps(suite: Suite, architecture: Architecture) -> int:
    """Return the most optimiser steps; of a stream, up to the largest budget in batches of its own size."""
    if suite.protocol == "dataset":
        return suite.most_steps
    return max(suite.budgets) // _batch(suite, architecture)


def _groups(trials: Iterable[Trial]) -> dict[tuple[str, int, int], list[Trial]]:
    """Return trials by architecture, features and classes, which those of a stack have in common."""
    found: defaultdict[tuple[str, str], list[Trial]] = defaultdict(list)
    for trial in trials:
        found[trial.architecture, trial.task].append(trial)
    joined: defaultdict[tuple[str, int, int], list[Trial]] = defaultdict(list)
    for (architecture, name), members in found.items():
        task = registry.task(name)
        joined[architecture, task.features, task.classes] += members
    return dict(sorted(joined.items()))


def _reunited(
    members: Sequence[Trial], together: Sequence[Sequence[str]]
) -> tuple[list[list[Trial]], list[Trial]]:
    """Return trials that go on as the stacks that they began in, the largest first, and all others."""
    if not together:
        return [], list(members)
    left, begun = {trial.id: trial for trial in members}, []
    for ids in sorted(together, key=lambda ids: (-len(ids), ids)):
        if ids and len(set(ids)) == len(ids) and all(each in left for each in ids):
            begun.append([left.pop(each) for each in ids])
    return begun, list(left.values())


def _parts(members: Sequence[Trial], limit: int, *, full: bool) -> list[Sequence[Trial]]:
    """Return members in as few parts of at most `limit` as can be: of nearly equal size, or all but one full.

    A compiled program costs the same with places left empty.
    """
    count = math.ceil(len(members) / limit)
    size = limit if full else len(members) / max(count, 1)
    bounds = [min(round(i * size), len(members)) for i in range(count + 1)]
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
