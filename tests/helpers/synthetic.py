"""Runs of any size without training: what a real one stores, with made-up numbers."""

import functools
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from runner import plan
from runner.describe import describe
from runner.plan import Trial
from runner.records import Record, Rows, TrialResult
from runner.scoring import evaluation_of, points, score
from runner.store import FILE, Store
from suites.suite import load

CHUNK = 100  # trials in a transaction
TRAINED = MappingProxyType({"parameters": 4_000.0, "training_seconds": 3.0})


def write_run(folder: Path, **grid: object) -> int:
    """Write a run through `Store` and return how many records it has.

    grid: what of `gaussian1d` is replaced (tasks, architectures, seeds, budgets). A row's gap falls as a
    power of the budget to a plateau of its own and varies over seeds by a factor; all that scoring records is
    in proportion to it. Outputs at the points of pictures and at those that stand for P(x) are there too.
    """
    folder.mkdir(parents=True)
    suite = load("gaussian1d").model_copy(update=grid)
    trials = plan.plan(suite, "eager")
    place = {name: number for number, name in enumerate([*suite.architectures, *suite.reference])}
    count = 0
    with Store(folder / FILE) as store:
        describe(store, suite, trials)
        for start in range(0, len(trials), CHUNK):
            results = [_result(trial, place[trial.architecture]) for trial in trials[start : start + CHUNK]]
            store.add(results, {"system": "synthetic"})
            count += sum(len(result.records) for result in results)
    return count


def _result(trial: Trial, place: int) -> TrialResult:
    rng = np.random.default_rng([trial.seed, place, *trial.task.encode()])
    scored = _scored(trial.task)
    fixed = {"oracle": 0.0, "prior": 1.0}.get(trial.architecture)
    found = TrialResult(trial)
    for budget in trial.budgets:
        gap = (100 + 20 * place) / budget + 0.001 * (place % 5)
        gap = gap * np.exp(0.3 * rng.normal()) if fixed is None else fixed
        found.records += [replace(each, budget=budget, value=each.value * gap) for each in scored.records]
        extra = {} if fixed is not None else {"distinct_examples": float(budget), **TRAINED}
        found.records += [Record(budget, name, "all", value, 0.0) for name, value in extra.items()]
        for kept, of in ((found.predictions, scored.predictions), (found.curves, scored.curves)):
            kept[budget] = _moved(of[0], gap, rng)
    return found


@functools.cache
def _scored(task: str) -> TrialResult:
    """A wrong model's result at budget 0: records of an information gap of 1, and exact outputs."""
    exact = plan.registry.task(task)
    log_joint = exact.log_joint(points(evaluation_of(task)))
    log_p = log_joint - np.logaddexp.reduce(log_joint, axis=1, keepdims=True)
    trial = Trial(task, "synthetic", 0, "", "", (0,))
    wrong, right = TrialResult(trial), TrialResult(trial)
    score(Rows(wrong, None), 0, _normalised(0.5 * np.maximum(log_p, -50)))
    score(Rows(right, None), 0, np.maximum(log_p, -50))
    unit = next(each.value for each in wrong.records if each.metric == "information_gap")
    records = [replace(each, value=each.value / unit, error=each.error / unit) for each in wrong.records]
    return TrialResult(trial, records, right.curves, right.predictions)


def _moved(log_q: np.ndarray, gap: float, rng: np.random.Generator) -> np.ndarray:
    moved = log_q.astype(np.float32) * np.float32(1 + 0.3 * gap * rng.normal())
    moved[:, 0] += np.float32(gap * rng.normal())
    return _normalised(moved).astype(log_q.dtype)


def _normalised(log_q: np.ndarray) -> np.ndarray:
    return log_q - np.logaddexp.reduce(log_q, axis=1, keepdims=True)
