"""Whether a stranger's trial is what a run stores: numbers in their ranges, outputs of its task's shape."""

from __future__ import annotations

import math
from typing import Any

from benchmarks.metrics import DIVERGENT, METRICS, ROUNDING
from benchmarks.regions import SPARSE, STRATA, WINDOW
from runner.merging.specs import Place
from runner.merging.strangers import ABOVE, LONG, Exact, LeftOut, numbers, shown
from runner.results.damage import StoredTrial

REGIONS = frozenset({"all", WINDOW, *SPARSE, *(f"stratum-{place + 1}" for place in range(STRATA))})
STATUSES = frozenset({"ok", "failed", "timeout", "skipped"})
MOST_REASON = 600
NEAR = 1e-6  # that a sum of rounded probabilities may be off
LOG = 1e39  # beyond any log q in float32
RANGES = {
    **dict.fromkeys(("information_gap", "expected_kl", "expected_nll"), (-NEAR, math.inf)),
    **dict.fromkeys(("calibration_loss", "calibration_loss_ovr"), (-NEAR, math.inf)),
    **dict.fromkeys(("grouping_loss", "grouping_loss_ovr"), (-NEAR, math.inf)),
    **dict.fromkeys(("binning_residual", "binning_residual_ovr"), (-LOG, math.inf)),
    **dict.fromkeys(("tv", "excess_error", "infinite_mass", "ece"), (-NEAR, 1 + NEAR)),
    "excess_brier": (-NEAR, 2 + NEAR),
    "crossing_error": (0.0, LOG),
    **dict.fromkeys(("crossings_found", "crossings_spurious"), (0.0, LONG)),
    "rounded_mass": (0.0, ROUNDING),
    **dict.fromkeys(("distinct_examples", "parameters", "best_step"), (0.0, LONG)),
    "multiply_adds": (0.0, 1e30),
    "training_seconds": (0.0, 1e12),
}  # of what a run stores; what reports derive from that isn't taken


def check_numbers(trial: StoredTrial, where: Place) -> None:
    """Raise LeftOut where a record isn't one that a run stores."""
    if not trial.records:
        raise LeftOut("expected records, found none")
    for budget, metric, region, value, error, status, reason, again in trial.records:
        if type(budget) is not int or not 0 < budget <= LONG or where.budget not in (None, budget):
            raise LeftOut(f"expected a budget, found {shown(budget, 40)}")
        if metric not in RANGES or region not in (REGIONS if METRICS[metric].everywhere else ("all",)):
            raise LeftOut(f"expected a known metric and region, found {shown(metric)}, {shown(region)}")
        if status not in STATUSES or again not in (0, 1):
            raise LeftOut(f"expected a known status, found {shown(status)}")
        _check_range(metric, value, reason)
        if error is not None and not (type(error) is float and error >= 0):
            raise LeftOut(f"expected an integration error from 0, inf or none, found {shown(error, 40)}")
        if value is not None and status != "ok":
            raise LeftOut(f"expected no number where the status is {status}, found {value!r}")
        _check_reason(reason)


def _check_range(metric: str, value: Any, reason: Any) -> None:
    least, most = RANGES[metric]
    if METRICS[metric].kind == "pointwise" and reason == DIVERGENT:
        most = math.inf
    if value is not None and not (type(value) is float and least <= value <= most):
        raise LeftOut(f"expected {metric} from {least:g} to {most:g}, found {shown(value, 40)}")


def _check_reason(reason: Any) -> None:
    if not isinstance(reason, str) or len(reason) > MOST_REASON:
        raise LeftOut(f"expected a reason of at most {MOST_REASON} characters")
    if not reason.replace("\n", "").replace("\t", "").isprintable():
        raise LeftOut(f"expected a printable reason, found {shown(reason)}")


def check_outputs(trial: StoredTrial, task: Exact) -> None:
    """Raise LeftOut where what is kept of a trial's outputs isn't of its task's shape."""
    sizes = {"prediction": ((4, task.points * task.classes),), "curve": ((4, task.drawn), (2, task.drawn))}
    for table, outputs in trial.outputs.items():
        for budget, log_q in outputs:
            if type(budget) is not int or not isinstance(log_q, bytes):
                raise LeftOut(f"expected a {table} of numbers at a budget")
            width = next((width for width, size in sizes[table] if size and len(log_q) == width * size), None)
            if width is None:
                raise LeftOut(f"expected a {table} of its task's points, found {len(log_q):,} bytes")
            if not (numbers(log_q, f"<f{width}", len(log_q)) <= ABOVE).all():
                raise LeftOut(f"expected logs of probabilities, found a {table} with others")
