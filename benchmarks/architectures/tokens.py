"""A transformer whose tokens are the inputs."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from benchmarks.architecture import Skipped
from benchmarks.architectures.layers import Dense, Residual, affine

MOST_INPUTS = 64


def transformer(features: int, classes: int, width: int, depth: int, heads: int) -> nn.Module:
    """Return a feature-token transformer with pre-norm blocks (Gorishniy et al. 2021, FT-Transformer).

    Raises Skipped where there are more inputs than attention has memory for, as it grows with their square.
    """
    if features > MOST_INPUTS:
        raise Skipped(f"attention between {features} inputs takes too much memory (limit: {MOST_INPUTS})")
    blocks = [
        block
        for _ in range(depth)
        for block in (
            Residual(nn.LayerNorm(width), Attention(width, heads)),
            Residual(nn.LayerNorm(width), Dense(width, 2 * width), nn.ReLU(), Dense(2 * width, width)),
        )
    ]
    return nn.Sequential(
        Tokens(features, width), *blocks, ClassToken(), nn.LayerNorm(width), affine(width, classes)
    )


class Tokens(nn.Module):
    """A class token and a token x_i w_i + b_i for each input, all from U(-1, 1) / sqrt(width)."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(_uniform(features, width))
        self.bias = nn.Parameter(_uniform(features + 1, width))  # the first one is the class token

    def forward(self, x: Tensor) -> Tensor:
        """Return tokens (n, 1 + features, width)."""
        scaled = x.unsqueeze(-1) * self.weight
        return nn.functional.pad(scaled, (0, 0, 1, 0)) + self.bias


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = Dense(width, 3 * width)
        self.out = Dense(width, width)

    def forward(self, h: Tensor) -> Tensor:
        """Return mixed tokens (n, tokens, width)."""
        parts = self.project(h).chunk(3, dim=-1)
        split = (*h.shape[:-1], self.heads, -1)
        query, key, value = (part.reshape(split).transpose(-3, -2) for part in parts)
        scores = query @ key.mT / math.sqrt(query.shape[-1])
        mixed = scores.softmax(-1) @ value
        out: Tensor = self.out(mixed.transpose(-3, -2).flatten(-2))
        return out


class ClassToken(nn.Module):
    """Keeps the class token alone."""

    def forward(self, h: Tensor) -> Tensor:
        """Return (n, width)."""
        return h[..., 0, :]


def _uniform(*shape: int) -> Tensor:
    return (2 * torch.rand(shape) - 1) / math.sqrt(shape[-1])
