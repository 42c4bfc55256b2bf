"""A site's folder, replaced as a whole: there is always the old site or the new one, whatever happens."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MARKER = ".posterior-bench-site"  # its lines name what is ours in the site's top folder


class PublishError(ValueError):
    """A site can't be published; the message says what was expected and found."""


def others(site: Path) -> list[Path]:
    """Return the files of a site's top folder that are somebody else's, such as a CNAME.

    Raises PublishError where the folder isn't a site of ours, or has more in it than a site and such files.
    """
    if not site.name:
        raise PublishError(f"--site {site}: expected a folder of its own")
    if site.exists() and not site.is_dir():
        raise PublishError(f"--site {site}: expected a folder, found a file")
    there = sorted(site.iterdir()) if site.exists() else []
    if not there:
        return []
    if not (site / MARKER).is_file():
        raise PublishError(
            f"--site {site}: expected a new or empty folder, or a site that `runner publish` made,"
            f" found {there[0].name} and no {MARKER}"
        )
    own = {MARKER, *(site / MARKER).read_text(encoding="utf-8").splitlines()}
    found = [path for path in there if path.name not in own]
    for path in found:
        if not path.is_file() or path.name == ".git":
            raise PublishError(f"--site {site}: expected nothing but the site in it, found {path.name}")
    return found


@contextmanager
def beside(site: Path) -> Iterator[Path]:
    """Make a folder beside the site; it is gone afterwards, whether it was swapped in or not."""
    new = site.with_name(f"{site.name}.new-{os.getpid()}")
    site.parent.mkdir(parents=True, exist_ok=True)
    new.mkdir()
    try:
        yield new
    finally:
        if new.exists():
            _remove(new)


def swap(new: Path, site: Path) -> None:
    """Put a finished site in the place of the old one.

    Between the two renames there is only the old one under another name, from which `heal` brings it back.
    """
    old = site.with_name(f"{site.name}.old-{os.getpid()}")
    if not site.exists():
        os.rename(new, site)
        return
    os.rename(site, old)
    try:
        os.rename(new, site)
    except BaseException:
        os.rename(old, site)
        raise
    _remove(old)


def heal(site: Path) -> None:
    """Finish what a killed publication has left: bring the old site back, remove what is half done."""
    for path in _left(site, "old"):
        if site.exists():
            _remove(path)
        else:
            os.rename(path, site)
    for path in _left(site, "new"):
        _remove(path)


def _remove(folder: Path) -> None:
    """Remove a folder, its marker last: what is left of it, if we are killed, can be told as ours."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != MARKER:
            path.unlink()
    shutil.rmtree(folder)


def _left(site: Path, word: str) -> list[Path]:
    """Return the folders beside a site that processes of the past have left, newest first."""
    if not site.parent.is_dir():
        return []
    start = f"{site.name}.{word}-"
    found = [
        path
        for path in site.parent.iterdir()
        if path.name.startswith(start) and path.name.removeprefix(start).isdigit()
    ]
    ours = [path for path in found if (path / MARKER).is_file() or not any(path.iterdir())]
    dead = [path for path in ours if not _alive(int(path.name.removeprefix(start)))]
    return sorted(dead, key=lambda path: path.stat().st_mtime, reverse=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
