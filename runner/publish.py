"""Many runs to one site in a folder, written beside it and swapped in, and from there to a branch."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

if TYPE_CHECKING:
    from reports.editions import Source
    from reports.results import Results
    from runner.store import Store

MARKER = ".posterior-bench-site"  # its lines name what is ours in the site's top folder
NO_JEKYLL = ".nojekyll"  # keeps code hosts from leaving out files


class PublishError(ValueError):
    """A site can't be published; the message says what was expected and found."""


@dataclass(frozen=True)
class Written:
    """A site's folder, how many runs and files it has, and their bytes."""

    site: Path
    runs: int
    files: int
    size: int


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN ...")
@click.option(
    "--site",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the site: a new or empty one, or a site published before, which is replaced.",
)
@click.option(
    "--branch", metavar="NAME", help="Commit the site to this branch too, without touching the work tree."
)
@click.option("--url", default="", metavar="https://...", help="Where the site will be: for a sitemap.")
@click.option("--title", default="Posterior Bench", show_default=True, help="Heading of the overview.")
def publish(runs: tuple[Path, ...], site: Path, branch: str | None, url: str, title: str) -> None:
    """Build one static site from many runs: an overview, each suite's pages, its history, a feed."""
    import shlex

    from runner import branch as branches

    address = checked_url(url)
    target = branches.find(branch, MARKER) if branch else None
    written = write(runs, site, address, title)
    counted = f"{_count(written.runs, 'run')}, {_count(written.files, 'file')}, {written.size / 1e6:.1f} MB"
    click.echo(f"site: {written.site / 'index.html'} ({counted})")
    if not address:
        click.echo("note: no sitemap.xml and relative links in feed.xml; with --url both have full addresses")
    if target is None:
        return
    made = branches.commit(target, written.site, f"Publish {_count(written.runs, 'run')}\n", MARKER)
    if made is None:
        click.echo(f"branch {target.name}: nothing has changed, no commit")
        return
    click.echo(f"branch {target.name}: committed {made[:12]}, {_count(written.files, 'file')}")
    click.echo(f"to publish it: git push {shlex.join([branches.remote(), target.name])}")


def checked_url(url: str) -> str:
    """Return a site's address with a slash at its end, or nothing for none; raises PublishError."""
    if not url:
        return ""
    parts = urlsplit(url)
    plain = not parts.query and not parts.fragment and url.isprintable() and " " not in url
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        raise PublishError(f"--url {url}: expected an address such as https://example.org/bench/")
    return url.rstrip("/") + "/"


def write(folders: Iterable[Path], site: Path, url: str = "", title: str = "Posterior Bench") -> Written:
    """Write the site of some runs; whatever happens, the folder has the old site or the new one.

    Raises PublishError, RunError or StoreError where it can't, and OSError.
    """
    from reports.publication import site_files

    place = site.resolve()
    _heal(place)
    _others(place)  # refuses in time what would be refused in the end
    sources = [source(folder) for folder in folders]
    with _beside(place) as new:
        # First of all, so that a later run knows whose folder this is if we don't live to remove it.
        (new / MARKER).touch()
        files = size = 0
        for name, text in site_files(sources, title, url):
            file = new / name
            file.parent.mkdir(parents=True, exist_ok=True)
            data = text.encode("utf-8", "replace")  # a command line that wasn't UTF-8 has surrogates
            file.write_bytes(data)
            files, size = files + 1, size + len(data)
        (new / NO_JEKYLL).touch()
        own = sorted(path.name for path in new.iterdir())
        (new / MARKER).write_text("".join(f"{name}\n" for name in own), encoding="utf-8")
        for path in _others(place):
            if path.name not in own:
                shutil.copy2(path, new / path.name)
        _swap(new, place)
    return Written(site, len({each.identity for each in sources}), files + 2, size)


def source(folder: Path) -> Source:
    """Return a run to publish, of which only the outline is read; raises RunError or StoreError."""
    from reports.editions import Source
    from runner import frames
    from runner.run import read_manifest

    manifest = read_manifest(folder)
    with copied(folder) as store:
        suite, learned = frames.outline(store)
        # A copy of a run is the same run, whatever happened to its pages and to the file around its rows.
        totals = list(store.rows("SELECT count(*), total(value), total(error) FROM record"))
    parts = json.dumps([manifest, suite, totals], sort_keys=True)
    return Source(suite, manifest, learned, hashlib.sha256(parts.encode()).hexdigest(), partial(load, folder))


def load(folder: Path) -> Results:
    """Return everything about a run; raises RunError or StoreError."""
    from runner import frames
    from runner.run import read_manifest

    with copied(folder) as store:
        return frames.results(store, read_manifest(folder))


@contextmanager
def copied(folder: Path) -> Iterator[Store]:
    """Open a copy of a run's results file: reading SQLite's can write beside it, and a run may be read-only.

    Raises RunError where the folder holds no run or one that is being written, StoreError where its file
    can't be read.
    """
    from runner.run import RunError
    from runner.store import FILE, Store, StoreError

    if not (folder / FILE).is_file():
        raise RunError(f"folder {folder}: expected a run with {FILE}, found none")
    with TemporaryDirectory(prefix="posterior-bench-") as scratch, _unused(folder):
        for name in (FILE, f"{FILE}-wal"):
            if (folder / name).is_file():
                shutil.copyfile(folder / name, Path(scratch) / name)
        copy = Path(scratch) / FILE
        try:
            store = Store(copy)
        except StoreError as error:
            raise StoreError(str(error).replace(str(copy), str(folder / FILE))) from None
        with store:
            yield store


@contextmanager
def _unused(folder: Path) -> Iterator[None]:
    """Keep runs from writing to a folder meanwhile, without writing to it; raises RunError where one does."""
    import fcntl

    from runner.run import RunError

    try:
        lock = os.open(folder / ".lock", os.O_RDONLY)
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


def _others(site: Path) -> list[Path]:
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
    others = [path for path in there if path.name not in own]
    for path in others:
        if not path.is_file() or path.name == ".git":
            raise PublishError(f"--site {site}: expected nothing but the site in it, found {path.name}")
    return others


@contextmanager
def _beside(site: Path) -> Iterator[Path]:
    """Make a folder beside the site; it is gone afterwards, whether it was swapped in or not."""
    new = site.with_name(f"{site.name}.new-{os.getpid()}")
    site.parent.mkdir(parents=True, exist_ok=True)
    if new.exists() and (new / MARKER).is_file():
        shutil.rmtree(new)
    new.mkdir()
    try:
        yield new
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _swap(new: Path, site: Path) -> None:
    """Put a finished site in the place of the old one.

    Between the two renames there is only the old one under another name, from which `_heal` brings it back.
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
    shutil.rmtree(old)


def _heal(site: Path) -> None:
    """Finish what a killed publication has left: bring the old site back, remove what is half done."""
    for path in _left(site, "old"):
        if site.exists():
            shutil.rmtree(path)
        else:
            os.rename(path, site)
    for path in _left(site, "new"):
        shutil.rmtree(path)


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
    ours = [path for path in found if (path / MARKER).is_file()]
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


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" + ("" if number == 1 else "s")
