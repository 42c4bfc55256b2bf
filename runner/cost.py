"""How long stacks take: as earlier trials of a folder did, else by what they compute and how fast that is.

Seconds are those of one core. No number of a run depends on them.
"""

from __future__ import annotations

import functools
import heapq
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any, TypeAlias

from benchmarks import registry
from benchmarks.architecture import Architecture, Network, Reference
from benchmarks.sampling import cache_folder
from runner.speeds import TYPICAL, Speeds

if TYPE_CHECKING:
    from runner.plan import Trial
    from runner.stacks import Stack
    from runner.store import Store

COMPILED_OPERATIONS = 2  # operations of an eager step whose overhead a compiled step has: its one call
COMPILING = 9.0  # seconds for a program, where none are kept from an earlier run
RECORD = 2e-3  # seconds to score a trial at a budget, whatever its points
POINT = 4e-7  # seconds for each of an evaluation's points and classes
FIT, FITTED_EXAMPLE = 0.3, 1e-4  # seconds of an estimator's fit that nothing is known of, and of its examples
LOOK = 1.5e-3  # seconds of a look at one network's held-out loss

Spec: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class Work:
    """What a step computes: multiply-adds of products, of all the rest, and how many operations they are."""

    products: int = 0
    elementwise: int = 0
    operations: int = 0

    @property
    def multiply_adds(self) -> int:
        """All of it."""
        return self.products + self.elementwise


UNKNOWN = Work(820_000, 56_000, 60)  # of a network that nothing is known of: about what mlp-64x64 computes


@dataclass(frozen=True)
class Known:
    """What trials have taken before, by spec: seconds of a network's step, and of training at a budget."""

    steps: Mapping[Spec, float] = field(default_factory=dict)
    fits: Mapping[Spec, float] = field(default_factory=dict)


NOTHING = Known()


def seconds(
    stack: Stack, work: Work, speeds: Speeds = TYPICAL, known: Known = NOTHING, *, compiling: bool = False
) -> float:
    """Return how long a stack takes on one core: drawing, training or fitting, and scoring.

    Of a stack whose networks may stop early, at most. compiling: whether its program is to be compiled too.
    """
    architecture = registry.architecture(stack.architecture)
    # Trials of one task cost the same, and there may be very many.
    kinds = Counter((trial.task, trial.budgets, len(trial.rows)) for trial in stack.trials)
    members = stack.trials[0].members
    scoring = sum(
        count * len(budgets) * rows * _scoring(task, members, architecture, work, stack.batch, speeds)
        for (task, budgets, rows), count in kinds.items()
    )
    if isinstance(architecture, Network):
        once = COMPILING if compiling and stack.compiles else 0.0
        return scoring + _drawing(stack, speeds) + once + _training(stack, work, speeds, known)
    examples = sum(sum(trial.budgets) for trial in stack.trials)
    if isinstance(architecture, Reference):
        return scoring + (5e-7 * examples if architecture.needs_data else 0.0)
    most = architecture.max_budget or max(max(trial.budgets) for trial in stack.trials)
    fits = ((trial, budget) for trial in stack.trials for budget in trial.budgets if budget <= most)
    return scoring + sum(_fitting(trial, budget, known) for trial, budget in fits)


def estimated(stack: Stack, work: Work, speeds: Speeds) -> float:
    """Return the seconds of one network's step in a stack."""
    products = work.products / speeds.products
    if stack.mode == "compiled":
        overhead = COMPILED_OPERATIONS * speeds.operation / stack.program
        return overhead + products + work.elementwise / speeds.fused
    overhead = work.operations * speeds.operation / max(stack.places, 1)
    return overhead + products + work.elementwise / speeds.eager


def total(costs: Iterable[float], workers: int) -> float:
    """Return the seconds until stacks, taken in their order by whichever worker is free, are all done."""
    free = [0.0] * workers
    for cost in costs:
        heapq.heapreplace(free, free[0] + cost)
    return max(free)


def _training(stack: Stack, work: Work, speeds: Speeds, known: Known) -> float:
    """Return the seconds of all of a stack's steps, or of those until such networks are known to stop."""
    each = known.steps.get(step_key(stack.trials[0])) or estimated(stack, work, speeds)
    if stack.protocol == "stream":
        return stack.places * stack.steps * each
    from runner.training.early_stopping import checks

    return stack.networks * len(checks(stack.steps)) * LOOK + sum(
        known.fits.get(_fit_key(trial.task, trial.common, trial.budgets[0]))
        or trial.members * stack.steps * each
        for trial in stack.trials
    )


def _drawing(stack: Stack, speeds: Speeds) -> float:
    """Return the seconds to draw a stack's examples, those of an ensemble once."""
    once = stack.steps * stack.batch
    return sum(
        speeds.example.get(trial.task, 5e-8) * (once if stack.protocol == "stream" else trial.budgets[0])
        for trial in stack.trials
    )


def programs_kept() -> bool:
    """Return whether compiled programs are there from earlier runs, perhaps those that a run needs."""
    return any(cache_folder().glob("programs/*.pt2"))


def _scoring(
    name: str, members: int, architecture: Architecture, work: Work, batch: int, speeds: Speeds
) -> float:
    """Return the seconds to predict and score a trial as one row of a task, at one budget."""
    task = registry.task(name)
    points = _points(task.features)
    # A third of a step's work: the backward pass is twice as much.
    forward = (work.products / speeds.products + work.elementwise / speeds.eager) / 3 / batch
    samples = architecture.recipe.samples if isinstance(architecture, Network) else 0
    passes = members * max(samples, 1)
    return RECORD + points * task.classes * POINT + passes * points * forward


def _points(features: int) -> int:
    """Return about how many points an evaluation has, without making it: a rule on a line, one in a plane."""
    return {1: 4_000, 2: 40_000}.get(features, 150_000)


def _fitting(trial: Trial, budget: int, known: Known) -> float:
    return (
        known.fits.get(_fit_key(trial.task, trial.common, budget))
        or FIT / len(trial.budgets) + FITTED_EXAMPLE * budget
    )


# --- what is known ---------------------------------------------------------------------------------------


def step_key(trial: Trial) -> Spec:
    """Return what two trials have in common whose networks take as long a step."""
    return _key(trial.task, trial.common)


@functools.lru_cache(maxsize=4096)
def _key(task: str, text: str) -> Spec:
    spec, law = _spec(text), registry.task(task)
    architecture = spec["architecture"]
    batch = architecture.get("recipe", {}).get("batch") or spec["protocol"].get("batch")
    return json.dumps(architecture, sort_keys=True), spec["mode"], f"{batch} {law.features} {law.classes}"


@functools.lru_cache(maxsize=4096)
def _fit_key(task: str, text: str, budget: int) -> Spec:
    return (*_key(task, text), f"{budget} {_spec(text)['protocol'].get('steps')}")


def _spec(text: str) -> dict[str, Any]:
    """Return a trial's spec, from its text or from the one that it shares with other seeds."""
    spec: dict[str, Any] = json.loads(text.replace("\0", "0"))
    return spec


MEASURED = """
SELECT trial.task, trial.spec, took.budget, took.value, best.value
FROM trial JOIN record AS took ON took.trial = trial.id AND took.metric = 'training_seconds'
LEFT JOIN record AS best ON best.trial = trial.id AND best.budget = took.budget AND best.metric = 'best_step'
WHERE took.value > 0
"""


def measured(store: Store, tasks: Iterable[str]) -> Known:
    """Return what the trials of a results file took on some tasks; long budgets count for more."""
    here = set(tasks)
    steps: dict[Spec, list[tuple[float, float]]] = defaultdict(list)
    fits: dict[Spec, list[float]] = defaultdict(list)
    for task, text, budget, took, best in store.rows(MEASURED):
        if task in here:
            key, count = _key(task, text), _network_steps(text, budget, best)
            if count:
                steps[key].append((took, count))
            fits[_fit_key(task, text, budget)].append(took)
    return Known(
        {key: sum(t for t, _ in found) / sum(n for _, n in found) for key, found in steps.items()},
        {key: fmean(found) for key, found in fits.items()},
    )


@functools.lru_cache(maxsize=4096)
def _network_steps(text: str, budget: int, best: float | None) -> float:
    """Return how many steps a trial's networks made up to a budget, all together; 0 of what is no network."""
    from runner.training.early_stopping import LEAST_STEPS

    spec = json.loads(text)
    recipe, protocol = spec["architecture"].get("recipe"), spec["protocol"]
    if recipe is None:
        return 0
    count = budget // (recipe["batch"] or protocol.get("batch", 1))
    if protocol["kind"] == "dataset":
        count = protocol["steps"]
        if recipe["schedule"] == "constant" and best is not None:  # see `early_stopping.best_states`
            count = min(count, max(LEAST_STEPS, 2 * best))
    return float(count * recipe["members"])
