"""What a Dask task and a commit cost, and a run of minutes on a cluster against local processes."""

import pickle
import statistics
import subprocess
import sys
import time

from dask_cluster import Cluster, with_home
from synthetic import _result

from runner import plan
from runner.execution.cluster import _client
from runner.execution.cluster_worker import Call
from runner.store import FILE, Store
from suites.suite import load

SEEDS = 180  # as many as take two workers five minutes


def test_a_task(benchmark, figure, cpu_only, tmp_path):
    """Seconds from handing a call of nothing to a worker until its answer is there."""
    from distributed.protocol.pickle import loads

    payload = pickle.dumps(Call(int))
    with Cluster(tmp_path) as found:
        found.start_worker()
        client = _client(found.address)
        client.wait_for_workers(1, timeout=60)
        futures, taken = client.get_executor(pure=False), []

        def one():
            start = time.perf_counter()
            futures.submit(loads, payload).result()
            taken.append(time.perf_counter() - start)

        benchmark.pedantic(one, rounds=200, warmup_rounds=20)
        client.close()
    figure("a task on a Dask worker", statistics.median(taken) * 1e3, 20, at_most=True, unit=" ms")


def test_a_commit(benchmark, figure, cpu_only, tmp_path):
    """Seconds to store a stack of 30 trials of six budgets."""
    budgets = [640, 1_280, 6_400, 12_800, 64_000, 128_000]
    suite = load("gaussian1d").model_copy(update={"budgets": budgets, "seeds": 210})
    trials = [each for each in plan.plan(suite, "eager") if each.architecture == "linear"]
    stacks = iter([[_result(each, 0) for each in trials[i : i + 30]] for i in range(0, 600, 30)])
    taken = []
    with Store(tmp_path / FILE) as store:

        def one():
            results = next(stacks)
            start = time.perf_counter()
            store.add(results, {"system": "synthetic"})
            taken.append(time.perf_counter() - start)

        benchmark.pedantic(one, rounds=20)
    figure(
        "storing a trial of six budgets", statistics.median(taken) / 30 * 1e3, 2.5, at_most=True, unit=" ms"
    )


def test_a_cluster_against_local_processes(benchmark, figure, cpu_only, tmp_path):
    """A run on two workers of a cluster, over the same on two local processes, both with warm programs."""
    grid = ["--suite", "gaussian1d", "--seeds", str(SEEDS), "--architecture", "mlp-64x64", "mlp-16x16"]

    def run(name, *options):
        start = time.perf_counter()
        done = [sys.executable, "-m", "runner", *grid, "--format", "none", "--output", name, *options]
        subprocess.run(done, cwd=tmp_path, env=with_home(), check=True, capture_output=True)
        return time.perf_counter() - start

    with Cluster(tmp_path) as found:
        for _ in range(2):
            found.start_worker()
        subprocess.run(
            [sys.executable, "-m", "runner", *grid, "--seeds", "1", "--output", "warm", "--format", "none"],
            cwd=tmp_path,
            env=with_home(),
            check=True,
            capture_output=True,
        )
        there = benchmark.pedantic(run, args=("there", "--dask", found.address), rounds=1)
    here = run("here", "--jobs", "2")
    figure(
        "a run on a cluster over local processes", there / here, 1.1, at_most=True, note=f"{here:.0f} s here"
    )
