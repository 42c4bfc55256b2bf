"""Layers that several networks share.

In a stack of networks each begins at another place in memory, and the matrix products of a processor can
round differently where a matrix doesn't begin at a multiple of 16 bytes. `affine` and `padded` see to it
that all do: a matrix with a multiple of four columns keeps the bits that it has alone.
"""

from __future__ import annotations

from torch import Tensor, nn

COLUMNS = 4  # 16 bytes; up to so many columns there is one order of summation


def padding(columns: int) -> int:
    """Return how many columns of zeros a matrix needs."""
    return -columns % COLUMNS if columns > COLUMNS else 0


def padded(matrix: Tensor) -> Tensor:
    """Return (..., rows, columns) with columns of zeros up to a multiple of four."""
    return nn.functional.pad(matrix, (0, padding(matrix.shape[-1])))


def affine(inputs: int, outputs: int) -> nn.Linear:
    """Return an affine layer with PyTorch's default initialisation, for (n, inputs)."""
    return (Padded if padding(inputs) else nn.Linear)(inputs, outputs)


class Padded(nn.Linear):
    """An affine layer whose input and weights are multiplied with columns of zeros beside them."""

    def forward(self, h: Tensor) -> Tensor:
        """Return (n, outputs) from h (n, inputs)."""
        return nn.functional.linear(padded(h), padded(self.weight), self.bias)


class Dense(Padded):
    """An affine layer on the last axis of tensors with several leading axes.

    All leading axes become one, or a stack of networks would multiply small matrices, one for each index
    of these axes, with copies of the weights.
    """

    def forward(self, h: Tensor) -> Tensor:
        """Return (..., outputs) from h (..., inputs)."""
        return super().forward(h.flatten(0, -2)).reshape(*h.shape[:-1], -1)


class Residual(nn.Module):
    """h + body(h), the body a chain of modules (He et al. 2016)."""

    def __init__(self, *body: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)

    def forward(self, h: Tensor) -> Tensor:
        """Return the block's output, shaped like h."""
        out: Tensor = h + self.body(h)
        return out
