"""Suite files as data: what may be read at all, before anything that they say is looked at.

A suite file may come from a stranger. It is data, but for names with a colon in them: `file.py:attr` runs
that file, as on the command line. So these are kept to files beside it or in the current folder, where a
reader sees them, and to no installed module: `os:system(command=...)` would be one too.
"""

from __future__ import annotations

import re
import stat
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.errors import Refused

MOST_BYTES = 256 * 1024
NAMES = ("tasks", "architectures", "reference")  # the keys that hold names
# A key of more than eight parts, on which the parser's time grows with the square of their number.
_PART = r"""(?:[\w-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')\s*+"""
_DEEP_KEY = re.compile(rf"(?<![\w-]){_PART}(?:\.\s*+{_PART}){{8}}")


class SuiteError(Refused):
    """A suite can't be used; the message names the file or flag, the key, what was expected and found."""


def content(path: Path) -> bytes:
    """Return what a suite file holds; raises SuiteError where it is no file, or too large for a suite."""
    found = None
    try:
        if stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for, a device read for ever
            with path.open("rb") as file:
                found = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise SuiteError(f"suite file {path}: {error.strerror or error}") from None
    except ValueError as error:  # such as a NUL in its name
        raise SuiteError(f"suite file {path}: expected the name of a file: {error}") from None
    if found is None:
        raise SuiteError(f"suite file {path}: expected a file, found something else")
    if len(found) > MOST_BYTES:
        raise SuiteError(f"suite file {path}: expected at most {MOST_BYTES // 1024} KiB, found more")
    return found


def data(raw: bytes, where: str, folder: Path) -> dict[str, Any]:
    """Return TOML as data; raises SuiteError where it is none, or names what a suite file may not run.

    folder: the suite file's; it may name files in it, in the current folder, and below either.
    """
    try:
        text = raw.decode("utf-8")
        if deep := _DEEP_KEY.search(text):
            raise SuiteError(f"{where}: expected keys of at most two parts, found {deep[0]!r}")
        found = tomllib.loads(text)
    except SuiteError:
        raise
    except RecursionError:
        raise SuiteError(f"{where}: expected TOML of a few levels, found it nested too deep") from None
    except ValueError as error:  # of the syntax, of UTF-8, or an integer of thousands of digits
        raise SuiteError(f"{where}: expected TOML, found a syntax error: {error}") from None
    _check_code(found, where, (folder.resolve(), Path.cwd()))
    return found


def _check_code(found: Mapping[str, Any], where: str, folders: Sequence[Path]) -> None:
    """Raise SuiteError where a name would run what isn't in one of the folders."""
    for key in NAMES:
        names = found.get(key)
        for name in names if isinstance(names, list) else ():
            place = name.rpartition(":")[0] if isinstance(name, str) else ""
            if place and not (place.endswith(".py") and _below(Path(place), folders)):
                raise SuiteError(
                    f"{where}: {key}: expected no code but file.py:attr beside the suite file or below the"
                    f" current folder, found {name!r}; on the command line any goes"
                )


def _below(path: Path, folders: Sequence[Path]) -> bool:
    try:
        return any(path.resolve().is_relative_to(folder) for folder in folders)
    except (OSError, ValueError, RuntimeError):  # a NUL, a name too long, a loop of links
        return False
