"""docs/findings.md: its words are in findings.md.j2, and the numbers in them are looked up in the runs here.

So no number in the text can be older than the leaderboards beside it; one that a run doesn't have raises, and
so does a sentence whose condition, given to `sure`, doesn't hold any more.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from scipy import stats
from tabulate import tabulate

from reports import numbers
from reports.comparing.compare import Line, compare
from reports.leaderboard import Summary, summarise
from reports.ranking.measures import BY_KEY, GAP
from reports.ranking.pairs import OVERALL_NAME
from reports.results import Results
from reports.trials import largest_budget, listed

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Run:
    """What the text asks of one suite's run; budget: the largest unless given; task: all unless given."""

    results: Results

    @cached_property
    def summary(self) -> Summary:
        """The ranked tables."""
        return summarise(self.results)

    @cached_property
    def records(self) -> pd.DataFrame:
        """Measured numbers of single trials."""
        return listed(self.results)

    def gap(self, row: str, *, budget: int = 0, task: str = OVERALL_NAME) -> str:
        """Return a row's information gap with its 95 % interval over seeds."""
        cell = self._cell(row, budget, task)
        text = numbers.bounded(cell["information_gap"], cell["error"])
        span = numbers.span(cell["low"], cell["high"])
        return f"{text} [{span}]" if span else text

    def ranks(self, row: str, *, budget: int = 0, task: str = OVERALL_NAME) -> str:
        """Return the ranks that a row may have."""
        cell = self._cell(row, budget, task)
        return numbers.ranks(cell["rank_low"], cell["rank_high"])

    def first(self, *, budget: int = 0, task: str = OVERALL_NAME, without: str = "") -> str:
        """Return the learned row with the lowest gap, among those whose name doesn't hold `without`."""
        return self._ordered(budget, task, without)[0]

    def rivals(self, *, budget: int = 0, task: str = OVERALL_NAME, without: str = "") -> str:
        """Return the first row and those that paired tests over all pairs can't tell from it, or how many."""
        names = self._ordered(budget, task, without)
        now = self._now(budget, task).set_index("architecture")
        mine = set(now.loc[names[0], "letters"])
        alike = [name for name in names[1:] if mine & set(str(now.loc[name, "letters"]))]
        if len(alike) > 3:
            return f"`{names[0]}`; {len(alike)} of {len(names) - 1} others can't be told from it"
        return ", ".join(f"`{name}`" for name in [names[0], *alike])

    def _ordered(self, budget: int, task: str, without: str) -> list[str]:
        now = self._now(budget, task).sort_values("information_gap")
        names = now.loc[now["kind"] != "reference", "architecture"]
        return [name for name in names if not (without and without in name)]

    def over(self, row: str, budget: int) -> str:
        """Return which share of a row's gap at a budget it has at the largest."""
        now, then = (self._cell(row, each, OVERALL_NAME)["information_gap"] for each in (0, budget))
        return numbers.percent(float(now / then))

    def until(self, row: str, target: str = "0.01") -> str:
        """Return the examples after which every task's gap stays below a target."""
        return numbers.examples(self._cell(row, 0, OVERALL_NAME)[f"budget_to_{target}"])

    def ratio(
        self, first: str, second: str, *, budget: int = 0, task: str = OVERALL_NAME, measure: str = GAP.key
    ) -> str:
        """Return how many times as large the first row's measure is, paired by seed, with its interval."""
        line = self._line(first, second, budget, task, measure)
        return f"{numbers.number(line.ratio, 2)} [{numbers.span(line.low, line.high)}]"

    def hits(self, row: str, task: str, *, budget: int = 0) -> int:
        """Return in how many seeds all of a task's crossings were found."""
        return int(self._finds_all(row, task, budget).sum())

    def found(self, row: str, task: str, *, budget: int = 0) -> str:
        """Return the same in words, with the exact binomial interval of the share."""
        hits, seeds = self.hits(row, task, budget=budget), int(self.results.suite["seeds"])
        low, high = stats.binomtest(hits, seeds).proportion_ci(method="exact")
        return f"{hits} of {seeds} seeds [{100 * low:.0f} to {100 * high:.0f} %]"

    def found_table(self, task: str, budgets: Sequence[int]) -> str:
        """Return a Markdown table of the seeds in which all crossings of a task were found."""
        rows = [*self.results.suite["architectures"], "oracle-mle"]
        counts = {row: [self.hits(row, task, budget=budget) for budget in budgets] for row in rows}
        rows.sort(key=lambda row: -counts[row][-1])
        body = [[f"`{row}`", *counts[row]] for row in rows]
        return tabulate(body, ["", *(f"{budget:,}" for budget in budgets)], tablefmt="pipe")

    def disagreement(self, one: str, other: str) -> str:
        """Return how many pairs of rows on a task two measures order otherwise, of those both tell apart.

        Told apart: a paired t-test over seeds at 5 %, each measure and pair by itself, at the largest budget.
        """
        last = self.records[self.records["budget"] == largest_budget(self.results)]
        rows = last["architecture"].isin(self.results.suite["architectures"]) & (last["region"] == "all")
        pairs = wrong = 0
        for _, of_task in last[rows & last["metric"].isin([one, other])].groupby("task", observed=True):
            wide = of_task.pivot(index="seed", columns=["metric", "architecture"], values="value")
            there = [
                name for name in wide[one] if np.isfinite(wide[[(one, name), (other, name)]]).all(axis=None)
            ]
            for a, b in itertools.combinations(there, 2):
                found = [stats.ttest_rel(wide[each, a], wide[each, b]) for each in (one, other)]
                told = all(each.pvalue < 0.05 for each in found)
                pairs += told
                wrong += told and bool(found[0].statistic * found[1].statistic < 0)
        return f"{wrong:,} of {pairs:,} pairs ({100 * wrong / pairs:.0f} %)"

    def found_more(self, first: str, second: str, task: str, *, budget: int = 0) -> str:
        """Return the exact p of McNemar's test that two rows find all crossings equally often."""
        one, two = (self._finds_all(row, task, budget) for row in (first, second))
        only = [int((one & ~two).sum()), int((two & ~one).sum())]
        return f"p = {numbers.number(float(stats.binomtest(only[0], sum(only)).pvalue), 2)}"

    def value(self, row: str, *, budget: int = 0, task: str = OVERALL_NAME) -> float:
        """Return a row's information gap as a number, for `sure`."""
        return float(self._cell(row, budget, task)["information_gap"])

    def mean(self, row: str, task: str, metric: str, *, region: str = "all", budget: int = 0) -> str:
        """Return the arithmetic mean of a measure over seeds with its 95 % t interval."""
        values = self._values(row, task, metric, region, budget)
        centre = numbers.number(float(values.mean()))
        if len(values) < 2 or not values.std() > 1e-12 * abs(values.mean()):
            return centre
        half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
        return f"{centre} [{numbers.span(float(values.mean() - half), float(values.mean() + half))}]"

    def share(self, row: str, task: str, part: str, whole: str, *, budget: int = 0) -> str:
        """Return the mean of one measure over the mean of another, in percent."""
        first, second = (self._values(row, task, each, "all", budget).mean() for each in (part, whole))
        return numbers.percent(float(first / second))

    def _now(self, budget: int, task: str) -> pd.DataFrame:
        table = self.summary.leaderboard
        budget = budget or largest_budget(self.results)
        return table[(table["budget"] == budget) & (table["task"] == task)]

    def _cell(self, row: str, budget: int, task: str) -> pd.Series:
        now = self._now(budget, task)
        (found,) = (cell for _, cell in now[now["architecture"] == row].iterrows())
        return found

    def _line(self, first: str, second: str, budget: int, task: str, measure: str) -> Line:
        found = compare(self.results, first, second, BY_KEY[measure])
        return found.lines[budget or found.budget, task]

    def _finds_all(self, row: str, task: str, budget: int) -> np.ndarray:
        """Return for each seed whether all of a task's crossings were found."""
        wanted = self.results.tasks.loc[task, "crossings"]
        return (self._values(row, task, "crossings_found", "all", budget) >= wanted).to_numpy()

    def _values(self, row: str, task: str, metric: str, region: str, budget: int) -> pd.Series:
        wanted = {"architecture": row, "task": task, "metric": metric, "region": region}
        rows = self.records[self.records["budget"] == (budget or largest_budget(self.results))]
        for key, value in wanted.items():
            rows = rows[rows[key] == value]
        if rows.empty:
            raise KeyError(f"{self.results.suite['name']}: no {wanted} at {budget}")
        return rows["value"]


def sure(*conditions: bool) -> str:
    """Return nothing; raises ValueError where a sentence of the text doesn't hold in these runs."""
    if not all(conditions):
        raise ValueError(f"findings.md.j2: a sentence doesn't hold in these runs: {conditions}")
    return ""


def text(runs: Mapping[str, Run]) -> str:
    """Return the page of findings; raises ValueError where a sentence of it doesn't hold any more."""
    environment = Environment(
        loader=FileSystemLoader(HERE),
        undefined=StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
    )
    values = {name.replace("-", "_"): run for name, run in runs.items()}
    return environment.get_template("findings.md.j2").render(values | {"sure": sure})
