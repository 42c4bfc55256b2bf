"""Wall time and peak memory of a run's processes, read from /proc while it runs: Linux alone."""

import contextlib
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass
class Taken:
    """Wall seconds of a run, and the peak memory in MiB of its main process and of its largest worker."""

    wall: float = 0.0
    main: float = 0.0
    worker: float = 0.0


def run(command, **options):
    """Run a command to its end and return what it took; raises CalledProcessError where it fails."""
    taken, ended, start = Taken(), threading.Event(), time.perf_counter()
    process = subprocess.Popen(command, **options)

    def watch():
        while not ended.wait(0.1):
            taken.main = max(taken.main, _peak(process.pid))
            taken.worker = max([taken.worker, *map(_peak, _children(process.pid))])

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        code = process.wait()
    finally:
        ended.set()
        thread.join()
    taken.wall = time.perf_counter() - start
    if code:
        raise subprocess.CalledProcessError(code, command)
    return taken


def _peak(pid):
    """Return the most memory that a process has held so far, in MiB; 0 where it is gone."""
    with contextlib.suppress(OSError):
        for line in (PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    return 0.0


def _children(pid):
    found = []
    for path in (PROC / str(pid) / "task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += path.read_text().split()
    return found
