"""What one thread leaves for another to do."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from runner.execution.interrupts import released


class Inbox:
    """Calls that any thread leaves and one makes, in their order."""

    def __init__(self) -> None:
        self._calls: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._bell: SimpleQueue[None] = SimpleQueue()  # an interrupt can swallow what is taken out of a queue

    def leave(self, do: Callable[..., object], *arguments: Any) -> None:
        """Leave a call, without waiting for it."""
        self._calls.append((do, arguments))
        self._bell.put(None)

    def make_calls(self, seconds: float) -> None:
        """Make all calls that were left, waiting so long for the first; an interrupt loses none."""
        with contextlib.suppress(Empty), released():
            self._bell.get(timeout=max(seconds, 0.0))
        while self._calls:
            do, arguments = self._calls.popleft()
            do(*arguments)
