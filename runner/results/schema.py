"""The tables of a results file, whose file it is, and how one of an older schema is brought up to date."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.errors import Refused
from runner.results import checksum, files

APPLICATION_ID = 0x50425243  # "PBRC", in the file's header: tells ours from other SQLite files
SCHEMA_VERSION = 4
MOST_LENGTH = 1 << 28  # bytes of a value: a hundred times what any has
MOST_STEPS = 6_000_000_000  # of SQLite's machine in a query on a stranger's file: a minute or so

# Each row carries a checksum of itself; `numbers` is the sum of those of a trial's records.
SCHEMA = """
CREATE TABLE environment (
    id INTEGER PRIMARY KEY, description TEXT NOT NULL UNIQUE, checksum INTEGER NOT NULL
);
CREATE TABLE run (key TEXT PRIMARY KEY, value TEXT NOT NULL, checksum INTEGER NOT NULL);
CREATE TABLE task (name TEXT PRIMARY KEY, summary TEXT NOT NULL, checksum INTEGER NOT NULL);
CREATE TABLE architecture (name TEXT PRIMARY KEY, summary TEXT NOT NULL, checksum INTEGER NOT NULL);
CREATE TABLE representatives (
    task TEXT PRIMARY KEY, weights BLOB NOT NULL, log_posterior BLOB NOT NULL, checksum INTEGER NOT NULL
);
CREATE TABLE picture (
    task TEXT PRIMARY KEY, layout TEXT NOT NULL, x BLOB NOT NULL, log_joint BLOB NOT NULL,
    sparse BLOB NOT NULL, checksum INTEGER NOT NULL
);
CREATE TABLE trial (
    id TEXT PRIMARY KEY, task TEXT NOT NULL, architecture TEXT NOT NULL, seed INTEGER NOT NULL,
    spec TEXT NOT NULL, environment INTEGER NOT NULL REFERENCES environment (id),
    numbers INTEGER NOT NULL, checksum INTEGER NOT NULL
);
CREATE TABLE curve (
    trial TEXT NOT NULL REFERENCES trial (id), budget INTEGER NOT NULL, log_q BLOB NOT NULL,
    checksum INTEGER NOT NULL, PRIMARY KEY (trial, budget)
) WITHOUT ROWID;
CREATE TABLE prediction (
    trial TEXT NOT NULL REFERENCES trial (id), budget INTEGER NOT NULL, log_q BLOB NOT NULL,
    checksum INTEGER NOT NULL, PRIMARY KEY (trial, budget)
) WITHOUT ROWID;
CREATE TABLE record (
    trial TEXT NOT NULL REFERENCES trial (id), budget INTEGER NOT NULL, metric TEXT NOT NULL,
    region TEXT NOT NULL, value REAL, error REAL, status TEXT NOT NULL, reason TEXT NOT NULL,
    again INTEGER NOT NULL,
    PRIMARY KEY (trial, budget, metric, region)
) WITHOUT ROWID;
"""
COLUMNS = {
    "environment": ("id", "description"),
    "run": ("key", "value"),
    "task": ("name", "summary"),
    "architecture": ("name", "summary"),
    "representatives": ("task", "weights", "log_posterior"),
    "picture": ("task", "layout", "x", "log_joint", "sparse"),
    "trial": ("id", "task", "architecture", "seed", "spec", "environment", "numbers"),
    "curve": ("trial", "budget", "log_q"),
    "prediction": ("trial", "budget", "log_q"),
}  # of every table whose rows have a checksum of their own behind these
RECORD = ("budget", "metric", "region", "value", "error", "status", "reason", "again")

OLDER = {
    1: {
        "environment": ("id", "description"),
        "run": ("key", "value"),
        "task": ("name", "summary", "x", "log_posterior"),
        "architecture": ("name", "summary"),
        "trial": ("id", "task", "architecture", "seed", "spec", "environment"),
        "curve": ("trial", "budget", "log_q"),
        "record": ("trial", *RECORD),
    }
}
OLDER[2] = OLDER[1] | {name: COLUMNS[name] for name in ("representatives", "prediction")}
OLDER[3] = OLDER[2] | {name: COLUMNS[name] for name in ("task", "picture")}
# Schema 2 knew the exact posterior of a line and no density.
PICTURES_OF_CURVES = """
SELECT name, '{"axes": ["x"], "shape": [' || (length(x) / 4) || '], "density": false}', x, log_posterior, x''
FROM task WHERE length(x) > 0
"""


class StoreError(Refused):
    """A results file can't be used; the message names it and says what was expected and found."""


class Empty(StoreError):
    """A results file has nothing in it yet."""


class Damaged(StoreError):
    """A results file of ours, or one that can't be read at all, holds something else than was written."""

    def __init__(self, path: Path, found: str) -> None:
        words = found.replace("*** in database main ***", "").split()
        self.found = ascii(" ".join(words))[1:-1][:200]  # SQLite quotes what it found
        super().__init__(
            f"results file {path} is damaged: {self.found}; the command that made it sets the file aside and"
            " keeps what is whole"
        )


def harden(db: sqlite3.Connection) -> None:
    """Let a connection run nothing that a file brings along: no function, trigger or view of its schema."""
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_LENGTH)
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute("PRAGMA cell_size_check = ON")


def end_long_queries(db: sqlite3.Connection) -> None:
    """Let a connection end a query after MOST_STEPS: pages that lead back to others could go on for good."""
    steps, many = 0, min(MOST_STEPS, 1 << 20)

    def begun(_: str) -> None:
        nonlocal steps
        steps = 0

    def too_long() -> bool:
        nonlocal steps
        steps += many
        return steps >= MOST_STEPS

    db.set_trace_callback(begun)
    db.set_progress_handler(too_long, many)


def version(db: sqlite3.Connection, path: Path) -> int:
    """Return the schema of a file whose tables are as they should be, 0 of one with nothing in it yet.

    Raises StoreError where it is another program's or newer, Damaged where its tables are not ours.
    """
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (found,) = db.execute("PRAGMA user_version").fetchone()
    tables = db.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    if application != APPLICATION_ID:
        if not tables and not application and not found:
            return 0
        if not {"trial", "record"} <= {name for _, name, _ in tables}:
            raise StoreError(
                f"results file {path}: expected a file of posterior-bench, found another program's"
            )
        raise Damaged(path, "its header is another program's, its tables are ours")
    if found > SCHEMA_VERSION + 100:
        raise Damaged(path, f"its header says schema {found}")
    if found > SCHEMA_VERSION:
        raise StoreError(
            f"results file {path}: expected schema {SCHEMA_VERSION} or older, found {found};"
            " a newer posterior-bench wrote it"
        )
    right = set(tables) == _tables() if found == SCHEMA_VERSION else _alike(db, tables, OLDER.get(found, {}))
    if not right:
        raise Damaged(path, f"expected the tables of schema {found}, found others")
    return int(found)


@functools.cache
def _tables() -> set[tuple[Any, ...]]:
    """Return what SQLite says of a new file's tables, to the letter."""
    db = sqlite3.connect(":memory:")
    create(db)
    found = set(db.execute("SELECT type, name, sql FROM sqlite_master"))
    db.close()
    return found


def _alike(
    db: sqlite3.Connection, tables: Sequence[tuple[str, str, str | None]], columns: dict[str, tuple[str, ...]]
) -> bool:
    """Whether an older file has plain tables with these columns, and nothing else."""
    plain = {name for kind, name, sql in tables if kind == "table" and (sql or "").startswith("CREATE TABLE")}
    others = [(kind, sql) for kind, name, sql in tables if name not in plain]
    if plain != set(columns) or any(other != ("index", None) for other in others):
        return False
    for name, expected in columns.items():
        found = db.execute(f"PRAGMA table_xinfo({name})").fetchall()
        if tuple(row[1] for row in found) != expected or any(row[6] for row in found):  # 6: generated
            return False
    return True


def create(db: sqlite3.Connection) -> None:
    """Make the tables, in one transaction."""
    db.executescript(
        f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id = {APPLICATION_ID};"
        f" PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
    )


def put(db: sqlite3.Connection, table: str, rows: Iterable[Sequence[Any]]) -> None:
    """Store rows of a table with their checksums, in place of rows of the same keys."""
    marks = ", ".join("?" * (len(COLUMNS[table]) + 1))
    db.executemany(
        f"INSERT OR REPLACE INTO {table} VALUES ({marks})",
        ((*row, checksum.of_row(table, *row)) for row in rows),
    )


def put_records(db: sqlite3.Connection, trial: str, records: Iterable[Sequence[Any]]) -> None:
    """Store new records of a trial, each as in `RECORD`."""
    rows = ((trial, *record) for record in records)
    db.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def migrate(path: Path, db: sqlite3.Connection, old: int) -> Path:
    """Bring a file of an older schema up to date, and return where the old one is kept.

    Whenever the process dies, there is a whole file in its place, the old or the new one. db: an open
    connection to it, which is closed. Raises StoreError where somebody else uses the file, Damaged where
    SQLite finds fault with it.
    """
    fold(path, db)
    (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise Damaged(path, found)
    with closing(db), new_file(path) as target:
        _fill(db, old, target)
    aside = files.keep(path, f"schema-{old}")
    files.swap_in(files.new_name(path), path)
    return aside


def fold(path: Path, db: sqlite3.Connection) -> None:
    """Fold a file's write-ahead log in for good; raises StoreError where somebody else uses the file."""
    (mode,) = db.execute("PRAGMA journal_mode = DELETE").fetchone()
    if mode != "delete":
        raise StoreError(f"results file {path}: another program is using it; close that and try again")


@contextmanager
def new_file(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a transaction on a new file beside another, for `files.swap_in`; where it fails, none is left."""
    try:
        with closing(sqlite3.connect(files.new(path), isolation_level=None)) as db:
            create(db)
            with all_or_nothing(db):
                yield db
    except BaseException:
        files.new(path)
        raise


def upgrade(db: sqlite3.Connection, old: int, target: sqlite3.Connection) -> None:
    """Write what a file of an older schema holds into a new one; its rows get their checksums."""
    create(target)
    with all_or_nothing(target):
        _fill(db, old, target)


def _fill(db: sqlite3.Connection, old: int, target: sqlite3.Connection) -> None:
    for table, columns in COLUMNS.items():
        if table in OLDER[old] and table != "trial":
            put(target, table, db.execute(f"SELECT {', '.join(columns)} FROM {table}"))
    if old < 3:
        put(target, "picture", db.execute(PICTURES_OF_CURVES))
    found = db.execute(f"SELECT trial, {', '.join(RECORD)} FROM record")
    target.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", found)
    trials = db.execute(f"SELECT {', '.join(OLDER[old]['trial'])} FROM trial")
    put(target, "trial", ((*row, _sum(target, row[0])) for row in trials))


@contextmanager
def all_or_nothing(db: sqlite3.Connection) -> Iterator[None]:
    """Hold a transaction, which is taken back where something is raised."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # of a full disk SQLite has taken it back itself
            db.execute("ROLLBACK")
        raise


def _sum(db: sqlite3.Connection, trial: str) -> int:
    """Return the sum of the checksums of a trial's records, of which not all are held at once.

    0 where a record holds what no record does, which has no checksum: that trial isn't read.
    """
    found, sum = db.execute(f"SELECT {', '.join(RECORD)} FROM record WHERE trial = ?", (trial,)), 0
    while records := found.fetchmany(10_000):
        try:
            sum = checksum.signed(sum + checksum.of_trial(records))
        except (AttributeError, TypeError, ValueError, OverflowError):
            return 0
    return sum
