"""What a worker of a Dask cluster does: says what it has installed, and runs one stack at a time."""

from __future__ import annotations

import functools
import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from benchmarks import registry, shipping
from benchmarks.shipping import Shipped
from runner import plan, provenance
from runner.execution.one_stack import fingerprint, on_one_thread, planned_fingerprints
from runner.records import TrialResult
from runner.stacks import Stack

EVERY = 1.0  # seconds between messages about a stack's progress, at least
# Threads of PyTorch, our caches and the random numbers that a process shares can't be two stacks' at once.
_one_at_a_time = threading.Lock()


class Unfit(RuntimeError):
    """A worker can't run a stack that others may; the message says what it lacks."""


class _Abandoned(BaseException):
    """Nobody waits for the stack any more; no Exception, which what catches those of models would stop."""


@dataclass(frozen=True)
class Call:
    """A call that is made by whoever unpickles it.

    The scheduler passes its bytes on: it need not know our classes, nor spend time on them.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.function, self.arguments


def installed() -> dict[str, str]:
    """Return what has to be the same on all machines for the same bits: {what: version}."""
    found = {name: version for name, version in provenance.versions().items() if name != "pandas"}
    found["python"] = ".".join(map(str, sys.version_info[:2]))
    return found | {"engine of posterior-bench": str(plan.ENGINE_VERSION)}


def differing(expected: Mapping[str, str], found: Mapping[str, str]) -> str:
    """Return the first thing that is installed in another version than expected, in words; empty for none."""
    for what, version in expected.items():
        if found.get(what) != version:
            return f"expected {what} {version}, as here, found {found.get(what, 'none')}"
    return ""


def introduce() -> tuple[dict[str, str], int]:
    """Return what is installed here and how many threads this worker has, once no stack runs here."""
    from distributed import get_worker

    # What takes time, before the clock of a stack starts.
    import benchmarks.architectures.fitting  # noqa: F401
    import runner.training.learning  # noqa: F401

    with _one_at_a_time:
        return installed(), get_worker().state.nthreads


def _is_there(module: str) -> Call:
    return Call(bool, (Call(find_spec, (module,)),))


# Asked before anything of ours is loaded there: Dask doesn't deliver the error where that can't be.
QUESTIONS = (_is_there("runner"), _is_there(__name__), Call(introduce))


def run(stack: Stack, shipped: Shipped, topic: str) -> tuple[list[TrialResult], dict[str, str]] | None:
    """Run a stack that the coordinator sent, and tell it under a topic how far that is.

    Returns None where the stack was cancelled meanwhile; raises Unfit.
    """
    with _one_at_a_time:
        messages = _Messages(topic)
        try:
            messages.send(0.0)  # from now on its time counts
            _prepare(stack, shipped)
            return on_one_thread(stack, messages.add)
        except _Abandoned:
            return None


class _Messages:
    """Tells the coordinator how much of a stack is done, now and then, and stops it once it is cancelled."""

    def __init__(self, topic: str) -> None:
        from distributed import get_worker

        self._worker = get_worker()
        self._key = self._worker.get_current_task()
        self._topic, self._last, self._share = topic, time.monotonic(), 0.0

    def add(self, share: float) -> None:
        """Count a share in; raises _Abandoned."""
        self._share += share
        if time.monotonic() >= self._last + EVERY:
            self.send(self._share)

    def send(self, share: float) -> None:
        """Send a share; raises _Abandoned."""
        task = self._worker.state.tasks.get(self._key)
        if task is None or task.state != "executing":
            raise _Abandoned
        message = {"worker": self._worker.address, "key": self._key, "share": share}
        self._worker.log_event(self._topic, message)
        self._last, self._share = time.monotonic(), 0.0


def _prepare(stack: Stack, shipped: Shipped) -> None:
    """Make a stack's names mean here what they mean to the coordinator; raises Unfit."""
    shipping.unpack(shipped)
    for task, expected in planned_fingerprints(stack).items():
        _check(task, _loaded("task", task, functools.partial(fingerprint, task)), expected)
    _check(stack.architecture, _source(stack.architecture), json.loads(stack.trials[0].spec).get("source"))


def _check(name: str, found: str | None, expected: str | None) -> None:
    if found != expected:
        raise Unfit(f"{name}: expected the code that the coordinator has, found other code")


@functools.cache
def _source(name: str) -> str | None:
    return _loaded("architecture", name, lambda: registry.source(name)) or None


def _loaded(kind: str, name: str, load: Callable[[], Any]) -> Any:
    try:
        getattr(registry, kind)(name)
        return load()
    except Exception as error:
        raise Unfit(f"{error}; what isn't a file has to be installed on the workers") from None
