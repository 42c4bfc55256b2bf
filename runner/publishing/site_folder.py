"""A site's folder, replaced as a whole, by one process at a time.

A crash leaves the old site, in one unlucky instant under the name DIR.old-*, which the next publication puts
back.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from benchmarks.errors import Refused

MARKER = ".posterior-bench-site"  # its lines name what is ours in the site's top folder
PREFIX = "publish-"  # tells our leftovers from a copy that somebody made of a site


class PublishError(Refused):
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
def held(site: Path) -> Iterator[None]:
    """Hold a site for one publication on this machine; raises PublishError where another one has it."""
    digest = hashlib.sha256(os.fsencode(site)).hexdigest()[:16]
    name = f"posterior-bench-site-{os.getuid() if hasattr(os, 'getuid') else ''}-{digest}.lock"
    lock = FileLock(Path(tempfile.gettempdir()) / name)  # not beside the site, where it would stay
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise PublishError(f"--site {site}: another process is publishing it; wait for it") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def beside(site: Path) -> Iterator[Path]:
    """Make a folder beside the site; it is gone afterwards, whether it was swapped in or not."""
    new = site.with_name(f"{site.name}.new-{PREFIX}{secrets.token_hex(4)}")
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
    old = site.with_name(f"{site.name}.old-{PREFIX}{secrets.token_hex(4)}")
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
    """Finish what a killed publication has left: bring the old site back, remove what is half done.

    The site is `held`, so nobody is at work on what is beside it.
    """
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
    ours = re.compile(re.escape(f"{site.name}.{word}-{PREFIX}") + "[0-9a-f]{8}")
    found = [path for path in site.parent.iterdir() if ours.fullmatch(path.name)]
    left = [path for path in found if (path / MARKER).is_file() or not any(path.iterdir())]
    return sorted(left, key=lambda path: path.stat().st_mtime, reverse=True)
