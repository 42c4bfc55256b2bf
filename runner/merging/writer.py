"""Trials of several runs in one results file: each checked, the first run's kept, the rest counted."""

from __future__ import annotations

import json
import os
import shlex
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runner import provenance
from runner.merging import sizes, specs, strangers, trials
from runner.merging.strangers import Exact, Grid, LeftOut, Manifest, shown
from runner.progress import count
from runner.results import checksum, damage, schema
from runner.results.damage import NotWhole, StoredTrial
from runner.store import Store

MOST_LINES = 100
CLOCK = "training_seconds"  # the only metric that differs when the same trial is trained again


@dataclass(frozen=True)
class Run:
    """A run to merge, opened to be read: its folder, its grid, the names of its trials, its descriptions."""

    folder: Path
    store: Store
    grid: Grid
    names: dict[str, tuple[str, str]]
    tasks: dict[str, Exact]
    rows: dict[str, str]
    bad: dict[str, str]
    manifest: Manifest
    environments: dict[int, str]


@dataclass
class Merged:
    """What was merged: trials by run, how many of them were in several and differ, and what was left out."""

    trials: Counter[str] = field(default_factory=Counter)
    same: int = 0
    differ: Counter[str] = field(default_factory=Counter)
    left_out: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # run, row, reason

    def lines(self) -> Iterator[str]:
        """Yield what is to be said of it."""
        for number, ((run, row, why), many) in enumerate(self.left_out.items()):
            if number == MOST_LINES:
                yield f"and {len(self.left_out) - MOST_LINES:,} more reasons"
                break
            yield (
                f"{run}: {count(many, 'trial')} of {row} left out: {why}"
                if many
                else f"{run} left out: {why}"
            )
        if self.same or self.differ:
            first = (
                f"{count(self.same + self.differ.total(), 'trial')} found in several runs, the first given"
            )
            yield f"{first} kept: {self.same:,} the same, {self.differ.total():,} with other numbers"
        for why, many in self.differ.items():
            yield f"  {many:,} differ: {why}"


class Writer:
    """Writes trials of runs, the first given first, into a new results file."""

    def __init__(self, target: sqlite3.Connection, grid: Grid, runs: Sequence[Run], found: Merged) -> None:
        self._target, self._grid, self._runs, self._found = target, grid, runs, found
        self._tasks: dict[str, Exact] = {}
        self._rows: dict[str, str] = {}
        self._places: dict[specs.Place, str] = {}
        self._alike: dict[Any, Any] = {}  # what all trials of a task, and of a row in it, share
        self._names: dict[str, tuple[str, str]] = {}
        self._written: dict[str, tuple[str, dict[int, int]]] = {}  # id: environment, sums by budget
        self._environments: dict[str, int] = {}
        self._later: list[tuple[Run, str]] = []  # trials of older versions

    def write(self) -> dict[str, Any]:
        """Write everything that fits, and return the manifest."""
        for run in self._runs:
            for id in run.names:
                self._trial(run, id)
        for run, id in self._later:
            self._trial(run, id, older=True)
        manifest = self._manifest()
        self._describe(manifest)
        return manifest

    def _trial(self, run: Run, id: str, *, older: bool = False) -> None:
        """Write a trial that fits; one of older versions waits, since this package's own come first."""
        names = run.names[id]
        try:
            for each in names:
                if each in run.bad:
                    raise LeftOut(run.bad[each])
            if not sizes.is_there(run.store.connection, id, run.tasks[names[0]]):
                return
            trial = damage.whole(run.store.connection, id)
            spec = specs.spec_of(trial)
            if not (specs.is_current(spec, names) or older):
                self._later.append((run, id))
                return
            where = specs.place(trial, spec, names, run.grid)
            trials.check_numbers(trial, where)
            trials.check_outputs(trial, self._tasks.get(names[0], run.tasks[names[0]]))
            environment = strangers.environment(run.environments.get(trial.environment, ""))
            self._check_alike(id, where, spec)
        except (LeftOut, NotWhole) as error:
            why = (
                shown(str(error), 300) if isinstance(error, NotWhole) else str(error)
            )  # SQLite quotes the file
            self._found.left_out[str(run.folder), shown(names[1]), why] += 1
            return
        if id in self._written:
            self._again(trial, environment)
            return
        self._tasks.setdefault(where.task, run.tasks[where.task])
        self._rows.setdefault(where.architecture, run.rows[where.architecture])
        self._places[where], self._names[id] = id, names
        row = self._environment(environment)
        damage.write(self._target, trial._replace(task=names[0], architecture=names[1], environment=row))
        self._written[id] = environment, _sums(trial)
        self._found.trials[str(run.folder)] += 1

    def _check_alike(self, id: str, where: specs.Place, spec: dict[str, Any]) -> None:
        """Raise LeftOut where a trial can't stand in one table with those that are there."""
        shared = {key: value for key, value in spec.items() if key not in ("seed", "protocol", "corrected")}
        own = ("task", "fingerprint", "evaluation")
        parts = {
            where.task: {key: shared.get(key) for key in own},
            (where.architecture,): {key: shared.get(key) for key in ("architecture", "source", "engine")},
            (where.task, where.architecture): shared
            | {"steps": spec["protocol"].get("steps"), "batch": spec["protocol"].get("batch")},
        }
        for key, part in parts.items():
            there = self._alike.get(key, part)
            if there != part:
                other = [shown(each, 40) for each in part if part.get(each) != there.get(each)]
                raise LeftOut(f"another {', '.join(other)} than in trials of that name given before")
        if self._places.get(where, id) != id:
            raise LeftOut("another trial of the same task, architecture and seed was given before")
        for key, part in parts.items():
            self._alike.setdefault(key, part)

    def _again(self, trial: StoredTrial, environment: str) -> None:
        """Count a trial that is there already; one of the same environment may bring further budgets."""
        first, there = self._written[trial.id]
        here = _sums(trial)
        if any(here[budget] != there[budget] for budget in here.keys() & there.keys()):
            self._found.differ[_difference(first, environment)] += 1
        else:
            self._found.same += 1
            if first == environment and (new := here.keys() - there.keys()):
                _extend(self._target, trial, new)
                there |= {budget: here[budget] for budget in new}

    def _environment(self, text: str) -> int:
        if text not in self._environments:
            self._environments[text] = len(self._environments) + 1
            schema.put(self._target, "environment", [(self._environments[text], text)])
        return self._environments[text]

    def _describe(self, manifest: dict[str, Any]) -> None:
        """Write the grid, of which there are trials, and what the pages say of its tasks and rows."""
        lists = {
            "tasks": [name for name in self._grid.tasks if name in self._tasks],
            "architectures": [name for name in self._grid.architectures if name in self._rows],
            "reference": [name for name in self._grid.reference if name in self._rows],
        }
        run = {
            "suite": self._grid.model_dump() | lists,
            "trials": self._names,
            "wall_seconds": manifest["wall_seconds"],
            "merged": manifest["merged"],
        }
        target = self._target
        schema.put(target, "run", ((key, json.dumps(value)) for key, value in run.items()))
        schema.put(target, "task", ((name, task.summary) for name, task in self._tasks.items()))
        schema.put(target, "architecture", self._rows.items())
        for name, task in self._tasks.items():
            for table, row in (("representatives", task.representatives), ("picture", task.picture)):
                if row is not None:
                    schema.put(target, table, [(name, *row)])

    def _manifest(self) -> dict[str, Any]:
        """Return where the tables come from: what was merged, each with its versions and machine."""
        return {
            "suite": self._grid.name,
            "command": shlex.join(["runner", *sys.argv[1:]]),
            "commit": provenance.commit() or "not recorded",
            "versions": provenance.versions(),
            "machine": provenance.machine(),
            "environments": [json.loads(text) for text in self._environments],
            "quick": any(run.manifest.quick for run in self._runs),
            "merged": [
                {"run": os.path.basename(run.folder.resolve()), "trials": self._found.trials[str(run.folder)]}
                | run.manifest.model_dump()
                for run in self._runs
            ],
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "wall_seconds": round(sum(run.manifest.wall_seconds for run in self._runs), 1),
        }


def _sums(trial: StoredTrial) -> dict[int, int]:
    """Return {budget: checksum} of a trial's records but for the clock's."""
    by_budget: dict[int, list[Any]] = {}
    for record in trial.records:
        by_budget.setdefault(record[0], []).extend([record] if record[1] != CLOCK else [])
    return {budget: checksum.of_trial(records) for budget, records in by_budget.items()}


def _difference(first: str, other: str) -> str:
    """Return in words what differs between two environments."""
    if first == other:
        return "in the same environment"
    one, two = json.loads(first), json.loads(other)
    keys = [key for key in {**one, **two} if one.get(key) != two.get(key)]
    return "; ".join(
        f"{shown(key, 40)} {shown(one.get(key), 60)} and {shown(two.get(key), 60)}" for key in keys
    )


def _extend(target: sqlite3.Connection, trial: StoredTrial, budgets: Iterable[int]) -> None:
    """Store a trial's records and outputs at further budgets."""
    new = set(budgets)
    records = [record for record in trial.records if record[0] in new]
    columns = ", ".join(schema.COLUMNS["trial"])
    *row, sum = target.execute(f"SELECT {columns} FROM trial WHERE id = ?", (trial.id,)).fetchone()
    schema.put(target, "trial", [(*row, checksum.signed(sum + checksum.of_trial(records)))])
    schema.put_records(target, trial.id, records)
    for table, outputs in trial.outputs.items():
        schema.put(target, table, ((trial.id, *output) for output in outputs if output[0] in new))
