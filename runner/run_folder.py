"""A run's folder: who may write to it, its results file and its manifest."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from benchmarks.errors import Refused
from runner.store import FILE

LOCK = ".lock"
MANIFEST = "manifest.json"
MOST_MANIFEST = 8 * 2**20  # bytes


class RunError(Refused):
    """A run can't start or be read; the message says what was expected and found."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for one run, made if need be; raises RunError where another run has it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK)
        lock.acquire(blocking=False)
    except Timeout:
        raise RunError(f"folder {folder}: another run is using it; wait for it or choose --output") from None
    except OSError as error:
        raise RunError(f"folder {folder}: expected one to write to, found: {error.strerror}") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def unwritten(folder: Path) -> Iterator[None]:
    """Keep runs from writing to a folder meanwhile, without writing to it; raises RunError where one does."""
    import fcntl

    try:
        lock = os.open(folder / LOCK, os.O_RDONLY)
    except OSError:
        yield  # never run here, or copied
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise RunError(f"folder {folder}: another run is using it; wait for it") from None
    finally:
        os.close(lock)


def results_file(folder: Path) -> Path:
    """Return where a run's results are; raises RunError where the folder holds no run."""
    if not (folder / FILE).is_file():
        raise RunError(f"folder {folder}: expected a run with {FILE}, found none")
    return folder / FILE


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return what manifest.json says of the last run, {} where there is none.

    Raises RunError where it can't be read.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return {}
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_MANIFEST + 1)
        if len(raw) > MOST_MANIFEST:
            raise RunError(f"file {path}: expected at most {MOST_MANIFEST >> 20} MiB, found more")
        found = json.loads(raw)
    except RecursionError:
        raise RunError(f"file {path}: expected a JSON object, found one nested too deep") from None
    except RunError:
        raise
    except ValueError as error:
        raise RunError(f"file {path}: expected JSON, found a syntax error: {error}") from None
    if not isinstance(found, dict):
        raise RunError(f"file {path}: expected a JSON object, found {type(found).__name__}")
    return found
