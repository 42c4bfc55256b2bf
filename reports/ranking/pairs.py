"""Every two rows of a board against each other."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.ranking.blocks import Blocks, blocks
from reports.ranking.measures import Measure
from reports.ranking.paired import ALPHA, holm, paired_t, sign_flip
from reports.results import Results
from reports.statistics import FEWEST_SEEDS

OVERALL_NAME = "overall"
PAIR_COLUMNS = (
    "budget", "task", "a", "b", "seeds", "ratio", "low", "high", "p", "flip", "holm", "wins", "better",
)  # fmt: skip


def pairs(results: Results, frame: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """One row a budget, task (`overall` first) and pair of ranked rows, a before b in the suite's order.

    frame: from `trials`. The unit is the seed: its log-ratio, averaged over tasks. Columns `PAIR_COLUMNS`:
    seeds that both have; ratio, the geometric mean of a/b (below 1: a is better), with low and high (95 %); p
    (paired t), flip (sign flips), holm (p adjusted over all pairs of that budget and task); wins, the share
    of blocks (task, seed) in which a is lower, ties half; better, the name of the significantly better one at
    5 % after Holm, or "". Below 5 seeds there is neither p nor verdict. A row with an infinite value isn't
    tested: any row without one is better by definition. A row with fewer than 5 seeds all of whose trials
    ended well is never called better.
    """
    return pair_table(blocks(results, frame, measure))


def pair_table(found: Blocks) -> pd.DataFrame:
    """`pairs` of one measure, arranged already."""
    parts = [_at_budget(found, budget) for budget in range(len(found.budgets))]
    return pd.concat([_empty(), *(part for part in parts if len(part))], ignore_index=True)


def _at_budget(found: Blocks, budget: int) -> pd.DataFrame:
    first, second = (side.astype(np.int64) for side in np.triu_indices(len(found.rows), 1))
    ratios = found.log_ratios(budget, first, second)
    infinite = found.infinite[budget]
    endless = infinite[:, first] | infinite[:, second]
    shared = found.shared(budget, first, second)
    seeds = shared.sum(axis=-1)
    mean, low, high, p = paired_t(np.where(endless[..., None], np.nan, ratios))
    few = (seeds < FEWEST_SEEDS) | endless
    flip = np.where(few, np.nan, sign_flip(np.where(few[..., None], np.nan, ratios)))
    adjusted = np.full_like(p, np.nan)
    ranked = found.ranked[budget][:, first] & found.ranked[budget][:, second]
    for task, shown in enumerate(ranked):  # a family is what is shown together
        adjusted[task, shown] = holm(p[task, shown])
    sign = np.where(endless, infinite[:, first].astype(int) - infinite[:, second], np.sign(mean))
    told = (adjusted < ALPHA) | (endless & (seeds >= FEWEST_SEEDS))
    rows = np.array(found.rows, dtype=object)
    able = found.can_win[budget]
    told &= np.where(sign < 0, able[:, first], able[:, second])
    better = np.where(~told | (sign == 0), "", np.where(sign < 0, rows[first], rows[second]))
    with np.errstate(invalid="ignore"):
        centre = np.where(endless, np.where(sign == 0, np.nan, sign * np.inf), mean)
    columns = {
        "seeds": seeds,
        **{name: np.exp(logs) for name, logs in (("ratio", centre), ("low", low), ("high", high))},
        "p": p,
        "flip": flip,
        "holm": adjusted,
        "wins": _wins(ratios[1:], shared),
        "better": better,
    }
    tasks, pair = np.nonzero(ranked)
    table = pd.DataFrame({name: values[tasks, pair] for name, values in columns.items()})
    labels = np.array([OVERALL_NAME, *found.tasks], dtype=object)
    named = table.assign(task=labels[tasks], a=rows[first[pair]], b=rows[second[pair]])
    return named.assign(budget=found.budgets[budget])[list(PAIR_COLUMNS)]


def _wins(ratios: NDArray[np.float64], shared: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of blocks that the first row wins; over all tasks: in the seeds that both have on every one."""
    wins = (ratios < 0) + 0.5 * (ratios == 0)
    over, each = shared[0], shared[1:]
    with np.errstate(invalid="ignore"):
        share = (wins * each).sum(axis=-1) / each.sum(axis=-1)
        overall = (wins * over).sum(axis=(0, 2)) / (over.sum(axis=-1) * len(wins))
    return np.concatenate([overall[None], share])


def _empty() -> pd.DataFrame:
    texts = ("task", "a", "b", "better")
    kinds = {name: object if name in texts else float for name in PAIR_COLUMNS}
    return pd.DataFrame(columns=list(PAIR_COLUMNS)).astype(kinds | {"budget": int, "seeds": int})
