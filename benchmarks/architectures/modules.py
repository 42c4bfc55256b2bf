"""The torch modules behind the built-in networks: x (n, features) -> logits (n, classes).

`benchmarks.architecture.Module` finds every builder here by its name. The engine runs these modules under
torch.func.vmap, many networks at once: nothing in them may depend on data, write in place or draw numbers.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn

from benchmarks.architecture import Skipped
from benchmarks.architectures.generative import gaussian_mixture
from benchmarks.architectures.images import cnn, cnn_resnet
from benchmarks.architectures.layers import Residual, affine
from benchmarks.architectures.tokens import transformer

__all__ = [
    "cnn",
    "cnn_resnet",
    "fourier",
    "gaussian_mixture",
    "linear",
    "maxout",
    "mlp",
    "polynomial",
    "rbf",
    "resnet",
    "swiglu",
    "transformer",
]

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU, "silu": nn.SiLU}
MOST_MONOMIALS = 2_000


def linear(features: int, classes: int) -> nn.Module:
    """Return one affine layer."""
    return affine(features, classes)


def mlp(features: int, classes: int, width: int, depth: int, activation: str) -> nn.Module:
    """Return a multilayer perceptron of `depth` hidden layers with PyTorch's default initialisation."""
    layers: list[nn.Module] = []
    for inputs in (features, *[width] * (depth - 1)):
        layers += [affine(inputs, width), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers, affine(width, classes))


def polynomial(features: int, classes: int, degree: int) -> nn.Module:
    """Return an affine layer on all monomials of degree 1 to `degree`; raises Skipped where too many."""
    count = math.comb(features + degree, degree)
    if count > MOST_MONOMIALS:
        raise Skipped(
            f"{count:,} monomials of degree up to {degree} in {features} inputs are too many"
            f" (limit: {MOST_MONOMIALS:,})"
        )
    return Polynomial(features, classes, degree)


def rbf(features: int, classes: int, units: int) -> nn.Module:
    """Return an affine layer on Gaussian radial basis functions (Broomhead and Lowe 1988)."""
    return RadialBasis(features, classes, units)


def resnet(features: int, classes: int, width: int, blocks: int) -> nn.Module:
    """Return pre-norm residual blocks h + W2 relu(W1 layernorm(h)) between two affine layers."""
    body = [
        Residual(nn.LayerNorm(width), affine(width, width), nn.ReLU(), affine(width, width))
        for _ in range(blocks)
    ]
    return nn.Sequential(affine(features, width), *body, nn.LayerNorm(width), affine(width, classes))


def swiglu(features: int, classes: int, width: int, depth: int) -> nn.Module:
    """Return layers of gated units; those behind the first are residual and see normed inputs.

    The first sees x itself, so that logits can grow quadratically, as the log-odds of Gaussians do; were
    all like it, they would grow with the power 2^depth of x.
    """
    body = [
        Residual(nn.LayerNorm(width), Gated(width, width), affine(width, width)) for _ in range(depth - 1)
    ]
    return nn.Sequential(Gated(features, width), *body, affine(width, classes))


def fourier(features: int, classes: int, frequencies: int, width: int, trained: bool) -> nn.Module:
    """Return a hidden layer on random Fourier features (Rahimi and Recht 2007), fixed or trained."""
    return nn.Sequential(
        Fourier(features, frequencies, trained),
        affine(2 * frequencies, width),
        nn.ReLU(),
        affine(width, classes),
    )


def maxout(features: int, classes: int, width: int, depth: int, pieces: int) -> nn.Module:
    """Return a perceptron of maxout units (Goodfellow et al. 2013)."""
    body = [Maxout(inputs, width, pieces) for inputs in (features, *[width] * (depth - 1))]
    return nn.Sequential(*body, affine(width, classes))


class Polynomial(nn.Module):
    """Logits linear in monomials, a monomial of degree j divided by sqrt((2j - 1)!!).

    That is its root mean square under a standard normal with one input, so that all start on one scale.
    factors (degree, monomials): the input of each factor, one beyond the last for the factor 1; scales
    (monomials,).
    """

    factors: Tensor
    scales: Tensor

    def __init__(self, features: int, classes: int, degree: int) -> None:
        super().__init__()
        terms = [
            term
            for j in range(1, degree + 1)
            for term in itertools.combinations_with_replacement(range(features), j)
        ]
        padded = [[*term, *[features] * (degree - len(term))] for term in terms]  # `features`: the factor 1
        scales = [math.sqrt(math.prod(range(1, 2 * len(term), 2))) for term in terms]
        self.register_buffer("factors", torch.tensor(padded).T.contiguous())
        self.register_buffer("scales", torch.tensor(scales))
        self.out = affine(len(terms), classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, classes)."""
        inputs = torch.cat([x, torch.ones_like(x[..., :1])], dim=-1)
        monomials = inputs.index_select(-1, self.factors[0])
        for factor in self.factors[1:]:
            monomials = monomials * inputs.index_select(-1, factor)
        out: Tensor = self.out(monomials / self.scales)
        return out


class RadialBasis(nn.Module):
    """Logits linear in exp(-|x - centre|^2 / (2 width^2)), centres drawn from N(0, 3^2), widths from 1."""

    def __init__(self, features: int, classes: int, units: int) -> None:
        super().__init__()
        self.centres = nn.Parameter(3.0 * torch.randn(units, features))
        self.log_widths = nn.Parameter(torch.zeros(units))
        self.out = affine(units, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, classes)."""
        square = (x.unsqueeze(-2) - self.centres).square().sum(-1)
        out: Tensor = self.out(torch.exp(-0.5 * square * torch.exp(-2.0 * self.log_widths)))
        return out


class Gated(nn.Module):
    """silu(W h + b) (V h + c), unit by unit (Shazeer 2020, SwiGLU with biases)."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(affine(inputs, width), nn.SiLU())
        self.value = affine(inputs, width)

    def forward(self, h: Tensor) -> Tensor:
        """Return the units (n, width)."""
        out: Tensor = self.gate(h) * self.value(h)
        return out


class Fourier(nn.Module):
    """Sines and cosines of x at frequencies drawn from a standard normal; trained or never changed.

    frequencies (features, frequencies), in radians for each unit of an input.
    """

    frequencies: Tensor

    def __init__(self, features: int, frequencies: int, trained: bool) -> None:
        super().__init__()
        drawn = torch.randn(features, frequencies)
        if trained:
            self.frequencies = nn.Parameter(drawn)
        else:
            self.register_buffer("frequencies", drawn)

    def forward(self, x: Tensor) -> Tensor:
        """Return features (n, 2 frequencies)."""
        angle = x @ self.frequencies
        return torch.cat([angle.sin(), angle.cos()], dim=-1)


class Maxout(nn.Module):
    """Units that are each the largest of `pieces` affine functions."""

    def __init__(self, inputs: int, width: int, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces
        self.functions = affine(inputs, width * pieces)

    def forward(self, h: Tensor) -> Tensor:
        """Return the units (n, width)."""
        values: Tensor = self.functions(h)
        return values.reshape(*h.shape[:-1], -1, self.pieces).amax(-1)
