"""A stack of 30 `mlp-64x64` at batch 64, one thread, sampling included, against what else could train it.

Every contestant runs on the same core; they take turns, and a figure is the median over the rounds' ratios.
`-k plain_loop`, `-k stack_against_jax`, `-k scikit`, `-k floor`, `-k whole_run_against_jax` pick one; all but
the last take seconds, that one two minutes. With `--device cuda` only the plain loop's is measured, its stack
on the GPU.
"""

import importlib.util
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
import stack_alone
from command import with_caches
from contest import PEER, JaxPeer, in_turns, one_core, plain_loop, products, ratio, scikit_epoch

from benchmarks import registry
from benchmarks.architectures.networks import NETWORKS
from runner import plan
from runner.training.data import Examples

STEPS, NETWORKS_IN_STACK, BATCH, ROUNDS = 1_000, 30, 64, 7
WHOLE_STEPS, WHOLE_ROUNDS = 10_000, 3

pytestmark = pytest.mark.skipif(
    not plan.compiler_present(), reason="needs a C++ compiler and Python's headers"
)
needs_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="needs JAX: pip install 'posterior-bench[peers]'"
)


@pytest.fixture(autouse=True)
def core():
    with one_core():
        yield


@pytest.fixture
def ours(device):
    """A function that trains the stack for 1,000 more steps and returns seconds a network-step."""
    training = stack_alone.stack(NETWORKS_IN_STACK, (ROUNDS + 2) * STEPS, BATCH, device)
    done = STEPS // 10
    training.advance(done)  # compiles

    def advance():
        nonlocal done
        done += STEPS
        start = time.perf_counter()
        training.advance(done)
        return (time.perf_counter() - start) / STEPS / NETWORKS_IN_STACK

    return advance


@pytest.fixture
def examples():
    """Mini-batches of one network, drawn before any clock runs."""
    return Examples(registry.task("gauss-nested"), 0, BATCH, None).take(STEPS)


def microseconds(seconds):
    return f"{statistics.median(seconds) * 1e6:.1f} us"


def compared(benchmark, figure, what, rival, ours, target):
    """Let a rival and ours take turns, say how many times as fast ours is, and return it."""
    times = in_turns(benchmark, {"rival": rival, "ours": ours}, ROUNDS)
    found = ratio(times["rival"], times["ours"])
    note = f"{microseconds(times['rival'])} against our {microseconds(times['ours'])} a network-step"
    figure(what, found, target, unit="x", note=note)
    return found


def test_a_stack_against_a_plain_loop(benchmark, figure, ours, examples):
    """Network-steps a second against one network at a time in PyTorch."""
    rival = lambda: plain_loop(NETWORKS["mlp-64x64"], *examples)  # noqa: E731
    assert compared(benchmark, figure, "mlp-64x64 stack against a plain loop", rival, ours, 16) >= 14


@needs_jax
def test_a_stack_against_jax(benchmark, figure, cpu_only, ours):
    """Network-steps a second against an expert's JAX version, both compiled before."""
    peer = JaxPeer(NETWORKS_IN_STACK, STEPS, BATCH)
    rival = lambda: peer.train() / STEPS / NETWORKS_IN_STACK  # noqa: E731
    try:
        assert compared(benchmark, figure, "mlp-64x64 stack against JAX", rival, ours, 1) >= 0.85
    finally:
        peer.close()


def test_a_stack_against_scikit_learn(benchmark, figure, cpu_only, ours, examples):
    """Network-steps a second against MLPClassifier.fit, one epoch of as many steps."""
    x, y = examples
    rival = lambda: scikit_epoch(x.reshape(-1, 1), y.ravel(), (64, 64), BATCH)  # noqa: E731
    assert compared(benchmark, figure, "mlp-64x64 stack against scikit-learn", rival, ours, 8) >= 8


def test_a_stack_against_its_floor(benchmark, figure, cpu_only, ours):
    """Time of a step against its three large matrix products alone."""
    floor = lambda: products(NETWORKS_IN_STACK, BATCH, 64) / NETWORKS_IN_STACK  # noqa: E731
    times = in_turns(benchmark, {"floor": floor, "ours": ours}, ROUNDS)
    found = ratio(times["ours"], times["floor"])
    note = f"{microseconds(times['ours'])} against {microseconds(times['floor'])} a network-step"
    figure("mlp-64x64 stack over its matrix products", found, 1.5, at_most=True, unit="x", note=note)
    assert found <= 1.7


@needs_jax
def test_a_whole_run_against_jax(benchmark, figure, cpu_only, tmp_path):
    """A process from its start to the weights after 10,000 steps, compile caches empty, then warm."""
    sizes = [f"--networks={NETWORKS_IN_STACK}", f"--steps={WHOLE_STEPS}"]
    commands = {
        "jax": [str(PEER), *sizes, f"--cache={tmp_path / 'jax'}"],
        "ours": [str(Path(stack_alone.__file__)), *sizes],
    }

    def process(name):
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *commands[name]], check=True, env=with_caches(tmp_path / "ours"))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        busy[name].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        return time.perf_counter() - start

    busy = {name: [] for name in commands}
    cold = {name: process(name) for name in commands}
    times = {name: [] for name in commands}

    def one_round():
        for name in commands:
            times[name].append(process(name))

    benchmark.pedantic(one_round, rounds=WHOLE_ROUNDS)
    found = ratio(times["jax"], times["ours"])
    jax, ours = (statistics.median(times[name]) for name in ("jax", "ours"))
    cpu = " against ".join(f"{statistics.median(busy[name][1:]):.1f} s" for name in commands)
    what = f"{NETWORKS_IN_STACK} mlp-64x64, {WHOLE_STEPS:,} steps, process start to weights, against JAX"
    figure(
        f"{what}, warm caches",
        found,
        1,
        unit="x",
        note=f"{jax:.1f} s against our {ours:.1f} s; CPU time {cpu}",
    )
    note = f"{cold['jax']:.1f} s against our {cold['ours']:.1f} s"
    figure(f"{what}, empty caches", cold["jax"] / cold["ours"], unit="x", note=note)
    assert found >= 0.8
