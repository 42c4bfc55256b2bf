"""A real Dask cluster on loopback, each of its parts a process of its own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from distributed import Client

HOME = Path(__file__).parents[2]
LOOPBACK = ["--host", "127.0.0.1", "--no-dashboard"]


class Cluster:
    """A scheduler and its workers; all are gone when the block is left."""

    def __init__(self, folder):
        self.folder, self.processes = folder, []

    def __enter__(self):
        self.start_scheduler()
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            end(process)

    def start_scheduler(self):
        file = self.folder / "scheduler.json"
        self.scheduler = self._start("scheduler", *LOOPBACK, "--port", "0", "--scheduler-file", str(file))
        deadline = time.monotonic() + 60
        while not file.exists() or not file.read_text().endswith("}"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        self.address = json.loads(file.read_text())["address"]

    def start_worker(self, *options, preload="", nanny=False, threads=1):
        """Return the process of one more worker; preload: code that it runs before everything else."""
        folder = self.folder / f"worker-{len(self.processes)}"
        folder.mkdir()
        options = [*options, "--nthreads", str(threads), "--nanny" if nanny else "--no-nanny"]
        if preload:
            (folder / "preload_it.py").write_text(preload)
            options += ["--preload", str(folder / "preload_it.py")]
        options += ["--local-directory", str(folder)]
        return self._start("worker", self.address, *LOOPBACK, *options, cwd=folder)

    def wait_for_workers(self, count):
        """Return once so many workers have introduced themselves; raises TimeoutError."""
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=120)

    def _start(self, *arguments, cwd=None):
        with (self.folder / f"{len(self.processes)}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *arguments],
                cwd=cwd or self.folder,
                env=with_home(),
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that a nanny and its worker can be ended together
            )
        self.processes.append(process)
        return process


def with_home():
    """Return an environment in which processes find this package, installed or not."""
    paths = os.pathsep.join([str(HOME), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": paths}


def end(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
