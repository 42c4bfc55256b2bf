"""Trains the networks of a stack, on a stream or on fixed training sets, and scores them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks import registry
from benchmarks.architecture import FitFailed, Network
from benchmarks.architectures import calibrators
from benchmarks.architectures.losses import log_q as log_q_of
from benchmarks.architectures.losses import loss as loss_of
from benchmarks.architectures.losses import mean_log_q
from benchmarks.task import Array
from runner.data import Examples, Targets, TrainingSet
from runner.dropout import Masks, fed
from runner.engine import Tensors, Training, evaluated, outputs
from runner.modules import Liftable, build, examined, noise
from runner.plan import Trial
from runner.records import Rows, evaluation_of, points
from runner.stacks import Stack

Progress = Callable[[float], None]
CHECK_EVERY = 20  # steps between looks at the held-out loss, or a tenth of the steps so far if that is more
LEAST_STEPS = 500  # before a trial may stop early


@dataclass
class Kept:
    """The state of one network that is scored: the step it is from, seconds until then, why there is none."""

    state: Tensors | None = None
    step: int = 0
    seconds: float = 0.0
    diverged: int = 0
    held_out: float = float("inf")


@dataclass(frozen=True)
class Member:
    """One network of a stack: which trial it belongs to, which of its members it is, its module."""

    trial: int
    number: int
    module: nn.Module


def train(network: Network, stack: Stack, rows: Sequence[Rows], progress: Progress) -> None:
    """Train the networks of a stack and record what they score; raises Skipped or FitFailed."""
    task = registry.task(stack.trials[0].task)
    liftable = examined(network, task.features, task.classes)
    members = _members(network, stack, liftable)
    if liftable.reason:
        for row in rows:
            row.own.note = f"{stack.architecture} trains one network at a time: {liftable.reason}"
    if stack.protocol == "stream":
        _train_on_stream(network, stack, rows, members, liftable, progress)
    else:
        _train_on_sets(network, stack, rows, members, liftable, progress)


def _members(network: Network, stack: Stack, liftable: Liftable) -> list[Member]:
    task = registry.task(stack.trials[0].task)
    made = []
    for place, trial in enumerate(stack.trials):
        for number in range(network.recipe.members):
            module = build(network, task.features, task.classes, trial.seed, number)
            made.append(Member(place, number, module if liftable.reason else fed(module)))
    return made


def _trainings(
    network: Network,
    stack: Stack,
    members: Sequence[Member],
    liftable: Liftable,
    draw: Callable[[Sequence[Member], int], tuple[Array, Array]],
) -> list[tuple[list[Member], Training]]:
    """Return the members with the training that they share: all of them, or each alone if not liftable."""
    groups = [[member] for member in members] if liftable.reason else [list(members)]
    return [(group, _training(network, stack, group, liftable, draw)) for group in groups]


def _training(
    network: Network,
    stack: Stack,
    group: Sequence[Member],
    liftable: Liftable,
    draw: Callable[[Sequence[Member], int], tuple[Array, Array]],
) -> Training:
    seeds = [(stack.trials[member.trial].seed, member.number) for member in group]
    return Training(
        network,
        [member.module for member in group],
        lambda networks, count: draw([group[i] for i in networks], count),
        stack.steps,
        "eager" if liftable.reason else stack.mode,
        stack.device,
        liftable=liftable,
        noise=[noise(network, seed, number) for seed, number in seeds],
    )


# --- on a stream -----------------------------------------------------------------------------------------


def _train_on_stream(
    network: Network,
    stack: Stack,
    rows: Sequence[Rows],
    members: Sequence[Member],
    liftable: Liftable,
    progress: Progress,
) -> None:
    def stream(trial: Trial) -> Examples:
        return Examples(registry.task(trial.task), trial.seed, stack.batch, stack.pool, stack.shared)

    examples = [stream(trial) for trial in stack.trials]
    # Networks that train one after the other can't read from one stream.
    sources = {
        _key(each): stream(stack.trials[each.trial]) if liftable.reason else examples[each.trial]
        for each in members
    }
    targets = _targets(network, stack, members)

    def draw(group: Sequence[Member], count: int) -> tuple[Array, Array]:
        progress(count / stack.steps * len(group) / len(members))
        own = {_key(each): sources[_key(each)] for each in group}
        fresh = {source: source.take(count) for source in dict.fromkeys(own.values())}
        return _stacked(targets[key](*fresh[source]) for key, source in own.items())

    trainings = _trainings(network, stack, members, liftable, draw)
    predictor = Predictor(network, stack)
    for budget in stack.trials[0].budgets:
        kept: dict[tuple[int, int], Kept] = {}
        for group, training in trainings:
            training.advance(budget // stack.batch)
            snapshot = training.snapshot()
            for at, member in enumerate(group):
                diverged = int(snapshot.diverged[at])
                state = None if diverged else snapshot.state(at)
                kept[_key(member)] = Kept(state, snapshot.step, snapshot.seconds, diverged)
        for place, row in enumerate(rows):
            parts = [(member, kept[_key(member)]) for member in members if member.trial == place]
            measured = {"distinct_examples": examples[place].distinct(budget)}
            _record(row, budget, stack, parts, predictor, measured)


# --- on fixed training sets ------------------------------------------------------------------------------


def _train_on_sets(
    network: Network,
    stack: Stack,
    rows: Sequence[Rows],
    members: Sequence[Member],
    liftable: Liftable,
    progress: Progress,
) -> None:
    tasks = [registry.task(trial.task) for trial in stack.trials]
    sets = [
        TrainingSet(task, trial.seed, trial.budgets[0], stack.batch)
        for task, trial in zip(tasks, stack.trials, strict=True)
    ]
    targets = _targets(network, stack, members)

    def draw(group: Sequence[Member], count: int) -> tuple[Array, Array]:
        progress(count / stack.steps * len(group) / len(members))
        return _stacked(targets[_key(each)](*sets[each.trial].take(each.number, count)) for each in group)

    plain = replace(network.recipe, mixup=0.0)
    held_out = []
    for task, each in zip(tasks, sets, strict=True):
        x, wanted = Targets(plain, task, np.random.default_rng(0))(*(part[None] for part in each.held_out))
        held_out.append((torch.from_numpy(x[0]), torch.from_numpy(wanted[0])))
    kept: dict[tuple[int, int], Kept] = {}
    for group, training in _trainings(network, stack, members, liftable, draw):
        found = best_states(
            network,
            training,
            evaluated(group[0].module),
            [held_out[member.trial] for member in group],
            stack,
        )
        kept |= {_key(member): each for member, each in zip(group, found, strict=True)}
    predictor = Predictor(network, stack)
    for place, row in enumerate(rows):
        parts = [(member, kept[_key(member)]) for member in members if member.trial == place]
        trial = stack.trials[place]
        measured = {
            "distinct_examples": trial.budgets[0],
            "best_step": float(np.mean([each.step for _, each in parts])),
        }
        _record(row, trial.budgets[0], stack, parts, predictor, measured, sets[place].held_out)


def best_states(
    network: Network,
    training: Training,
    module: nn.Module,
    held_out: Sequence[tuple[Tensor, Tensor]],
    stack: Stack,
) -> list[Kept]:
    """Train networks and return for each its state with the least held-out loss.

    held_out: of each network its x (n, d) and targets. A network stops once its best state is older than
    half of its steps, after the first 500; under a cosine schedule none stops before the end. The loss is
    the recipe's own. A network that has stopped no longer changes.
    """
    criterion = loss_of(network.recipe)
    kept = [Kept() for _ in held_out]
    active = list(range(len(held_out)))
    held = [(x.to(stack.device), wanted.to(stack.device)) for x, wanted in held_out]
    for step in checks(stack.steps):
        training.advance(step)
        snapshot = training.snapshot()
        going = []
        for at, number in enumerate(snapshot.networks):
            if number not in active:
                continue
            own = kept[number]
            if snapshot.diverged[at]:
                own.diverged = int(snapshot.diverged[at])
                continue
            state, (x, wanted) = snapshot.state(at), held[number]
            value = float(criterion(outputs(module, state, x), wanted))
            if value < own.held_out:
                own.state, own.step, own.held_out = state, step, value
            own.seconds = snapshot.seconds
            early = network.recipe.schedule == "constant" and step >= LEAST_STEPS and own.step < step / 2
            if not early:
                going.append(number)
        active = going
        if not active:
            break
        if stack.mode == "eager" and 2 * len(active) <= len(snapshot.networks):
            training.keep(active)
    return kept


def checks(steps: int) -> list[int]:
    """Return the steps after which held-out losses are looked at."""
    found = [0]
    while found[-1] < steps:
        found.append(min(steps, found[-1] + max(CHECK_EVERY, found[-1] // 10)))
    return found[1:]


# --- what both share -------------------------------------------------------------------------------------


class Predictor:
    """From the states of a trial's members to its log q."""

    def __init__(self, network: Network, stack: Stack) -> None:
        self._network, self._stack = network, stack
        self._inputs: dict[str, Tensor] = {}

    def inputs(self, task: str) -> Tensor:
        """Return the points of a task's evaluation and of its curve, float32."""
        if task not in self._inputs:
            x = points(evaluation_of(task)).astype(np.float32)
            self._inputs[task] = torch.from_numpy(x).to(self._stack.device)
        return self._inputs[task]

    def log_q(self, trial: Trial, parts: Sequence[tuple[Member, Kept]], x: Tensor) -> Array:
        """Return the members' mean probability, as log q (n, k)."""
        found = [each for member, kept in parts for each in self._outputs(trial, member, kept, x)]
        return mean_log_q([log_q_of(self._network.recipe, each) for each in found])

    def _outputs(self, trial: Trial, member: Member, kept: Kept, x: Tensor) -> Iterator[Array]:
        assert kept.state is not None
        module, samples = evaluated(member.module), self._network.recipe.samples
        if not samples:
            yield outputs(module, kept.state, x).double().cpu().numpy()
            return
        # In evaluation mode: batch norm takes no single row in training.
        masks = Masks(copy.deepcopy(member.module).eval(), torch.zeros(1, x.shape[1]))
        if not masks.shapes:
            raise FitFailed("Monte Carlo dropout needs a network that trains in a stack")
        rng = noise(self._network, trial.seed, member.number, "thinned")
        for thinned in masks.thinned(rng, samples):
            dropped = {name: mask.to(x.device) for name, mask in thinned.items()}
            yield outputs(module, kept.state | dropped, x).double().cpu().numpy()


def _record(
    row: Rows,
    budget: int,
    stack: Stack,
    parts: Sequence[tuple[Member, Kept]],
    predictor: Predictor,
    measured: Mapping[str, float],
    held_out: tuple[Array, Array] | None = None,
) -> None:
    """Score a trial at a budget from the kept states of its members."""
    failed = [kept for _, kept in parts if kept.diverged or kept.state is None]
    if failed:
        step = failed[0].diverged
        row.blank(budget, "failed", f"loss not finite at step {step}" if step else "held-out loss not finite")
        return
    trial, recipe = row.own.trial, registry.architecture(stack.architecture).recipe  # type: ignore[union-attr]
    log_q = predictor.log_q(trial, parts, predictor.inputs(trial.task))
    if recipe.calibration and held_out is not None:
        x, y = held_out
        own = predictor.log_q(trial, parts, torch.from_numpy(x).to(stack.device))
        try:
            log_q = calibrators.fit(recipe.calibration, own, y)(log_q)
        except FitFailed as error:
            row.blank(budget, "failed", str(error))
            return
    seconds = sum(kept.seconds for _, kept in parts)
    row.add(budget, log_q, **measured, parameters=stack.parameters, training_seconds=seconds)


def _key(member: Member) -> tuple[int, int]:
    return member.trial, member.number


def _targets(network: Network, stack: Stack, members: Sequence[Member]) -> dict[tuple[int, int], Targets]:
    found = {}
    for member in members:
        trial = stack.trials[member.trial]
        rng = noise(network, trial.seed, member.number, "mixup")
        found[_key(member)] = Targets(network.recipe, registry.task(trial.task), rng)
    return found


def _stacked(drawn: Iterator[tuple[Array, Array]]) -> tuple[Array, Array]:
    xs, targets = zip(*drawn, strict=True)
    return np.stack(xs, axis=1), np.stack(targets, axis=1)
