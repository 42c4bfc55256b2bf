"""Speed and memory, as ratios measured side by side in one run: `make bench`."""

import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from training import trained

from benchmarks import registry
from benchmarks.architectures.networks import NETWORKS
from runner import engine, plan
from runner.data import Examples
from runner.modules import build
from suites.suite import load, narrow

STEPS, NETWORKS_IN_STACK, BATCH = 1_000, 30, 64

pytestmark = pytest.mark.skipif(
    not plan.compiler_present(), reason="needs a C++ compiler and Python's headers"
)


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def plain_loop(network, x, y):
    """Train one network as anyone would and return seconds a step."""
    module = build(network, 1, 2, 0)
    optimiser = torch.optim.Adam(module.parameters(), lr=1e-3)
    xs, ys = torch.from_numpy(x), torch.from_numpy(y)
    start = time.perf_counter()
    for i in range(len(xs)):
        optimiser.zero_grad()
        nn.functional.cross_entropy(module(xs[i]), ys[i]).backward()
        optimiser.step()
    return (time.perf_counter() - start) / len(xs)


@pytest.mark.parametrize("name", ["mlp-64x64"])
def test_a_stack_against_a_plain_loop(benchmark, one_thread, name):
    """Network-steps a second of 30 networks in one program, sampling included, against one at a time."""
    network = NETWORKS[name]
    examples = [
        Examples(registry.task("gauss-nested"), seed, BATCH, None) for seed in range(NETWORKS_IN_STACK)
    ]
    x, y = examples[0].take(STEPS)
    rounds = []

    def batches(count):
        drawn = [each.take(count) for each in examples]
        return np.stack([x for x, _ in drawn], axis=1), np.stack([y for _, y in drawn], axis=1)

    def stack():
        """Train from the start and return seconds a network-step, compilation left out, sampling not."""
        modules = [build(network, 1, 2, seed) for seed in range(NETWORKS_IN_STACK)]
        snapshots = trained(network, modules, batches, [STEPS // 10, STEPS], "compiled", "cpu")
        next(snapshots)
        start = time.perf_counter()
        next(snapshots)
        return (time.perf_counter() - start) / (STEPS - STEPS // 10) / NETWORKS_IN_STACK

    def both():
        rounds.append((plain_loop(network, x, y), stack()))

    benchmark.pedantic(both, rounds=7, warmup_rounds=1)
    rounds = rounds[1:]  # without the warm-up
    ratio = statistics.median(plain / stacked for plain, stacked in rounds)
    plain, stacked = (statistics.median(times) * 1e6 for times in zip(*rounds, strict=True))
    benchmark.extra_info.update(ratio=ratio, plain_us=plain, stacked_us=stacked)
    print(f"\n{name}: plain loop {plain:.0f} us a step, stack {stacked:.1f} us a network-step: {ratio:.1f}x")
    assert ratio >= 12


def timed(monkeypatch, spent, owner, name, key):
    """Let owner.name add the seconds that it takes to spent[key]."""
    inner = getattr(owner, name)

    def outer(*args, **options):
        start = time.perf_counter()
        try:
            return inner(*args, **options)
        finally:
            spent[key] = spent.get(key, 0) + time.perf_counter() - start

    monkeypatch.setattr(owner, name, outer)


def share_of_a_run(benchmark, suite, options, spent, what):
    """Run a suite once and return which share of its time was spent as `timed` saw it."""
    from runner import run as running

    benchmark.pedantic(lambda: running.run(suite, options), rounds=1)
    whole = benchmark.stats.stats.total
    share = sum(spent.values()) / whole
    benchmark.extra_info.update(share=share, whole=whole, **spent)
    parts = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in spent.items())
    print(f"\n{what}, one process: {whole:.0f} s, of which {parts}: {share:.1%}")
    return share


def test_everything_but_training_is_a_small_share_of_a_full_run(benchmark, tmp_path, monkeypatch):
    """All of a full gaussian1d that neither trains nor fits, in one process, against the whole run."""
    from runner import predictor, records
    from runner import run as running
    from runner.store import Store

    spent = {}

    timed(monkeypatch, spent, engine.Training, "_load", "sampling")
    timed(monkeypatch, spent, Examples, "seen", "sampling")
    timed(monkeypatch, spent, records, "evaluate", "posteriors")
    timed(monkeypatch, spent, predictor.Predictor, "log_q", "evaluation")
    timed(monkeypatch, spent, records, "_score", "scoring")
    timed(monkeypatch, spent, Store, "add", "storing")
    timed(monkeypatch, spent, running, "report", "report")
    suite = load("gaussian1d")
    options = running.Options("compiled", "cpu", 1, tmp_path / "run")
    assert share_of_a_run(benchmark, suite, options, spent, "full gaussian1d") <= 0.05


def test_sampling_and_exact_posteriors_are_a_small_share_in_many_dimensions(benchmark, tmp_path, monkeypatch):
    """Drawing examples and exact posteriors on gauss-full-d32, all networks of `dimensions`, one process."""
    from runner import run as running
    from runner import scoring

    spent = {}
    timed(monkeypatch, spent, Examples, "take", "sampling")
    timed(monkeypatch, spent, scoring, "evaluate", "posteriors")
    suite = narrow(load("dimensions"), tasks=["gauss-full-d32"])
    suite = suite.model_copy(update={"reference": ["oracle", "prior"]})
    options = running.Options("eager", "cpu", 1, tmp_path / "run")
    assert share_of_a_run(benchmark, suite, options, spent, "gauss-full-d32") < 0.15


def test_a_worker_stays_small(benchmark, tmp_path):
    """Peak memory of the largest worker on the largest network of gaussian1d."""
    command = [str(Path(sys.executable).with_name("runner")), "--suite", "gaussian1d", "--jobs", "2"]
    narrow = ["--architecture", "mlp-256x256", "mlp-deep", "--budget", "64000", "--format", "none"]
    run = lambda: subprocess.run([*command, *narrow], cwd=tmp_path, check=True, env=os.environ)  # noqa: E731
    benchmark.pedantic(run, rounds=1)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    benchmark.extra_info.update(peak_gib=peak)
    print(f"\nlargest process of the run: {peak:.2f} GiB")
    assert peak < 1.5
