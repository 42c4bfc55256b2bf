"""The built-in networks, a literal list, and the families they come from: all in data, without torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.architecture import Module, Network, Recipe, arguments

ACTIVATIONS = ("relu", "tanh", "gelu", "silu")
MOST_UNITS = 16_384  # of one layer
MOST_LAYERS = 256
MOST_WEIGHTS = 2**28  # between hidden layers: a gibibyte, of which training takes four
HIGHEST_DEGREE = 12  # 1,000 to this power still is a float32
_LAYERS = ("depth", "blocks")
_UNITS = ("width", "units", "frequencies", "channels", "components", "pieces")


@dataclass(frozen=True)
class Family:
    """Networks of one kind: build(**parameters) returns one, its signature says which parameters there are.

    They are int, float or str, each with a default; build raises ValueError where one is out of range.
    """

    build: Callable[..., Module]
    family: str
    description: str


def linear() -> Module:
    """Return logistic regression."""
    return _module("linear")


def polynomial(degree: int = 3) -> Module:
    """Return logits linear in monomials; raises ValueError unless 1 <= degree <= 12."""
    _check_counts(degree=degree)
    if degree > HIGHEST_DEGREE:
        raise ValueError(f"degree: expected at most {HIGHEST_DEGREE}, found {degree}")
    return _module("polynomial", degree=degree)


def rbf(units: int = 32) -> Module:
    """Return logits linear in radial basis functions; raises ValueError unless units >= 1."""
    _check_counts(units=units)
    return _module("rbf", units=units)


def mlp(width: int = 64, depth: int = 2, activation: str = "relu") -> Module:
    """Return a perceptron; raises ValueError for counts below 1 and unknown activations."""
    _check_counts(width=width, depth=depth)
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation: expected one of {', '.join(ACTIVATIONS)}, found {activation}")
    return _module("mlp", width=width, depth=depth, activation=activation)


def resnet(width: int = 64, blocks: int = 2) -> Module:
    """Return residual blocks; raises ValueError for width below 2 (a norm needs two) or blocks below 1."""
    _check_counts(blocks=blocks)
    _check_counts(2, width=width)
    return _module("resnet", width=width, blocks=blocks)


def swiglu(width: int = 64, depth: int = 2) -> Module:
    """Return gated layers; raises ValueError for width below 2 (a norm needs two) or depth below 1."""
    _check_counts(depth=depth)
    _check_counts(2, width=width)
    return _module("swiglu", width=width, depth=depth)


def fourier(frequencies: int = 32, width: int = 64) -> Module:
    """Return a hidden layer on fixed Fourier features; raises ValueError for counts below 1."""
    _check_counts(frequencies=frequencies, width=width)
    return _module("fourier", frequencies=frequencies, width=width, trained=False)


def learned_fourier(frequencies: int = 32, width: int = 64) -> Module:
    """Return a hidden layer on Fourier features that are trained; raises ValueError for counts below 1."""
    _check_counts(frequencies=frequencies, width=width)
    return _module("fourier", frequencies=frequencies, width=width, trained=True)


def maxout(width: int = 64, depth: int = 2, pieces: int = 2) -> Module:
    """Return a perceptron of maxout units; raises ValueError for pieces below 2 or other counts below 1."""
    _check_counts(width=width, depth=depth)
    _check_counts(2, pieces=pieces)
    return _module("maxout", width=width, depth=depth, pieces=pieces)


def gaussian_mixture(components: int = 2) -> Module:
    """Return a generative classifier; raises ValueError unless components >= 1."""
    _check_counts(components=components)
    return _module("gaussian_mixture", components=components)


def transformer(width: int = 16, depth: int = 2, heads: int = 2) -> Module:
    """Return a transformer; raises ValueError for low counts and heads that don't divide width."""
    _check_counts(depth=depth, heads=heads)
    _check_counts(2, width=width)
    if width % heads:
        raise ValueError(f"heads: expected a divisor of the width {width}, found {heads}")
    return _module("transformer", width=width, depth=depth, heads=heads)


def cnn(channels: int = 16) -> Module:
    """Return a plain convolutional network; raises ValueError unless channels >= 1."""
    _check_counts(channels=channels)
    return _module("cnn", channels=channels)


def cnn_resnet(channels: int = 16, blocks: int = 2) -> Module:
    """Return a residual one; raises ValueError for channels below 2 (a norm needs two) or blocks below 1."""
    _check_counts(blocks=blocks)
    _check_counts(2, channels=channels)
    return _module("cnn_resnet", channels=channels, blocks=blocks)


def _module(name: str, **values: Any) -> Module:
    """Return a module; raises ValueError where it could never be held in memory."""
    layers = {key: values[key] for key in _LAYERS if key in values}
    units = {key: values[key] for key in _UNITS if key in values}
    for most, counts in ((MOST_LAYERS, layers), (MOST_UNITS, units)):
        for key, count in counts.items():
            if count > most:
                raise ValueError(f"{key}: expected at most {most:,}, found {count:,}")
    square = [units[key] for key in ("width", "channels", "frequencies") if key in units]
    weights = max(square, default=1) ** 2 * math.prod(layers.values()) * units.get("pieces", 1)
    if weights > MOST_WEIGHTS:
        found = ", ".join(f"{key}={count:,}" for key, count in {**units, **layers}.items())
        raise ValueError(f"expected at most {MOST_WEIGHTS:,} weights between hidden layers, found {found}")
    return Module(name, arguments(values))


def _check_counts(least: int = 1, /, **counts: int) -> None:
    for name, count in counts.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < least:
            raise ValueError(f"{name}: expected a whole number of at least {least}, found {count}")


FAMILIES: Mapping[str, Family] = {
    "linear": Family(linear, "linear", "logits linear in x: logistic regression"),
    "polynomial": Family(polynomial, "polynomial", "logits linear in all monomials up to a degree"),
    "rbf": Family(rbf, "radial basis", "Gaussian radial basis functions (Broomhead and Lowe 1988)"),
    "mlp": Family(mlp, "MLP", "multilayer perceptron, hidden layers of one width"),
    "resnet": Family(resnet, "residual", "pre-norm residual blocks with layer norm (He et al. 2016)"),
    "swiglu": Family(swiglu, "gated", "layers of units with SiLU gates (Shazeer 2020)"),
    "fourier": Family(
        fourier, "Fourier", "hidden layer on fixed random Fourier features (Rahimi and Recht 2007)"
    ),
    "learned-fourier": Family(
        learned_fourier, "Fourier", "hidden layer on Fourier features with learned frequencies"
    ),
    "maxout": Family(maxout, "maxout", "perceptron of maxout units (Goodfellow et al. 2013)"),
    "gaussian-mixture": Family(
        gaussian_mixture,
        "generative",
        "Bayes' rule from a Gaussian mixture for each class, trained discriminatively",
    ),
    "transformer": Family(
        transformer, "transformer", "transformer with a token for each input (Gorishniy et al. 2021)"
    ),
    "cnn": Family(
        cnn, "convolutional", "two convolutions with max pooling, for images of 8 x 8 (LeCun et al. 1998)"
    ),
    "cnn-resnet": Family(
        cnn_resnet, "convolutional", "residual blocks of convolutions, for images of 8 x 8 (He et al. 2016)"
    ),
}


def _network(
    family: str, name: str, description: str, build: Module, recipe: Recipe | None = None
) -> Network:
    return Network(name, description, build, recipe or Recipe(), family=family)


NETWORKS = {
    network.name: network
    for network in (
        _network("linear", "linear", "logits linear in x: logistic regression by Adam", linear()),
        _network("polynomial", "poly2", "logits linear in all monomials up to degree 2", polynomial(2)),
        _network("polynomial", "poly3", "logits linear in all monomials up to degree 3", polynomial(3)),
        _network("polynomial", "poly5", "logits linear in all monomials up to degree 5", polynomial(5)),
        _network(
            "radial basis",
            "rbf-32",
            "32 Gaussian radial basis functions with learned centres and widths",
            rbf(units=32),
        ),
        _network(
            "radial basis",
            "rbf-128",
            "128 Gaussian radial basis functions with learned centres and widths",
            rbf(units=128),
        ),
        _network("MLP", "mlp-8", "one hidden layer of 8, ReLU", mlp(8, 1)),
        _network("MLP", "mlp-64", "one hidden layer of 64, ReLU", mlp(64, 1)),
        _network("MLP", "mlp-1024", "one hidden layer of 1,024, ReLU", mlp(1024, 1)),
        _network("MLP", "mlp-8x8", "two hidden layers of 8, ReLU", mlp(8, 2)),
        _network("MLP", "mlp-16x16", "two hidden layers of 16, ReLU", mlp(16, 2)),
        _network("MLP", "mlp-64x64", "two hidden layers of 64, ReLU: the network of Xie (2024)", mlp(64, 2)),
        _network("MLP", "mlp-64x64-tanh", "two hidden layers of 64, tanh", mlp(64, 2, "tanh")),
        _network("MLP", "mlp-64x64-gelu", "two hidden layers of 64, GELU", mlp(64, 2, "gelu")),
        _network("MLP", "mlp-64x64-silu", "two hidden layers of 64, SiLU", mlp(64, 2, "silu")),
        _network("MLP", "mlp-256x256", "two hidden layers of 256, ReLU", mlp(256, 2)),
        _network("MLP", "mlp-64x64x64x64", "four hidden layers of 64, ReLU", mlp(64, 4)),
        _network("MLP", "mlp-deep", "six hidden layers of 64, ReLU", mlp(64, 6)),
        _network("MLP", "mlp-64-depth8", "eight hidden layers of 64, ReLU", mlp(64, 8)),
        _network(
            "MLP",
            "mlp-64x64-ema",
            "mlp-64x64, from starts of its own, scored on an average of its weights (decay 0.999)",
            mlp(64, 2),
            Recipe(averaging=0.999),
        ),
        _network(
            "residual", "resnet-64", "two residual blocks of width 64 with layer norm", resnet(64, blocks=2)
        ),
        _network(
            "residual",
            "resnet-64-depth8",
            "eight residual blocks of width 64 with layer norm",
            resnet(64, blocks=8),
        ),
        _network(
            "gated",
            "swiglu-64",
            "two layers of 64 units with SiLU gates, the second residual with layer norm",
            swiglu(64, depth=2),
        ),
        _network(
            "Fourier",
            "fourier-64",
            "64 fixed random Fourier features into one hidden layer of 64, ReLU",
            fourier(frequencies=32, width=64),
        ),
        _network(
            "Fourier",
            "learned-fourier-64",
            "64 Fourier features with learned frequencies into one hidden layer of 64, ReLU",
            learned_fourier(frequencies=32, width=64),
        ),
        _network(
            "maxout",
            "maxout-64",
            "two hidden layers of 64 maxout units with two pieces",
            maxout(64, depth=2, pieces=2),
        ),
        _network(
            "generative",
            "gaussian-mixture-1",
            "a Gaussian for each class, full covariances up to 16 inputs: logits quadratic in x",
            gaussian_mixture(components=1),
        ),
        _network(
            "generative",
            "gaussian-mixture-2",
            "2 Gaussians for each class, full covariances up to 16 inputs, trained by cross-entropy",
            gaussian_mixture(components=2),
        ),
        _network(
            "generative",
            "gaussian-mixture-4",
            "4 Gaussians for each class, full covariances up to 16 inputs, trained by cross-entropy",
            gaussian_mixture(components=4),
        ),
        _network(
            "transformer",
            "transformer-16",
            "transformer with a token of width 16 for each input, two blocks, two heads",
            transformer(16, depth=2, heads=2),
        ),
        _network(
            "convolutional",
            "cnn-16",
            "two convolutions of 16 and 32 channels with max pooling, for images of 8 x 8",
            cnn(channels=16),
        ),
        _network(
            "convolutional",
            "cnn-resnet-16",
            "two residual blocks of convolutions with 16 channels, for images of 8 x 8",
            cnn_resnet(channels=16, blocks=2),
        ),
    )
}
