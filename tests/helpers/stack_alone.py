"""One stack of `mlp-64x64` on `gauss-nested`, trained and not scored, as a process of its own.

`python stack_alone.py --steps 10000` is what jax_peer.py does, by this project's own engine.
"""

import argparse

import numpy as np
import torch

from benchmarks import registry
from benchmarks.architectures.networks import NETWORKS
from runner.engine import Training
from runner.execution.workers import ONE_THREAD, environment
from runner.training.data import Examples
from runner.training.modules import build


def stacked(examples):
    """Return draw(networks, count) for a Training from the Examples of its networks."""

    def draw(networks, count):
        drawn = [examples[network].take(count) for network in networks]
        return tuple(np.stack(parts, axis=1) for parts in zip(*drawn, strict=True))

    return draw


def stack(networks, steps, batch=64, device="cpu"):
    """Return a Training of so many networks at its start."""
    network, task = NETWORKS["mlp-64x64"], registry.task("gauss-nested")
    examples = [Examples(task, seed, batch, None) for seed in range(networks)]
    modules = [build(network, task.features, task.classes, seed) for seed in range(networks)]
    return Training(network, modules, stacked(examples), steps, "compiled", device)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=30)
    parser.add_argument("--steps", type=int, default=1_000)
    call = parser.parse_args()
    torch.set_num_threads(1)
    with environment(ONE_THREAD):
        training = stack(call.networks, call.steps)
        training.advance(call.steps)
    print(float(next(iter(training.snapshot().weights.values())).abs().mean()))


if __name__ == "__main__":
    main()
