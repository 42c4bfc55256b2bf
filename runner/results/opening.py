"""How a results file is opened: to be written, brought up to date if need be, or to be read as it is."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

from runner.results import files, schema, sqlite_errors, write_ahead
from runner.results.schema import SCHEMA_VERSION, Damaged, Empty


class Opener:
    """Opens one file; kept_as: where the old file is, once one of an older schema was brought up to date."""

    def __init__(self, path: Path, left: ExitStack, strange: bool) -> None:
        """left: closed when the file is; strange: a stranger's file, whose queries end after a minute."""
        self.path, self._left, self._strange = path, left, strange
        self.kept_as: Path | None = None

    def _connected(self, path: Path, how: str = "mode=rwc") -> sqlite3.Connection:
        address = f"{path.resolve().as_uri()}?{how}"
        db = sqlite3.connect(address, uri=True, isolation_level=None, timeout=sqlite_errors.PATIENCE)
        self._left.callback(db.close)
        schema.harden(db)
        if self._strange:
            schema.end_long_queries(db)
        return db

    def to_write(self) -> sqlite3.Connection:
        """Return a connection to a file of this schema, made or brought up to date if need be."""
        files.settle(self.path)
        self._check_log()
        db = self._connected(self.path)
        found = schema.version(db, self.path)
        if 0 < found < SCHEMA_VERSION:
            self.kept_as = schema.migrate(self.path, db, found)
            db = self._connected(self.path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        if not found:
            schema.create(db)
        return db

    def _check_log(self) -> None:
        """Raise Damaged where SQLite would throw away what was committed, without a word."""
        if not files.size(self.path) and files.size(files.log(self.path)):
            raise Damaged(self.path, "its write-ahead log is there, the file itself isn't")
        if found := write_ahead.damage(files.log(self.path)):
            schema.version(self._connected(self.path, "mode=ro&immutable=1"), self.path)  # if it is ours
            raise Damaged(self.path, found)

    def to_read(self) -> sqlite3.Connection:
        """Return a connection that leaves the file and its folder as they are, on what is there now.

        Raises Empty where nothing is.
        """
        db = self._as_it_is()
        db.execute("BEGIN")
        found = schema.version(db, self.path)
        if not found:
            raise Empty(f"results file {self.path}: expected a run, found none in it")
        if found < SCHEMA_VERSION:
            upgraded = self._connected(self._folder() / self.path.name)
            schema.upgrade(db, found, upgraded)
            db = upgraded
        db.execute("PRAGMA query_only = ON")
        return db

    def _as_it_is(self) -> sqlite3.Connection:
        if files.left_behind(self.path):
            return self._connected(self.path, "mode=ro&immutable=1")
        self._check_log()
        if self.path.with_name(self.path.name + "-shm").exists():  # somebody writes, or was killed
            with suppress(sqlite3.OperationalError):
                db = self._connected(self.path, "mode=ro")
                schema.version(db, self.path)
                return db
        if not files.size(files.log(self.path)):  # SQLite need not make files of its own beside it
            return self._connected(self.path, "mode=ro&immutable=1")
        folder = self._folder()
        for path in (self.path, files.log(self.path)):  # raises where the log is folded in meanwhile
            shutil.copyfile(path, folder / path.name)
        return self._connected(folder / self.path.name)

    def _folder(self) -> Path:
        return Path(self._left.enter_context(tempfile.TemporaryDirectory(prefix="posterior-bench-")))
