"""Names: every task and architecture, and what to say when a name is unknown."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TypeVar

from benchmarks.architecture import Architecture
from benchmarks.architectures.networks import NETWORKS
from benchmarks.architectures.reference import REFERENCES
from benchmarks.task import Task
from benchmarks.tasks import gaussian1d

T = TypeVar("T")

TASKS: Mapping[str, Task] = {**gaussian1d.TASKS}
ARCHITECTURES: Mapping[str, Architecture] = {**NETWORKS, **REFERENCES}


class UnknownName(ValueError):
    """A name that isn't registered; the message lists near matches."""


def lookup(kind: str, name: str, table: Mapping[str, T]) -> T:
    """Return table[name]; raises UnknownName, which says what the name might have meant."""
    if name in table:
        return table[name]
    near = difflib.get_close_matches(name, table, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(table)}"
    raise UnknownName(f"unknown {kind} {name!r}; {hint}")


def task(name: str) -> Task:
    """Return the task of that name; raises UnknownName."""
    return lookup("task", name, TASKS)


def architecture(name: str) -> Architecture:
    """Return the architecture of that name; raises UnknownName."""
    return lookup("architecture", name, ARCHITECTURES)
