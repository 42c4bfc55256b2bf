"""Anybody's own task or architecture, by `file.py:attr`, `pkg.module:attr` or an entry point's name."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from benchmarks import sources
from benchmarks.architecture import Architecture, Arguments, Estimator, Network, Reference, arguments
from benchmarks.errors import Refused, UnknownName, hint, in_one_line
from benchmarks.task import FILE_MODULE, Task, TaskError

if TYPE_CHECKING:
    from torch import nn

GROUP = "posterior_bench."  # entry points of posterior_bench.tasks and posterior_bench.architectures
TASK_PROTOCOL = ("name", "version", "features", "classes", "sample", "log_joint")
PREDICTS = ("predict_proba", "predict_log_proba", "decision_function")


class ArchitectureError(Refused):
    """What was plugged in can't be used as an architecture; the message says what was expected and found."""


@functools.cache
def task(text: str) -> Task:
    """Return the task that `file.py:attr` or `pkg.module:attr` names: a task, or what makes one when called.

    Raises UnknownName where there is no such file, module or attribute, and TaskError where it isn't a task.
    """
    return as_task(text, plugged_in("task", text))


def as_task(text: str, found: Any) -> Task:
    """Return what was found under a name as a task; raises TaskError where it isn't one."""
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
        module = file_module(place) if place.endswith(".py") else importlib.import_module(place)
    except (Exception, SystemExit) as error:  # whatever somebody else's code raises
        expected = "a Python file" if place.endswith(".py") else "a module that can be imported"
        raise UnknownName(
            f"{kind} {text}: expected {expected} {place!r}, found {in_one_line(error)}"
        ) from error
    if hasattr(module, attribute):
        return getattr(module, attribute)
    public = [each for each in vars(module) if not each.startswith("_")]
    raise UnknownName(
        f"{kind} {text}: expected {place!r} to have {attribute!r}, found none; {hint(attribute, public)}"
    )


# Where the files lie that another process sent, or copies of them, by the names they go by there.
copies: dict[str, Path] = {}


def file_module(place: str) -> ModuleType:
    """Return a file as a module, under a name that follows from its full path; raises what its code raises.

    It is in sys.modules because dataclasses and pickle look for the module of a class there.
    """
    path = copies.get(place, Path(place)).resolve()
    name = f"{FILE_MODULE}{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # a file may import its neighbours; behind everything else
    spec = sources.spec(name, path)
    assert spec is not None and spec.loader is not None  # a name that ends in .py always has a loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def architecture(text: str, keywords: Mapping[str, Any]) -> Architecture:
    """Return the architecture that `file.py:attr` or `pkg.module:attr` names; see `as_architecture`."""
    return as_architecture(text, plugged_in("architecture", text), keywords)


def as_architecture(text: str, found: Any, keywords: Mapping[str, Any]) -> Architecture:
    """Return what was found under a name as an architecture.

    found: a torch module class or a function, called with (features, classes) and the keywords for each
    trial; a scikit-learn style class, called with the keywords, or instance; one of our own dataclasses, or
    a function without required arguments that returns one or an estimator. Raises ArchitectureError.
    """
    if isinstance(found, Network | Estimator | Reference):
        if keywords:
            raise ArchitectureError(
                f"architecture {text}: expected no arguments, found {', '.join(keywords)}"
            )
        _check_recipe(text, found)
        return found
    name = text.rpartition(":")[2]
    if _learns(found):
        from benchmarks.architectures.own_estimators import as_estimator

        return as_estimator(name, _made(text, found, keywords) if keywords else found)
    if callable(found) and not _is_module(found):
        if _binds(found, 1, 2, **keywords):
            return Network(name, _first_line(found), Own(found, arguments(keywords)), compiles=False)
        if _binds(found, **keywords):
            made = _made(text, found, keywords)
            if not (_is_module(made) and inspect.isclass(found)):
                return as_architecture(text, made, {})
    raise ArchitectureError(f"architecture {text}: {_wrong(found, keywords)}")


def _check_recipe(text: str, found: Architecture) -> None:
    if isinstance(found, Network):
        try:
            found.recipe.check()
        except ValueError as error:
            raise ArchitectureError(f"architecture {text}: recipe: {error}") from None


@dataclass(frozen=True)
class Own:
    """Builds somebody's network: a class or function, called with (features, classes) and arguments."""

    build: Callable[..., Any]
    arguments: Arguments = ()

    def __call__(self, features: int, classes: int) -> nn.Module:
        """Return the module; raises what the class or function raises."""
        return self.build(features, classes, **dict(self.arguments))  # type: ignore[no-any-return]


def _learns(found: Any) -> bool:
    return hasattr(found, "fit") and any(hasattr(found, name) for name in PREDICTS)


def _is_module(found: Any) -> bool:
    """Whether something is a torch module, without importing torch where nobody has."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(found, torch.nn.Module)


def _binds(found: Callable[..., Any], *positional: Any, **keywords: Any) -> bool:
    try:
        inspect.signature(found).bind(*positional, **keywords)
    except (TypeError, ValueError):
        return False
    return True


def _made(text: str, factory: Callable[..., Any], keywords: Mapping[str, Any]) -> Any:
    try:
        return factory(**keywords)
    except Exception as error:  # whatever somebody else's code raises
        raise ArchitectureError(
            f"architecture {text}: expected a call to return an architecture, found {in_one_line(error)}"
        ) from error


def _wrong(found: Any, keywords: Mapping[str, Any]) -> str:
    expected = (
        "expected a torch module class or a function that takes (features, classes), a scikit-learn style"
        " class or instance, or a Network or Estimator of benchmarks.architecture, found"
    )
    if _is_module(found):
        return (
            f"{expected} an instance of {type(found).__name__}; each trial starts from fresh weights, so"
            " name its class or a function that makes one"
        )
    if callable(found):
        given = f" with {', '.join(keywords)}" if keywords else ""
        return f"{expected} one that takes {_signature(found)}{given}"
    return f"{expected} {type(found).__name__}"


def _signature(found: Any) -> str:
    try:
        return str(inspect.signature(found))
    except ValueError:  # some that are built in tell nobody
        return "unknown arguments"


def _first_line(found: Any) -> str:
    own = vars(found).get("__doc__") if inspect.isclass(found) else getattr(found, "__doc__", None)
    text = (own or "").strip()
    return (
        text.splitlines()[0].rstrip(".") if text else f"own network {getattr(found, '__name__', '')}".strip()
    )


def modules(kind: str, text: str) -> list[ModuleType]:
    """Return the module that `file.py:attr` or `pkg.module:attr` names, and that which defines what it is."""
    found = plugged_in(kind, text)
    place = text.rpartition(":")[0]
    own = file_module(place) if place.endswith(".py") else sys.modules.get(place)
    defining = sys.modules.get(getattr(found, "__module__", None) or "")
    return [module for module in (own, defining) if module is not None]


def installed(kind: str) -> dict[str, EntryPoint]:
    """Return the entry points that installed packages offer: kind "tasks" or "architectures"."""
    return {point.name: point for point in entry_points(group=GROUP + kind)}


def loaded(kind: str, point: EntryPoint) -> Any:
    """Return what an entry point names; raises UnknownName where that can't be imported."""
    try:
        return point.load()
    except (Exception, SystemExit) as error:  # whatever somebody else's code raises
        raise UnknownName(
            f"{kind} {point.name}: expected an entry point that can be loaded ({point.value}), found"
            f" {in_one_line(error)}"
        ) from error
