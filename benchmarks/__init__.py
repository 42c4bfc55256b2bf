"""What is measured: tasks with exact posteriors, architectures, metrics, evaluations and their registry.

Nothing here knows of suites, runs or reports; torch is imported only where a network is built.
`score(task, f)` measures anybody's model without training it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from benchmarks.task import Array, Task

__all__ = ["score"]


def score(task: Task | str, f: Callable[[Array], Any]) -> pd.DataFrame:
    """Return every measure of a model with its integration error, as a frame like records.csv.

    f: x (n, features) float64 -> probabilities or log-probabilities (n, classes). What is raised, and all
    else, stands at `benchmarks.own_scores.score`.

    >>> import numpy as np
    >>> priors = score("gauss-separated", lambda x: np.full((len(x), 2), 0.5))
    >>> values = priors.set_index(["metric", "region"])["value"].to_dict()
    >>> round(values["expected_kl", "all"], 4)  # I(X;C) in nats: what knowing nothing but the priors costs
    0.5268
    >>> round(values["information_gap", "all"], 4)
    1.0
    """
    from benchmarks import own_scores  # here, so that a list of names needs neither pandas nor quadrature

    return own_scores.score(task, f)
