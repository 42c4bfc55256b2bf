"""Whether a trial from somewhere else is what it says: its id, its spec, its numbers, its outputs."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from benchmarks import grammar, registry
from benchmarks.architectures.networks import FAMILIES
from benchmarks.metrics import METRICS
from benchmarks.regions import SPARSE, STRATA, WINDOW
from runner.damage import Kept, digest
from runner.plan import CORRECTED
from runner.strangers import ABOVE, LONG, Exact, Grid, LeftOut, numbers, shown

REGIONS = frozenset({"all", WINDOW, *SPARSE, *(f"stratum-{place + 1}" for place in range(STRATA))})
STATUSES = frozenset({"ok", "failed", "timeout", "skipped"})
MOST_SPEC, MOST_REASON, DEPTH = 1 << 16, 600, 24


class Place(NamedTuple):
    """What only one trial of a merged run can be: its task and row, seed, and under `dataset` its budget."""

    task: str
    architecture: str
    seed: int
    budget: int | None


def spec_of(trial: Kept) -> dict[str, Any]:
    """Return a trial's spec, whose hash is its id; raises LeftOut."""
    text = trial.spec
    if not isinstance(text, str) or len(text) > MOST_SPEC or _depth(text) > DEPTH:
        raise LeftOut(f"expected a spec of at most {MOST_SPEC:,} characters, {DEPTH} levels deep")
    try:
        spec = json.loads(text)
        canonical = json.dumps(spec, sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError):
        raise LeftOut("expected a spec in JSON") from None
    if not isinstance(spec, dict) or canonical != text:
        raise LeftOut("expected a spec in canonical JSON")
    if digest(text) != trial.id:
        raise LeftOut("its id isn't the hash of its spec")
    for key, kind in (("task", dict), ("architecture", dict), ("protocol", dict), ("seed", int)):
        if type(spec.get(key)) is not kind:
            raise LeftOut(f"its spec: expected {key}, found {shown(spec.get(key), 40)}")
    return spec


def _depth(text: str) -> int:
    """Return how deep brackets are nested, at most: those within strings count too."""
    depth = most = 0
    for character in text:
        depth += (character in "[{") - (character in "]}")
        most = max(most, depth)
    return most


def place(trial: Kept, spec: dict[str, Any], names: tuple[str, str], grid: Grid) -> Place:
    """Return a trial's place in its grid, by the names that it has there; raises LeftOut."""
    task, row = names
    if type(trial.seed) is not int or not 0 <= trial.seed <= 1_000_000 or spec["seed"] != trial.seed:
        raise LeftOut(f"expected its spec's seed, found {shown(trial.seed, 40)}")
    if "fingerprint" not in spec and spec["task"].get("name") != task:
        raise LeftOut(f"its spec is of the task {shown(spec['task'].get('name'), 60)}, not of {shown(task)}")
    if row.endswith(CORRECTED) != (spec.get("corrected") is True):
        raise LeftOut(f"expected {CORRECTED} behind the name of a corrected row alone")
    if "source" not in spec and _canonical(row.removesuffix(CORRECTED)) != spec["architecture"].get("name"):
        raise LeftOut(f"its spec is of the architecture {shown(spec['architecture'].get('name'), 60)}")
    protocol = spec["protocol"]
    expected: dict[str, Any] = {"kind": grid.protocol}
    if grid.protocol == "stream":
        expected |= {"batch": grid.batch, "pool": grid.pool}
    for key, value in expected.items():
        if protocol.get(key) != value:
            raise LeftOut(f"its spec: expected {key} {value}, found {shown(protocol.get(key), 40)}")
    budget = protocol.get("budget")
    if grid.protocol == "dataset" and type(budget) is not int:
        raise LeftOut(f"its spec: expected a budget, found {shown(budget, 40)}")
    return Place(task, row, trial.seed, budget if grid.protocol == "dataset" else None)


def _canonical(name: str) -> str:
    """Return one of our own architectures' only name; anybody else's as it is, since that would run code."""
    try:
        base, _ = grammar.split("architecture", name)
        if ":" not in name and base.partition("(")[0] in {*registry.ARCHITECTURES, *FAMILIES}:
            return registry.architecture(name).name
    except ValueError:
        pass
    return name


def check_numbers(trial: Kept, where: Place) -> None:
    """Raise LeftOut where a record isn't one that a run stores."""
    if not trial.records:
        raise LeftOut("expected records, found none")
    for budget, metric, region, value, error, status, reason, again in trial.records:
        if type(budget) is not int or not 0 < budget <= LONG or where.budget not in (None, budget):
            raise LeftOut(f"expected a budget, found {shown(budget, 40)}")
        if metric not in METRICS or region not in REGIONS:
            raise LeftOut(f"expected a known metric and region, found {shown(metric)}, {shown(region)}")
        if status not in STATUSES or again not in (0, 1):
            raise LeftOut(f"expected a known status, found {shown(status)}")
        for number, least in ((value, -1e300), (error, 0.0)):
            if number is not None and not (type(number) is float and number >= least):
                raise LeftOut(f"expected a number, inf or none, found {shown(number, 40)}")
        if value is not None and status != "ok":
            raise LeftOut(f"expected no number where the status is {status}, found {value!r}")
        _check_reason(reason)


def _check_reason(reason: Any) -> None:
    if not isinstance(reason, str) or len(reason) > MOST_REASON:
        raise LeftOut(f"expected a reason of at most {MOST_REASON} characters")
    if not reason.replace("\n", "").replace("\t", "").isprintable():
        raise LeftOut(f"expected a printable reason, found {shown(reason)}")


def check_outputs(trial: Kept, task: Exact) -> None:
    """Raise LeftOut where what is kept of a trial's outputs isn't of its task's shape."""
    sizes = {"prediction": ((4, task.points * task.classes),), "curve": ((4, task.drawn), (2, task.drawn))}
    for table, outputs in trial.outputs.items():
        for budget, log_q in outputs:
            if type(budget) is not int or not isinstance(log_q, bytes):
                raise LeftOut(f"expected a {table} of numbers at a budget")
            width = next((width for width, size in sizes[table] if size and len(log_q) == width * size), None)
            if width is None:
                raise LeftOut(f"expected a {table} of its task's points, found {len(log_q):,} bytes")
            if not (numbers(log_q, f"<f{width}", len(log_q)) <= ABOVE).all():
                raise LeftOut(f"expected logs of probabilities, found a {table} with others")
