"""The results of a run: one SQLite file with one writer, the truth that every page is made from."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.task import Array
from runner.pictures import Drawing
from runner.records import TrialResult

APPLICATION_ID = 0x50425243  # "PBRC", in the file's header: tells ours from other SQLite files
SCHEMA_VERSION = 3
fields = attrgetter("budget", "metric", "region", "value", "error", "status", "reason", "again")
FILE = "results.db"

PREDICTIONS = """
CREATE TABLE representatives (
    task TEXT PRIMARY KEY, weights BLOB NOT NULL, log_posterior BLOB NOT NULL
);
CREATE TABLE prediction (
    trial TEXT NOT NULL REFERENCES trial (id), budget INTEGER NOT NULL, log_q BLOB NOT NULL,
    PRIMARY KEY (trial, budget)
) WITHOUT ROWID;
"""
PICTURES = """
CREATE TABLE picture (
    task TEXT PRIMARY KEY, layout TEXT NOT NULL, x BLOB NOT NULL, log_joint BLOB NOT NULL,
    sparse BLOB NOT NULL
);
"""
# Schema 2 knew the exact posterior of a line and no density.
CURVES_TO_PICTURES = """
INSERT INTO picture
    SELECT name, '{"axes": ["x"], "shape": [' || (length(x) / 4) || '], "density": false}',
        x, log_posterior, x''
    FROM task WHERE length(x) > 0;
ALTER TABLE task DROP COLUMN x;
ALTER TABLE task DROP COLUMN log_posterior;
"""
SCHEMA = """
CREATE TABLE environment (id INTEGER PRIMARY KEY, description TEXT NOT NULL UNIQUE);
CREATE TABLE run (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE task (name TEXT PRIMARY KEY, summary TEXT NOT NULL);
CREATE TABLE architecture (name TEXT PRIMARY KEY, summary TEXT NOT NULL);
CREATE TABLE trial (
    id TEXT PRIMARY KEY, task TEXT NOT NULL, architecture TEXT NOT NULL, seed INTEGER NOT NULL,
    spec TEXT NOT NULL, environment INTEGER NOT NULL REFERENCES environment (id)
);
CREATE TABLE record (
    trial TEXT NOT NULL REFERENCES trial (id), budget INTEGER NOT NULL, metric TEXT NOT NULL,
    region TEXT NOT NULL, value REAL, error REAL, status TEXT NOT NULL, reason TEXT NOT NULL,
    again INTEGER NOT NULL,
    PRIMARY KEY (trial, budget, metric, region)
) WITHOUT ROWID;
CREATE TABLE curve (
    trial TEXT NOT NULL REFERENCES trial (id), budget INTEGER NOT NULL, log_q BLOB NOT NULL,
    PRIMARY KEY (trial, budget)
) WITHOUT ROWID;
"""
LATER = {1: PREDICTIONS, 2: PICTURES + CURVES_TO_PICTURES}  # what files of an older schema lack


class StoreError(ValueError):
    """A results file can't be used; the message names it and says what was expected and found."""


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

    def __init__(self, path: Path, *, reading: bool = False) -> None:
        """Open the file, or make it; raises StoreError where it isn't ours or of another schema.

        reading: the file has to be there, and nothing is written to it or its folder; one of an older schema
        is brought up to date in memory.
        """
        self.path = path
        self._reading = reading
        self._db = _connect_to_read(path) if reading else _connect(path)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            self.close()
        except sqlite3.Error:
            if kind is None:  # else the first error is the one to tell
                raise

    def close(self) -> None:
        """Fold the write-ahead log into the file and close it."""
        try:
            if not self._reading:
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def done(self) -> dict[str, set[int]]:
        """Return {trial id: budgets that have records}, without what an exception cut short.

        A trial that diverged would diverge again; one that the machine failed (a broken compiler, no memory)
        may not, so the next run tries it again.
        """
        found: dict[str, set[int]] = {}
        query = "SELECT DISTINCT trial, budget FROM record WHERE NOT again"
        for trial, budget in self._db.execute(query):
            found.setdefault(trial, set()).add(budget)
        return found

    def add(self, results: Iterable[TrialResult], environment: Mapping[str, str]) -> None:
        """Store finished trials in one transaction; a budget that is there already is replaced, others stay.

        What a trial has at one budget never depends on which others were asked for.
        """
        description = json.dumps(environment, sort_keys=True)
        with self._transaction() as db:
            db.execute("INSERT OR IGNORE INTO environment (description) VALUES (?)", (description,))
            (row,) = db.execute("SELECT id FROM environment WHERE description = ?", (description,)).fetchone()
            for result in results:
                trial = result.trial
                db.execute(
                    "INSERT OR REPLACE INTO trial VALUES (?, ?, ?, ?, ?, ?)",
                    (trial.id, trial.task, trial.architecture, trial.seed, trial.spec, row),
                )
                budgets = [(trial.id, budget) for budget in {record.budget for record in result.records}]
                for table in ("record", "curve", "prediction"):
                    db.executemany(f"DELETE FROM {table} WHERE trial = ? AND budget = ?", budgets)
                db.executemany(
                    "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [(trial.id, *fields(record)) for record in result.records],
                )
                for table, kept in (("curve", result.curves), ("prediction", result.predictions)):
                    db.executemany(
                        f"INSERT INTO {table} VALUES (?, ?, ?)",
                        ((trial.id, budget, blob(log_q)) for budget, log_q in kept.items()),
                    )

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
        with self._transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO run VALUES (?, ?)",
                [(key, json.dumps(value)) for key, value in run.items()],
            )
            db.executemany(
                "INSERT OR REPLACE INTO task VALUES (?, ?)",
                [(name, json.dumps(task.summary)) for name, task in (tasks or {}).items()],
            )
            db.executemany(
                "INSERT OR REPLACE INTO picture VALUES (?, ?, ?, ?, ?)",
                [(name, *_row(task.drawing)) for name, task in (tasks or {}).items() if task.drawing],
            )
            db.executemany(
                "INSERT OR REPLACE INTO representatives VALUES (?, ?, ?)",
                [
                    (name, blob(task.weights), blob(task.log_posterior))
                    for name, task in (tasks or {}).items()
                ],
            )
            db.executemany(
                "INSERT OR REPLACE INTO architecture VALUES (?, ?)",
                [(name, json.dumps(summary)) for name, summary in (architectures or {}).items()],
            )

    def run(self) -> dict[str, Any]:
        """Return what was stored about the last run: its suite, its trials' ids, the seconds spent.

        Raises StoreError where that is damaged.
        """
        found = list(self.rows("SELECT key, value FROM run"))
        try:
            return {key: json.loads(value) for key, value in found}
        except ValueError as error:
            raise StoreError(
                f"results file {self.path}: expected JSON in table run, found: {error}"
            ) from None

    def environments(self) -> list[dict[str, str]]:
        """Return the environments that the stored trials were trained in."""
        rows = self._db.execute(
            "SELECT description FROM environment WHERE id IN (SELECT environment FROM trial) ORDER BY id"
        )
        return [json.loads(description) for (description,) in rows]

    def rows(self, query: str, *parameters: Any) -> Iterator[tuple[Any, ...]]:
        """Return the rows of a reading query; parameters: of its question marks."""
        return iter(self._db.execute(query, parameters))


def blob(array: Array) -> bytes:
    """Return an array's bytes as little-endian float32, of float16 as float16, in C order."""
    return np.ascontiguousarray(array, dtype="<f2" if array.dtype == np.float16 else "<f4").tobytes()


def _row(drawing: Drawing) -> tuple[str, bytes, bytes, bytes]:
    layout = {key: getattr(drawing, key) for key in ("axes", "shape", "shares", "rows")}
    return json.dumps(layout), blob(drawing.x), blob(drawing.log_joint), np.packbits(drawing.sparse).tobytes()


def set_aside(path: Path) -> Path | None:
    """Rename a results file to the first free results.old-N.db and return that; None where there is none.

    Raises StoreError where the file isn't ours or is of a newer schema.
    """
    if not path.exists():
        return None
    _connect(path).close()  # folds the write-ahead log in
    number = 1
    while (aside := path.with_name(f"results.old-{number}.db")).exists():
        number += 1
    path.rename(aside)
    return aside


def _connect(path: Path) -> sqlite3.Connection:
    """Return a connection to a results file of this schema; raises StoreError."""
    fresh = not path.exists() or path.stat().st_size == 0
    try:
        db = sqlite3.connect(path, isolation_level=None, timeout=30)
        if not fresh:
            _check(db, path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        if not fresh:
            _bring_up_to_date(db)
        else:
            db.executescript(
                f"BEGIN; {SCHEMA} {PREDICTIONS} {PICTURES} PRAGMA application_id = {APPLICATION_ID};"
                f" PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )
    except sqlite3.DatabaseError as error:
        raise StoreError(f"results file {path}: {error}") from None
    return db


def _connect_to_read(path: Path) -> sqlite3.Connection:
    """Return a connection that leaves a results file and its folder as they are; raises StoreError."""
    # Without a write-ahead log nobody is writing, and SQLite need not make files of its own beside it.
    how = "mode=ro" if path.with_name(path.name + "-wal").exists() else "immutable=1"
    try:
        db = sqlite3.connect(f"{path.resolve().as_uri()}?{how}", uri=True, isolation_level=None, timeout=30)
        _check(db, path)
        (schema,) = db.execute("PRAGMA user_version").fetchone()
        if schema == SCHEMA_VERSION:
            return db
        copy = sqlite3.connect(":memory:", isolation_level=None)
        db.backup(copy)
        db.close()
        _bring_up_to_date(copy)
    except sqlite3.DatabaseError as error:
        raise StoreError(f"results file {path}: {error}") from None
    return copy


def _bring_up_to_date(db: sqlite3.Connection) -> None:
    (schema,) = db.execute("PRAGMA user_version").fetchone()
    if schema < SCHEMA_VERSION:
        later = "".join(LATER[version] for version in range(schema, SCHEMA_VERSION))
        db.executescript(f"BEGIN; {later} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")


def _check(db: sqlite3.Connection, path: Path) -> None:
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (schema,) = db.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise StoreError(f"results file {path}: expected a file of posterior-bench, found another program's")
    if schema > SCHEMA_VERSION:
        raise StoreError(
            f"results file {path}: expected schema {SCHEMA_VERSION} or older, found {schema};"
            " a newer posterior-bench wrote it"
        )
