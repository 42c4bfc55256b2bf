"""Arithmetic means over seeds of whatever was measured, a cell each."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from reports.results import Results
from reports.trials import listed

Means = Mapping[tuple[str, str, str], tuple[float, float]]
_KEYS = ["task", "architecture"]


def arithmetic_means(results: Results, metrics: Collection[str], budget: int) -> Means:
    """Arithmetic means over seeds at a budget, in region `all`.

    Returns {(task, architecture, metric): (value, integration error, 0 where none is recorded)}. Absent where
    any trial of the cell has no such number.
    """
    records = listed(results)
    now = records[(records["budget"] == budget) & (records["region"] == "all")].astype(
        dict.fromkeys([*_KEYS, "metric"], object)
    )
    trials = now[now["metric"] == "information_gap"].groupby(_KEYS).size()
    chosen = now[now["metric"].isin(metrics)]
    chosen = chosen.assign(fine=(chosen["status"] == "ok") & chosen["value"].notna())
    with np.errstate(invalid="ignore"):  # inf - inf
        table = chosen.groupby([*_KEYS, "metric"], sort=False).agg(
            value=("value", "mean"), error=("error", "mean"), errors=("error", "count"),
            fine=("fine", "sum"), rows=("fine", "size"),
        )  # fmt: skip
    expected = trials.reindex(pd.MultiIndex.from_arrays([table.index.get_level_values(key) for key in _KEYS]))
    whole = (table["fine"] == table["rows"]) & (table["rows"].to_numpy() == expected.fillna(0).to_numpy())
    table = table[whole.to_numpy()]
    errors = table["error"].where(table["errors"] == table["rows"], 0.0)
    numbers = zip(table["value"].astype(float), errors.astype(float), strict=True)
    return dict(zip(table.index, numbers, strict=True))
