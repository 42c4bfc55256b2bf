"""The built-in networks, a literal list: what each is, in data."""

from __future__ import annotations

from typing import Any

from benchmarks.architecture import Module, Network, Recipe, arguments


def _module(name: str, **values: Any) -> Module:
    return Module(name, arguments(values))


NETWORKS = {
    network.name: network
    for network in (
        Network("linear", "logits linear in x: logistic regression by Adam", _module("linear")),
        Network("poly3", "logits linear in all monomials up to degree 3", _module("polynomial", degree=3)),
        Network(
            "rbf-32",
            "32 Gaussian radial basis functions with learned centres and widths",
            _module("rbf", units=32),
        ),
        Network("mlp-16x16", "two hidden layers of 16, ReLU", _module("mlp", widths=(16, 16))),
        Network(
            "mlp-64x64",
            "two hidden layers of 64, ReLU: the network of Xie (2024)",
            _module("mlp", widths=(64, 64)),
        ),
        Network(
            "mlp-64x64-tanh",
            "two hidden layers of 64, tanh",
            _module("mlp", widths=(64, 64), activation="Tanh"),
        ),
        Network("mlp-256x256", "two hidden layers of 256, ReLU", _module("mlp", widths=(256, 256))),
        Network("mlp-deep", "six hidden layers of 64, ReLU", _module("mlp", widths=(64,) * 6)),
        Network(
            "resnet-64",
            "two residual blocks of width 64 with layer norm",
            _module("resnet", width=64, blocks=2),
        ),
        Network(
            "fourier-64",
            "64 fixed random Fourier features into one hidden layer of 64, ReLU",
            _module("fourier", frequencies=32, width=64),
        ),
        Network(
            "mlp-64x64-ema",
            "mlp-64x64 scored on an exponential moving average of its weights (decay 0.999)",
            _module("mlp", widths=(64, 64)),
            Recipe(averaging=0.999),
        ),
    )
}
