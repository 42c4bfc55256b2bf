"""Kills runs at random moments and fuzzes what reads data, for as long as asked; `make soak` calls it.

Each disturbed run is given the same command until it ends by itself, and its results have to equal those of
an undisturbed one to the bit. The figures go to docs/reliability.json, and with them docs/reliability.md is
made anew.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "helpers"), str(Path(__file__).parent)]

import reliability  # noqa: E402 (found where the lines above say, as the others)
from killing import clocks, content  # noqa: E402

from runner import provenance  # noqa: E402

COMMAND = [sys.executable, "-m", "runner", "--suite", "smoke", "--budget", "640", "64000", "--seeds", "3"]
COMMAND += ["--format", "none"]
WORKERS = "2"
LANES = 3  # runs that are disturbed at once: much of a run is waiting, or work of one core
MOST_KILLS = 6  # of one run, before it is left alone


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
        while process.poll() is None and sum(kills.values()) < MOST_KILLS:
            time.sleep(random.uniform(0, seconds / 2))
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

        def lane(number: int) -> None:
            while time.monotonic() < until:
                folder = Path(scratch) / f"run-{number}"
                done = disturbed(folder, seconds)
                assert content(folder) == expected, f"other results than undisturbed: {folder}"
                shutil.rmtree(folder)
                found["runs disturbed"] += 1
                found["kills of the main process"] += done["runs"]
                found["kills of a worker"] += done["workers"]
                print(found, flush=True)

        with ThreadPoolExecutor(LANES) as pool:
            list(pool.map(lane, range(LANES)))  # which raises what one of them raises
    return found


def fuzzing(seconds: float) -> dict[str, int]:
    """Share the time among all targets; return how many inputs each tried, none of which did harm."""
    from fuzz import TARGETS

    found = {}
    for target in TARGETS:
        command = [sys.executable, str(Path(__file__).with_name("fuzz.py")), target]
        command += ["--seconds", str(max(1, round(seconds / len(TARGETS))))]
        done = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
        tried = re.search(r"Done (\d+) runs", done.stderr)
        assert done.returncode == 0 and tried, f"{target}: {done.stderr[-4_000:]}"
        found[target] = int(tried[1])
        print(f"{target}: {found[target]:,} inputs", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="how long: two thirds kills, one third fuzzing"
    )
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the random moments")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    random.seed(options.seed)
    third, begun = 60 * options.minutes / 3, time.monotonic()
    survived = kills(begun + 2 * third)
    tried = fuzzing(third)
    found = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": provenance.commit(),
        "machine": f"{os.cpu_count()} cores, {provenance.processor()}",
        "minutes": round((time.monotonic() - begun) / 60, 1),
        "seed": options.seed,
        **survived,
        "inputs": tried,
    }
    reliability.FIGURES.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    reliability.PAGE.write_text(reliability.page(found), encoding="utf-8")
    print(f"figures: {reliability.FIGURES}, {reliability.PAGE}")


if __name__ == "__main__":
    main()
