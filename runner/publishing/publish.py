"""Many runs to one site in a folder, written beside it and swapped in, and from there to a branch."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from runner.publishing.site_folder import MARKER, PublishError, beside, heal, held, others, swap

if TYPE_CHECKING:
    from reports.publishing.editions import Source
    from reports.results import Results
    from runner.store import Store

NO_JEKYLL = ".nojekyll"  # keeps code hosts from leaving out files


@dataclass(frozen=True)
class Written:
    """A site's folder, how many runs and files it has, and their bytes."""

    site: Path
    runs: int
    files: int
    size: int


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
    """Write the site of some runs; whatever fails, the folder has the old site or the new one.

    Raises PublishError, RunError or StoreError where it can't, and OSError.
    """
    with held(site.resolve()):
        return _write(folders, site, url, title)


def _write(folders: Iterable[Path], site: Path, url: str, title: str) -> Written:
    from reports import aside
    from reports.publishing.publication import site_files

    place = site.resolve()
    heal(place)
    others(place)  # refuses in time what would be refused in the end
    aside.prepare()
    sources = [source(folder) for folder in folders]
    with beside(place) as new:
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
        for path in others(place):
            if path.name not in own:
                shutil.copy2(path, new / path.name)
        swap(new, place)
    return Written(site, len({each.identity for each in sources}), files + 2, size)


def source(folder: Path) -> Source:
    """Return a run to publish, of which only the outline is read; raises RunError or StoreError."""
    from reports.publishing.editions import Source
    from runner.results import frames
    from runner.run_folder import read_manifest

    manifest = read_manifest(folder)
    with _opened(folder) as store:
        suite, learned = frames.outline(store)
        # A copy of a run is the same run, whatever happened to its pages and to the file around its rows.
        totals = list(store.rows("SELECT count(*), total(value), total(error) FROM record"))
    parts = json.dumps([manifest, suite, totals], sort_keys=True)
    return Source(suite, manifest, learned, hashlib.sha256(parts.encode()).hexdigest(), partial(load, folder))


def load(folder: Path) -> Results:
    """Return everything about a run; raises RunError or StoreError."""
    from runner.results import frames
    from runner.run_folder import read_manifest

    with _opened(folder) as store:
        return frames.results(store, read_manifest(folder))


@contextmanager
def _opened(folder: Path) -> Iterator[Store]:
    """Open a run's results file, which nobody writes to meanwhile; its folder stays as it is.

    Raises RunError where the folder holds no run or one that is being written, StoreError where its file
    can't be read.
    """
    from runner.run_folder import results_file, unwritten
    from runner.store import Store

    file = results_file(folder)
    with unwritten(folder), Store(file, reading=True) as store:
        yield store
