"""Whether the order of networks depends on the learning rate that they are compared at."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

from reports import numbers
from reports.leaderboard import Summary
from reports.ranking.pairs import OVERALL_NAME
from reports.results import Results
from reports.rows import Cell, overall_cells
from reports.sections.parts import Block, Entry, Line, Section, Table
from reports.sections.variants import learning_rate_groups
from reports.trials import largest_budget
from reports.words import of

NOTE = (
    "Overall information gap {} by learning rate, each row's best in bold. Below a gap stands its rank "
    "among the rows of this table at that rate, and under “at its best” among the rows at their own best "
    "rates, which were chosen by this same gap."
)
USUAL = 1e-3  # Adam's rate, and the study's


@dataclass(frozen=True)
class Group:
    """What was run at several learning rates: its name, and its place in the whole ranking at each."""

    name: str
    places: Mapping[float, int]

    @property
    def best(self) -> float | None:
        """The rate at which it stands highest, the lowest of several; None where it is ranked at none."""
        return min(self.places, key=lambda rate: (self.places[rate], rate)) if self.places else None


def swaps(groups: list[Group], rate: float) -> tuple[int, int]:
    """Return how many pairs swap between `rate` and each one's best rate, and of how many.

    A pair counts where both are ranked at that rate; a tie on either side is no swap.
    """
    there = [
        (group.places[rate], group.places[group.best])
        for group in groups
        if group.best and rate in group.places
    ]
    pairs = list(itertools.combinations(there, 2))
    swapped = sum((one[0] - other[0]) * (one[1] - other[1]) < 0 for one, other in pairs)
    return swapped, len(pairs)


def rank(places: Mapping[str, int]) -> dict[str, int]:
    """Rank of each group among those that have a place, ties sharing the better one."""
    return {name: 1 + sum(other < place for other in places.values()) for name, place in places.items()}


def compared_at(rates: list[float]) -> float:
    """The rate that orders are compared with: 0.001, or else the middle one, the lower of two."""
    usual = [rate for rate in rates if math.isclose(rate, USUAL, rel_tol=1e-6)]
    return usual[0] if usual else rates[(len(rates) - 1) // 2]


def rates(results: Results, summary: Summary) -> Section | None:
    """Overall gap of every group at every learning rate, and whether the best rates change the order."""
    known = learning_rate_groups(results)
    if not known:
        return None
    cells, places = overall_cells(results, summary), _places(results, summary)
    every = sorted({rate for by_rate in known.values() for rate in by_rate})
    groups = [
        Group("+".join(parts), {rate: places[name] for rate, name in by_rate.items() if name in places})
        for parts, by_rate in known.items()
    ]
    stand = {
        rate: {group.name: group.places[rate] for group in groups if rate in group.places} for rate in every
    }
    ranks = {rate: rank(there) if len(there) > 1 else {} for rate, there in stand.items()}
    at_best = rank({group.name: group.places[group.best] for group in groups if group.best})
    order = sorted(groups, key=lambda group: at_best.get(group.name, len(groups) + 1))
    by_name = {"+".join(parts): by_rate for parts, by_rate in known.items()}
    lines = [_line(group, by_name[group.name], cells, ranks, at_best) for group in order]
    columns = (*((numbers.tick(rate), "") for rate in every), ("at its best", ""), ("best rate", ""))
    return Section(
        "rates",
        "Learning rates",
        "Learning rates",
        NOTE.format(of(results.suite, largest_budget(results))),
        (Table("learning-rates", "", columns, (Block("", tuple(lines)),)),),
        finding(groups, compared_at(every)),
    )


def _line(
    group: Group,
    by_rate: Mapping[float, str],
    cells: Mapping[str, Cell],
    ranks: Mapping[float, Mapping[str, int]],
    at_best: Mapping[str, int],
) -> Line:
    entries = []
    for rate, ranked in ranks.items():
        name = by_rate.get(rate)
        if name is None or name not in cells:
            entries.append(Entry(numbers.BLANK, title="not run"))
            continue
        entries.append(_entry(cells[name], ranked.get(group.name), rate == group.best))
    if group.best is None:
        return Line(group.name, (*entries, Entry(numbers.BLANK), Entry(numbers.BLANK)))
    best = _entry(cells[by_rate[group.best]], at_best[group.name])
    return Line(group.name, (*entries, best, Entry(numbers.tick(group.best))))


def _entry(cell: Cell, place: int | None, best: bool = False) -> Entry:
    return Entry(cell.text, "" if place is None else f"rank {place}", cell.note, best)


def _places(results: Results, summary: Summary) -> dict[str, int]:
    """Overall rank of every ranked row at the largest budget."""
    table = summary.leaderboard
    now = table[(table["budget"] == largest_budget(results)) & (table["task"] == OVERALL_NAME)]
    ranked = now[now["rank"].notna()]
    return dict(zip(ranked["architecture"], ranked["rank"].astype(int), strict=True))


def leaders(groups: list[Group]) -> dict[float, str]:
    """Return which group stands highest at each rate at which at least two of them are ranked."""
    every = sorted({rate for group in groups for rate in group.places})
    ranked = {rate: [group for group in groups if rate in group.places] for rate in every}
    return {
        rate: min(there, key=lambda group: group.places[rate]).name
        for rate, there in ranked.items()
        if len(there) > 1
    }


def finding(groups: list[Group], rate: float) -> str:
    """Whether the order of groups depends on the learning rate, in a sentence; empty without a pair."""
    swapped, pairs = swaps(groups, rate)
    if not pairs:
        return ""
    first = leaders(groups)
    differ = len(set(first.values())) > 1
    verb = "changes" if swapped or differ else "doesn't change"
    count = f"{swapped or 'none'} of {numbers.plural(pairs, 'pair')} {'swap' if swapped > 1 else 'swaps'}"
    words = (
        f"The order {verb} with the learning rate: each at its best rate instead of all at"
        f" {numbers.tick(rate)}, {count}"
    )
    if not differ:
        return f"{words}."
    at = ", ".join(f"{name} at {numbers.tick(each)}" for each, name in first.items())
    return f"{words}; at one rate for all, the first is {at}."
