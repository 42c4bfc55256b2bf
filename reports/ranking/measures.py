"""The measures that a board can be ranked by."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """A column of `trials` that is positive and better when lower.

    key: the column's name; metric and region: where records hold it; title: as in a sentence; unit: "" for
    none; failed: what a failed trial counts as at least when rows are ranked, 0 where there is no bound.
    """

    key: str
    metric: str
    region: str
    title: str
    unit: str
    failed: float = 0.0


BOARD = (
    Measure("gap", "information_gap", "all", "information gap", "", failed=1.0),  # knowing only the priors
    Measure("sparse", "expected_kl", "sparse99", "expected KL in the sparse region", "nats"),
    Measure("tv", "tv", "all", "total variation", "", failed=1.0),  # from here on: the most there can be
    Measure("excess_error", "excess_error", "all", "excess error rate", "", failed=1.0),
    Measure("excess_brier", "excess_brier", "all", "excess Brier score", "", failed=2.0),
)
BY_KEY: Mapping[str, Measure] = {measure.key: measure for measure in BOARD}
GAP = BY_KEY["gap"]


def penalty(measure: Measure, worst: float) -> float:
    """What a failed trial counts as, given the worst finite value it is held to, NaN where there is none.

    The larger of that and `Measure.failed`; infinite where the measure has no bound and there is no value.
    """
    if math.isnan(worst):
        return measure.failed or math.inf
    return max(measure.failed, worst)
