"""A run from a suite to its pages: plan, train what is missing, store, report."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import shipping
from reports.results import Results
from runner import plan, provenance
from runner.cost import NOTHING, Known, measured
from runner.describe import describe
from runner.execution.run_stacks import LOST, run_stacks
from runner.plan import Trial
from runner.progress import count, say
from runner.results import damage
from runner.run_folder import MANIFEST, RunError, locked, read_manifest, results_file
from runner.speeds import TYPICAL, Speeds
from runner.stacks import Stack, stacked
from runner.store import FILE, Store
from runner.training import checkpoint
from suites.suite import Suite

if TYPE_CHECKING:
    from reports.leaderboard import Summary


@dataclass(frozen=True)
class Options:
    """How to run a suite: mode "compiled" or "eager", device "cpu" or "cuda", worker processes, folder.

    timeout: seconds that a stack may take, None for no bound; dask: address of a cluster's scheduler that
    runs the stacks in place of local processes.
    """

    mode: str
    device: str
    jobs: int
    folder: Path
    fresh: bool = False
    quick: bool = False
    timeout: float | None = None
    dask: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What a run leaves to show: its frames, their summary, and how many trials failed."""

    results: Results
    summary: Summary
    failed: int


def run(suite: Suite, options: Options) -> Outcome:
    """Train what a suite's folder lacks, store it and write its pages.

    Raises RunError, StoreError, TaskError or Edited where it can't start, and KeyboardInterrupt with
    everything finished so far stored.
    """
    started = datetime.now(UTC)
    if options.dask is not None:
        from runner.execution import cluster

        options = replace(options, jobs=cluster.size(options.dask))
    planned = shipping.planned(suite.tasks, [*suite.architectures, *suite.reference])
    trials = plan.plan(suite, options.mode)
    shipping.check(planned)  # so the ids are of these files, and nobody goes on from a checkpoint of others
    with locked(options.folder), _store(options) as store:
        describe(store, suite, trials)
        done = store.done()
        todo = plan.missing(trials, done)
        checkpoint.prepare(options.folder / checkpoint.FOLDER, done, fresh=options.fresh)
        stacks = stacks_of(suite, todo, options, known=measured(store, suite.tasks) if todo else NOTHING)
        _say_what_is_missing(suite, trials, todo, stacks, options)
        run_stacks(store, stacks, options, planned)
        checkpoint.tidy(options.folder / checkpoint.FOLDER)
        _say_if_mixed(store)
        found, summary = report(store, _manifest(suite, options, store, started), options.folder)
        _say_what_is_left_out(store, trials)
    return Outcome(found, summary, failed=_failed(found))


def report(store: Store, manifest: dict[str, Any], folder: Path) -> tuple[Results, Summary]:
    """Write a run's manifest, tables and pages into a folder and return what they show; raises StoreError."""
    from reports import aside

    aside.prepare()  # meanwhile the numbers are read
    from reports.render import swap_in, write_report
    from runner.results.frames import results

    found = results(store, manifest)
    swap_in(folder / MANIFEST, json.dumps(manifest, indent=2) + "\n")
    return found, write_report(found, folder)


def _store(options: Options) -> Store:
    if options.fresh and (aside := damage.set_aside(options.folder / FILE)):
        say(f"the earlier results are kept in {aside}")
    return damage.opened(options.folder / FILE, say)


def stacks_of(
    suite: Suite, todo: list[Trial], options: Options, speeds: Speeds = TYPICAL, known: Known = NOTHING
) -> list[Stack]:
    """Return the stacks of what is to be trained, the costliest first; by what their costs are known."""
    if not todo:
        return []
    from runner.training.compute import work  # here and not above, because they import torch
    from runner.training.modules import parameter_count

    folder = options.folder / checkpoint.FOLDER
    together = checkpoint.found(folder, options.device)
    stacks = stacked(
        suite,
        todo,
        options.mode,
        options.device,
        options.jobs,
        parameter_count,
        work,
        speeds,
        known,
        together,
    )
    return [replace(stack, checkpoints=str(folder.resolve())) for stack in stacks]


def _say_what_is_missing(
    suite: Suite, trials: list[Trial], todo: list[Trial], stacks: list[Stack], options: Options
) -> None:
    there = len(trials) - len(todo)
    kept = f"{there:,} of {len(trials):,} trials are there already; " if there else ""
    if not todo:
        say(f"{suite.name}: all {len(trials):,} trials are there already; nothing to train")
        return
    what = f"training {count(len(todo), 'trial')} in {count(len(stacks), 'stack')}"
    say(f"{suite.name}: {kept}{what}, {options.mode}, {min(options.jobs, len(stacks))} at a time")


def _say_what_is_left_out(store: Store, trials: list[Trial]) -> None:
    """Tell that a narrowed run's tables show less than its folder holds."""
    others = len(set(store.done()) - {row.id for trial in trials for row in trial.rows})
    if others:
        say(
            f"note: the tables and the page show this grid; {count(others, 'other trial')} in {store.path}"
            " are kept, and a run that names them shows them again"
        )


def _say_if_mixed(store: Store) -> None:
    """Announce that a folder holds numbers from several environments: their last bits may differ."""
    environments = store.environments()
    first = environments[0] if environments else {}
    differ = sorted({key for other in environments for key in other if other[key] != first.get(key)})
    for key in differ:
        found = ", ".join(dict.fromkeys(str(other.get(key)) for other in environments))
        say(f"note: {store.path} holds trials with different {key}: {found}")


def _manifest(suite: Suite, options: Options, store: Store, started: datetime) -> dict[str, Any]:
    """Return where a folder's tables come from; wall_seconds adds up every command that trained in it."""
    return {
        "suite": suite.name,
        "command": shlex.join(["runner", *sys.argv[1:]]),
        "commit": provenance.commit() or "not recorded",
        "versions": provenance.versions(),
        "machine": provenance.machine(),
        "environments": store.environments(),
        "quick": options.quick,
        "mode": options.mode,
        "device": options.device,
        "jobs": options.jobs,
        "started": started.isoformat(timespec="seconds"),
        "wall_seconds": round(store.run().get("wall_seconds", 0.0), 1),
    }


def _failed(results: Results) -> int:
    """Return how many trials of learned architectures have a failure at some budget.

    A reference row without a maximum says something about the data, not about the run.
    """
    bad = results.records[results.records["status"].isin(list(LOST))]
    bad = bad[~bad["architecture"].isin(results.suite["reference"])]
    return len(bad[["task", "architecture", "seed"]].drop_duplicates())


def report_again(folder: Path, output: Path) -> Path:
    """Write a run's pages from its results file into `output`, and return the page.

    Raises RunError where the folder holds no run, StoreError where its results file can't be read.
    """
    file = results_file(folder)
    if output.resolve() != folder.resolve() and (output / FILE).exists():
        raise RunError(f"folder {output}: expected one without a run of its own, found {FILE} in it")
    with locked(output), Store(file, reading=True) as store:
        report(store, read_manifest(folder), output)
    return output / "report" / "index.html"
