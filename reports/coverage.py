"""How often the intervals and tests of a report are right, by simulation: `python -m reports.coverage`.

The figures are kept in coverage.csv beside this file and shown with the method; a test measures them again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.ranking.ordering import rank_intervals
from reports.ranking.paired import ALPHA, holm, paired_t
from reports.statistics import LEVEL, RESAMPLES, intervals

FILE = Path(__file__).with_suffix(".csv")
COLUMNS = ("what", "seeds", "repeats", "coverage", "standard_error")
SPREAD = 0.6  # standard deviation of the log of a gap over seeds, as networks have
TIED = (0.0, 0.0, 0.0, 0.4, 0.4, 0.8, 1.2, 1.2)  # true means of the logs of eight rows
_Hits = NDArray[np.bool_]
_Rng = np.random.Generator
Experiment = Callable[[int, int, _Rng], _Hits]  # (seeds, repeats, rng) -> whether each repeat was right

_T = "Student's t interval of the mean of logs"
_BCA = "BCa bootstrap interval of the mean of logs"
_PERCENTILE = "percentile bootstrap interval of the mean of logs"
_ARITHMETIC = "percentile bootstrap interval of the arithmetic mean"
_RANKS = "rank intervals of 8 rows, some tied, all at once"
_HOLM = "no difference called among 8 equal rows"


def used(seeds: int, repeats: int, rng: _Rng) -> _Hits:
    """Whether the interval that reports use covers the mean of logs of log-normal gaps, (repeats,)."""
    bounds = intervals(rng.normal(0.0, SPREAD, (repeats, seeds)))
    return np.asarray((bounds[:, 0] <= 0) & (bounds[:, 1] >= 0))


def bootstrapped(
    seeds: int, repeats: int, rng: _Rng, method: Literal["BCa", "percentile"], arithmetic: bool = False
) -> _Hits:
    """The same of scipy's bootstrap by `method`, (repeats,); arithmetic: of the gaps' own mean."""
    from scipy.stats import bootstrap

    hits = []
    for _ in range(repeats):
        logs = rng.normal(0.0, SPREAD, seeds)
        data, truth = (np.exp(logs), np.exp(SPREAD**2 / 2)) if arithmetic else (logs, 0.0)
        found = bootstrap(
            (data,), np.mean, n_resamples=RESAMPLES, confidence_level=LEVEL, method=method, rng=rng
        ).confidence_interval
        hits.append(found.low <= truth <= found.high)
    return np.array(hits)


def simultaneous(seeds: int, repeats: int, rng: _Rng, means: tuple[float, ...]) -> _Hits:
    """Whether the rank intervals of all rows hold at once, rows with equal means having all ranks between.

    means: of each row's logs; returns (repeats,). Each row's logs share half of their variance, its seed's
    examples, with the other rows'.
    """
    rows = np.array(means)
    first, second = np.triu_indices(len(rows), 1)
    shape = (repeats, len(rows), seeds)
    shared = rng.normal(0.0, 1.0, (repeats, 1, seeds))
    logs = rows[:, None] + SPREAD * np.sqrt(0.5) * (rng.normal(0.0, 1.0, shape) + shared)
    mean, _, _, p = paired_t(logs[:, first] - logs[:, second])
    least, most = rank_intervals(rows[:, None] < rows)
    hits = []
    for means_, p_ in zip(mean, p, strict=True):
        told = holm(p_) < ALPHA
        better = np.zeros((len(rows), len(rows)), dtype=bool)
        better[first, second], better[second, first] = told & (means_ < 0), told & (means_ > 0)
        low, high = rank_intervals(better)
        hits.append((low <= least).all() and (high >= most).all())
    return np.array(hits)


EXPERIMENTS: Mapping[str, Experiment] = {
    _T: used,
    _BCA: used,
    _BCA + ", for comparison": partial(bootstrapped, method="BCa"),
    _PERCENTILE + ", for comparison": partial(bootstrapped, method="percentile"),
    _ARITHMETIC + ", for comparison": partial(bootstrapped, method="percentile", arithmetic=True),
    _RANKS: partial(simultaneous, means=TIED),
    _HOLM: partial(simultaneous, means=(0.0,) * 8),
}
PLAN = (
    (_T, 5, 20_000),
    (_T, 10, 20_000),
    (_T, 20, 20_000),
    (_BCA, 30, 4_000),
    (_BCA, 100, 4_000),
    (_BCA + ", for comparison", 10, 4_000),
    (_PERCENTILE + ", for comparison", 10, 4_000),
    (_ARITHMETIC + ", for comparison", 10, 4_000),
    (_RANKS, 10, 20_000),
    (_HOLM, 10, 20_000),
)


def measure(what: str, seeds: int, repeats: int, stream: int = 0) -> float:
    """Share of repeats in which an experiment of `EXPERIMENTS` came out right; stream: seeds its numbers."""
    return float(EXPERIMENTS[what](seeds, repeats, np.random.default_rng(stream)).mean())


def coverage() -> pd.DataFrame:
    """The measured coverage of everything in `PLAN`, columns `COLUMNS`; a minute."""
    rows = []
    for what, seeds, repeats in PLAN:
        share = measure(what, seeds, repeats)
        rows.append((what, seeds, repeats, share, np.sqrt(share * (1 - share) / repeats)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def kept() -> pd.DataFrame:
    """The figures in coverage.csv, columns `COLUMNS`."""
    return pd.read_csv(FILE)


if __name__ == "__main__":
    coverage().to_csv(FILE, index=False, float_format="%.5g", lineterminator="\n")
