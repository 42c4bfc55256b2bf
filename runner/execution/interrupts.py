"""Ctrl-C: once ends a run in good order, what has ended kept; twice ends it at once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 130  # exit code
SHOW_CURSOR = "\x1b[?25h"  # which a progress bar has hidden

_asked = _raised = _held = False


def install() -> None:
    """Take SIGINT and SIGTERM: the first raises KeyboardInterrupt, the second ends the process."""
    global _asked, _raised, _held  # noqa: PLW0603 (a process has one handler of a signal)
    _asked = _raised = _held = False
    signal.signal(signal.SIGINT, _take)
    signal.signal(signal.SIGTERM, _take)


@contextmanager
def held() -> Iterator[None]:
    """Raise no KeyboardInterrupt within the block, but at its end: nothing in it is left half done."""
    global _held  # noqa: PLW0603
    _held = True
    try:
        yield
    finally:
        _held = False
    _raise_if_asked()


@contextmanager
def released() -> Iterator[None]:
    """Within a `held` block, a stretch in which a KeyboardInterrupt may be raised: waiting, or training."""
    global _held  # noqa: PLW0603
    before, _held = _held, False
    try:
        _raise_if_asked()
        yield
    finally:
        _held = before


def _take(number: int, frame: object) -> None:
    global _asked  # noqa: PLW0603
    if _asked:
        if sys.stderr.isatty():
            os.write(2, SHOW_CURSOR.encode())
        os._exit(INTERRUPTED)  # workers see that we are gone, and end
    _asked = True
    os.write(2, b"\nstopping; what has ended is kept (once more stops at once)\n")
    if not _held:
        _raise_if_asked()


def _raise_if_asked() -> None:
    """Raise KeyboardInterrupt for a signal that was taken, once."""
    global _raised  # noqa: PLW0603
    if _asked and not _raised:
        _raised = True
        raise KeyboardInterrupt
