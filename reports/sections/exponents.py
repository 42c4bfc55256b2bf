"""Exponents of learning curves: expected KL as a power of the number of examples, before its plateau."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports import numbers
from reports.ranking.measured import ROUNDING
from reports.ranking.paired import ALPHA, paired_t
from reports.results import Results
from reports.sections.spread import MLE
from reports.statistics import FEWEST_SEEDS, log
from reports.trials import names

EXPONENT_COLUMNS = (
    "task", "architecture", "exponent", "low", "high", "first", "last", "plateau", "reason",
)  # fmt: skip
FEWEST_BUDGETS = 3
_Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Exponent:
    """a of KL ~ N^-a with its 95 % interval, NaN with a reason where unknown.

    first, last: budgets of the fit; plateau: the budget from which the curve no longer falls; None for none.
    """

    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    first: int | None = None
    last: int | None = None
    plateau: int | None = None
    reason: str = ""


def exponents(results: Results, frame: pd.DataFrame) -> pd.DataFrame:
    """Exponent of every task and learned row, and of `oracle-mle`: columns `EXPONENT_COLUMNS`.

    frame: from `trials`; expected KL below its integration error counts as that error. Budgets are examples,
    NA for none.
    """
    tasks, learned, reference = names(results)
    value = frame["kl"].clip(lower=frame["kl_error"].clip(lower=ROUNDING)).where(frame["kl"].notna())
    curves = pd.Series(log(value), index=value.index).unstack("budget").sort_index(axis=1)
    budgets = [int(budget) for budget in curves.columns]
    known = {key: curve.to_numpy() for key, curve in curves.groupby(level=["task", "architecture"])}
    rows = []
    for task in tasks:
        for name in [*learned, *(name for name in reference if name == MLE)]:
            found = fit(budgets, known.get((task, name), np.empty((0, len(budgets)))))
            rows.append((task, name, *vars(found).values()))
    whole: dict[str, Any] = dict.fromkeys(["first", "last", "plateau"], "Int64")
    return pd.DataFrame(rows, columns=list(EXPONENT_COLUMNS)).astype(whole)


def fit(budgets: Sequence[int], logs: _Numbers) -> Exponent:
    """Fit log KL = c - a log N to the falling part of a learning curve, each seed by least squares.

    budgets: (n,), increasing; logs: (seeds, n), log KL, NaN or infinite where there is none, at a budget that
    is then left out. Returns the mean over seeds of a, with Student's t interval. Where a curve bends slowly
    towards its plateau, the bend is part of the fit and a comes out smaller than it was at first.
    """
    usable = np.asarray(np.isfinite(logs).all(axis=0))
    logs, left = logs[:, usable], [budget for budget, fine in zip(budgets, usable, strict=True) if fine]
    if len(logs) < FEWEST_SEEDS:
        return Exponent(reason=f"fewer than {FEWEST_SEEDS} seeds")
    if len(left) < FEWEST_BUDGETS:
        return Exponent(reason=f"fewer than {FEWEST_BUDGETS} budgets with a finite KL of every seed")
    x = np.log(left)
    end = falling(x, logs)
    plateau = left[end] if end < len(left) else None
    if end < FEWEST_BUDGETS:
        reason = f"no longer falls from {numbers.plural(left[end], 'example')} on"
        return Exponent(plateau=plateau, reason=f"{reason}: fewer than {FEWEST_BUDGETS} budgets before that")
    mean, low, high, _ = map(float, paired_t(-slopes(x[:end], logs[:, :end])))
    return Exponent(mean, low, high, left[0], left[end - 1], plateau)


def slopes(x: _Numbers, logs: _Numbers) -> _Numbers:
    """Least-squares slope of every row of logs (seeds, n) on x (n,): (seeds,)."""
    centred = x - x.mean()
    return np.asarray(logs @ centred / (centred @ centred))


def falling(x: _Numbers, logs: _Numbers) -> int:
    """How many budgets there are before the plateau; all of them where there is none.

    x: (n,), log budgets; logs: (seeds, n). The plateau begins at the first budget after which no later one is
    significantly lower (paired t over seeds, one-sided, 5 % over the later budgets). That too few seeds see a
    curve fall makes no plateau: from there on it must also lie significantly above the line through what was
    before, or, with fewer than two budgets before, have no significant slope. Else later ones are tried, more
    strictly.
    """
    count, level = len(x), ALPHA
    for here in range(count - 1):
        if _falls(logs[:, here + 1 :] - logs[:, [here]]):
            continue
        first = level == ALPHA
        flat = first and not _falls(slopes(x[here:], logs[:, here:])[:, None])
        if _departs(x, logs, here, level) if here > 1 else flat:
            return here
        level = ALPHA / count**2  # further looks must hardly add plateaus of chance
    return count


def _falls(differences: _Numbers) -> bool:
    """Whether some column of (seeds, n) is significantly below 0, at 5 % over all n."""
    mean, _, _, p = paired_t(differences.T)
    return bool(((mean < 0) & (p / 2 * differences.shape[1] < ALPHA)).any())


def _departs(x: _Numbers, logs: _Numbers, start: int, level: float) -> bool:
    """Whether from `start` on a curve lies significantly above each seed's line through what was before."""
    slope = slopes(x[:start], logs[:, :start])[:, None]
    line = logs[:, :start].mean(axis=1, keepdims=True) + slope * (x[start:] - x[:start].mean())
    mean, _, _, p = paired_t((logs[:, start:] - line).mean(axis=1))
    return bool(mean > 0 and p / 2 < level)
