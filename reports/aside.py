"""Work that another process does beside this one: vl-convert holds the interpreter's lock while it draws.

Without `prepare`, or where there is one core, all of it is done here.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import IO, Any, ParamSpec, TypeAlias, TypeVar

# The path comes as arguments, so that a folder where a user happens to be can't shadow our modules.
_SERVE = "import sys; sys.path[:] = sys.argv[1:]; from reports.aside import serve; serve()"
P = ParamSpec("P")
T = TypeVar("T")
Worker: TypeAlias = "subprocess.Popen[bytes]"


@dataclass
class _Beside:
    """The other process, None once it is lost, and the only thread that talks to it.

    One is enough: it draws as fast as charts are built, and a second would take another second to load.
    """

    thread: ThreadPoolExecutor
    worker: Worker | None


def prepare() -> None:
    """Start the other process, which loads in a second what it will need; it ends with this one."""
    _beside()


def submit(function: Callable[P, T], *args: P.args, **options: P.kwargs) -> Future[T]:
    """Begin function(*args, **options), which returns the same wherever it is called, beside this process.

    Once the other process is lost, this one does its work.
    """
    if not _beside.cache_info().currsize or (beside := _beside()) is None:
        done: Future[T] = Future()
        done.set_result(function(*args, **options))
        return done
    return beside.thread.submit(_ask, beside, function, args, options)


def serve() -> None:
    """Answer calls, pickled on standard input, with (whether it worked, the result); ends with its input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks, whose end is ours
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # nothing else is to be printed between answers
        _load()
        while True:
            try:
                function, args, options = pickle.load(sys.stdin.buffer)
            except EOFError:
                return
            try:
                answer = True, function(*args, **options)
            except Exception:
                answer = False, None  # it is raised where it is asked for
            try:
                answers.write(pickle.dumps(answer))
                answers.flush()
            except BrokenPipeError:
                os._exit(1)  # who asked is gone; closing the pipe would fail again


def _load() -> None:
    """Load what takes long, in the order in which it is asked for."""
    import scipy.stats  # noqa: F401

    import reports.ranking.ranks  # noqa: F401
    from reports.figures.drawing import draw

    draw({"mark": "text", "data": {"values": [{}]}, "config": {}})  # the first takes as long as ten others


def _ask(beside: _Beside, function: Callable[..., T], args: Any, options: Any) -> T:
    try:
        if beside.worker is not None:
            into, out = _pipes(beside.worker)
            into.write(pickle.dumps((function, args, options)))
            into.flush()
            worked, answer = pickle.load(out)
            if worked:
                return answer  # type: ignore[no-any-return]
    except (OSError, EOFError, pickle.PickleError):  # it has ended: a broken pipe, or no whole answer
        _end(beside.worker)
        beside.worker = None
    return function(*args, **options)


@lru_cache(maxsize=1)
def _beside() -> _Beside | None:
    return _Beside(ThreadPoolExecutor(max_workers=1), _started()) if _cores() > 1 else None


def _started() -> Worker | None:
    command = [sys.executable, "-c", _SERVE, *sys.path]
    try:
        worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    except OSError:
        return None
    atexit.register(_end, worker)
    return worker


def _end(worker: Worker | None) -> None:
    if worker is not None:
        worker.kill()
        worker.wait()
        for pipe in _pipes(worker):
            with contextlib.suppress(OSError):  # what it still held can't be written any more
                pipe.close()


def _pipes(worker: Worker) -> tuple[IO[bytes], IO[bytes]]:
    assert worker.stdin is not None and worker.stdout is not None
    return worker.stdin, worker.stdout


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
