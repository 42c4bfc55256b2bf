"""From a stack to the records of its trials: train or fit, score at every budget, keep the curves."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from benchmarks import registry
from benchmarks.architecture import FitFailed, Network, Reference, Skipped
from benchmarks.evaluation import Evaluation, corrected, evaluate, normalised
from benchmarks.metrics import score
from benchmarks.regions import as_networks_see
from benchmarks.shape import crossings
from benchmarks.task import Array, Task, TaskError, conditional_parameters
from runner.data import Examples
from runner.plan import Stack, Trial

CURVE_POINTS = 201  # of the display window, kept for every trial and budget
Progress = Callable[[float], None]  # called with the share of a stack that was done since the last call


@dataclass(frozen=True)
class Record:
    """One number of one trial: value and error are NaN where there is none; again: a run should retry it."""

    budget: int
    metric: str
    region: str
    value: float
    error: float
    status: str = "ok"
    reason: str = ""
    again: bool = False


@dataclass
class TrialResult:
    """A finished trial: status "ok", "failed" or "skipped"; curves: {budget: log q (m, k) float32}."""

    trial: Trial
    records: list[Record] = field(default_factory=list)
    curves: dict[int, Array] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """The worst status of its records."""
        found = {record.status for record in self.records}
        return next((status for status in ("failed", "skipped") if status in found), "ok")

    def blank(self, budget: int, status: str, reason: str, *, again: bool = False) -> None:
        """Record that a budget has no number, why, and whether a run should try it again."""
        nan = float("nan")
        self.records.append(Record(budget, "information_gap", "all", nan, nan, status, reason, again))

    def add(self, budget: int, evaluation: Evaluation, log_q: Array, **measured: float) -> None:
        """Record every measure of log q (n + m, k) at the evaluation's n points and the curve's m points."""
        bad = ~np.isfinite(log_q) & ~np.isneginf(log_q)
        if bad.any():
            where = points(evaluation)[np.flatnonzero(bad.any(axis=1))[0]]
            self.blank(budget, "failed", f"the output at x = {where.tolist()} is not a number")
            return
        n = len(evaluation.x)
        self.records += [Record(budget, *numbers) for numbers in _scored(evaluation, log_q[:n])]
        self.records += [Record(budget, name, "all", value, 0.0) for name, value in measured.items()]
        if len(log_q) > n:
            self.curves[budget] = log_q[n:].astype(np.float32)

    def repeat(self, other: TrialResult, budget: int) -> None:
        """Record at a budget what another trial has at its only one."""
        self.records += [replace(record, budget=budget) for record in other.records]
        for curve in other.curves.values():
            self.curves[budget] = curve


def _scored(evaluation: Evaluation, log_q: Array) -> Iterator[tuple[str, str, float, float, str, str]]:
    for metric, region, value, error, reason in score(evaluation, log_q):
        yield metric, region, value, error, "ok", reason


@functools.cache
def evaluation_of(task: str) -> Evaluation:
    """Return the evaluation of a registered task, made once in each process."""
    return evaluate(registry.task(task))


def curve_points(evaluation: Evaluation) -> Array:
    """Return where posterior curves are kept, (m, 1): an even grid over the window of a line, else none."""
    if evaluation.window is None or evaluation.x.shape[1] > 1:
        return np.empty((0, evaluation.x.shape[1]))
    low, high = evaluation.window[0]
    return as_networks_see(np.linspace(low, high, CURVE_POINTS)[:, None])


def points(evaluation: Evaluation) -> Array:
    """Return the evaluation's points and the curve's behind them, (n + m, d)."""
    return np.concatenate([evaluation.x, curve_points(evaluation)])


def task_summary(name: str) -> dict[str, Any]:
    """Return what a report says about a registered task, as plain data; entropies in nats."""
    task, evaluation = registry.task(name), evaluation_of(name)
    line = task.features == 1
    low, high = evaluation.window[0].tolist() if line and evaluation.window is not None else (None, None)
    # The k/2N law is about training data that follow the test law.
    shifted = getattr(task, "train_priors", None) is not None
    return {
        "description": getattr(task, "description", ""),
        "features": task.features,
        "classes": task.classes,
        "entropy": evaluation.entropy,
        "bayes_error": evaluation.bayes_error,
        "information": evaluation.information,
        "crossings": len(crossings(evaluation, evaluation.log_posterior).x) if line else None,
        "parameters": None if shifted else conditional_parameters(task),
        "low": low,
        "high": high,
        "method": evaluation.method,
        "error": evaluation.error,
    }


def run_stack(stack: Stack, progress: Progress) -> list[TrialResult]:
    """Train or fit every trial of a stack and return its results, in order.

    Where that raises, each trial runs alone, so that a failure never depends on who was beside it.
    """
    try:
        return _run(stack, progress)
    except Exception as error:
        if len(stack.trials) > 1:
            alone = [replace(stack, trials=(trial,)) for trial in stack.trials]
            return [result for part in alone for result in run_stack(part, lambda _: None)]
        results = [TrialResult(row) for row in stack.trials[0].rows]
        for result in results:
            for budget in stack.budgets:
                result.blank(budget, "failed", _reason(error), again=True)
        return results


def _reason(error: Exception) -> str:
    """Return an error as a reason; our own words need no name of a class before them."""
    ours = isinstance(error, TaskError)
    return (str(error) if ours else f"{type(error).__name__}: {error}")[:500]


def _run(stack: Stack, progress: Progress) -> list[TrialResult]:
    architecture = registry.architecture(stack.architecture)
    results = [TrialResult(trial) for trial in stack.trials]
    if not isinstance(architecture, Network):
        _fit(architecture, stack, results, progress)
        return results
    twins = [TrialResult(trial.corrected) if trial.corrected else None for trial in stack.trials]
    _train(architecture, stack, list(zip(results, twins, strict=True)), progress)
    return results + [twin for twin in twins if twin]


def _train(
    network: Network, stack: Stack, results: list[tuple[TrialResult, TrialResult | None]], progress: Progress
) -> None:
    """Train the networks of a stack; results: of each its own and its corrected twin's, if it has one."""
    import torch

    from runner import engine

    tasks = [registry.task(trial.task) for trial in stack.trials]
    modules = [
        engine.build(network, task.features, task.classes, trial.seed)
        for task, trial in zip(tasks, stack.trials, strict=True)
    ]
    examples = _examples(stack, tasks)

    def batches(count: int) -> tuple[Array, Array]:
        progress(count / stack.steps)
        drawn = [each.take(count) for each in examples]
        return np.stack([x for x, _ in drawn], axis=1), np.stack([y for _, y in drawn], axis=1)

    names = {trial.task for trial in stack.trials}
    inputs = {name: torch.from_numpy(_float32_points(name)).to(stack.device) for name in names}
    steps = [budget // stack.batch for budget in stack.budgets]
    scored = engine.evaluated(modules[0])
    for snapshot in engine.train(network, modules, batches, steps, stack.mode, stack.device):
        budget = snapshot.step * stack.batch
        for i, (result, twin) in enumerate(results):
            if snapshot.diverged[i]:
                for each in (result, twin) if twin else (result,):
                    each.blank(budget, "failed", f"loss not finite at step {snapshot.diverged[i]}")
                continue
            task, evaluation = tasks[i], evaluation_of(result.trial.task)
            outputs = engine.logits(scored, snapshot, i, inputs[result.trial.task]).double().cpu().numpy()
            measured = {
                "distinct_examples": examples[i].distinct(budget),
                "parameters": stack.parameters,
                "training_seconds": snapshot.seconds,
            }
            result.add(budget, evaluation, normalised(outputs), **measured)
            if twin:
                twin.add(budget, evaluation, corrected(task, evaluation, normalised(outputs)), **measured)


def _fit(reference: Reference, stack: Stack, results: list[TrialResult], progress: Progress) -> None:
    examples = _examples(stack, [registry.task(trial.task) for trial in stack.trials])
    for budget in stack.budgets:
        for result, data in zip(results, examples, strict=True):
            if reference.needs_data:
                _fit_to_examples(reference, data, result, budget)
            else:
                result.repeat(_fit_to_task(reference, result.trial.task), budget)
        progress(budget / sum(stack.budgets))


def _fit_to_examples(reference: Reference, data: Examples, result: TrialResult, budget: int) -> None:
    evaluation = evaluation_of(result.trial.task)
    try:
        log_q = reference.fit(data.task, evaluation, *data.seen(budget))(points(evaluation))
    except (Skipped, FitFailed) as error:
        result.blank(budget, "skipped" if isinstance(error, Skipped) else "failed", str(error))
        return
    result.add(budget, evaluation, log_q, distinct_examples=data.distinct(budget))


@functools.lru_cache(maxsize=256)
def _fit_to_task(reference: Reference, task: str) -> TrialResult:
    """Return what a reference that sees no examples has at every seed and budget, under budget 0."""
    evaluation = evaluation_of(task)
    none = evaluation.x[:0], np.empty(0, dtype=np.int64)
    log_q = reference.fit(registry.task(task), evaluation, *none)(points(evaluation))
    found = TrialResult(Trial(task, reference.name, 0, "", ""))
    found.add(0, evaluation, log_q)
    return found


def _examples(stack: Stack, tasks: list[Task]) -> list[Examples]:
    return [
        Examples(task, trial.seed, stack.batch, stack.pool, stack.shared)
        for task, trial in zip(tasks, stack.trials, strict=True)
    ]


def _float32_points(task: str) -> Array:
    return points(evaluation_of(task)).astype(np.float32)
