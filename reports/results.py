"""What a report is made from: the frames of one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

RECORD_COLUMNS = (
    "task", "architecture", "seed", "budget", "metric", "region", "value", "error", "status", "reason",
)  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """Where a task's densities, exact posterior and outputs are drawn.

    axes: ("x",), ("x1", "x2"), or of more inputs ("component 1", "component 2").
    shape: of an even grid over the display window, (columns,) or (rows, columns), row by row from low x2 to
    high, x1 rising along a row; () for scattered points that stand for P(x).
    x: (m, 1) or (m, 2), in coordinates of the axes. log_joint: (m, k) nats, exact.
    sparse: (m,) bool, outside the highest-density region that holds 99 %.
    outputs: {(architecture, budget): (seeds, m, k)} float32 probabilities of the trials that succeeded, in
    order of their seeds; a run of an older version may lack some or all.
    shares: of the variance, one a component; empty where axes are inputs.
    density: False in a run of an older version, which kept the exact posterior alone: log_joint is its log
    then, and log_density NaN.
    """

    axes: tuple[str, ...]
    shape: tuple[int, ...]
    x: np.ndarray
    log_joint: np.ndarray
    sparse: np.ndarray
    outputs: Mapping[tuple[str, int], np.ndarray]
    shares: tuple[float, ...] = ()
    density: bool = True

    @property
    def log_density(self) -> np.ndarray:
        """Log p(x) in nats, (m,); -inf where the density is 0, NaN where it isn't known."""
        total = np.asarray(np.logaddexp.reduce(self.log_joint, axis=1))
        return total if self.density else np.full_like(total, np.nan)

    @property
    def posterior(self) -> np.ndarray:
        """P(c|x), (m, k), by Bayes' rule; uniform where the density is 0."""
        total, classes = np.logaddexp.reduce(self.log_joint, axis=1)[:, None], self.log_joint.shape[1]
        there = np.isfinite(total)
        shares = np.exp(self.log_joint - np.where(there, total, 0.0))
        return np.asarray(np.where(there, shares, 1 / classes))


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
    records: RECORD_COLUMNS, a row a number; texts may be categories; `value` and `error` float (NaN where
    blank), `seed` and `budget` int, `status` one of ok, failed, timeout, skipped.
    tasks: index name; description, classes, entropy, bayes_error, information (nats), crossings (count of
    the exact posterior), parameters (k of the k/2N law, NaN where the task names no family), low, high
    (display window). Where known (else absent, or NaN in a run of an older version): version; priors (list of
    float); checks and known (lists of one-line texts: how `runner verify` checks the task, and what is known
    of it exactly and from where).
    architectures: index name; description, kind ("network", "estimator" or "reference"). Where known: family;
    base and recipes (the name without any recipes, and the list of these in order, such as "lr(0.01)");
    learning_rate (NaN where there is none); calibration ("" for none); soft_labels (trained on exact
    posteriors in place of labels); version; facts (list of [label, text], in the order to show: its recipe,
    or its class and parameters); limit (a sentence on where training leads with infinite data).
    pictures: {task: Picture}; a task that can't be drawn has none. predictions: {task: Predictions}.
    manifest: versions, machine, commit, command, wall_seconds, started, as in manifest.json.
    """

    suite: Mapping[str, Any]
    records: pd.DataFrame
    tasks: pd.DataFrame
    architectures: pd.DataFrame
    pictures: Mapping[str, Picture]
    manifest: Mapping[str, Any]
    predictions: Mapping[str, Predictions] = field(default_factory=dict)

    @cached_property
    def kinds(self) -> Mapping[str, str]:
        """Every row's kind, in the suite's order; `network` where the frame doesn't know the name."""
        suite, table = self.suite, self.architectures
        once = table[~table.index.duplicated(keep=False)]
        known = dict(zip(once.index, once["kind"], strict=True)) if "kind" in once else {}
        every = dict.fromkeys([*suite["architectures"], *suite["reference"]])
        usual = {name: "reference" if name in suite["reference"] else "network" for name in every}
        return {name: kind if isinstance(kind := known.get(name), str) else usual[name] for name in every}
