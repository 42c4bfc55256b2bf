"""Runs of 30, 300 and 3,000 networks: time in proportion, and each worker's memory flat; five minutes.

Three tasks, one small architecture, a schedule just long enough to be compiled, two workers, warm caches. A
run of 30 is one stack, which one process trains.
"""

import memory
import pytest
from command import RUNNER, with_caches

from runner import plan

SUITE = """
name = "growth"
protocol = "stream"
batch = 64
budgets = [6400, {most}]
seeds = {seeds}
tasks = ["gauss-separated", "gauss-nested", "gauss-sparse-tail"]
architectures = ["mlp-16x16"]
reference = ["oracle", "prior"]
"""
MOST = 64 * plan.COMPILE_STEPS
SEEDS = (10, 100, 1_000)
TASKS = 3

pytestmark = [
    pytest.mark.skipif(not plan.compiler_present(), reason="needs a C++ compiler and Python's headers"),
    pytest.mark.skipif(not memory.PROC.exists(), reason="reads processes' memory from /proc"),
]


def measured(folder, seeds):
    """Run the suite with so many seeds and return what it took."""
    path = folder / f"growth-{seeds}.toml"
    path.write_text(SUITE.format(most=MOST, seeds=seeds))
    command = [*RUNNER, "--suite", str(path), "--jobs", "2", "--output", str(folder / str(seeds))]
    return memory.run([*command, "--format", "none"], cwd=folder, env=with_caches(folder / "caches"))


def test_growth(benchmark, figure, cpu_only, tmp_path):
    """Seconds a network and memory, from 30 to 3,000 networks."""
    measured(tmp_path, 1)  # fills the caches
    runs = {}

    def all_sizes():
        for seeds in SEEDS:
            runs[TASKS * seeds] = measured(tmp_path, seeds)

    benchmark.pedantic(all_sizes, rounds=1)
    for count, run in runs.items():
        note = (
            f"{run.wall:.0f} s; peak memory: a worker {run.worker:.0f} MiB, main process {run.main:.0f} MiB"
        )
        figure(f"a run of {count:,} networks, a network", run.wall / count, unit=" s", note=note)
    small, middle, large = runs.values()
    counts = list(runs)
    first = (middle.wall - small.wall) / (counts[1] - counts[0])
    then = (large.wall - middle.wall) / (counts[2] - counts[1])
    note = f"{first * 1e3:.1f} ms, then {then * 1e3:.1f} ms; a start that all pay left out"
    growth = then / first
    figure("a further network, 300 to 3,000 over 30 to 300", growth, 1.1, at_most=True, unit="x", note=note)
    whole = large.wall / counts[2] / (middle.wall / counts[1])
    figure("seconds a network, 3,000 over 300", whole, 1.1, at_most=True, unit="x")
    flat = large.worker / middle.worker
    figure("a worker's peak memory, 3,000 over 300", flat, 1.1, at_most=True, unit="x")
    assert whole <= 1.1
    assert flat <= 1.1
