"""What a report is made from: the frames of one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

RECORD_COLUMNS = (
    "task", "architecture", "seed", "budget", "metric", "region", "value", "error", "status", "reason",
)  # fmt: skip


@dataclass(frozen=True)
class Curves:
    """Posterior curves of one task with one input, on an even grid over its display window.

    x: (m,); exact: (m, k) posterior probabilities; outputs: {(architecture, budget): (seeds, m, k)}
    probabilities of the trials that succeeded, in order of their seeds.
    """

    x: np.ndarray
    exact: np.ndarray
    outputs: Mapping[tuple[str, int], np.ndarray]


@dataclass(frozen=True)
class Predictions:
    """What models say at the same few points of one task, at most 2,000 that stand for P(x).

    weights: (m,), sums to 1; log_posterior: (m, k), exact; log_q: {(architecture, budget): (seeds, m, k)}
    float32, of the trials that succeeded, in order of their seeds.
    """

    weights: np.ndarray
    log_posterior: np.ndarray
    log_q: Mapping[tuple[str, int], np.ndarray]


@dataclass(frozen=True)
class Results:
    """Everything that a report shows about one run.

    suite: name, title, question, protocol ("stream", or "dataset": a training set of the budget's
    size, many epochs), batch, pool (int or None), steps (under "dataset", a trial's most optimiser steps),
    budgets (list of int, examples), seeds (int), tasks, architectures and reference (lists of names, in the
    order to show).
    records: RECORD_COLUMNS, a row a number; `value` and `error` float (NaN where blank), `seed` and
    `budget` int, `status` one of ok, failed, timeout, skipped.
    tasks: index name; description, classes, entropy, bayes_error, information (nats), crossings (count of
    the exact posterior), parameters (k of the k/2N law, NaN where the task names no family), low, high
    (display window).
    architectures: index name; description, kind ("network", "estimator" or "reference"). Where known: family;
    base and recipes (the name without any recipes, and the list of these in order, such as "lr(0.01)");
    learning_rate (NaN where there is none); calibration ("" for none); soft_labels (trained on exact
    posteriors in place of labels).
    curves: {task: Curves}, tasks with one input only. predictions: {task: Predictions}.
    manifest: versions, machine, commit, command, wall_seconds, started, as in manifest.json.
    """

    suite: Mapping[str, Any]
    records: pd.DataFrame
    tasks: pd.DataFrame
    architectures: pd.DataFrame
    curves: Mapping[str, Curves]
    manifest: Mapping[str, Any]
    predictions: Mapping[str, Predictions] = field(default_factory=dict)
