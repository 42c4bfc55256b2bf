"""What becomes of a results file that is damaged: it is set aside, and what is whole in it goes on."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from runner.results import checksum, columns, files, schema, sqlite_errors
from runner.store import Damaged, Empty, Store

DESCRIBING = ("environment", "run", "task", "architecture", "representatives", "picture")
OUTPUTS = ("curve", "prediction")
MOST_ROWS = 100_000  # of a trial, a hundred times what any has; with more, its checksum is wrong


class NotWhole(ValueError):
    """A trial doesn't read back as it was stored; the message says what doesn't."""


class StoredTrial(NamedTuple):
    """A trial as it was stored: its row, and the rows of its records and outputs less the trial's id."""

    id: str
    task: str
    architecture: str
    seed: int
    spec: str
    environment: int
    numbers: int
    records: list[Any]
    outputs: dict[str, list[tuple[int, bytes]]]


def opened(path: Path, say: Callable[[str], None]) -> Store:
    """Return a run's results file, open for writing and whole, or what was whole of it in a new one.

    say: told in a line what was done beside. Raises StoreError where it can't be used.
    """
    try:
        store = Store(path)
        try:
            verify(store)
        except BaseException:
            store.close()
            raise
    except Damaged as error:
        say(_mend(path, error))
        return Store(path)
    if store.kept_as:
        say(f"note: {path} is brought up to date; the file of the older schema is kept as {store.kept_as}")
    return store


def set_aside(path: Path) -> Path | None:
    """Rename a results file to results.old-N.db, a damaged one to results.damaged-N.db, and return that.

    None where there is nothing to keep. Raises StoreError where it isn't ours or is of a newer schema.
    """
    files.settle(path)
    if not path.exists() and not files.log(path).exists():
        return None
    try:
        Store(path, reading=True).close()
        if files.log(path).exists():
            _fold(path)
        return files.move(path, "old")
    except Empty:
        return None
    except Damaged:
        aside = files.keep(path, "damaged")
        path.unlink(missing_ok=True)  # before its log, without which it might be read
        files.settle(path)
        return aside


def _fold(path: Path) -> None:
    connected = sqlite3.connect(path, isolation_level=None, timeout=sqlite_errors.PATIENCE)
    with sqlite_errors.explained(path), closing(connected) as db:
        schema.harden(db)
        schema.fold(path, db)


def verify(store: Store) -> None:
    """Read all of a file; raises Damaged where a page, a row or a number isn't as it was stored."""
    for (found,) in store.rows("PRAGMA quick_check(1)"):
        if found != "ok":
            raise Damaged(store.path, found)
    for table in (*DESCRIBING, *OUTPUTS):
        for _ in store.table(table):
            pass
    found = columns.read(store, {id: numbers for id, *_, numbers in store.table("trial")})
    for (count,) in store.rows("SELECT count(*) FROM record"):
        if count != len(found.trial):
            raise Damaged(store.path, f"{count - len(found.trial):,} records are of no trial")


def _mend(path: Path, error: Damaged) -> str:
    """Set a damaged file aside, put one with what is whole in it in its place, and say so.

    Whenever the process dies or the disk is full, the same call starts over or finds its work done.
    """
    with sqlite_errors.explained(path), schema.new_file(path) as target:
        there, carried = _carry(path, target)
    aside = files.keep(path, "damaged")
    files.swap_in(files.new_name(path), path)
    files.settle(path)
    lost = f"{carried:,} of {there:,} trials in it are whole and carried over" if there else "no trial in it"
    return (
        f"warning: results file {path} was damaged: {error.found}; it is kept as {aside};"
        f" {lost if there else lost + ' can be read'}, what is missing is trained again"
    )


def _carry(source: Path, target: sqlite3.Connection) -> tuple[int, int]:
    """Write what is whole in a damaged file into a new one; return how many trials it has and are whole."""
    carried = 0
    with copied(source) as db:  # errors of which are passed over where it is read, and the new file's aren't
        for table in DESCRIBING:
            schema.put(target, table, rows(db, table))
        environments = {row[0] for row in rows(db, "environment")}
        found = ids(db)
        for id in found:
            with suppress(NotWhole):
                trial = whole(db, id)
                if trial.environment in environments and digest(trial.spec) == id:
                    write(target, trial)
                    carried += 1
    return len(found), carried


def write(target: sqlite3.Connection, trial: StoredTrial) -> None:
    """Store a trial in a file that lacks it."""
    schema.put(target, "trial", [trial[:7]])
    schema.put_records(target, trial.id, trial.records)
    for table, outputs in trial.outputs.items():
        schema.put(target, table, ((trial.id, *output) for output in outputs))


def digest(spec: str) -> str:
    """Return the id of the trial that a spec describes: see `runner.plan`."""
    return hashlib.sha256(spec.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@contextmanager
def copied(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a copy of any database, so that the file and its write-ahead log stay as they are."""
    with TemporaryDirectory(prefix="posterior-bench-") as folder:
        copy = Path(folder) / path.name
        for old, new in ((path, copy), (files.log(path), files.log(copy))):
            if old.is_file():
                shutil.copyfile(old, new)
        with closing(sqlite3.connect(copy, isolation_level=None)) as db:
            schema.harden(db)
            yield db


def ids(db: sqlite3.Connection) -> list[str]:
    """Return the ids of the trials that can be found from either end of their table."""
    found: dict[str, None] = {}
    for way in ("ASC", "DESC"):
        with suppress(*sqlite_errors.UNREADABLE):
            for (id,) in db.execute(f"SELECT id FROM trial ORDER BY rowid {way}"):
                if isinstance(id, str):
                    found[id] = None
    return list(found)


def rows(db: sqlite3.Connection, table: str) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a table that have the right checksum, up to where it can't be read any more."""
    with suppress(*sqlite_errors.UNREADABLE):
        query = f"SELECT {', '.join(schema.COLUMNS[table])}, checksum FROM {table}"
        for *row, found in db.execute(query):
            if checksum.of_row(table, *row) == found:
                yield tuple(row)


def whole(db: sqlite3.Connection, id: str) -> StoredTrial:
    """Return a trial whose every row has the right checksum; raises NotWhole."""
    try:
        query = f"SELECT {', '.join(schema.COLUMNS['trial'])}, checksum FROM trial WHERE id = ?"
        *row, found = db.execute(query, (id,)).fetchone() or (None,)
        if not row or checksum.of_row("trial", *row) != found:
            raise NotWhole("its row has another checksum")
        query = f"SELECT {', '.join(schema.RECORD)} FROM record WHERE trial = ? LIMIT {MOST_ROWS}"
        records = db.execute(query, (id,)).fetchall()
        if checksum.of_trial(records) != row[-1]:
            raise NotWhole("its records have another checksum")
        outputs = {}
        for table in OUTPUTS:
            each = db.execute(
                f"SELECT budget, log_q, checksum FROM {table} WHERE trial = ?", (id,)
            ).fetchall()
            if any(checksum.of_row(table, id, *output) != sum for *output, sum in each):
                raise NotWhole(f"a {table} has another checksum")
            outputs[table] = [output[:2] for output in each]
    except (*sqlite_errors.UNREADABLE, TypeError, AttributeError, OverflowError) as error:
        raise NotWhole(f"it can't be read: {error}") from None
    return StoredTrial._make((*row, records, outputs))
