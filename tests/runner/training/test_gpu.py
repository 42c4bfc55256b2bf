"""On a GPU: the same networks as on the processor, captured or step by step. Skipped where there is none."""

import numpy as np
import pytest
import torch
from training import trained

from benchmarks import registry
from benchmarks.architectures.networks import NETWORKS
from runner import engine
from runner.training.data import Examples
from runner.training.gpu import MOST, networks_that_fit
from runner.training.modules import build

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
SEEDS = range(3)


def draw():
    examples = [Examples(registry.task("gauss-nested"), seed, 64, None) for seed in SEEDS]

    def batches(count):
        drawn = [each.take(count) for each in examples]
        return np.stack([x for x, _ in drawn], axis=1), np.stack([y for _, y in drawn], axis=1)

    return batches


def final(network, steps, mode, device):
    modules = [build(network, 1, 2, seed) for seed in SEEDS]
    return list(trained(network, modules, draw(), steps, mode, device))[-1]


@pytest.mark.parametrize("mode", ["eager", "compiled"])
@pytest.mark.parametrize("name", ["linear", "mlp-64x64", "resnet-64", "rbf-32"])
def test_weights_agree_with_the_processors_after_100_steps(name, mode):
    network = NETWORKS[name]
    cpu, gpu = (final(network, [100], mode, device) for device in ("cpu", "cuda"))
    for key, weight in cpu.weights.items():
        scale = float(weight.abs().max())
        torch.testing.assert_close(gpu.weights[key].cpu(), weight, rtol=1e-4, atol=1e-4 * scale)


@pytest.mark.parametrize("name", ["mlp-64x64", "mlp-64x64+dropout(0.2)", "mlp-64x64-ema"])
def test_captured_steps_are_the_steps(name):
    network = registry.architecture(name)
    captured = final(network, [3 * engine.CHUNK + 7], "eager", "cuda")
    # A mark at every step leaves no whole chunk to capture.
    stepwise = final(network, [*range(1, 3 * engine.CHUNK + 8)], "eager", "cuda")
    for key, weight in stepwise.weights.items():
        torch.testing.assert_close(captured.weights[key], weight, rtol=1e-5, atol=1e-7)


def test_hundreds_of_small_networks_fit():
    assert networks_that_fit(4_482, 50_000, 64 * 64 * 3, 1) > 100
    assert networks_that_fit(10**9, 10**9, 64 * 64 * 3, 1) < MOST
