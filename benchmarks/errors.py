"""What to say of an unknown name, and of what somebody else's code raised."""

from __future__ import annotations

import difflib
import importlib
import re
import sysconfig
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

OURS = tuple(
    str(Path(__file__).parents[1] / house) for house in ("benchmarks", "suites", "runner", "reports")
)
# An address in memory and the module name of a file: neither says anything, and both differ each time.
PLACE = re.compile(r" at 0x[0-9a-f]+|plugged_in_\w+?_[0-9a-f]{12}\.")
LIBRARIES = tuple(sysconfig.get_path(each) for each in ("stdlib", "purelib", "platlib"))


class UnknownName(ValueError):
    """A name that isn't registered, or names nothing that can be loaded; the message lists near matches."""


def lookup(kind: str, name: str, table: Mapping[str, T]) -> T:
    """Return table[name]; raises UnknownName, which says what the name might have meant."""
    if name in table:
        return table[name]
    raise UnknownName(unknown(kind, name, table))


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return what to say of a name that isn't among those that are known."""
    return f"unknown {kind} {name!r}; {hint(name, known)}"


def hint(name: str, known: Iterable[str]) -> str:
    """Return what a name might have meant, or else what there is."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    return f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names) or 'none'}"


def in_one_line(error: BaseException) -> str:
    """Return an error as one line: its kind, its words, and where somebody else's code raised it."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_others(frame.filename)]
    # Rather the line that called a library than the line within it.
    frames = [frame for frame in frames if not frame.filename.startswith(LIBRARIES)] or frames
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    words = PLACE.sub("", f"{type(error).__name__}: {error}")
    return " ".join(f"{words}{where}".split())


def _is_others(filename: str) -> bool:
    """Whether a file is neither ours, nor the import system, nor code that was made on the fly."""
    return not filename.startswith((*OURS, importlib.__file__, "<frozen ", "<string>"))
