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
LONGEST_LINE = 600  # characters of a message
LONGEST_WORD = 200  # characters without a space in it: a path, a name
LONGEST_GUESS = 100  # characters of a name that near matches are looked for: that takes their square
MOST_KNOWN = 20  # names that are listed where nothing is near


class Refused(ValueError):
    """An input that can't be used; its text is one line that a terminal can show, however long the input."""

    def __str__(self) -> str:
        return one_line(super().__str__())


class UnknownName(Refused):
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
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) if len(name) <= LONGEST_GUESS else []
    more = f" and {len(names) - MOST_KNOWN} more" if len(names) > MOST_KNOWN else ""
    there = ", ".join(names[:MOST_KNOWN]) or "none"
    return f"did you mean {' or '.join(near)}?" if near else f"known: {there}{more}"


def visible(text: str) -> str:
    """Return a text of several lines without control characters, which could steer a terminal."""
    lines = ("".join(sign if sign.isprintable() else "�" for sign in line) for line in text.split("\n"))
    return "\n".join(lines)


def one_line(text: str) -> str:
    """Return a text as one line without control characters, its long words and itself cut in the middle."""
    text = _cut(text, 100 * LONGEST_LINE)  # first of all: what follows takes its time
    plain = "".join(sign if sign.isprintable() else " " if sign.isspace() else "�" for sign in text)
    return _cut(" ".join(_cut(word, LONGEST_WORD) for word in plain.split(" ")), LONGEST_LINE)


def _cut(text: str, longest: int) -> str:
    """Return a text with an ellipsis in its middle where it is longer than that."""
    if len(text) <= longest:
        return text
    end = longest // 3
    return f"{text[: longest - end - 1]}…{text[-end:]}"


def in_one_line(error: BaseException) -> str:
    """Return an error as one line: its kind, its words, and where somebody else's code raised it."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_others(frame.filename)]
    # Rather the line that called a library than the line within it.
    frames = [frame for frame in frames if not frame.filename.startswith(LIBRARIES)] or frames
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    words = PLACE.sub("", f"{type(error).__name__}: {error}"[: 100 * LONGEST_LINE])
    return one_line(" ".join(f"{words}{where}".split()))


def _is_others(filename: str) -> bool:
    """Whether a file is neither ours, nor the import system, nor code that was made on the fly."""
    return not filename.startswith((*OURS, importlib.__file__, "<frozen ", "<string>"))
