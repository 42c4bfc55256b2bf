"""Runs from several machines, possibly strangers', to one: what fits is merged, what doesn't is listed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.errors import Refused
from runner.merging import sizes, strangers
from runner.merging.strangers import Grid, LeftOut, Manifest
from runner.merging.writer import Merged, Run, Writer
from runner.results import damage, files, schema
from runner.results.sqlite_errors import UNREADABLE, explained
from runner.run import report
from runner.run_folder import LOCK, MANIFEST, locked, results_file
from runner.store import FILE, Store, StoreError

MOST_BYTES = 4 << 30  # of a results file and its write-ahead log
MOST_TRIALS = 1_000_000


class MergeError(Refused):
    """Runs can't be merged; the message says which, what was expected and found."""


def merge(folders: Sequence[Path], output: Path) -> Merged:
    """Write what fits of some runs as a run of its own, with pages; the runs are only read.

    output: a new or empty folder, or that of an earlier merge, whose results are set aside. Raises RunError
    or MergeError where the call is wrong or nothing fits, StoreError where the output can't be written.
    """
    _check_call(folders, output)
    found = Merged()
    with ExitStack() as stack:
        runs = list(_opened(folders, found, stack))
        if not runs:
            raise MergeError("; ".join(found.lines()))
        grid = _united(runs)
        stack.enter_context(locked(output))
        path = output / FILE
        with explained(path), schema.new_file(path) as target:
            manifest = Writer(target, grid, runs, found).write()
            if not found.trials:
                raise MergeError("\n".join(["expected trials that fit, found none", *found.lines()]))
        damage.set_aside(path)
        files.swap_in(files.new_name(path), path)
        with Store(path, reading=True) as store:
            report(store, manifest, output)
    return found


def _check_call(folders: Sequence[Path], output: Path) -> None:
    for folder in folders:
        results_file(folder)
        if folder.resolve() == output.resolve():
            raise MergeError(f"--output {output}: expected another folder than the runs', found one of them")
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise MergeError("expected each run once, found one twice")
    if output.exists() and not output.is_dir():
        raise MergeError(f"--output {output}: expected a folder, found a file")
    if output.is_dir() and any(path.name != LOCK for path in output.iterdir()) and not _merged(output):
        raise MergeError(
            f"--output {output}: expected a new or empty folder, or an earlier merge's, found another with"
            " files in it"
        )


def _merged(output: Path) -> bool:
    """Whether a folder holds what `runner merge` made."""
    try:
        with Store(output / FILE, reading=True) as store:
            return "merged" in store.run()
    except (OSError, StoreError, *UNREADABLE):
        return False


def _opened(folders: Iterable[Path], found: Merged, stack: ExitStack) -> Iterator[Run]:
    """Yield the runs that can be read; others are left out as a whole."""
    for folder in folders:
        try:
            size = sum(each.stat().st_size for each in _files(folder / FILE))
            if size > MOST_BYTES:
                raise LeftOut(f"expected a results file of at most {MOST_BYTES:,} bytes, found {size:,}")
            yield _run(folder, stack.enter_context(Store(folder / FILE, reading=True, strange=True)))
        except (LeftOut, StoreError, OSError, *UNREADABLE) as error:
            found.left_out[str(folder), "", str(error)] = 0


def _files(path: Path) -> list[Path]:
    """Return a results file and its write-ahead log, if it has one."""
    return [each for each in (path, files.log(path)) if each.exists()]


def _run(folder: Path, store: Store) -> Run:
    sizes.check_described(store.connection)
    told = {key: value for key, value in damage.rows(store.connection, "run") if isinstance(key, str)}
    grid = strangers.told(Grid, told.get("suite"))
    try:
        listed = json.loads(told.get("trials") or "")
    except (ValueError, TypeError, RecursionError):
        raise LeftOut("expected the trials of its grid, found none") from None
    if isinstance(listed, list):  # of an older version, where a trial had one name for good
        every = store.connection.execute("SELECT id, task, architecture FROM trial")
        listed = {id: list(names) for id, *names in every if id in listed}
    if not isinstance(listed, dict) or len(listed) > MOST_TRIALS:
        raise LeftOut(f"expected at most {MOST_TRIALS:,} trials of its grid by their ids")
    rows = {*grid.architectures, *grid.reference}
    names = {
        id: (pair[0], pair[1])
        for id, pair in listed.items()
        if isinstance(pair, list) and len(pair) == 2 and pair[0] in grid.tasks and pair[1] in rows
    }
    tasks, bad_tasks = strangers.tasks(store, grid.tasks)
    described, bad_rows = strangers.rows_told(store, rows)
    environments = dict(damage.rows(store.connection, "environment"))
    bad = bad_tasks | bad_rows
    return Run(folder, store, grid, names, tasks, described, bad, _manifest(folder), environments)


def _manifest(folder: Path) -> Manifest:
    try:
        with (folder / MANIFEST).open(encoding="utf-8") as file:
            return strangers.told(Manifest, file.read(strangers.MOST_TEXT + 1))
    except (OSError, ValueError):
        return Manifest()


def _united(runs: Sequence[Run]) -> Grid:
    """Return the grid that all runs are parts of; raises MergeError where two can't be of one."""
    first = runs[0]
    for run in runs[1:]:
        for key in ("protocol", "batch", "pool", "steps"):
            one, other = getattr(first.grid, key), getattr(run.grid, key)
            if one != other:
                raise MergeError(
                    f"expected runs of one {key}, found {one} in {first.folder} and {other} in {run.folder}"
                )
    lists: dict[str, list[Any]] = {
        key: list(dict.fromkeys(each for run in runs for each in getattr(run.grid, key)))
        for key in ("tasks", "architectures", "reference", "budgets")
    }
    lists["budgets"].sort()
    lists["reference"] = [name for name in lists["reference"] if name not in lists["architectures"]]
    return first.grid.model_copy(update={**lists, "seeds": max(run.grid.seeds for run in runs)})
