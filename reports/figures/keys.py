"""Entries of legends: what each line looks like and what it is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.charts import Style
from reports.figures.densities import class_style

WIDER = 0.5  # pixels: a short line looks thinner than one across a chart


@dataclass(frozen=True)
class Key:
    """One entry of a legend: a row's name and how its line looks (`dash` as SVG wants it)."""

    name: str
    text: str
    colour: str
    dash: str = ""
    width: float = 2.2


def key_of(name: str, style: Style, text: str = "") -> Key:
    """The key of a line with a style; text: what it is called, its name unless given."""
    return Key(name, text or name, style.colour, _dash(style.dash), style.width + WIDER)


def class_keys(classes: int) -> tuple[Key, ...]:
    """A key for each class, as densities and lines draw it."""
    named = [(f"class {each}", class_style(each)) for each in range(classes)]
    return tuple(Key(name, name, colour, _dash(dash)) for name, (colour, dash) in named)


def _dash(lengths: Sequence[float]) -> str:
    """A dash pattern as SVG wants it; empty for a solid line, which is (1, 0)."""
    return "" if tuple(lengths) == (1, 0) else " ".join(f"{length:g}" for length in lengths)
