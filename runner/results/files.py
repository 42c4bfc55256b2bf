"""A results file and what lies beside it: its log, files set aside and swapped in, none lost halfway."""

from __future__ import annotations

import filecmp
import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


def keep(path: Path, kind: str) -> Path:
    """Return a second name of a file, the first results.KIND-N.db that is free, which its log gets too.

    Both stay in their places. Where an earlier call was cut short, it is the name that it took.
    """
    aside = next(each for each in _names(path, kind) if _free(each) or _same(path, each))
    for old, second in ((path, aside), (log(path), log(aside))):
        if old.exists() and not second.exists():
            _link(old, second)
    sync(path.parent)
    return aside


def move(path: Path, kind: str) -> Path:
    """Rename a file to the first results.KIND-N.db that is free; its write-ahead log has to be folded in."""
    aside = next(each for each in _names(path, kind) if _free(each))
    os.rename(path, aside)
    _drop_log(path)
    return aside


def left_behind(path: Path) -> bool:
    """Whether the write-ahead log in a file's place is of another, both of which are kept elsewhere."""
    own = log(path)
    if not size(own):
        return False
    others = path.parent.glob("results.*-*.db-wal")
    return any(
        _equal(own, other) and not _equal(path, other.with_name(other.name.removesuffix("-wal")))
        for other in others
    )


def settle(path: Path) -> None:
    """Do the last step of setting a file aside, which a kill may have cut off: remove what it left behind."""
    if left_behind(path):
        _drop_log(path)


def log(path: Path) -> Path:
    """Return where SQLite keeps a database's write-ahead log."""
    return path.with_name(path.name + "-wal")


def size(path: Path) -> int:
    """Return the bytes of a file, 0 where there is none."""
    return path.stat().st_size if path.is_file() else 0


def new_name(path: Path) -> Path:
    """Return where what will stand in a file's place is written first."""
    return path.with_name(path.name + ".new")


def new(path: Path) -> Path:
    """Return the same, with no leftover there."""
    beside = new_name(path)
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


def _names(path: Path, kind: str) -> Iterator[Path]:
    return (path.with_name(f"results.{kind}-{number}.db") for number in itertools.count(1))


def _free(aside: Path) -> bool:
    return not aside.exists() and not log(aside).exists()


def _same(path: Path, aside: Path) -> bool:
    return path.exists() and aside.exists() and os.path.samefile(path, aside)


def _equal(path: Path, aside: Path) -> bool:
    """Whether two files are the same, or copies on a file system without links."""
    if not path.is_file() or not aside.is_file():
        return False
    return os.path.samefile(path, aside) or filecmp.cmp(path, aside, shallow=False)


def _drop_log(path: Path) -> None:
    for each in (log(path), path.with_name(path.name + "-shm")):  # its index, made anew when needed
        each.unlink(missing_ok=True)
    sync(path.parent)


def _link(path: Path, aside: Path) -> None:
    try:
        os.link(path, aside)
    except OSError:  # a file system without links
        beside = new(aside)
        shutil.copy2(path, beside)
        swap_in(beside, aside)
