"""Which rows of a run differ in one recipe alone: soft labels, a calibrator, a learning rate."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from reports.results import Results
from reports.trials import missing, names

SOFT_LABELS, LEARNING_RATE = "soft-labels", "lr"


@dataclass(frozen=True)
class Variant:
    """A learned row: what it is built on, what that is trained with, and what this comes to."""

    name: str
    base: str
    recipes: tuple[str, ...]
    learning_rate: float
    calibration: str
    soft_labels: bool

    @property
    def parts(self) -> tuple[str, ...]:
        """Base and recipes: what makes two rows the same."""
        return (self.base, *self.recipes)

    def without(self, recipe: str) -> tuple[str, ...]:
        """Its parts but for recipes of that name: `lr(0.01)` is one of the name `lr`."""
        return (self.base, *(part for part in self.recipes if part.partition("(")[0] != recipe))


def variants(results: Results) -> list[Variant]:
    """Return the learned rows in the suite's order; one whose recipes aren't told is its own base."""
    table = results.architectures
    known: dict[Any, dict[Any, Any]] = table[~table.index.duplicated()].to_dict("index")
    return [_variant(name, known.get(name, {})) for name in names(results)[1]]


def soft_label_pairs(results: Results) -> list[tuple[str, str]]:
    """Return (row trained on labels, the same row trained on exact posteriors)."""
    rows = variants(results)
    hard = {row.parts: row.name for row in rows if not row.soft_labels}
    soft = {row.without(SOFT_LABELS): row.name for row in rows if row.soft_labels}
    return [(name, soft[parts]) for parts, name in hard.items() if parts in soft]


def calibration_pairs(results: Results) -> list[tuple[str, str]]:
    """Return (row without a calibrator, the same row with it), in the order of the calibrated rows."""
    rows = variants(results)
    plain = {row.parts: row.name for row in rows if not row.calibration}
    return [
        (plain[parts], row.name)
        for row in rows
        if row.calibration
        for parts in _uncalibrated(row)
        if parts in plain
    ]


def learning_rate_groups(results: Results) -> Mapping[tuple[str, ...], Mapping[float, str]]:
    """Return {parts without the learning rate: {rate: row}} of what was run at two rates or more."""
    groups: dict[tuple[str, ...], dict[float, str]] = {}
    for row in variants(results):
        if np.isfinite(row.learning_rate):
            groups.setdefault(row.without(LEARNING_RATE), {}).setdefault(row.learning_rate, row.name)
    return {parts: dict(sorted(rates.items())) for parts, rates in groups.items() if len(rates) > 1}


def neighbours(results: Results, name: str) -> list[tuple[str, str]]:
    """Return (row, how it differs) of every row that has one recipe more, fewer or other than a row.

    In the suite's order; the words are "with soft-labels", "without soft-labels", or "lr(0.01) instead of
    lr(0.001)". Recipes act in the order in which they are written, so it counts.
    """
    rows = {row.name: row for row in variants(results)}
    if name not in rows:
        return []
    own = rows.pop(name)
    found = [(other.name, _difference(own, other)) for other in rows.values() if other.base == own.base]
    return [(other, words) for other, words in found if words]


def _difference(own: Variant, other: Variant) -> str:
    """How a row differs from one on the same base, in words; empty where in nothing or in more."""
    one, two = own.recipes, other.recipes
    for place in range(len(two)):
        if (*two[:place], *two[place + 1 :]) == one:
            return f"with {two[place]}"
    for place in range(len(one)):
        if (*one[:place], *one[place + 1 :]) == two:
            return f"without {one[place]}"
    if len(one) == len(two):
        unlike = [(mine, theirs) for mine, theirs in zip(one, two, strict=True) if mine != theirs]
        if len(unlike) == 1:
            return f"{unlike[0][1]} instead of {unlike[0][0]}"
    return ""


def _uncalibrated(row: Variant) -> Iterator[tuple[str, ...]]:
    """Yield the row's parts without the recipe that names its calibrator, if one does."""
    for place, recipe in enumerate(row.recipes):
        if row.calibration in re.split(r"[(),=\s]+", recipe):
            yield (row.base, *row.recipes[:place], *row.recipes[place + 1 :])
            return


def _variant(name: str, row: Mapping[Any, Any]) -> Variant:
    base, recipes, rate, calibration, soft = (
        row.get(key) for key in ("base", "recipes", "learning_rate", "calibration", "soft_labels")
    )
    known = isinstance(base, str) and base != "" and isinstance(recipes, list | tuple)
    return Variant(
        name=name,
        base=str(base) if known else name,
        recipes=tuple(str(recipe) for recipe in recipes or ()) if known else (),
        learning_rate=float("nan") if rate is None else float(rate),
        calibration=calibration if isinstance(calibration, str) else "",
        soft_labels=False if missing(soft) else bool(soft),
    )
