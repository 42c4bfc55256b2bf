"""How changed tasks are written, "xor-2d+nuisance(6)+label-noise(0.1)", and what is read from that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from benchmarks import grammar
from benchmarks.errors import hint
from benchmarks.grammar import CALL
from benchmarks.task import Task, TaskError
from benchmarks.tasks.linear_map import LinearMap, random_linear_map
from benchmarks.tasks.wrappers import LabelNoise, NuisanceDimensions, PriorShift

Numbers: TypeAlias = Sequence[float]


class Transform(NamedTuple):
    """One way to change a task: build(task, numbers) -> Task, how it is written, and what it does.

    takes: how many numbers, None for as many as the task asks for; whole: whether they are integers.
    """

    build: Callable[[Task, Numbers], Task]
    usage: str
    description: str
    takes: int | None = None
    whole: bool = False


def _linear_map(task: Task, numbers: Numbers) -> Task:
    d = task.features
    if len(numbers) != d * d:
        raise TaskError(
            f"task {task.name}+linear-map: expected the {d * d} numbers of a {d} x {d} matrix, row by row,"
            f" found {len(numbers)}"
        )
    return LinearMap(task, np.reshape(numbers, (d, d)))


TRANSFORMS = {
    "label-noise": Transform(
        lambda task, numbers: LabelNoise(task, *numbers),
        "label-noise(RATE)",
        "with probability RATE the label is one of the other classes, uniformly",
        takes=1,
    ),
    "prior-shift": Transform(
        lambda task, numbers: PriorShift(task, np.array(numbers)),
        "prior-shift(P0,P1,...)",
        "the test law has these class priors, the training data keep the task's own",
    ),
    "nuisance": Transform(
        lambda task, numbers: NuisanceDimensions(task, *map(int, numbers)),
        "nuisance(COUNT)",
        "COUNT independent standard normal inputs behind the task's own",
        takes=1,
        whole=True,
    ),
    "linear-map": Transform(
        _linear_map,
        "linear-map(A11,A12,...)",
        "the inputs multiplied by a matrix, given row by row",
    ),
    "random-linear-map": Transform(
        lambda task, numbers: random_linear_map(task, *map(int, numbers)),
        "random-linear-map(SEED)",
        "the inputs multiplied by a matrix with condition number 8 that follows from SEED",
        takes=1,
        whole=True,
    ),
}


def split(text: str) -> tuple[str, list[str]]:
    """Return the task and the transforms that a text names, such as "xor-2d" and ["nuisance(6)"].

    Raises TaskError where parentheses don't match.
    """
    try:
        return grammar.split("task", text)
    except grammar.GrammarError as error:
        raise TaskError(str(error)) from None


def parse(text: str, lookup: Callable[[str], Task]) -> Task:
    """Return the task that a text names, with its transforms applied from left to right.

    lookup: name of a task without transforms -> Task. Raises TaskError, which names the text, what was
    expected and what was found, and what lookup raises.
    """
    name, calls = split(text)
    if not name:
        raise TaskError(f"task {text!r}: expected the name of a task first, found {text[:1]!r}")
    task = lookup(name)
    for call in calls:
        transform, numbers = _read(text, call)
        task = transform.build(task, numbers)
    return task


def _read(text: str, call: str) -> tuple[Transform, Numbers]:
    """Return the transform and the numbers that one part of a text names; raises TaskError."""
    name = call.partition("(")[0].strip()
    if name not in TRANSFORMS:
        meant = hint(name, TRANSFORMS)
        if meant.startswith("known"):
            meant = "known: " + ", ".join(transform.usage for transform in TRANSFORMS.values())
        raise TaskError(f"task {text!r}: expected a transform behind '+', found {call!r}; {meant}")
    transform = TRANSFORMS[name]
    match = CALL.fullmatch(call)
    try:
        numbers = [_value(part, transform.whole) for part in match[2].split(",")] if match else []
    except ValueError:
        numbers = []
    if not numbers or transform.takes not in (None, len(numbers)):
        kind = "whole number" if transform.whole else "number"
        expected = f"{transform.usage} with {transform.takes or 'one or more'} {kind}"
        raise TaskError(
            f"task {text!r}: expected {expected}{'' if transform.takes == 1 else 's'}, found {call!r}"
        )
    return transform, numbers


def _value(text: str, whole: bool) -> float:
    return int(text) if whole else float(text)
