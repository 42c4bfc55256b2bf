"""Layers that several networks share."""

from __future__ import annotations

from torch import Tensor, nn


class Residual(nn.Module):
    """h + body(h), the body a chain of modules (He et al. 2016)."""

    def __init__(self, *body: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)

    def forward(self, h: Tensor) -> Tensor:
        """Return the block's output, shaped like h."""
        out: Tensor = h + self.body(h)
        return out


class Dense(nn.Linear):
    """An affine layer on the last axis of tensors with several leading axes.

    All leading axes become one, or a stack of networks would multiply small matrices, one for each index
    of these axes, with copies of the weights.
    """

    def forward(self, h: Tensor) -> Tensor:
        """Return (..., outputs) from h (..., inputs)."""
        return super().forward(h.flatten(0, -2)).reshape(*h.shape[:-1], -1)
