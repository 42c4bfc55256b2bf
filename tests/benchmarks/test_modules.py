"""Every network's shapes and ranges, each kind against known truths, and a stack's bits against one alone."""

import inspect
import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
import training
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from torch import nn

from benchmarks.architecture import Module, Network, Skipped
from benchmarks.architectures import layers, modules
from benchmarks.architectures.images import SIDE, Convolution, MaxPool
from benchmarks.architectures.networks import FAMILIES, NETWORKS
from benchmarks.architectures.tokens import Attention
from runner.training.modules import build

LABELS = {
    "linear",
    "polynomial",
    "radial basis",
    "MLP",
    "residual",
    "gated",
    "Fourier",
    "maxout",
    "generative",
    "transformer",
    "convolutional",
}
# The sum of the absolute initial weights for 2 inputs, 3 classes and seed 3: results depend on them.
INITIAL = {
    "linear": 2.1064,
    "poly3": 5.4864,
    "rbf-32": 150.9750,
    "mlp-16x16": 57.2610,
    "mlp-64x64": 347.8267,
    "mlp-64x64-tanh": 344.8307,
    "mlp-256x256": 2351.8151,
    "mlp-deep": 1393.2587,
    "resnet-64": 1310.4615,
    "fourier-64": 320.8917,
    "mlp-64x64-ema": 344.0880,
}


def shapes(name):
    return [(64, 2), (64, 3)] if NETWORKS[name].family == "convolutional" else [(1, 2), (2, 3), (8, 2)]


def built(family, features, classes, **parameters):
    torch.manual_seed(0)
    return FAMILIES[family].build(**parameters)(features, classes)


def trained(network, features, classes, seeds, steps=6, batch=50):
    """Return the snapshot after a few steps of an eager stack; a seed's batches are the same in any stack.

    A batch of 50 fills no vector and lets few matrices begin at round addresses.
    """
    drawn = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((steps, batch, features)).astype(np.float32)
        drawn.append((2 * x, rng.integers(0, classes, (steps, batch))))

    def batches(count):
        assert count == steps
        return np.stack([x for x, _ in drawn], axis=1), np.stack([y for _, y in drawn], axis=1)

    stack = [build(network, features, classes, seed) for seed in seeds]
    return next(iter(training.trained(network, stack, batches, [steps], "eager", "cpu")))


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_have_their_shape_and_are_finite_far_out(name):
    for features, classes in shapes(name):
        module = build(NETWORKS[name], features, classes, seed=0)
        x = torch.randn(20, features, generator=torch.Generator().manual_seed(0))
        unequal = x * torch.logspace(-3, 3, features)
        for points in (x, 1e3 * x, unequal, torch.full_like(x, -1e3), torch.zeros_like(x)):
            found = module(points)
            assert found.shape == (20, classes) and found.dtype == torch.float32
            assert torch.isfinite(found).all()
        gradients = torch.autograd.grad(module(1e3 * x).log_softmax(-1).sum(), list(module.parameters()))
        assert all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("name", NETWORKS)
def test_three_in_a_stack_have_the_bits_that_one_has_alone(name):
    network = NETWORKS[name]
    for features, classes in [(64, 3)] if network.family == "convolutional" else [(2, 3), (5, 3)]:
        stack, alone = (trained(network, features, classes, seeds) for seeds in (range(3), [1]))
        for key, weight in alone.weights.items():
            difference = (stack.weights[key][1] - weight[0]).abs().max()
            assert difference <= network.tolerance * weight.abs().max(), key
        assert all(torch.isfinite(weight).all() for weight in stack.weights.values())


@pytest.mark.parametrize("family", ["linear", "polynomial", "mlp", "gaussian-mixture"])
@pytest.mark.parametrize("features", [3, 7, 9, 13])
def test_no_number_of_inputs_or_classes_changes_the_bits(family, features):
    narrow = {"mlp": {"width": 7}, "gaussian-mixture": {"components": 1}}.get(family, {})
    network = Network("any", "any", FAMILIES[family].build(**narrow))
    for classes in (2, 3, 5):
        stack, alone = (trained(network, features, classes, seeds) for seeds in (range(3), [1]))
        assert all(torch.equal(stack.weights[key][1], weight[0]) for key, weight in alone.weights.items())


def test_networks_are_of_known_families_and_have_names_of_their_own():
    assert len(NETWORKS) >= 29 and {network.family for network in NETWORKS.values()} == LABELS
    builds = [network.build for network in NETWORKS.values() if not network.recipe.averaging]
    assert len(set(builds)) == len(builds)
    assert all(isinstance(build, Module) for build in builds)


@pytest.mark.parametrize("name", INITIAL)
def test_networks_start_where_they_always_did(name):
    module = build(NETWORKS[name], 2, 3, seed=3)
    state = [value for key, value in module.state_dict().items() if key not in ("factors", "scales")]
    assert sum(float(value.double().abs().sum()) for value in state) == pytest.approx(INITIAL[name], abs=1e-4)


def test_families_have_parameters_that_a_command_line_can_give():
    probe = "import sys; from benchmarks.architectures import networks; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", probe], check=True)
    for family in FAMILIES.values():
        for parameter in inspect.signature(family.build, eval_str=True).parameters.values():
            assert parameter.annotation in (int, float, str)
            assert type(parameter.default) is parameter.annotation
        assert hash(family.build()) == hash(family.build())
        assert callable(getattr(modules, family.build().name))
        assert "\n" not in family.description


@pytest.mark.parametrize(
    ("family", "parameters", "message"),
    [
        ("polynomial", {"degree": 0}, "degree: expected a whole number of at least 1, found 0"),
        ("polynomial", {"degree": 13}, "degree: expected at most 12, found 13"),
        ("rbf", {"units": -1}, "units: expected a whole number of at least 1, found -1"),
        ("mlp", {"width": 0}, "width: expected a whole number of at least 1, found 0"),
        ("mlp", {"depth": 1.5}, "depth: expected a whole number of at least 1, found 1.5"),
        ("mlp", {"depth": True}, "depth: expected a whole number of at least 1, found True"),
        ("mlp", {"activation": "Tanh"}, "activation: expected one of relu, tanh, gelu, silu, found Tanh"),
        ("resnet", {"blocks": 0}, "blocks: expected a whole number of at least 1, found 0"),
        ("resnet", {"width": 1}, "width: expected a whole number of at least 2, found 1"),
        ("swiglu", {"depth": 0}, "depth: expected a whole number of at least 1, found 0"),
        ("fourier", {"frequencies": 0}, "frequencies: expected a whole number of at least 1, found 0"),
        ("learned-fourier", {"width": 0}, "width: expected a whole number of at least 1, found 0"),
        ("maxout", {"pieces": 1}, "pieces: expected a whole number of at least 2, found 1"),
        ("gaussian-mixture", {"components": 0}, "components: expected a whole number of at least 1, found 0"),
        ("transformer", {"heads": 3}, "heads: expected a divisor of the width 16, found 3"),
        ("transformer", {"heads": 0}, "heads: expected a whole number of at least 1, found 0"),
        ("cnn", {"channels": 0}, "channels: expected a whole number of at least 1, found 0"),
        ("cnn-resnet", {"channels": 1}, "channels: expected a whole number of at least 2, found 1"),
    ],
)
def test_bad_parameters_are_explained(family, parameters, message):
    with pytest.raises(ValueError) as failure:
        FAMILIES[family].build(**parameters)
    assert str(failure.value) == message


@pytest.mark.parametrize(
    ("family", "features", "reason"),
    [
        (
            "polynomial",
            128,
            "366,145 monomials of degree up to 3 in 128 inputs are too many (limit: 2,000)",
        ),
        ("cnn", 2, "it sees 64 inputs as an image of 8 x 8 pixels; the task has 2"),
        ("cnn-resnet", 65, "it sees 64 inputs as an image of 8 x 8 pixels; the task has 65"),
        ("transformer", 128, "attention between 128 inputs takes too much memory (limit: 64)"),
    ],
)
def test_networks_that_dont_apply_are_skipped(family, features, reason):
    with pytest.raises(Skipped) as skipped:
        FAMILIES[family].build()(features, 2)
    assert str(skipped.value) == reason


@pytest.mark.parametrize(("features", "degree"), [(1, 5), (2, 3), (3, 3), (8, 3), (5, 1)])
def test_a_polynomial_has_every_monomial_once(features, degree):
    module = built("polynomial", features, 3, degree=degree)
    assert module.out.in_features == math.comb(features + degree, degree) - 1
    exponents = [tuple(np.bincount(term, minlength=features + 1)[:features]) for term in module.factors.T]
    assert len(set(exponents)) == len(exponents)
    assert {sum(each) for each in exponents} == set(range(1, degree + 1))


def test_a_polynomials_value_by_hand():
    module = built("polynomial", 2, 1, degree=3)
    x, y = 2.0, -3.0
    terms = [x, y, x * x, x * y, y * y, x**3, x * x * y, x * y * y, y**3]  # in the order of the weights
    scales = np.sqrt([1, 1, 3, 3, 3, 15, 15, 15, 15])
    with torch.no_grad():
        module.out.weight.copy_(torch.arange(1.0, 10.0)[None])
        module.out.bias.fill_(0.5)
    expected = 0.5 + np.sum(np.arange(1, 10) * terms / scales)
    assert module(torch.tensor([[x, y]])).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("inputs", [1, 3, 4, 5, 13])
def test_an_affine_layer_is_pytorchs(inputs):
    torch.manual_seed(0)
    layer = layers.affine(inputs, 3)
    torch.manual_seed(0)
    plain = nn.Linear(inputs, 3)
    x = torch.randn(10, inputs)
    assert torch.equal(layer.weight, plain.weight) and torch.equal(layer.bias, plain.bias)
    torch.testing.assert_close(layer(x), plain(x))
    assert layers.padded(x).shape[1] == {1: 1, 3: 3, 4: 4, 5: 8, 13: 16}[inputs]
    grid = torch.randn(4, 5, inputs)
    torch.testing.assert_close(layers.Dense(inputs, 3)(grid).shape, torch.Size([4, 5, 3]))


def test_radial_basis_functions_by_hand():
    module = built("rbf", 2, 1, units=2)
    with torch.no_grad():
        module.centres.copy_(torch.tensor([[0.0, 0.0], [1.0, 2.0]]))
        module.log_widths.copy_(torch.tensor([0.0, math.log(2.0)]))
        module.out.weight.copy_(torch.tensor([[3.0, 5.0]]))
        module.out.bias.zero_()
    expected = 3 * math.exp(-0.5 * 10) + 5 * math.exp(-0.5 * (4 + 1) / 4)
    assert module(torch.tensor([[3.0, 1.0]])).item() == pytest.approx(expected, rel=1e-6)


def test_gated_units_by_hand():
    module = built("swiglu", 1, 1, width=2, depth=1)
    w, b = module[0].gate[0].weight.detach().numpy()[:, 0], module[0].gate[0].bias.detach().numpy()
    v, c = module[0].value.weight.detach().numpy()[:, 0], module[0].value.bias.detach().numpy()
    for x in (-3.0, 0.5, 20.0):
        units = (w * x + b) / (1 + np.exp(-(w * x + b))) * (v * x + c)
        expected = module[1].weight.detach().numpy()[0] @ units + module[1].bias.item()
        assert module(torch.tensor([[x]])).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_gated_logits_grow_quadratically_at_any_depth(depth):
    module = built("swiglu", 1, 2, depth=depth).double()
    near, far = module(torch.tensor([[1e5], [1e6]], dtype=torch.float64))
    torch.testing.assert_close(far / near, torch.full((2,), 100.0, dtype=torch.float64), rtol=0.05, atol=0)


def test_only_learned_frequencies_are_trained():
    for name, learned in (("fourier-64", False), ("learned-fourier-64", True)):
        initial = build(NETWORKS[name], 2, 2, seed=0)
        assert ("0.frequencies" in dict(initial.named_parameters())) is learned
        after = trained(NETWORKS[name], 2, 2, [0])
        frequencies = (after.weights | after.buffers)["0.frequencies"][0]
        assert torch.equal(frequencies, initial[0].frequencies) is not learned


def test_fourier_features_by_hand():
    module = built("learned-fourier", 2, 2, frequencies=3)[0]
    x, frequencies = np.array([0.3, -2.0]), module.frequencies.detach().numpy()
    expected = [*np.sin(x @ frequencies), *np.cos(x @ frequencies)]
    np.testing.assert_allclose(module(torch.tensor(x).float()[None])[0].detach(), expected, atol=1e-5)


def test_maxout_units_are_the_largest_of_their_pieces_and_convex():
    unit = built("maxout", 3, 2, width=4, depth=1, pieces=3)[0]
    x, y = torch.randn(2, 50, 3)
    w, b = unit.functions.weight.detach().numpy(), unit.functions.bias.detach().numpy()
    pieces = x.numpy() @ w.T + b  # unit by unit: three pieces each
    np.testing.assert_allclose(unit(x).detach(), pieces.reshape(50, 4, 3).max(2), rtol=1e-4, atol=1e-5)
    assert (unit((x + y) / 2) <= (unit(x) + unit(y)) / 2 + 1e-5).all()


@pytest.mark.parametrize("features", [1, 2, 3, 5, 16, 17])
def test_a_gaussian_mixtures_logits_are_log_densities(features):
    classes, components = 3, 2
    module = built("gaussian-mixture", features, classes, components=components).double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    assert hasattr(module, "below") is (1 < features <= 16)
    values = {key: value.detach().numpy() for key, value in module.named_parameters()}
    log_prior = values["prior"] - logsumexp(values["prior"])
    log_weights = values["weights"] - logsumexp(values["weights"], axis=1, keepdims=True)
    x = np.random.default_rng(0).standard_normal((7, features))
    expected = np.empty((7, classes))
    for c in range(classes):
        parts = []
        for j in range(components):
            factor = np.diag(np.exp(values["log_diagonal"][c, j]))
            if 1 < features <= 16:
                factor[np.tril_indices(features, -1)] = values["below"][c, j]
            normal = multivariate_normal(values["means"][c, j], np.linalg.inv(factor @ factor.T))
            parts.append(log_weights[c, j] + normal.logpdf(x))
        expected[:, c] = log_prior[c] + logsumexp(parts, axis=0)
    np.testing.assert_allclose(module(torch.from_numpy(x)).detach(), expected, rtol=1e-6, atol=1e-6)


def test_components_start_apart_and_move_apart():
    initial = build(NETWORKS["gaussian-mixture-2"], 1, 2, seed=0)
    after = trained(NETWORKS["gaussian-mixture-2"], 1, 2, [0])
    for means in (initial.means, after.weights["means"][0]):
        assert all(abs(a - b) > 1e-3 for a, b in itertools.combinations(means.flatten().tolist(), 2))
    assert len(set(after.weights["log_diagonal"].flatten().tolist())) == 4


def test_a_convolution_is_pytorchs():
    torch.manual_seed(0)
    module = Convolution(3, 5)
    plain = nn.Conv2d(3, 5, 3, padding=1)
    bound = 1 / math.sqrt(27)  # of nn.Conv2d's uniform weights and biases
    for own, theirs in ((module.affine.weight, plain.weight), (module.affine.bias, plain.bias)):
        assert own.abs().max() <= bound and theirs.abs().max() <= bound
    assert module.affine.weight.abs().max() > 0.9 * bound
    with torch.no_grad():
        plain.weight.copy_(module.affine.weight.reshape(5, 3, 3, 3).permute(0, 3, 1, 2))
        plain.bias.copy_(module.affine.bias)
    image = torch.randn(4, SIDE, SIDE, 3)
    channels_first = image.permute(0, 3, 1, 2)
    torch.testing.assert_close(module(image).permute(0, 3, 1, 2), plain(channels_first))
    pooled = nn.functional.max_pool2d(channels_first, 2)
    assert torch.equal(MaxPool()(image).permute(0, 3, 1, 2), pooled)


@pytest.mark.parametrize("family", ["cnn", "cnn-resnet"])
def test_convolutional_networks_see_neighbouring_pixels(family):
    module = built(family, 64, 2)
    first = next(layer for layer in module if isinstance(layer, Convolution))
    image = torch.zeros(1, 64)
    image[0, 3 * SIDE + 4] = 1.0  # row 3, column 4
    moved = (first(module[0](image)) - first(module[0](torch.zeros(1, 64)))).abs().sum(-1)[0] > 0
    assert {tuple(pixel) for pixel in moved.nonzero().tolist()} == set(
        itertools.product((2, 3, 4), (3, 4, 5))
    )
    x = torch.randn(5, 64, requires_grad=True)
    (gradient,) = torch.autograd.grad(module(x).log_softmax(-1)[:, 0].sum(), x)
    assert (gradient.abs().sum(0) > 0).all()


def test_attention_is_pytorchs():
    torch.manual_seed(0)
    module, plain = Attention(8, 2), nn.MultiheadAttention(8, 2, batch_first=True)
    with torch.no_grad():
        plain.in_proj_weight.copy_(module.project.weight)
        plain.in_proj_bias.copy_(module.project.bias)
        plain.out_proj.weight.copy_(module.out.weight)
        plain.out_proj.bias.copy_(module.out.bias)
    h = torch.randn(3, 5, 8)
    torch.testing.assert_close(module(h), plain(h, h, h, need_weights=False)[0], rtol=1e-4, atol=1e-6)


def test_a_transformers_logits_depend_on_every_input():
    module = built("transformer", 7, 2, width=8, heads=4)
    x = torch.randn(30, 7, requires_grad=True)
    (gradient,) = torch.autograd.grad(module(x).log_softmax(-1)[:, 0].sum(), x)
    assert (gradient.abs().sum(0) > 1e-5).all()
    swapped = x[:, [1, 0, 2, 3, 4, 5, 6]]
    assert not torch.allclose(module(x), module(swapped), atol=1e-3)  # inputs aren't interchangeable


def test_a_transformers_tokens_by_hand():
    tokens = built("transformer", 2, 2, width=4)[0]
    found = tokens(torch.tensor([[3.0, -2.0]]))[0].detach()
    weight, bias = tokens.weight.detach(), tokens.bias.detach()
    expected = torch.stack([bias[0], 3 * weight[0] + bias[1], -2 * weight[1] + bias[2]])
    torch.testing.assert_close(found, expected)
