"""Names: every task and architecture, and what to say when a name is unknown."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

from benchmarks import grammar, plug_ins, sources
from benchmarks.architecture import Architecture, Network, Recipe, Reference
from benchmarks.architectures import recipes
from benchmarks.architectures.estimators import ESTIMATORS
from benchmarks.architectures.networks import FAMILIES, NETWORKS
from benchmarks.architectures.reference import REFERENCES
from benchmarks.errors import UnknownName, lookup, unknown
from benchmarks.task import Task
from benchmarks.tasks import dimensions, discrete, gaussian1d, mixtures, real_data, shapes, transforms

__all__ = [
    "ARCHITECTURES",
    "TASKS",
    "UnknownName",
    "architecture",
    "lookup",
    "source",
    "spelled",
    "split",
    "task",
]

TASKS: Mapping[str, Task] = {
    **gaussian1d.TASKS,
    **mixtures.TASKS,
    **shapes.TASKS,
    **dimensions.TASKS,
    **discrete.TASKS,
    **real_data.TASKS,
}
ARCHITECTURES: Mapping[str, Architecture] = {**NETWORKS, **ESTIMATORS, **REFERENCES}


def task(name: str) -> Task:
    """Return the task of that name, the same object at each call.

    A name is that of a registered task, of an installed entry point, or `file.py:attr` or `pkg.module:attr`
    for anybody's own, each with transforms behind it: "xor-2d+nuisance(6)+label-noise(0.1)". Raises
    UnknownName where there is nothing of that name, TaskError where what there is isn't a task or a
    transform can't be applied.

    >>> xor = task("xor-2d+nuisance(6)+label-noise(0.1)")
    >>> xor.features, xor.classes
    (8, 2)
    >>> task("xor-2")
    Traceback (most recent call last):
    benchmarks.errors.UnknownName: unknown task 'xor-2'; did you mean xor-2d?
    """
    return TASKS[name] if name in TASKS else _transformed(name)


@functools.cache
def _transformed(name: str) -> Task:
    return transforms.parse(name, _untransformed)


def _untransformed(name: str) -> Task:
    if name in TASKS:
        return TASKS[name]
    _check_attribute("task", name)
    if ":" in name:
        return plug_ins.task(name)
    points = plug_ins.installed("tasks")
    if name in points:
        return plug_ins.as_task(name, plug_ins.loaded("task", points[name]))
    raise UnknownName(unknown("task", name, [*TASKS, *points]))


def architecture(name: str) -> Architecture:
    """Return the architecture of that name, the same object at each call.

    A name is that of a registered architecture, a family with its parameters ("mlp(width=128, depth=3)"), an
    estimator with its own, an installed entry point, or `file.py:attr` or `pkg.module:attr` for anybody's
    own, each with recipes behind it: "mlp-64x64+focal(2)+lr(0.01)". Raises UnknownName where there is
    nothing of that name, GrammarError or ArchitectureError where what there is can't be used.

    >>> network = architecture("mlp(width=128,depth=3)+focal(2)")
    >>> network.name
    'mlp(width=128, depth=3, activation=relu)+focal(2)'
    >>> network.recipe.loss, network.recipe.gamma
    ('focal', 2.0)
    """
    return ARCHITECTURES[name] if name in ARCHITECTURES else _composed(name)


@functools.cache
def _composed(name: str) -> Architecture:
    base, parts = split(name)
    found = _base(base)
    if not parts:
        return found
    if isinstance(found, Reference):
        raise grammar.GrammarError(
            f"architecture {name!r}: expected no recipe behind {base}, found {parts[0]}"
        )
    return recipes.applied(found, *parts)


def split(name: str) -> tuple[str, list[str]]:
    """Return an architecture's name without recipes and the recipes behind it; raises GrammarError."""
    base, recipes = grammar.split("architecture", name)
    # A registered name may hold a "+" without its base being registered too.
    return (name, []) if name in ARCHITECTURES and base not in ARCHITECTURES else (base, recipes)


def source(name: str) -> str:
    """Return a hash of the file that an architecture which isn't ours comes from; empty for ours."""
    return sources.digest(modules("architecture", name))


def modules(kind: str, name: str) -> list[ModuleType]:
    """Return the modules that a task or an architecture which isn't ours comes from; none for ours."""
    base = transforms.split(name)[0] if kind == "task" else split(name)[0]
    place, colon, rest = base.rpartition(":")
    text = place + colon + (rest if kind == "task" else _call(rest).name)
    if not colon:
        if text in TASKS if kind == "task" else text in ARCHITECTURES or text in FAMILIES:
            return []
        text = plug_ins.installed(f"{kind}s")[text].value
    return plug_ins.modules(kind, text)


def spelled(name: str) -> str:
    """Return the one spelling of an architecture's name: no spaces but behind commas; raises GrammarError."""
    base, parts = grammar.split("architecture", name)
    place, colon, rest = base.rpartition(":")
    return "+".join([place + colon + _call(rest).text, *(_call(part).text for part in parts)])


def _call(text: str) -> grammar.Call:
    return grammar.call("architecture", text)


def _base(name: str) -> Architecture:
    """Return an architecture without recipes."""
    place, colon, rest = name.rpartition(":")
    call = _call(rest)
    if not colon and call.text in ARCHITECTURES:
        return ARCHITECTURES[call.text]
    _check_attribute("architecture", place + colon + call.name)
    if colon:
        found = plug_ins.architecture(place + colon + call.name, _literals(call))
        return replace(found, name=call.text) if call.keywords else found
    if call.name in FAMILIES:
        return _of_family(call)
    points = plug_ins.installed("architectures")
    if call.name in points:
        made = plug_ins.loaded("architecture", points[call.name])
        return replace(plug_ins.as_architecture(call.name, made, _literals(call)), name=call.text)
    if call.name in ESTIMATORS and (call.keywords or call.positional):
        estimator, arguments = ESTIMATORS[call.name], _literals(call)
        try:
            build = estimator.build.with_arguments(**arguments)  # type: ignore[attr-defined]
        except ValueError as error:
            raise grammar.GrammarError(f"architecture {name!r}: {error}") from None
        described = f"{estimator.description}; here with {call.text.partition('(')[2].removesuffix(')')}"
        return replace(estimator, name=call.text, description=described, build=build)
    if call.name in ARCHITECTURES:
        raise grammar.GrammarError(f"architecture {name!r}: expected no arguments behind {call.name}")
    raise UnknownName(unknown("architecture", call.name, [*ARCHITECTURES, *points, *FAMILIES]))


def _of_family(call: grammar.Call) -> Network:
    family = FAMILIES[call.name]
    signature = inspect.signature(family.build, eval_str=True).parameters
    bound = grammar.bind("architecture", call, signature)
    values = {
        key: grammar.value("architecture", call, key, text, signature[key].annotation)
        for key, text in bound.items()
    }
    try:
        build = family.build(**values)
    except ValueError as error:
        raise grammar.GrammarError(f"architecture {call.text!r}: {error}") from None
    # A registered network written out is that network: it starts from the same weights.
    twins = [each for each in NETWORKS.values() if each.build == build and each.recipe == Recipe()]
    said = ", ".join(f"{key}={values.get(key, signature[key].default)}" for key in signature)
    name = twins[0].name if twins else f"{call.name}({said})"
    described = f"{family.description}: {said.replace('=', ' ')}" if said else family.description
    return Network(name, described, build, family=family.family)


def _literals(call: grammar.Call) -> dict[str, Any]:
    """Return the arguments of somebody else's code, whose types aren't known here."""
    if call.positional:
        raise grammar.GrammarError(
            f"architecture {call.text!r}: expected arguments by name, as in {call.name}(width=128),"
            f" found {call.positional[0]!r}"
        )
    return {key: grammar.literal(text) for key, text in call.keywords.items()}


def _check_attribute(kind: str, name: str) -> None:
    if name.endswith(".py"):
        raise UnknownName(
            f"{kind} {name!r}: expected file.py:attr, such as {name}:{_EXAMPLE[kind]}, found no attr"
        )


_EXAMPLE = {"task": "task", "architecture": "Net"}
