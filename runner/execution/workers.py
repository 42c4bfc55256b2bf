"""Worker processes: fresh interpreters, one thread of linear algebra each, gone when their work is."""

from __future__ import annotations

import contextlib
import faulthandler
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import Any

# Children count cores before anybody could tell them that they are to use one.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

CONTEXT = multiprocessing.get_context("spawn")


@contextlib.contextmanager
def workers(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of workers that are gone when the block is left, however it is left."""
    pool = ProcessPoolExecutor(jobs, CONTEXT, initializer=begin)
    try:
        yield pool
        pool.shutdown()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()


@contextlib.contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Environment variables that hold within the block, for processes that start there."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def begin(output: Any = None) -> None:
    """Make this process a worker: it ends with its parent and leaves Ctrl-C to it; output: where it prints.

    With an output of its own it also leads a group of its own, so that what it starts can be ended with it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if output is not None and hasattr(os, "setsid"):
        os.setsid()  # before anybody could end our group, which was our parent's until now
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if output is None:
        return
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    output.close()
    faulthandler.enable(all_threads=False)  # says where a segmentation fault was


def _end_with_parent() -> None:
    """End this worker when the main process is gone, however it went: nobody would take the result."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
            os.killpg(os.getpid(), signal.SIGKILL)
        os._exit(1)
