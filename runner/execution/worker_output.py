"""What somebody's code prints while it trains: passed on to the user, within bounds."""

from __future__ import annotations

from collections import Counter

from runner.executors import Tell

LINES, WIDTH = 20, 300  # of what an architecture prints in a run, that are shown
HELD = 4 * WIDTH  # bytes of an unfinished line that are kept


class Printed:
    """The first lines that each architecture prints, in whichever process, and the bytes of all others."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._shown, self._more = Counter[str](), Counter[str]()

    def add(self, name: str, before: bytes, data: bytes) -> bytes:
        """Take what was printed and return its unfinished line, which comes `before` what is next printed."""
        *lines, rest = data.split(b"\n")
        for line in lines:
            self.show(name, before + line)
            before = b""
        self._more[name] += len((before + rest)[HELD:])
        return (before + rest)[:HELD]

    def show(self, name: str, line: bytes) -> None:
        """Pass on a line, if it isn't one too many."""
        text = line.decode("utf-8", "replace").rstrip()
        if text and self._shown[name] == LINES:
            self._more[name] += len(line) + 1
        elif text:
            self._shown[name] += 1
            self._tell(f"{name}: {text[:WIDTH]}")

    def end(self) -> None:
        """Say how much wasn't shown."""
        for name, more in self._more.items():
            if more:
                self._tell(f"{name} printed {more:,} bytes more")
