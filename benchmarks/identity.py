"""What a task is, as plain data: what ids are made of."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

from benchmarks.task import FILE_MODULE, Task, TaskError


def parameters(task: Task) -> dict[str, Any]:
    """Return what the task is, as plain data: class, name, version, and the fields of a dataclass.

    Of arrays, the shape and a hash; of functions and classes, the qualified name. The description is left
    out: words don't change what is measured. Raises TaskError where a field holds anything else.
    """
    names: list[str] = (
        [each.name for each in dataclasses.fields(task)] if dataclasses.is_dataclass(task) else []
    )
    values = {
        name: _plain(getattr(task, name), f"task {task.name}: field {name}")
        for name in names
        if name != "description"
    }
    return {"class": type(task).__qualname__, "name": task.name, "version": task.version, **values}


def _plain(value: Any, where: str) -> Any:
    """Return a field's value as plain data; raises TaskError, which begins with where."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, type | np.ufunc) or inspect.isroutine(value):
        return qualified_name(value)
    if isinstance(value, Task):
        return parameters(value)
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        content = np.ascontiguousarray(value).astype(value.dtype.newbyteorder("<"))
        return {"shape": list(value.shape), "sha256": hashlib.sha256(content.tobytes()).hexdigest()}
    return _plain_collection(value.tolist() if isinstance(value, np.ndarray) else value, where)


def _plain_collection(value: Any, where: str) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(each, where) for each in value]
    if isinstance(value, AbstractSet):
        return sorted((_plain(each, where) for each in value), key=_order)
    if isinstance(value, Mapping):
        return {_key(key, where): _plain(each, where) for key, each in value.items()}
    raise TaskError(
        f"{where} should hold plain data, arrays, tasks or functions,"
        f" found {type(value).__module__}.{type(value).__qualname__}"
    )


def _key(key: Any, where: str) -> str:
    return key if isinstance(key, str) else json.dumps(_plain(key, where), sort_keys=True)


def _order(value: Any) -> tuple[bool, float, str]:
    """Return what sorts plain data of any kind: numbers by value, before everything else by its text."""
    if isinstance(value, int | float):
        return False, value, ""
    return True, 0.0, json.dumps(value, sort_keys=True)


def qualified_name(value: Any) -> str:
    """Return module.name of a function or class, without the module where that is somebody's file.

    The module of a file has its path in its name, and where a file lies doesn't change what is measured.
    """
    named = value if hasattr(value, "__name__") else type(value)  # an object that can be called has no name
    name = getattr(named, "__qualname__", named.__name__)
    module = getattr(named, "__module__", None) or ""
    return name if not module or module.startswith(FILE_MODULE) else f"{module}.{name}"
