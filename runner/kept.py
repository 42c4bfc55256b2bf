"""Files that are set aside under names of their own, never overwritten and never lost halfway."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def keep(path: Path, kind: str) -> Path:
    """Return a second name of a file, the first results.KIND-N.db that is free; the file stays in its place.

    Where an earlier call was cut short behind this one, that is the name that it took. Its write-ahead log,
    if there is one, moves to the new name.
    """
    number = 1
    while not _same(path, aside := path.with_name(f"results.{kind}-{number}.db")) and (
        aside.exists() or log(aside).exists()
    ):
        number += 1
    if path.exists() and not aside.exists():
        _link(path, aside)
    if log(path).exists():
        os.rename(log(path), log(aside))
    path.with_name(path.name + "-shm").unlink(missing_ok=True)  # an index of the log, made anew when needed
    sync(path.parent)
    return aside


def log(path: Path) -> Path:
    """Return where SQLite keeps a database's write-ahead log."""
    return path.with_name(path.name + "-wal")


def new(path: Path) -> Path:
    """Return where what will stand in a file's place is written first, with no leftover there."""
    beside = path.with_name(path.name + ".new")
    for each in (beside, log(beside), beside.with_name(beside.name + "-journal")):
        each.unlink(missing_ok=True)
    return beside


def swap_in(beside: Path, path: Path) -> None:
    """Put a whole file in another's place, at once and lastingly."""
    with beside.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(beside, path)
    sync(path.parent)


def sync(folder: Path) -> None:
    """Make what was renamed in a folder last through a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _same(path: Path, aside: Path) -> bool:
    return path.exists() and aside.exists() and os.path.samefile(path, aside)


def _link(path: Path, aside: Path) -> None:
    try:
        os.link(path, aside)
    except OSError:  # a file system without links
        beside = new(aside)
        shutil.copy2(path, beside)
        swap_in(beside, aside)
