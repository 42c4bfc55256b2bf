"""The engine against PyTorch's own loop, and a stack against the same networks alone, bit for bit."""

import numpy as np
import pytest
import torch
from torch import nn
from training import trained

from benchmarks import registry
from benchmarks.architecture import Network, Recipe
from benchmarks.architectures.networks import NETWORKS
from runner import engine, plan
from runner.training.data import Examples
from runner.training.modules import build, parameter_count
from suites.suite import load

BATCH = 64
# One of each size of program and of each kind; compiling the others takes minutes.
COMPILED = ("linear", "mlp-64x64", "mlp-256x256", "rbf-32")


def make(network, seeds, task="gauss-nested"):
    shape = registry.task(task)
    return [build(network, shape.features, shape.classes, seed) for seed in seeds]


def draw(seeds, task="gauss-nested", batch=BATCH):
    """Return a batches() function for networks on these seeds of a task."""
    examples = [Examples(registry.task(task), seed, batch, None) for seed in seeds]

    def batches(count):
        drawn = [each.take(count) for each in examples]
        return np.stack([x for x, _ in drawn], axis=1), np.stack([y for _, y in drawn], axis=1)

    return batches


def final(network, seeds, steps, mode, batch=BATCH, task="gauss-nested"):
    snapshots = trained(network, make(network, seeds, task), draw(seeds, task, batch), steps, mode, "cpu")
    return list(snapshots)[-1]


def assert_same_bits(stack, index, alone):
    for name, weight in stack.weights.items():
        assert torch.equal(weight[index], alone.weights[name][0]), name
        assert torch.isfinite(weight).all()


@pytest.mark.parametrize(
    "name", load("gaussian1d").architectures
)  # tests/benchmarks/test_modules.py has all networks
def test_a_trial_in_a_stack_has_the_bits_it_has_alone_eager(name):
    stack = final(NETWORKS[name], range(7), [40], "eager")
    for seed in (0, 3, 6):
        assert_same_bits(stack, seed, final(NETWORKS[name], [seed], [40], "eager"))


@pytest.mark.skipif(not plan.compiler_present(), reason="needs a C++ compiler and Python's headers")
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in COMPILED else pytest.mark.long) for name in sorted(NETWORKS)],
)
def test_a_trial_in_a_stack_has_the_bits_it_has_alone_compiled(name):
    task = "digits-d64" if name.startswith("cnn") else "gauss-nested"
    stack = final(NETWORKS[name], range(7), [40], "compiled", task=task)
    assert_same_bits(stack, 5, final(NETWORKS[name], [5], [40], "compiled", task=task))


@pytest.mark.parametrize("batch", [1, 50])
def test_the_bits_hold_for_batches_that_fill_no_vector(batch):
    stack = final(NETWORKS["mlp-16x16"], range(5), [40], "eager", batch=batch)
    assert_same_bits(stack, 4, final(NETWORKS["mlp-16x16"], [4], [40], "eager", batch=batch))


@pytest.mark.long
@pytest.mark.skipif(not plan.compiler_present(), reason="needs a C++ compiler and Python's headers")
def test_the_bits_hold_for_batches_that_fill_no_vector_compiled():
    stack = final(NETWORKS["mlp-16x16"], range(5), [40], "compiled", batch=50)
    assert_same_bits(stack, 4, final(NETWORKS["mlp-16x16"], [4], [40], "compiled", batch=50))


def test_logits_are_the_same_bits_in_a_stack_and_alone():
    x = torch.linspace(-20, 20, 4298)[:, None]
    for network in (NETWORKS["mlp-64x64"], NETWORKS["fourier-64"]):
        stack, alone = final(network, range(5), [10], "eager"), final(network, [3], [10], "eager")
        module = engine.evaluated(build(network, 1, 2, 0))
        assert torch.equal(
            engine.outputs(module, stack.state(3), x), engine.outputs(module, alone.state(0), x)
        )


def plain_loop(network, seed, steps):
    """Train one network as anyone would, with PyTorch's own Adam; return it with its weights' averages."""
    module, batches = make(network, [seed])[0], draw([seed])
    optimiser = torch.optim.Adam(module.parameters(), lr=1e-3)
    averages = {name: weight.detach().clone() for name, weight in module.named_parameters()}
    x, y = batches(steps)
    for t in range(1, steps + 1):
        optimiser.zero_grad()
        nn.functional.cross_entropy(
            module(torch.from_numpy(x[t - 1, 0])), torch.from_numpy(y[t - 1, 0])
        ).backward()
        optimiser.step()
        decay = min(0.999, (1 + t) / (10 + t))
        for name, weight in module.named_parameters():
            averages[name].lerp_(weight.detach(), 1 - decay)
    return dict(module.named_parameters()), averages


@pytest.mark.parametrize("mode", ["eager", "compiled"])
@pytest.mark.parametrize("name", ["mlp-64x64", "mlp-64x64-ema"])
def test_training_equals_a_plain_loop_with_pytorchs_adam(name, mode):
    if mode == "compiled" and not plan.compiler_present():
        pytest.skip("needs a C++ compiler and Python's headers")
    found = final(NETWORKS[name], [0, 1], [100], mode)
    weights, averages = plain_loop(NETWORKS[name], 1, 100)
    for key, weight in (averages if name.endswith("ema") else weights).items():
        torch.testing.assert_close(found.weights[key][1], weight.detach(), rtol=1e-3, atol=1e-5)
    moved = build(NETWORKS[name], 1, 2, 1).state_dict()
    assert any((found.weights[key][1] - moved[key]).abs().max() > 1e-2 for key in moved)


def test_a_snapshot_is_what_a_shorter_run_ends_with():
    network = NETWORKS["mlp-16x16"]
    long = list(trained(network, make(network, [0, 1]), draw([0, 1]), [5, 70, 130], "eager", "cpu"))
    assert [snapshot.step for snapshot in long] == [5, 70, 130]
    assert long[0].seconds < long[1].seconds < long[2].seconds
    for snapshot in long[:2]:
        alone = final(network, [0, 1], [snapshot.step], "eager")
        for name, weight in snapshot.weights.items():
            assert torch.equal(weight, alone.weights[name])


@pytest.mark.parametrize("task", ["ten-class-2d", "gauss-full-d32", "hundred-class-d16"])
@pytest.mark.parametrize("name", ["mlp-64x64", "resnet-64"])
def test_the_bits_hold_for_many_inputs_and_classes(task, name):
    network, shape = NETWORKS[name], registry.task(task)

    def first(size):
        modules = [build(network, shape.features, shape.classes, seed) for seed in range(size)]
        return list(trained(network, modules, draw(range(size), task), [20], "eager", "cpu"))[-1]

    alone, together = first(1), first(7)
    for key, weight in alone.weights.items():
        assert torch.equal(weight[0], together.weights[key][0]), key


class Fragile(nn.Module):
    """A linear layer that overflows in some seeds: with a weight of 1e38 its square is infinite."""

    def __init__(self, features, classes):
        super().__init__()
        self.layer = nn.Linear(features, classes)
        self.scale = nn.Parameter(torch.where(torch.rand(1) < 0.4, 1e38, 1.0))

    def forward(self, x):
        return self.layer(x) * self.scale.square()


class Sound(Fragile):
    def __init__(self, features, classes):
        super().__init__(features, classes)
        with torch.no_grad():
            self.scale.fill_(1.0)


@pytest.mark.parametrize("mode", ["eager", "compiled"])
def test_a_network_that_diverges_is_told_and_leaves_its_neighbours_untouched(mode):
    if mode == "compiled" and not plan.compiler_present():
        pytest.skip("needs a C++ compiler and Python's headers")
    fragile, sound = (Network("fragile", "", build) for build in (Fragile, Sound))
    found = final(fragile, range(8), [20], mode)
    healthy = final(sound, range(8), [20], mode)
    broken = found.diverged > 0
    assert 0 < broken.sum() < 8
    assert (found.diverged[broken] == 1).all()
    assert not healthy.diverged.any()
    for seed in np.flatnonzero(~broken):
        assert torch.equal(found.weights["layer.weight"][seed], healthy.weights["layer.weight"][seed])


class Moody(nn.Module):
    """A layer that answers differently in evaluation mode."""

    def __init__(self, features, classes):
        super().__init__()
        self.layer = nn.Linear(features, classes)

    def forward(self, x):
        z = self.layer(x)
        return z * 0.5 if self.training else z


@pytest.mark.parametrize("mode", ["eager", "compiled"])
def test_scoring_never_changes_how_training_goes_on(mode):
    if mode == "compiled" and not plan.compiler_present():
        pytest.skip("needs a C++ compiler and Python's headers")
    moody, x = Network("moody", "", Moody), torch.ones(3, 1)
    modules = make(moody, [0])
    scored, outputs = engine.evaluated(modules[0]), []
    for snapshot in trained(moody, modules, draw([0]), [5, 80], mode, "cpu"):
        outputs.append(engine.outputs(scored, snapshot.state(0), x))
    once = final(moody, [0], [80], mode)
    assert_same_bits(snapshot, 0, once)
    weights = {name: weight[0] for name, weight in once.weights.items()}
    assert torch.equal(outputs[-1], x @ weights["layer.weight"].T + weights["layer.bias"])  # not halved


def test_initial_weights_depend_on_architecture_and_seed_alone():
    network = NETWORKS["mlp-64x64"]
    torch.manual_seed(1)
    first = build(network, 1, 2, seed=5).state_dict()
    state = torch.random.get_rng_state()
    second = build(network, 1, 2, seed=5).state_dict()
    assert torch.equal(torch.random.get_rng_state(), state)  # the global generator is left alone
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not torch.equal(first["0.weight"], build(network, 1, 2, seed=6).state_dict()["0.weight"])
    other = build(NETWORKS["mlp-64x64-ema"], 1, 2, seed=5).state_dict()
    assert not torch.equal(first["0.weight"], other["0.weight"])


def test_the_studys_network_is_the_studys_network():
    module = build(NETWORKS["mlp-64x64"], 1, 2, 0)
    assert [type(layer).__name__ for layer in module] == ["Linear", "ReLU", "Linear", "ReLU", "Linear"]
    assert parameter_count(NETWORKS["mlp-64x64"], 1, 2) == 64 * 2 + 64 * 65 + 2 * 65
    recipe = NETWORKS["mlp-64x64"].recipe
    assert recipe == Recipe(learning_rate=1e-3, betas=(0.9, 0.999), epsilon=1e-8, averaging=None)
