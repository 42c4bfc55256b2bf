"""Trains the networks of a stack, on a stream or on fixed training sets, and scores them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from benchmarks import registry
from benchmarks.architecture import FitFailed, Module, Network
from benchmarks.architectures import calibrators
from benchmarks.task import Array
from runner.engine import Training, evaluated
from runner.plan import Trial
from runner.records import Rows
from runner.run_stack import Progress
from runner.scoring import Scoring, joined
from runner.stacks import Stack
from runner.training.batches import Batches, Passes, Source, of_stream
from runner.training.checkpoint import Checkpoint
from runner.training.compute import work
from runner.training.data import Targets, TrainingSet
from runner.training.dropout import fed
from runner.training.early_stopping import ScoredState, best_states
from runner.training.modules import Liftable, build, examined, parameter_count
from runner.training.predictor import Member, Predictor
from runner.training.resume import Part, restore, to_save


@dataclass(frozen=True)
class Job:
    """A stack with what its training needs: results to fill, its networks, and whether they can be lifted.

    sets: under `dataset`, the examples of each trial; parts: the networks in training, once they have begun.
    """

    network: Network
    stack: Stack
    rows: Sequence[Rows]
    members: Sequence[Member]
    liftable: Liftable
    progress: Progress
    checkpoint: Checkpoint
    sets: Sequence[TrainingSet]
    parts: list[Part] = field(default_factory=list)
    scoring: Scoring = field(default_factory=Scoring)

    def of(self, place: int) -> list[Member]:
        """Return the networks of one trial."""
        return [member for member in self.members if member.trial == place]


def train(
    network: Network, stack: Stack, rows: Sequence[Rows], progress: Progress, checkpoint: Checkpoint
) -> None:
    """Train the networks of a stack and record what they score; raises Skipped or FitFailed.

    Goes on from the stack's checkpoint where there is one, and writes it anew from time to time.
    """
    task = registry.task(stack.trials[0].task)
    liftable = examined(network, task.features, task.classes, stack.batch)
    if liftable.reason and network.recipe.samples:
        raise FitFailed(f"Monte Carlo dropout needs a network that trains in a stack; {liftable.reason}")
    if liftable.reason:
        for row in rows:
            row.own.note = f"{stack.architecture} trains one network at a time: {liftable.reason}"
    stack = _counted(network, stack)
    members, sets = _members(network, stack, liftable), _sets(stack)
    job = Job(network, stack, rows, members, liftable, progress, checkpoint, sets)
    _begin(job)
    (_train_on_stream if stack.protocol == "stream" else _train_on_sets)(job)


def _counted(network: Network, stack: Stack) -> Stack:
    """Return a stack that says how large its networks are, which the plan doesn't know of somebody's own."""
    if isinstance(network.build, Module):
        return stack
    task, members = registry.task(stack.trials[0].task), network.recipe.members
    parameters = parameter_count(network, task.features, task.classes)
    counted = work(network, task.features, task.classes, stack.batch).multiply_adds
    return replace(stack, parameters=parameters * members, multiply_adds=counted * members)


def _members(network: Network, stack: Stack, liftable: Liftable) -> list[Member]:
    task = registry.task(stack.trials[0].task)
    made = []
    for place, trial in enumerate(stack.trials):
        for number in range(network.recipe.members):
            module = build(network, task.features, task.classes, trial.seed, number)
            made.append(Member(place, number, module if liftable.reason else fed(module)))
    return made


def _sets(stack: Stack) -> list[TrainingSet]:
    if stack.protocol == "stream":
        return []
    return [
        TrainingSet(registry.task(trial.task), trial.seed, trial.budgets[0], stack.batch)
        for trial in stack.trials
    ]


def _parts(job: Job) -> list[Part]:
    """Return the networks in parts that train as one, at their start: all of them, or each alone."""
    stack, alone = job.stack, bool(job.liftable.reason)
    sources: Sequence[Source]
    if stack.protocol == "stream":
        # Networks that train one after the other can't read from one stream.
        sources = of_stream(stack, job.members, shared=not alone)
    else:
        sources = [Passes(job.sets[member.trial], member.number) for member in job.members]
    every = list(zip(job.members, sources, strict=True))
    return [_part(job, part) for part in ([[each] for each in every] if alone else [every])]


def _part(job: Job, part: Sequence[tuple[Member, Source]]) -> Part:
    """Return networks with what they train on; the share of the work that each draw stands for is told on."""
    stack, group = job.stack, [member for member, _ in part]
    batches = Batches(job.network, stack, group, [source for _, source in part])

    def draw(networks: Sequence[int], count: int) -> tuple[Array, Array]:
        if job.parts:  # else they are being brought to where a checkpoint has them
            job.checkpoint.write(lambda: to_save(job.parts, job.rows))
        job.progress(count / stack.steps * len(networks) / len(job.members))
        return batches.take(networks, count)

    training = Training(
        job.network,
        [member.module for member in group],
        draw,
        stack.steps,
        "eager" if job.liftable.reason else stack.mode,
        stack.device,
        liftable=job.liftable,
        noise=batches.noise,
    )
    return Part(group, batches, training, [ScoredState() for _ in group if stack.protocol == "dataset"])


def _begin(job: Job) -> None:
    """Make the parts of a stack, at the start or where its checkpoint has them."""
    parts = _parts(job)
    if saved := job.checkpoint.read():
        try:
            restore(saved, job.stack, parts, job.rows)
        except Exception as error:  # whatever is in the file
            job.checkpoint.refuse(error)
            for each in job.sets:
                each.rewind()
            parts = _parts(job)
    for part in parts:
        done = 1.0 if part.finished else part.training.step / job.stack.steps
        job.progress(done * len(part.group) / len(job.members))
    job.parts.extend(parts)


# --- on a stream -----------------------------------------------------------------------------------------


def _train_on_stream(job: Job) -> None:
    stack = job.stack
    examples = {member.trial: source for part in job.parts for member, source in part.sources}
    predictor = Predictor(job.network, stack.device)
    for budget in [budget for budget in stack.trials[0].budgets if budget not in job.rows[0].budgets]:
        kept: dict[tuple[int, int], ScoredState] = {}
        for part in job.parts:
            part.training.advance(budget // stack.batch)
            snapshot = part.training.snapshot()
            for at, member in enumerate(part.group):
                diverged = int(snapshot.diverged[at])
                state = None if diverged else snapshot.state(at)
                kept[member.key] = ScoredState(state, snapshot.step, snapshot.seconds, diverged)
        for place in range(len(stack.trials)):
            parts = [(member, kept[member.key]) for member in job.of(place)]
            measured = {"distinct_examples": examples[place].distinct(budget)}
            _record(job, place, budget, parts, predictor, measured)
        job.scoring.finish()


# --- on fixed training sets ------------------------------------------------------------------------------


def _train_on_sets(job: Job) -> None:
    stack = job.stack
    held_out = [_held_out(job, trial, each) for trial, each in zip(stack.trials, job.sets, strict=True)]
    kept: dict[tuple[int, int], ScoredState] = {}
    for part in job.parts:
        if not part.finished:
            module = evaluated(part.group[0].module)
            own = [held_out[member.trial] for member in part.group]
            best_states(part.training, job.network.recipe, module, own, stack.steps, part.kept)
            part.finished = True
        kept |= {member.key: each for member, each in zip(part.group, part.kept, strict=True)}
    predictor = Predictor(job.network, stack.device)
    for place, trial in enumerate(stack.trials):
        parts = [(member, kept[member.key]) for member in job.of(place)]
        best = float(np.mean([each.step for _, each in parts]))
        measured = {"distinct_examples": trial.budgets[0], "best_step": best}
        _record(job, place, trial.budgets[0], parts, predictor, measured, job.sets[place].held_out)
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
    parts: Sequence[tuple[Member, ScoredState]],
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
