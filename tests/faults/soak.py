"""Kills runs at random moments and fuzzes what reads data, for as long as asked; `make soak` calls it.

Each disturbed run is given the same command until it ends by itself, and its results have to equal those of
an undisturbed one to the bit. The figures are added to docs/reliability.json, from which docs/reliability.md
is made.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "helpers"), str(Path(__file__).parent)]

from killing import clocks, content  # noqa: E402 (found where the line above says)

COMMAND = [sys.executable, "-m", "runner", "--suite", "smoke", "--budget", "640", "128000", "--seeds", "3"]
COMMAND += ["--format", "none"]
WORKERS = "2"
MOST_KILLS = 3  # of one run, before it is left alone


def start(folder: Path, jobs: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [*COMMAND, "--jobs", jobs, "--output", str(folder)]
    return subprocess.Popen(command, cwd=folder.parent, env=environment, stderr=subprocess.PIPE, text=True)


def workers(process: subprocess.Popen[str]) -> list[int]:
    """Return the worker processes of a run."""
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    except OSError:
        return []


def kill(victims: list[int]) -> bool:
    try:
        os.kill(random.choice(victims), signal.SIGKILL)
    except (IndexError, ProcessLookupError):
        return False
    return True


def disturbed(folder: Path, seconds: float) -> dict[str, int]:
    """Run to the end with a kill now and then; return how many there were, of the run and of workers."""
    kills = {"runs": 0, "workers": 0}
    stored: dict[tuple[str, int], float] = {}
    while True:
        process = start(folder, random.choice(["1", WORKERS, WORKERS]))
        if sum(kills.values()) < MOST_KILLS:
            time.sleep(random.uniform(0, seconds))
            whom = random.choice(list(kills))
            victims = [process.pid] if whom == "runs" else workers(process)
            kills[whom] += process.poll() is None and kill(victims)
        _, said = process.communicate(timeout=60 * seconds)
        now = clocks(folder)
        assert stored.items() <= now.items(), "what was stored was trained again"
        stored = now
        assert "Traceback" not in said, said
        if process.returncode == 0:
            return kills
        assert process.returncode == -signal.SIGKILL, (process.returncode, said)


def kills(until: float) -> dict[str, int]:
    """Disturb runs until then; return how many runs there were, and how many kills they survived."""
    found = {"runs disturbed": 0, "kills of the main process": 0, "kills of a worker": 0}
    with TemporaryDirectory(prefix="soak-") as scratch:
        whole = Path(scratch) / "undisturbed"
        clock = time.monotonic()
        assert start(whole, WORKERS).wait() == 0
        seconds, expected = time.monotonic() - clock, content(whole)
        while time.monotonic() < until:
            folder = Path(scratch) / "run"
            done = disturbed(folder, seconds)
            assert content(folder) == expected, f"other results than undisturbed: {folder}"
            shutil.rmtree(folder)
            found["runs disturbed"] += 1
            found["kills of the main process"] += done["runs"]
            found["kills of a worker"] += done["workers"]
            print(found, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long, half kills and half fuzzing")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the random moments")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    random.seed(options.seed)
    half = 60 * options.minutes / 2
    print(json.dumps(kills(time.monotonic() + half)))


if __name__ == "__main__":
    main()
