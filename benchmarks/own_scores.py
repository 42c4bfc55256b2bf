"""Scoring anybody's model of a task without training it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import registry
from benchmarks.errors import Refused, in_one_line
from benchmarks.evaluation import evaluate, normalised
from benchmarks.metrics import METRICS, Score
from benchmarks.metrics import score as scores
from benchmarks.task import Array, Task

if TYPE_CHECKING:
    import pandas as pd

ROWS = 65_536  # that a model is given at once
OFF = 1e-4  # how far from 1 the sum of probabilities in single precision may be


class ModelError(Refused):
    """A model's output can't be scored; the message says what was expected and what was found."""


def score(task: Task | str, f: Callable[[Array], Any]) -> pd.DataFrame:
    """Return every measure of a model with its integration error, as a frame like records.csv.

    task: a task or the name of one. f: x (n, features) float64 -> probabilities or log-probabilities
    (n, classes) in nats, as anything that NumPy can read (a tensor with gradients too); rows sum to 1
    within 1e-4, and are divided by their sum. Zeros are kept: where p isn't 0, expected KL is infinite.
    Columns: metric, region, value, error, reason; value and error in the metric's unit. Raises ModelError
    where f raises or returns something else, and what `registry.task` raises.
    """
    import pandas as pd

    task = registry.task(task) if isinstance(task, str) else task
    evaluation = evaluate(task)
    x = evaluation.x
    parts = [_log_q(f, x[i : i + ROWS], task) for i in range(0, len(x), ROWS)]
    order = {name: place for place, name in enumerate(METRICS)}
    found = sorted(scores(evaluation, np.concatenate(parts)), key=lambda number: order[number.metric])
    return pd.DataFrame(found, columns=list(Score._fields))


def _log_q(f: Callable[[Array], Any], x: Array, task: Task) -> Array:
    try:
        found = f(x.copy())
        q = np.asarray(found.detach().cpu() if hasattr(found, "detach") else found, dtype=np.float64)
    except Exception as error:  # whatever somebody else's code raises
        raise ModelError(f"task {task.name}: the model raised {in_one_line(error)}") from error
    if q.shape != (len(x), task.classes):
        raise ModelError(
            f"task {task.name}: expected probabilities or log-probabilities {(len(x), task.classes)} at"
            f" x {x.shape}, found {q.shape}"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        if (q >= 0).all() and (abs(q.sum(axis=1) - 1) <= OFF).all():
            return normalised(np.log(q))
        if (q <= OFF).all() and (abs(np.exp(q).sum(axis=1) - 1) <= OFF).all():
            return normalised(q)
    raise ModelError(_what_is_wrong(q, x, task))


def _what_is_wrong(q: Array, x: Array, task: Task) -> str:
    nan = np.isnan(q).any(axis=1)
    # Rows that are neither probabilities nor their logs.
    off = nan | ~(
        ((q >= 0).all(axis=1) & (abs(q.sum(axis=1) - 1) <= OFF))
        | ((q <= OFF).all(axis=1) & (abs(np.exp(np.minimum(q, 1)).sum(axis=1) - 1) <= OFF))
    )
    expected = f"task {task.name}: expected rows of probabilities that sum to 1, or of their logs"
    if not off.any():
        return f"{expected}, found some rows of the one and some of the other"
    where = int(np.flatnonzero(off)[0])
    return f"{expected} (of logits, log_softmax), found {q[where].tolist()} at x = {x[where].tolist()}"
