"""What errors of SQLite's mean for the user: a full disk, a file that is locked, protected or damaged."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.results.schema import Damaged, StoreError

PATIENCE = 30.0  # seconds to wait for another program that has the file locked
AGAIN = "the same command goes on from there"
# What a damaged file raises: the second where SQLite's message quotes what is no UTF-8 any more.
UNREADABLE = (sqlite3.Error, UnicodeDecodeError)


@contextmanager
def explained(path: Path, *, reading: bool = False) -> Iterator[None]:
    """Turn errors that come from a results file and its disk into StoreError, Damaged where it is damaged."""
    try:
        yield
    except sqlite3.Error as error:
        raise (_meaning(path, error, reading) or error) from None
    except UnicodeDecodeError as error:
        raise Damaged(path, str(error)) from None


def _meaning(path: Path, error: sqlite3.Error, reading: bool) -> StoreError | None:
    """Return an error that says what to do; None where it is our own mistake."""
    if isinstance(error, sqlite3.ProgrammingError | sqlite3.IntegrityError):
        return None
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF  # without one: no UTF-8
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _full(path.parent)):
        return StoreError(
            f"results file {path}: the disk is full; what was stored is kept: free some space, and {AGAIN}"
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreError(
            f"results file {path}: another program locks it for over {PATIENCE:g} s; end that, and {AGAIN}"
        )
    broken = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_TOOBIG)
    if code in broken or "unsupported file format" in str(error):
        return Damaged(path, str(error))
    if code == sqlite3.SQLITE_READONLY or (code == sqlite3.SQLITE_CANTOPEN and not reading):
        return StoreError(
            f"results file {path}: expected it and its folder to be writable, found: {_why(path, error)}"
        )
    long = "expected queries of about a minute at most, found a longer one"
    return StoreError(f"results file {path}: {long if code == sqlite3.SQLITE_INTERRUPT else error}")


def _full(folder: Path) -> bool:
    return folder.is_dir() and shutil.disk_usage(folder).free < 1 << 16


def _why(path: Path, error: sqlite3.Error) -> str:
    writable = os.access(path.parent, os.W_OK) and (not path.exists() or os.access(path, os.W_OK))
    return str(error) if writable else "they may only be read"
