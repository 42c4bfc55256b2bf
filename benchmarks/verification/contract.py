"""Checks of how a task behaves as an object: its contract, immutability, determinism, batches, digests."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from benchmarks.identity import parameters
from benchmarks.task import Array, Stream, Task, checked_log_joint, training_data
from benchmarks.verification.case import Case, Finding, support

AGREE = 1e-9  # relative to 1 + |log joint|, what linear algebra may round differently
FEW = 2_000  # examples


def contract(case: Case) -> Finding:
    """Check shapes and dtypes of what `sample` and `log_joint` return, labels and optional attributes."""
    task = case.task
    fault = _fault_of_attributes(task)
    if fault:
        return fault
    for n in (1, 2, task.classes, task.features, FEW):
        fault = _fault_of_sample(task, *task.sample(n, case.rng("contract")), n)
        if fault:
            return fault
        joint = checked_log_joint(task, task.sample(n, case.rng("contract"))[0])
        if np.isposinf(joint).any():
            return Finding(False, "log_joint +inf at a drawn input", "log densities below +inf")
        if len(np.unique(joint)) > task.classes * 10 and (joint == joint.astype(np.float32)).all():
            return Finding(False, "log_joint has float32 precision only", "log_joint computed in float64")
    return Finding(True, "shapes, dtypes, labels", "shapes, dtypes and labels as stated", FEW)


def _fault_of_attributes(task: Task) -> Finding | None:
    """Return what is wrong with the optional attributes, as far as it can be seen without drawing."""
    for name in ("priors", "train_priors"):
        values = getattr(task, name, None)
        if values is not None:
            array = np.asarray(values, dtype=np.float64)
            if array.shape != (task.classes,) or not (array >= 0).all() or abs(array.sum() - 1) > AGREE:
                return Finding(False, f"{name} {values}", f"{task.classes} probabilities that sum to 1")
    shapes: dict[str, tuple[int, ...]] = {"window": (2,) if task.features == 1 else (task.features, 2)}
    points = support(task)
    if points is not None:
        shapes["support"] = (len(points), task.features)
    for name, shape in shapes.items():
        value = getattr(task, name, None)
        if value is not None and np.shape(value) != shape:
            return Finding(False, f"{name} of shape {np.shape(value)}", f"shape {shape}")
    return None


def _fault_of_sample(task: Task, x: Any, y: Any, n: int) -> Finding | None:
    for what, array, shape, dtype in (("x", x, (n, task.features), np.float64), ("y", y, (n,), np.int64)):
        found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        expected = f"{np.dtype(dtype)} {shape}"
        if found != expected:
            return Finding(False, f"sample({n}) returned {what} {found}", f"{what} {expected}")
    if y.min() < 0 or y.max() >= task.classes:
        return Finding(False, f"labels from {y.min()} to {y.max()}", f"labels from 0 to {task.classes - 1}")
    if not np.isfinite(x).all():
        return Finding(False, f"x = {x[~np.isfinite(x).all(axis=1)][0]}", "finite inputs")
    return None


def immutable(case: Case) -> Finding:
    """Check that fields can't be set nor arrays written to, and that use changes neither task nor x."""
    task, expected = case.task, "a task, and inputs, that stay as they are"
    for name, value in _public(task):
        fault = _writable(name, value, getattr(task, name)) or _settable(task, name, value)
        if fault:
            return Finding(False, fault, expected)
    before, x = _state(task), task.sample(FEW, case.rng("immutable"))[0].copy()
    kept = x.copy()
    first = checked_log_joint(task, x).copy()
    if not np.array_equal(x, kept):
        return Finding(False, "log_joint changed the x that it was given", expected)
    task.sample(FEW, case.rng("immutable"))
    training_data(task, case.seed, 10)
    if _state(task) != before:
        return Finding(False, "parameters(task) changed when sample and log_joint were called", expected)
    if not np.array_equal(checked_log_joint(task, x), first):
        return Finding(False, "log_joint returned something else the second time", expected)
    return Finding(True, "read-only, unchanged by use", expected, FEW)


def _public(task: Task) -> Iterator[tuple[str, Any]]:
    """Yield names and values of a task's fields, and of what else it shows of the protocol."""
    fields: list[str] = (
        [each.name for each in dataclasses.fields(task)] if dataclasses.is_dataclass(task) else []
    )
    instance = [name for name in getattr(task, "__dict__", {}) if not name.startswith("_")]
    protocol = ["name", "version", "features", "classes", "priors", "train_priors", "support", "window"]
    for name in dict.fromkeys([*fields, *instance, *protocol]):
        if hasattr(task, name):
            yield name, getattr(task, name)


def _writable(name: str, value: Any, again: Any) -> str | None:
    """Return what is wrong if a value can be changed; an array made anew at each access may be written to."""
    if isinstance(value, np.ndarray):
        own = not isinstance(again, np.ndarray) or np.shares_memory(value, again)
        return f"the array {name} can be written to" if own and value.flags.writeable else None
    if isinstance(value, tuple) and isinstance(again, tuple):
        faults = (_writable(f"{name}[{i}]", *pair) for i, pair in enumerate(zip(value, again, strict=False)))
        return next((fault for fault in faults if fault), None)
    if isinstance(value, list | dict | set | bytearray) and value is again:
        return f"{name} is a {type(value).__name__}, which can be changed"
    return None


def _settable(task: Task, name: str, value: Any) -> str | None:
    try:
        setattr(task, name, value)
    except Exception:  # whatever an immutable object raises
        return None
    return f"{name} can be set"


def _state(task: Task) -> str:
    return json.dumps(parameters(task), sort_keys=True, default=str)


def reproducible(case: Case) -> Finding:
    """Check that data follow from the seed alone, and that training sets are prefixes of longer ones."""
    n, expected = (
        5_000,
        "data that follow from the seed alone, training sets that are prefixes of longer ones",
    )
    before = _global_states()
    fault = _fault_of_seeds(case, n) or _fault_of_prefixes(case, n)
    if not fault and _global_states() != before:
        fault = "sample changed the state of np.random or random"
    return Finding(not fault, fault or "same seed, same data; prefixes", expected, n)


def _fault_of_seeds(case: Case, n: int) -> str | None:
    first, again, other = (
        case.task.sample(n, np.random.default_rng(seed)) for seed in (case.seed, case.seed, case.seed + 1)
    )
    if not _same(first, again):
        return "the same seed gave other data the second time"
    if _same(first, other):
        return "two seeds gave the same data"
    rng = np.random.default_rng(case.seed)
    if _same(case.task.sample(n, rng), case.task.sample(n, rng)):
        return "a generator gave the same data twice in a row"
    return None


def _fault_of_prefixes(case: Case, n: int) -> str | None:
    long, stream = training_data(case.task, case.seed, n), Stream(case.task, case.seed)
    if not _same(training_data(case.task, case.seed, 100), tuple(part[:100] for part in long)):
        return "training sets aren't prefixes of longer ones"
    parts = [stream.take(size) for size in (64, 1, n - 65)]
    if not _same(tuple(np.concatenate(each) for each in zip(*parts, strict=True)), long):
        return "the training data depend on how they are asked for"
    return None


def _global_states() -> tuple[str, str]:
    return str(np.random.get_state()), str(random.getstate())


def _same(a: tuple[Array, ...], b: tuple[Array, ...]) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(a, b, strict=True))


def batch_invariance(case: Case) -> Finding:
    """Check that log_joint of an input doesn't depend on what else is in the batch, nor on where."""
    x = case.training[0][:FEW]
    whole, order = checked_log_joint(case.task, x), case.rng("order").permutation(len(x))
    alone = np.concatenate([checked_log_joint(case.task, x[i : i + 1]) for i in range(64)])
    pairs = np.concatenate([checked_log_joint(case.task, x[i : i + 2]) for i in range(0, 64, 2)])
    moved = checked_log_joint(case.task, x[order])
    worst, where = 0.0, ""
    for words, found, reference in (
        ("alone", alone, whole[:64]),
        ("in batches of two", pairs, whole[:64]),
        ("in another order", moved, whole[order]),
    ):
        difference = np.where(found == reference, 0.0, np.abs(found - reference) / (1 + np.abs(reference)))
        if not difference.max() <= worst:
            worst, where = float(difference.max()), words
    return Finding(
        worst <= AGREE,
        f"a relative difference of {worst:.1g} {where}".rstrip(),
        f"log_joint in a batch of {len(x):,}, to within {AGREE:g}",
        len(x),
        f"a relative difference of {AGREE:g}",
    )


def digest(case: Case) -> Finding:
    """Check that parameters, training data and log_joint hash to the same in another interpreter."""
    here, there = fingerprint(case.task), case.elsewhere
    where = "another interpreter"
    if there is None:
        there, where = fingerprint(copy.copy(case.task)), "a copy of the task"
    if "error" in there:
        return Finding(False, f"{where}: {there['error']}", "the same hashes")
    other = [
        f"{what} {value[:8]}, here {here[what][:8]}" for what, value in there.items() if here[what] != value
    ]
    found = f"{where}: {'; '.join(other)}" if other else f"{here['log_joint'][:8]} in {where} too"
    return Finding(not other, found, "the same hashes")


def fingerprint(task: Task) -> dict[str, str]:
    """Return hashes of a task's parameters, its first 4,096 training examples and log_joint there."""
    x, y = training_data(task, 0, 4_096)
    parts: Mapping[str, list[bytes]] = {
        "parameters": [_state(task).encode()],
        "training data": [x.tobytes(), y.tobytes()],
        "log_joint": [checked_log_joint(task, x).tobytes()],
    }
    return {what: hashlib.sha256(b"".join(values)).hexdigest() for what, values in parts.items()}
