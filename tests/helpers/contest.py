"""Contestants of the speed measurements: what else would train the networks, and how two take turns."""

import contextlib
import os
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from runner.training.modules import build

PEER = Path(__file__).resolve().parents[1] / "performance" / "jax_peer.py"
WARM_STEPS = 20


def in_turns(benchmark, contestants, rounds):
    """Let contestants {name: run() -> seconds} take turns, a round to warm up; return {name: [seconds]}."""
    times = {name: [] for name in contestants}

    def one_round():
        for name, run in contestants.items():
            times[name].append(run())

    benchmark.pedantic(one_round, rounds=rounds, warmup_rounds=1)
    return {name: seconds[1:] for name, seconds in times.items()}


def ratio(slow, fast):
    """Return the median over rounds of one's seconds over the other's."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


@contextlib.contextmanager
def one_core():
    """Bind this process and those that it starts to one core, where that can be done, torch to one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    can = hasattr(os, "sched_setaffinity")
    cores = os.sched_getaffinity(0) if can else set()
    if can:
        os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        if can:
            os.sched_setaffinity(0, cores)


def plain_loop(network, x, y):
    """Train one network as anyone would, on mini-batches drawn before, and return seconds a step.

    x (steps, batch, d) float32, y (steps, batch) int64. Weights are averaged where the recipe says so. A few
    steps come first and aren't counted.
    """
    module = build(network, x.shape[-1], int(y.max()) + 1, 0)
    optimiser = torch.optim.Adam(module.parameters(), lr=network.recipe.learning_rate)
    averaging, average = network.recipe.averaging, None
    if averaging:
        averaged = torch.optim.swa_utils.get_ema_multi_avg_fn(averaging)
        average = torch.optim.swa_utils.AveragedModel(module, multi_avg_fn=averaged)
    xs, ys = torch.from_numpy(x), torch.from_numpy(y)
    for i in range(-WARM_STEPS, len(xs)):
        if i == 0:
            start = time.perf_counter()
        optimiser.zero_grad()
        nn.functional.cross_entropy(module(xs[i]), ys[i]).backward()
        optimiser.step()
        if average is not None:
            average.update_parameters(module)
    return (time.perf_counter() - start) / len(xs)


def scikit_epoch(x, y, hidden, batch):
    """Fit scikit-learn's network for one epoch and return seconds a step; x (n, d) float32, y (n,)."""
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(hidden, batch_size=batch, max_iter=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one epoch doesn't converge
        start = time.perf_counter()
        model.fit(x, y)
    return (time.perf_counter() - start) * batch / len(x)


def products(networks, batch, width, repeats=200):
    """Return seconds of the three large products of a step of all networks: forward and both gradients.

    As torch has them: x W^T for the layer's outputs, g^T x for its weights' gradient, g W for its inputs'.
    """
    rng = torch.Generator().manual_seed(0)
    x, g = (torch.randn(networks, batch, width, generator=rng) for _ in range(2))
    weight = torch.randn(networks, width, width, generator=rng)
    forward, inner, outer = torch.empty_like(x), torch.empty_like(x), torch.empty_like(weight)
    start = time.perf_counter()
    for _ in range(repeats):
        torch.bmm(x, weight.transpose(1, 2), out=forward)
        torch.bmm(g.transpose(1, 2), x, out=outer)
        torch.bmm(g, weight, out=inner)
    return (time.perf_counter() - start) / repeats


def product_rate(width=64):
    """Return the floating point operations a second that such products reach."""
    networks, batch = 30, 64
    return 3 * networks * 2 * batch * width * width / products(networks, batch, width)


def step_operations(network, features, classes, batch):
    """Return the floating point operations of the matrix products of one network's step."""
    module = build(network, features, classes, 0)
    with FlopCounterMode(display=False) as counter:
        module(torch.zeros(batch, features)).sum().backward()
    return counter.get_total_flops()


class JaxPeer:
    """The JAX version in a process of its own, compiled and waiting for its turns; to be closed."""

    def __init__(self, networks, steps, batch):
        sizes = {"networks": networks, "steps": steps, "batch": batch}
        options = [f"--{name}={value}" for name, value in sizes.items()]
        self._process = subprocess.Popen(
            [sys.executable, str(PEER), "--turns", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout.readline() == "ready\n"

    def train(self):
        """Train once more and return the seconds."""
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self):
        self._process.stdin.close()
        self._process.wait(timeout=30)


def plain_step(name, task, batch, steps):
    """Return seconds a step of a registered network in a plain loop, one thread: for a process of its own."""
    from benchmarks import registry
    from runner.training.data import Examples

    torch.set_num_threads(1)
    x, y = Examples(registry.task(task), 0, batch, None).take(steps)
    return plain_loop(registry.architecture(name), np.ascontiguousarray(x), y)
