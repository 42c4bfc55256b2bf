"""Words that sentences and headings share: most depend on a run's protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def at(suite: Mapping[str, Any], budget: int) -> str:
    """What a model has learned from at a budget: `after 640 examples`, `trained on 640 examples`."""
    return f"{learned(suite)} {budget:,} example" + ("" if budget == 1 else "s")


def of(suite: Mapping[str, Any], budget: int) -> str:
    """The same behind a measure: `after 640 examples`, `of models trained on 640 examples`."""
    return ("of models " if fixed(suite) else "") + at(suite, budget)


def learned(suite: Mapping[str, Any]) -> str:
    """`after`, where a budget counts examples seen, or `trained on`, where it is a training set's size."""
    return "trained on" if fixed(suite) else "after"


def axis(suite: Mapping[str, Any]) -> str:
    """What an axis of budgets shows."""
    return "training examples" if fixed(suite) else "examples seen"


def batches(suite: Mapping[str, Any], budget: int) -> int | None:
    """Mini-batches that a budget amounts to; None where it doesn't amount to any number of them."""
    batch = int(suite.get("batch") or 0)
    return None if fixed(suite) or not batch else budget // batch


def in_batches(suite: Mapping[str, Any], budget: int) -> str:
    """The same behind a budget: ` (10 mini-batches)`; empty where it doesn't amount to any number of them."""
    count = batches(suite, budget)
    return f" ({count:,} mini-batch{'' if count == 1 else 'es'})" if count else ""


def joined(names: Sequence[str], most: int | None = None) -> str:
    """Names in a sentence: `a, b and c`; beyond `most` the others are counted."""
    shown = [str(name) for name in names]
    if most is not None and len(shown) > most:
        shown = [*shown[: most - 1], f"{len(shown) - most + 1} others"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def fixed(suite: Mapping[str, Any]) -> bool:
    """Whether a trial has a training set of its budget's size, used over many epochs."""
    return bool(suite.get("protocol") == "dataset")
