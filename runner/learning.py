"""Trains the networks of a stack, on a stream or on fixed training sets, and scores them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from benchmarks import registry
from benchmarks.architecture import FitFailed, Network
from benchmarks.architectures import calibrators
from benchmarks.task import Array
from runner.data import Examples, Targets, TrainingSet
from runner.dropout import fed
from runner.early_stopping import Kept, best_states
from runner.engine import Training, evaluated
from runner.modules import Liftable, build, examined, noise
from runner.plan import Trial
from runner.predictor import Member, Predictor
from runner.records import Rows, Scoring, joined
from runner.stacks import Stack

Progress: TypeAlias = Callable[[float], None]
Draw: TypeAlias = Callable[[Sequence[Member], int], tuple[Array, Array]]


@dataclass(frozen=True)
class Job:
    """A stack with what its training needs: results to fill, its networks, and whether they can be lifted."""

    network: Network
    stack: Stack
    rows: Sequence[Rows]
    members: Sequence[Member]
    liftable: Liftable
    progress: Progress
    scoring: Scoring = field(default_factory=Scoring)

    def of(self, place: int) -> list[Member]:
        """Return the networks of one trial."""
        return [member for member in self.members if member.trial == place]


def train(network: Network, stack: Stack, rows: Sequence[Rows], progress: Progress) -> None:
    """Train the networks of a stack and record what they score; raises Skipped or FitFailed."""
    task = registry.task(stack.trials[0].task)
    liftable = examined(network, task.features, task.classes, stack.batch)
    if liftable.reason and network.recipe.samples:
        raise FitFailed(f"Monte Carlo dropout needs a network that trains in a stack; {liftable.reason}")
    if liftable.reason:
        for row in rows:
            row.own.note = f"{stack.architecture} trains one network at a time: {liftable.reason}"
    job = Job(network, stack, rows, _members(network, stack, liftable), liftable, progress)
    (_train_on_stream if stack.protocol == "stream" else _train_on_sets)(job)


def _members(network: Network, stack: Stack, liftable: Liftable) -> list[Member]:
    task = registry.task(stack.trials[0].task)
    made = []
    for place, trial in enumerate(stack.trials):
        for number in range(network.recipe.members):
            module = build(network, task.features, task.classes, trial.seed, number)
            made.append(Member(place, number, module if liftable.reason else fed(module)))
    return made


def _trainings(job: Job, draw: Draw) -> list[tuple[list[Member], Training]]:
    """Return the networks with the training that they share: all of them, or each alone if not liftable.

    draw(members, count) returns their next mini-batches, stacked; their share of the work is told on.
    """

    def told(group: Sequence[Member], count: int) -> tuple[Array, Array]:
        job.progress(count / job.stack.steps * len(group) / len(job.members))
        return draw(group, count)

    groups = [[member] for member in job.members] if job.liftable.reason else [list(job.members)]
    return [(group, _training(job, group, told)) for group in groups]


def _training(job: Job, group: Sequence[Member], draw: Draw) -> Training:
    stack = job.stack
    seeds = [(stack.trials[member.trial].seed, member.number) for member in group]
    return Training(
        job.network,
        [member.module for member in group],
        lambda networks, count: draw([group[i] for i in networks], count),
        stack.steps,
        "eager" if job.liftable.reason else stack.mode,
        stack.device,
        liftable=job.liftable,
        noise=[noise(job.network, seed, number) for seed, number in seeds],
    )


# --- on a stream -----------------------------------------------------------------------------------------


def _train_on_stream(job: Job) -> None:
    stack = job.stack

    def stream(trial: Trial) -> Examples:
        most = stack.steps * stack.batch
        return Examples(registry.task(trial.task), trial.seed, stack.batch, stack.pool, stack.shared, most)

    examples = [stream(trial) for trial in stack.trials]
    # Networks that train one after the other can't read from one stream.
    sources = {
        each.key: stream(stack.trials[each.trial]) if job.liftable.reason else examples[each.trial]
        for each in job.members
    }
    targets = _targets(job)

    def draw(group: Sequence[Member], count: int) -> tuple[Array, Array]:
        own = {each.key: sources[each.key] for each in group}
        fresh = {source: source.take(count) for source in dict.fromkeys(own.values())}
        return _stacked(targets[key](*fresh[source]) for key, source in own.items())

    trainings = _trainings(job, draw)
    predictor = Predictor(job.network, stack.device)
    for budget in stack.trials[0].budgets:
        kept: dict[tuple[int, int], Kept] = {}
        for group, training in trainings:
            training.advance(budget // stack.batch)
            snapshot = training.snapshot()
            for at, member in enumerate(group):
                diverged = int(snapshot.diverged[at])
                state = None if diverged else snapshot.state(at)
                kept[member.key] = Kept(state, snapshot.step, snapshot.seconds, diverged)
        for place in range(len(stack.trials)):
            parts = [(member, kept[member.key]) for member in job.of(place)]
            measured = {"distinct_examples": examples[place].distinct(budget)}
            _record(job, place, budget, parts, predictor, measured)
        job.scoring.finish()


# --- on fixed training sets ------------------------------------------------------------------------------


def _train_on_sets(job: Job) -> None:
    stack = job.stack
    sets = [
        TrainingSet(registry.task(trial.task), trial.seed, trial.budgets[0], stack.batch)
        for trial in stack.trials
    ]
    targets = _targets(job)

    def draw(group: Sequence[Member], count: int) -> tuple[Array, Array]:
        return _stacked(targets[each.key](*sets[each.trial].take(each.number, count)) for each in group)

    held_out = [_held_out(job, trial, each) for trial, each in zip(stack.trials, sets, strict=True)]
    kept: dict[tuple[int, int], Kept] = {}
    for group, training in _trainings(job, draw):
        module = evaluated(group[0].module)
        own = [held_out[member.trial] for member in group]
        found = best_states(training, job.network.recipe, module, own, stack.steps)
        kept |= {member.key: each for member, each in zip(group, found, strict=True)}
    predictor = Predictor(job.network, stack.device)
    for place, trial in enumerate(stack.trials):
        parts = [(member, kept[member.key]) for member in job.of(place)]
        best = float(np.mean([each.step for _, each in parts]))
        measured = {"distinct_examples": trial.budgets[0], "best_step": best}
        _record(job, place, trial.budgets[0], parts, predictor, measured, sets[place].held_out)
    job.scoring.finish()


def _held_out(job: Job, trial: Trial, examples: TrainingSet) -> tuple[Tensor, Tensor]:
    """Return the held-out x and targets of a trial, as its recipe has them but for mixup."""
    plain = replace(job.network.recipe, mixup=0.0)
    targets = Targets(plain, registry.task(trial.task), np.random.default_rng(0))
    x, wanted = targets(*(part[None] for part in examples.held_out))
    return torch.from_numpy(x[0]).to(job.stack.device), torch.from_numpy(wanted[0]).to(job.stack.device)


# --- what both share -------------------------------------------------------------------------------------


def _record(
    job: Job,
    place: int,
    budget: int,
    parts: Sequence[tuple[Member, Kept]],
    predictor: Predictor,
    measured: Mapping[str, float],
    held_out: tuple[Array, Array] | None = None,
) -> None:
    """Predict with the kept states of a trial's networks at a budget, and hand that in to be scored."""
    row, trial = job.rows[place], job.stack.trials[place]
    failed = [kept for _, kept in parts if kept.diverged or kept.state is None]
    if failed:
        step = failed[0].diverged
        row.blank(budget, "failed", f"loss not finite at step {step}" if step else "held-out loss not finite")
        return
    log_q = joined([predictor.log_q(trial, parts, x) for x in predictor.inputs(trial.task)])
    method = job.network.recipe.calibration
    if method and held_out is not None:
        x, y = held_out
        own = predictor.log_q(trial, parts, torch.from_numpy(x).to(job.stack.device))
        try:
            log_q = calibrators.fit(method, own, y)(log_q)
        except FitFailed as error:
            row.blank(budget, "failed", str(error))
            return
    seconds = sum(kept.seconds for _, kept in parts)
    counted: dict[str, float] = {"parameters": job.stack.parameters, "training_seconds": seconds}
    if job.stack.multiply_adds:
        counted["multiply_adds"] = job.stack.multiply_adds
    job.scoring.add(row, budget, log_q, **measured, **counted)


def _targets(job: Job) -> dict[tuple[int, int], Targets]:
    found = {}
    for member in job.members:
        trial = job.stack.trials[member.trial]
        rng = noise(job.network, trial.seed, member.number, "mixup")
        found[member.key] = Targets(job.network.recipe, registry.task(trial.task), rng)
    return found


def _stacked(drawn: Iterator[tuple[Array, Array]]) -> tuple[Array, Array]:
    xs, targets = zip(*drawn, strict=True)
    return np.stack(xs, axis=1), np.stack(targets, axis=1)
