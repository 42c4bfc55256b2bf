"""Finished runs, opened to be read: their numbers, and the names in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import registry
from benchmarks.errors import UnknownName, hint
from reports.results import Results
from runner.results import frames
from runner.run_folder import RunError, read_manifest, results_file
from runner.store import FILE, Store

RUNS = Path("runs")


@dataclass(frozen=True)
class Finished:
    """A run's numbers, and what its trials come from beside the seeds."""

    folder: Path
    results: Results
    origins: frames.Origins


def opened(folder: Path) -> Finished:
    """Return a run's numbers; nothing is written, and a run that is under way isn't waited for.

    Raises RunError where the folder holds no run, StoreError where its results file can't be read.
    """
    with Store(results_file(folder), reading=True) as store:
        numbers = frames.numbers(store, read_manifest(folder))
        return Finished(folder, numbers, frames.origins(store))


def with_both(first: str, second: str) -> tuple[Finished, str, str]:
    """Return the only run below runs/ that has two rows, and their names in it.

    Raises UnknownName where none has both, RunError where several have.
    """
    runs = [opened(path.parent) for path in sorted(RUNS.glob(f"*/{FILE}"))]
    found = []
    for run in runs:
        try:
            found.append((run, named(run, first), named(run, second)))
        except UnknownName:
            continue
    if len(found) == 1:
        return found[0]
    if found:
        folders = ", ".join(str(run.folder) for run, *_ in found)
        raise RunError(f"{first} and {second} are in several runs, {folders}; choose one with --run")
    if len(runs) == 1:
        for name in (first, second):
            named(runs[0], name)
    there = ", ".join(str(run.folder) for run in runs) or "none"
    raise RunError(f"expected a run with both {first} and {second}; below {RUNS} there are: {there}")


def named(run: Finished, name: str) -> str:
    """Return how a run writes a row's name, which may be spelled otherwise; raises UnknownName."""
    names = rows(run.results)
    for spelling in (str, registry.spelled, _canonical):
        try:
            text = spelling(name)
        except ValueError:
            continue
        if text in names:
            return text
    raise UnknownName(f"unknown architecture {name!r} in {run.folder}; {hint(name, names)}")


def _canonical(name: str) -> str:
    return registry.architecture(name).name


def rows(results: Results) -> Sequence[str]:
    """Return the rows of a run, learned ones first."""
    return list(dict.fromkeys([*results.suite["architectures"], *results.suite["reference"]]))
