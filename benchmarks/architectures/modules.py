"""The torch modules behind the built-in networks: x (n, features) -> logits (n, classes)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


def linear(features: int, classes: int) -> nn.Module:
    """Return one affine layer."""
    return nn.Linear(features, classes)


def mlp(features: int, classes: int, widths: Sequence[int], activation: str = "ReLU") -> nn.Module:
    """Return a multilayer perceptron with PyTorch's default initialisation."""
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Linear(features, width), getattr(nn, activation)()]
        features = width
    return nn.Sequential(*layers, nn.Linear(features, classes))


def polynomial(features: int, classes: int, degree: int) -> nn.Module:
    """Return an affine layer on all monomials of degree 1 to `degree`."""
    return Polynomial(features, classes, degree)


def rbf(features: int, classes: int, units: int) -> nn.Module:
    """Return an affine layer on Gaussian radial basis functions."""
    return RadialBasis(features, classes, units)


def resnet(features: int, classes: int, width: int, blocks: int) -> nn.Module:
    """Return pre-norm residual blocks between two affine layers."""
    body = [ResidualBlock(width) for _ in range(blocks)]
    return nn.Sequential(nn.Linear(features, width), *body, nn.LayerNorm(width), nn.Linear(width, classes))


def fourier(features: int, classes: int, frequencies: int, width: int) -> nn.Module:
    """Return a hidden layer on random Fourier features (Rahimi and Recht 2007)."""
    return nn.Sequential(
        RandomFourier(features, frequencies),
        nn.Linear(2 * frequencies, width),
        nn.ReLU(),
        nn.Linear(width, classes),
    )


class Polynomial(nn.Module):
    """Logits linear in monomials, a monomial of degree j divided by sqrt((2j - 1)!!).

    That is its root mean square under a standard normal with one input, so that all start on one scale.
    """

    def __init__(self, features: int, classes: int, degree: int) -> None:
        super().__init__()
        self.terms = [
            (term, math.sqrt(math.prod(range(1, 2 * j, 2))))
            for j in range(1, degree + 1)
            for term in itertools.combinations_with_replacement(range(features), j)
        ]
        self.out = nn.Linear(len(self.terms), classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, classes)."""
        monomials = [torch.stack([x[..., i] for i in term]).prod(0) / scale for term, scale in self.terms]
        out: Tensor = self.out(torch.stack(monomials, dim=-1))
        return out


class RadialBasis(nn.Module):
    """Logits linear in exp(-|x - centre|^2 / (2 width^2)), centres drawn from N(0, 3^2), widths from 1."""

    def __init__(self, features: int, classes: int, units: int) -> None:
        super().__init__()
        self.centres = nn.Parameter(3.0 * torch.randn(units, features))
        self.log_widths = nn.Parameter(torch.zeros(units))
        self.out = nn.Linear(units, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, classes)."""
        square = (x.unsqueeze(-2) - self.centres).square().sum(-1)
        out: Tensor = self.out(torch.exp(-0.5 * square * torch.exp(-2.0 * self.log_widths)))
        return out


class ResidualBlock(nn.Module):
    """h + W2 relu(W1 layernorm(h))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)
        )

    def forward(self, h: Tensor) -> Tensor:
        """Return the block's output (n, width)."""
        out: Tensor = h + self.body(h)
        return out


class RandomFourier(nn.Module):
    """Sines and cosines of x at frequencies drawn once from a standard normal and never trained."""

    frequencies: Tensor

    def __init__(self, features: int, frequencies: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.randn(features, frequencies))

    def forward(self, x: Tensor) -> Tensor:
        """Return features (n, 2 frequencies)."""
        angle = x @ self.frequencies
        return torch.cat([angle.sin(), angle.cos()], dim=-1)
