"""The results of a run: one SQLite file with one writer, the truth that every page is made from."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.task import Array
from runner.pictures import Drawing
from runner.records import TrialResult
from runner.results import checksum, files, schema, sqlite_errors
from runner.results.opening import Opener
from runner.results.schema import APPLICATION_ID, SCHEMA_VERSION, Damaged, Empty, StoreError

__all__ = [
    "APPLICATION_ID",
    "FILE",
    "SCHEMA_VERSION",
    "Damaged",
    "Empty",
    "Store",
    "StoreError",
    "TaskDescription",
]

FILE = "results.db"
fields = attrgetter(*schema.RECORD)


class TaskDescription(NamedTuple):
    """What a report shows of a task: its summary as plain data, where it is drawn, what stands for P(x).

    weights (r,) and log_posterior (r, k): of the representatives that predictions are kept at.
    """

    summary: Mapping[str, Any]
    drawing: Drawing | None
    weights: Array
    log_posterior: Array


class Store:
    """A run's results file, open for writing unless said otherwise; close it or use it in `with`."""

    def __init__(self, path: Path, *, reading: bool = False, strange: bool = False) -> None:
        """Open the file, or make it; raises StoreError where it can't be used, Damaged where it is damaged.

        One of an older schema is brought up to date, and the old file kept beside it: see `kept_as`.
        reading: the file has to be there, and nothing is written to it or its folder; one of an older schema
        is brought up to date in a temporary folder. All that is read is of one moment, whoever writes
        meanwhile. strange: a stranger's, whose queries end after a minute or so.
        """
        self.path = path
        self._reading = reading
        self._left = ExitStack()  # what goes when the file is closed
        self._stamp = _stamp(path)
        if path.exists() and not path.is_file():
            raise StoreError(f"results file {path}: expected a file, found something else")
        opener = Opener(path, self._left, strange)
        with self._explained(), ExitStack() as failing:
            failing.callback(self._left.close)
            self._db = opener.to_read() if reading else opener.to_write()
            self.kept_as = opener.kept_as
            failing.pop_all()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            self.close()
        except (StoreError, sqlite3.Error):
            if kind is None:  # else the first error is the one to tell
                raise

    def close(self) -> None:
        """Fold the write-ahead log in and close the file; on a full disk the log stays beside it."""
        with self._left, self._explained(), suppress(sqlite3.OperationalError):
            if not self._reading:
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn SQLite's errors that come from the file and the disk into ours."""
        try:
            with sqlite_errors.explained(self.path, reading=self._reading):
                yield
        except Damaged:
            if self._reading and _stamp(self.path) != self._stamp:
                raise StoreError(
                    f"results file {self.path}: it was written to while it was read; call again"
                ) from None
            raise

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection itself, for who reads what may be damaged."""
        return self._db

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give a connection on which everything is stored at the end or nothing; raises StoreError."""
        with self._explained(), schema.all_or_nothing(self._db):
            yield self._db

    def done(self) -> dict[str, set[int]]:
        """Return {trial id: budgets that have records}, without what an exception cut short.

        A trial that diverged would diverge again; one that the machine failed (a broken compiler, no memory)
        may not, so the next run tries it again.
        """
        found: dict[str, set[int]] = {}
        query = "SELECT DISTINCT trial, budget FROM record WHERE NOT again"
        for trial, budget in self.rows(query):
            found.setdefault(trial, set()).add(budget)
        return found

    def add(self, results: Iterable[TrialResult], environment: Mapping[str, str]) -> None:
        """Store finished trials in one transaction; a budget that is there already is replaced, others stay.

        What a trial has at one budget never depends on which others were asked for. A budget that need not be
        tried again is not replaced by one that has to be. Raises StoreError, with everything stored before
        still there.
        """
        description = json.dumps(environment, sort_keys=True)
        with self.transaction() as db:
            there = "SELECT id FROM environment WHERE description = ?"
            if not (row := db.execute(there, (description,)).fetchone()):
                row = db.execute("SELECT coalesce(max(id), 0) + 1 FROM environment").fetchone()
                schema.put(db, "environment", [(*row, description)])
            for result in results:
                _add(db, result, *row)

    def describe(
        self,
        run: Mapping[str, Any],
        tasks: Mapping[str, TaskDescription] | None = None,
        architectures: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Store what a report says beside the numbers, so that it needs neither registry nor torch.

        run: the suite, the ids of the grid's trials, the seconds spent, as plain data; architectures: {name:
        summary}.
        """
        told = (tasks or {}).items()
        with self.transaction() as db:
            schema.put(db, "run", ((key, json.dumps(value)) for key, value in run.items()))
            schema.put(db, "task", ((name, json.dumps(task.summary)) for name, task in told))
            pictures = ((name, *_row(task.drawing)) for name, task in told if task.drawing)
            schema.put(db, "picture", pictures)
            exact = ((name, blob(task.weights), blob(task.log_posterior)) for name, task in told)
            schema.put(db, "representatives", exact)
            summaries = ((name, json.dumps(text)) for name, text in (architectures or {}).items())
            schema.put(db, "architecture", summaries)

    def run(self) -> dict[str, Any]:
        """Return what was stored about the last run: its suite, its trials' ids, the seconds spent.

        Raises Damaged where that is damaged.
        """
        found = list(self.table("run"))
        try:
            return {key: json.loads(value) for key, value in found}
        except ValueError as error:
            raise Damaged(self.path, f"expected JSON in table run, found: {error}") from None

    def environments(self) -> list[dict[str, str]]:
        """Return the environments that the stored trials were trained in."""
        used = {row for (row,) in self.rows("SELECT DISTINCT environment FROM trial")}
        return [json.loads(text) for id, text in sorted(self.table("environment")) if id in used]

    def table(self, name: str) -> Iterator[tuple[Any, ...]]:
        """Return the rows of a table as they were stored; raises Damaged at one that isn't."""
        for *row, found in self.rows(f"SELECT {', '.join(schema.COLUMNS[name])}, checksum FROM {name}"):
            if checksum.of_row(name, *row) != found:
                with self._explained():
                    raise Damaged(self.path, f"expected the checksum of a row in table {name}, found another")
            yield tuple(row)

    def rows(self, query: str, *parameters: Any) -> Iterator[tuple[Any, ...]]:
        """Return the rows of a reading query.

        parameters: of its question marks. Raises StoreError.
        """
        with self._explained():
            # A cursor itself would be closed behind its database.
            yield from iter(self._db.execute(query, parameters).fetchone, None)

    def chunks(self, query: str, *parameters: Any, most: int) -> Iterator[list[tuple[Any, ...]]]:
        """Return the same, a list of at most so many rows at a time."""
        with self._explained():
            cursor = self._db.execute(query, parameters)
            while rows := cursor.fetchmany(most):
                yield rows


def _add(db: sqlite3.Connection, result: TrialResult, environment: int) -> None:
    """Store a trial's result in a transaction, but for tries cut short at budgets that have numbers."""
    trial, cut = result.trial, {record.budget for record in result.records if record.again}
    settled = "SELECT DISTINCT budget FROM record WHERE trial = ? AND NOT again"
    kept_budgets = cut & {budget for (budget,) in db.execute(settled, (trial.id,))}
    records = [fields(record) for record in result.records if record.budget not in kept_budgets]
    # What was there is subtracted and not summed anew: a sum of what is damaged would make it right.
    found = db.execute("SELECT numbers, environment FROM trial WHERE id = ?", (trial.id,)).fetchone()
    old, trained_in = found or (0, environment)
    numbers = old + checksum.of_trial(records)
    for budget in {record[0] for record in records} if old else ():
        found = f"SELECT {', '.join(schema.RECORD)} FROM record WHERE trial = ? AND budget = ?"
        numbers -= checksum.of_trial(db.execute(found, (trial.id, budget)).fetchall())
        for table in ("record", "curve", "prediction"):
            db.execute(f"DELETE FROM {table} WHERE trial = ? AND budget = ?", (trial.id, budget))
    row = (trial.id, trial.task, trial.architecture, trial.seed, trial.spec)
    where = trained_in if kept_budgets else environment
    schema.put(db, "trial", [(*row, where, checksum.signed(numbers))])
    schema.put_records(db, trial.id, records)
    for table, outputs in (("curve", result.curves), ("prediction", result.predictions)):
        new = ((budget, log_q) for budget, log_q in outputs.items() if budget not in kept_budgets)
        schema.put(db, table, ((trial.id, budget, blob(log_q)) for budget, log_q in new))


def blob(array: Array) -> bytes:
    """Return an array of any shape as bytes: little-endian float32, of float16 float16, in C order."""
    return np.ascontiguousarray(array, dtype="<f2" if array.dtype == np.float16 else "<f4").tobytes()


def _row(drawing: Drawing) -> tuple[str, bytes, bytes, bytes]:
    layout = {key: getattr(drawing, key) for key in ("axes", "shape", "shares", "rows")}
    return json.dumps(layout), blob(drawing.x), blob(drawing.log_joint), np.packbits(drawing.sparse).tobytes()


def _stamp(path: Path) -> tuple[int, int, bool] | None:
    """Return what tells that a file was written to."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, files.log(path).exists()
