"""From a stack to the records of its trials: train or fit, and score at every budget."""

from __future__ import annotations

import functools
import signal
import time
from collections.abc import Callable

import numpy as np

from benchmarks import registry
from benchmarks.architecture import Estimator, FitFailed, Network, Predict, Reference, Skipped
from benchmarks.task import TaskError, training_data
from runner.plan import CompileFailed, Trial
from runner.records import Rows, TrialResult, in_order, unscored
from runner.scoring import evaluation_of, predicted, score
from runner.stacks import Stack
from runner.training import saved_results
from runner.training.checkpoint import Checkpoint
from runner.training.data import Examples

Progress = Callable[[float], None]  # called with the share of a stack that was done since the last call


def run_stack(stack: Stack, progress: Progress) -> list[TrialResult]:
    """Train or fit every trial of a stack and return its results, in order, twins behind all others.

    Where that raises, its halves run apart, down to single trials, so that a failure never depends on who was
    beside it.
    """
    try:
        rows = _run(stack, progress)
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # somebody's code may call sys.exit
        if isinstance(error, KeyboardInterrupt) and signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
            raise  # a user's; in a worker, which takes none, it is somebody's code that raises it
        if (halves := stack.halves) and not isinstance(error, CompileFailed):
            return [result for part in halves for result in run_stack(part, lambda _: None)]
        status = "skipped" if isinstance(error, Skipped) else "failed"
        again = not isinstance(error, Skipped | FitFailed)
        return unscored(stack.trials, status, _reason(error), again=again)
    return in_order(rows)


def _reason(error: BaseException) -> str:
    """Return an error as a reason; our own words need no name of a class before them."""
    ours = isinstance(error, TaskError | FitFailed | Skipped | CompileFailed)
    return str(error) if ours else f"{type(error).__name__}: {error}"


def _run(stack: Stack, progress: Progress) -> list[Rows]:
    architecture = registry.architecture(stack.architecture)
    rows, checkpoint = [Rows.of(trial) for trial in stack.trials], Checkpoint(stack)
    if isinstance(architecture, Network):
        from runner.training import learning

        learning.train(architecture, stack, rows, progress, checkpoint)
    else:
        _fit_each(architecture, stack, rows, progress, checkpoint)
    rows[0].own.note = "; ".join(filter(None, [rows[0].own.note, *checkpoint.said]))
    return rows


def _fit_each(
    architecture: Estimator | Reference,
    stack: Stack,
    rows: list[Rows],
    progress: Progress,
    checkpoint: Checkpoint,
) -> None:
    """Fit what isn't a network, trial by trial and budget by budget, those left out that a checkpoint has."""
    results = [result for row in rows for result in row.all]
    if saved := checkpoint.read():
        try:
            saved_results.check(saved.state, saved.kinds, results)
            saved_results.restore(saved.state, saved.arrays(), results)
        except Exception as error:  # whatever is in the file
            checkpoint.refuse(error)
    for row in rows:
        trial, data = row.own.trial, None
        if isinstance(architecture, Reference) and architecture.needs_data:
            data = Examples(registry.task(trial.task), trial.seed, stack.batch, stack.pool)
        for budget in [budget for budget in trial.budgets if budget not in row.budgets]:
            checkpoint.write(lambda: saved_results.to_save(results))
            try:
                _fit(architecture, data, row, budget)
            except (Skipped, FitFailed) as error:
                row.blank(budget, "skipped" if isinstance(error, Skipped) else "failed", str(error))
        progress(1 / len(rows))


def _fit(architecture: Estimator | Reference, data: Examples | None, row: Rows, budget: int) -> None:
    """Fit what isn't a network to the first `budget` examples and score it; raises Skipped, FitFailed."""
    trial = row.own.trial
    if isinstance(architecture, Estimator):
        clock = time.perf_counter()
        predict = _fitted(architecture, trial, budget)
        seconds = time.perf_counter() - clock
        log_q = predicted(evaluation_of(trial.task), predict)
        score(row, budget, log_q, distinct_examples=budget, training_seconds=seconds)
    elif data is not None:
        evaluation = evaluation_of(trial.task)
        log_q = predicted(evaluation, architecture.fit(data.task, evaluation, *data.seen(budget)))
        score(row, budget, log_q, distinct_examples=data.distinct(budget))
    else:
        row.own.repeat(_fit_to_task(architecture, trial.task), budget)


def _fitted(estimator: Estimator, trial: Trial, budget: int) -> Predict:
    from benchmarks.architectures import fitting

    task = registry.task(trial.task)
    return fitting.fit(estimator, trial.seed, *training_data(task, trial.seed, budget), task.classes)


@functools.lru_cache(maxsize=256)
def _fit_to_task(reference: Reference, task: str) -> TrialResult:
    """Return what a reference that sees no examples has at every seed and budget, under budget 0."""
    evaluation = evaluation_of(task)
    none = evaluation.x[:0], np.empty(0, dtype=np.int64)
    log_q = predicted(evaluation, reference.fit(registry.task(task), evaluation, *none))
    found = TrialResult(Trial(task, reference.name, 0, "", "", ()))
    score(Rows(found, None), 0, log_q)
    return found
