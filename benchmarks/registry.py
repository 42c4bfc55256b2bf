"""Names: every task and architecture, and what to say when a name is unknown."""

from __future__ import annotations

import difflib
import functools
import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from benchmarks.architecture import Architecture
from benchmarks.architectures.networks import NETWORKS
from benchmarks.architectures.reference import REFERENCES
from benchmarks.errors import in_one_line
from benchmarks.task import FILE_MODULE, Task, TaskError
from benchmarks.tasks import dimensions, discrete, gaussian1d, mixtures, real_data, shapes, transforms

T = TypeVar("T")

TASKS: Mapping[str, Task] = {
    **gaussian1d.TASKS,
    **mixtures.TASKS,
    **shapes.TASKS,
    **dimensions.TASKS,
    **discrete.TASKS,
    **real_data.TASKS,
}
ARCHITECTURES: Mapping[str, Architecture] = {**NETWORKS, **REFERENCES}
TASK_PROTOCOL = ("name", "version", "features", "classes", "sample", "log_joint")


class UnknownName(ValueError):
    """A name that isn't registered, or names nothing that can be loaded; the message lists near matches."""


def lookup(kind: str, name: str, table: Mapping[str, T]) -> T:
    """Return table[name]; raises UnknownName, which says what the name might have meant."""
    if name in table:
        return table[name]
    near = difflib.get_close_matches(name, table, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(table)}"
    raise UnknownName(f"unknown {kind} {name!r}; {hint}")


def task(name: str) -> Task:
    """Return the task of that name, the same object at each call.

    A name is that of a registered task, or `file.py:attr` or `pkg.module:attr` for anybody's own, either
    with transforms behind it: "xor-2d+nuisance(6)+label-noise(0.1)". Raises UnknownName where there is
    nothing of that name, TaskError where what there is isn't a task or a transform can't be applied.
    """
    return TASKS[name] if name in TASKS else _transformed(name)


@functools.cache
def _transformed(name: str) -> Task:
    return transforms.parse(name, _untransformed)


def _untransformed(name: str) -> Task:
    if name.endswith(".py"):
        raise UnknownName(f"task {name!r}: expected file.py:attr, such as {name}:task, found no attr")
    return plugged_in_task(name) if ":" in name else lookup("task", name, TASKS)


def architecture(name: str) -> Architecture:
    """Return the architecture of that name; raises UnknownName."""
    return lookup("architecture", name, ARCHITECTURES)


@functools.cache
def plugged_in_task(text: str) -> Task:
    """Return the task that `file.py:attr` or `pkg.module:attr` names: a task, or what makes one when called.

    Raises UnknownName where there is no such file, module or attribute, and TaskError where it isn't a task.
    """
    found = plugged_in("task", text)
    if inspect.isclass(found) or (callable(found) and not isinstance(found, Task)):
        found = _called(text, found)
    missing = [attribute for attribute in TASK_PROTOCOL if not hasattr(found, attribute)]
    if missing:
        raise TaskError(
            f"task {text}: expected a task with {', '.join(TASK_PROTOCOL)}, found"
            f" {type(found).__name__} without {', '.join(missing)}"
        )
    for attribute, least in (("features", 1), ("classes", 2)):
        value = getattr(found, attribute)
        if not isinstance(value, int) or value < least:
            raise TaskError(f"task {text}: expected {attribute} to be an int from {least}, found {value!r}")
    return found  # type: ignore[no-any-return]


def _called(text: str, factory: Any) -> Any:
    """Return factory(); raises TaskError where it needs arguments or fails."""
    try:
        inspect.signature(factory).bind()
    except TypeError as error:
        raise TaskError(
            f"task {text}: expected a task, or a class or function without required arguments, found one"
            f" that takes {inspect.signature(factory)} ({error})"
        ) from None
    try:
        return factory()
    except Exception as error:  # whatever somebody else's code raises
        raise TaskError(
            f"task {text}: expected a call to return a task, found {in_one_line(error)}"
        ) from error


def plugged_in(kind: str, text: str) -> Any:
    """Return what `file.py:attr` or `pkg.module:attr` names; raises UnknownName."""
    place, _, attribute = text.rpartition(":")
    if not place or not attribute:
        raise UnknownName(f"{kind} {text!r}: expected file.py:attr or pkg.module:attr")
    try:
        module = _file_module(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    except Exception as error:  # whatever somebody else's code raises
        expected = "a Python file" if place.endswith(".py") else "a module that can be imported"
        raise UnknownName(
            f"{kind} {text}: expected {expected} {place!r}, found {in_one_line(error)}"
        ) from error
    if hasattr(module, attribute):
        return getattr(module, attribute)
    public = [each for each in vars(module) if not each.startswith("_")]
    near = difflib.get_close_matches(attribute, public, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(public) or 'nothing'}"
    raise UnknownName(f"{kind} {text}: expected {place!r} to have {attribute!r}, found none; {hint}")


def _file_module(path: Path) -> ModuleType:
    """Return a file as a module, under a name that follows from its full path.

    It is in sys.modules because dataclasses and pickle look for the module of a class there.
    """
    path = path.resolve()
    name = f"{FILE_MODULE}{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # a name that ends in .py always has a loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
