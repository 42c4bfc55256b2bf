"""Whether a stranger's trial is what its spec says, and whether this package knows what that means."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from benchmarks import architecture as architectures
from benchmarks import evaluation, registry
from benchmarks.architecture import Architecture, Network, Reference
from benchmarks.architectures.networks import FAMILIES
from benchmarks.tasks import transforms
from runner import plan
from runner.merging.strangers import LONG, Grid, LeftOut, shown
from runner.plan import CORRECTED, canonical
from runner.results.damage import StoredTrial, digest
from suites.suite import Suite

MOST_SPEC, DEPTH = 1 << 16, 24
KEYS = frozenset({"task", "architecture", "protocol", "mode", "engine", "evaluation", "seed"})
MODES = ("compiled", "eager", "none")
HASH = re.compile(r"[0-9a-f]{8,64}")


class Place(NamedTuple):
    """What only one trial of a merged run can be: its task and row, seed, and under `dataset` its budget."""

    task: str
    architecture: str
    seed: int
    budget: int | None


def spec_of(trial: StoredTrial) -> dict[str, Any]:
    """Return a trial's spec, whose hash is its id; raises LeftOut."""
    text = trial.spec
    if not isinstance(text, str) or len(text) > MOST_SPEC or _depth(text) > DEPTH:
        raise LeftOut(f"expected a spec of at most {MOST_SPEC:,} characters, {DEPTH} levels deep")
    try:
        spec = json.loads(text)
        text_of_spec = canonical(spec)
    except (ValueError, RecursionError):
        raise LeftOut("expected a spec in JSON") from None
    if not isinstance(spec, dict) or text_of_spec != text:
        raise LeftOut("expected a spec in canonical JSON")
    if digest(text) != trial.id:
        raise LeftOut("its id isn't the hash of its spec")
    for key, kind in (("task", dict), ("architecture", dict), ("protocol", dict), ("seed", int)):
        if type(spec.get(key)) is not kind:
            raise LeftOut(f"its spec: expected {key}, found {shown(spec.get(key), 40)}")
    if odd := (spec.keys() - {"source", "fingerprint", "corrected"}) ^ KEYS:
        raise LeftOut(f"its spec: expected {', '.join(sorted(KEYS))}, found otherwise {shown(min(odd), 40)}")
    return spec


def _depth(text: str) -> int:
    """Return how deep brackets are nested, at most: those within strings count too."""
    depth = most = 0
    for character in text:
        depth += (character in "[{") - (character in "]}")
        most = max(most, depth)
    return most


def place(trial: StoredTrial, spec: dict[str, Any], names: tuple[str, str], grid: Grid) -> Place:
    """Return a trial's place in its grid, by the names that it has there; raises LeftOut."""
    task, row = names
    if type(trial.seed) is not int or not 0 <= trial.seed <= 1_000_000 or spec["seed"] != trial.seed:
        raise LeftOut(f"expected its spec's seed, found {shown(trial.seed, 40)}")
    if row.endswith(CORRECTED) != (spec.get("corrected") is True) or spec.get("corrected") is False:
        raise LeftOut(f"expected {CORRECTED} behind the name of a corrected row alone")
    budget = spec["protocol"].get("budget") if grid.protocol == "dataset" else None
    if grid.protocol == "dataset" and not (type(budget) is int and 0 < budget <= LONG):
        raise LeftOut(f"its spec: expected a budget, found {shown(budget, 40)}")
    network = spec.get("mode") != "none"
    expected = plan.protocol(Suite.model_construct(**dict(grid)), network, (budget or 0,))
    if canonical(expected) != canonical(spec["protocol"]):
        raise LeftOut(
            f"its spec: expected the protocol {canonical(expected)}, found {shown(spec['protocol'])}"
        )
    return Place(task, row, trial.seed, budget)


def is_current(spec: dict[str, Any], names: tuple[str, str]) -> bool:
    """Return whether a spec is of this package's own versions, rather than of older ones that it may know.

    Raises LeftOut where this package knows its names and they mean something else than the spec says.
    """
    task, row = names
    newest = True
    for key, version in (("engine", plan.ENGINE_VERSION), ("evaluation", evaluation.VERSION)):
        if type(spec[key]) is not int or not 1 <= spec[key] <= version:
            raise LeftOut(f"its spec: expected {key} from 1 to {version}, found {shown(spec[key], 40)}")
        newest = newest and spec[key] == version
    for key, name, law, hashed in (
        ("task", task, _task(task), "fingerprint"),
        ("architecture", row, _architecture(row.removesuffix(CORRECTED)), "source"),
    ):
        if law is None:
            if not HASH.fullmatch(str(spec.get(hashed))):
                raise LeftOut(f"its {key} isn't one of ours: expected a {hashed} in its spec, found none")
        elif hashed in spec:
            raise LeftOut(f"its {key} has the name of one of ours: expected no {hashed} in its spec")
        else:
            newest = _same(key, name, spec[key], law) and newest
    _check_mode(spec, row)
    return newest


def _same(kind: str, name: str, found: dict[str, Any], ours: dict[str, Any]) -> bool:
    """Return whether what a spec says of a name is what it means here, or else that of an older version."""
    if found.get("name") != ours["name"]:
        raise LeftOut(f"its spec is of the {kind} {shown(found.get('name'), 60)}, not of {shown(name)}")
    version = found.get("version")
    if type(version) is not int or not 1 <= version <= ours["version"]:
        raise LeftOut(
            f"its spec: expected {kind} {shown(name)} of version {ours['version']} or older, found"
            f" {shown(version, 40)}"
        )
    if version == ours["version"] and canonical(found) != canonical(ours):
        odd = [key for key in {**ours, **found} if canonical(found.get(key)) != canonical(ours.get(key))]
        raise LeftOut(
            f"its spec: expected what {kind} {shown(name)} is here, found another {shown(min(odd), 40)}"
        )
    return bool(version == ours["version"])


def _check_mode(spec: dict[str, Any], row: str) -> None:
    ours = _registered(row.removesuffix(CORRECTED))
    if ours is None:
        modes: tuple[str, ...] = MODES
    elif isinstance(ours, Network):
        modes = ("compiled", "eager") if ours.compiles else ("eager",)
    else:
        modes = ("none",)
    if spec["mode"] not in modes:
        raise LeftOut(f"its spec: expected mode {' or '.join(modes)}, found {shown(spec['mode'], 40)}")
    if isinstance(ours, Reference) and "corrected" in spec:
        raise LeftOut(f"expected no {CORRECTED} behind the name of a reference row")


@functools.lru_cache(maxsize=4096)
def _task(name: str) -> dict[str, Any] | None:
    """Return what a name of a task of ours means; None of anybody else's, which would run code."""
    try:
        if ":" in name or transforms.split(name)[0] not in registry.TASKS:
            return None
        return _plain(plan.described(name)["task"])
    except ValueError:
        raise LeftOut(f"this version has no task {shown(name)}") from None


@functools.lru_cache(maxsize=4096)
def _architecture(name: str) -> dict[str, Any] | None:
    """Return what a name of an architecture of ours means; None of anybody else's, which would run code."""
    ours = _registered(name)
    return None if ours is None else _plain(architectures.parameters(ours))


def _registered(name: str) -> Architecture | None:
    try:
        if ":" in name:
            return None
        base = registry.split(name)[0].partition("(")[0].strip()
        return registry.architecture(name) if base in {*registry.ARCHITECTURES, *FAMILIES} else None
    except ValueError:
        raise LeftOut(f"this version has no architecture {shown(name)}") from None


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as they are once they were written as JSON."""
    found: dict[str, Any] = json.loads(json.dumps(values))
    return found
