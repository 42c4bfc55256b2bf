"""Convolutional networks for the digits: 64 inputs are an image of 8 x 8 pixels, row by row.

Images are (n, 8, 8, channels). A stack of networks would turn nn.Conv2d into a grouped convolution, which
rounds differently; here a convolution is a matrix product over patches, the same bits in any stack.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.architecture import Skipped
from benchmarks.architectures.layers import Dense, Residual, affine

SIDE = 8


def cnn(features: int, classes: int, channels: int) -> nn.Module:
    """Return two convolutions, each with ReLU and max pooling (LeCun et al. 1998), and an affine layer.

    The second has twice the channels. Raises Skipped where inputs aren't 8 x 8 pixels.
    """
    _check(features)
    return nn.Sequential(
        Pixels(),
        *(Convolution(1, channels), nn.ReLU(), MaxPool()),
        *(Convolution(channels, 2 * channels), nn.ReLU(), MaxPool()),
        nn.Flatten(1),
        affine(2 * channels * (SIDE // 4) ** 2, classes),
    )


def cnn_resnet(features: int, classes: int, channels: int, blocks: int) -> nn.Module:
    """Return pre-norm residual blocks of two convolutions (He et al. 2016), averaged over the image.

    Norms are over the channels of a pixel, which mix neither examples nor pixels. Raises Skipped where
    inputs aren't 8 x 8 pixels.
    """
    _check(features)
    body = [
        Residual(
            nn.LayerNorm(channels),
            Convolution(channels, channels),
            nn.ReLU(),
            Convolution(channels, channels),
        )
        for _ in range(blocks)
    ]
    return nn.Sequential(
        Pixels(),
        Convolution(1, channels),
        *body,
        nn.LayerNorm(channels),
        nn.ReLU(),
        AveragePool(),
        affine(channels, classes),
    )


def _check(features: int) -> None:
    if features != SIDE**2:
        raise Skipped(
            f"it sees {SIDE**2} inputs as an image of {SIDE} x {SIDE} pixels; the task has {features}"
        )


class Pixels(nn.Module):
    """Inputs (n, 64) as images of one channel."""

    def forward(self, x: Tensor) -> Tensor:
        """Return images (n, 8, 8, 1)."""
        return x.reshape(*x.shape[:-1], SIDE, SIDE, 1)


class Convolution(nn.Module):
    """A 3 x 3 convolution with zeros around the image.

    weight (out, 9 channels) is nn.Conv2d's with axes (out, row, column, in), initialised as there:
    nn.Linear draws from the same uniform distribution, by the number of its inputs.
    """

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.affine = Dense(9 * channels, out)

    def forward(self, image: Tensor) -> Tensor:
        """Return images (n, rows, columns, out) of the same size."""
        rows, columns = image.shape[-3:-1]
        edged = nn.functional.pad(image, (0, 0, 1, 1, 1, 1))
        threes = torch.cat([edged[..., j : j + columns, :] for j in range(3)], dim=-1)
        nines = torch.cat([threes[..., i : i + rows, :, :] for i in range(3)], dim=-1)
        out: Tensor = self.affine(nines)
        return out


class MaxPool(nn.Module):
    """The largest of each 2 x 2 pixels."""

    def forward(self, image: Tensor) -> Tensor:
        """Return images (n, rows / 2, columns / 2, channels)."""
        *leading, rows, columns, channels = image.shape
        return image.reshape(*leading, rows // 2, 2, columns // 2, 2, channels).amax((-4, -2))


class AveragePool(nn.Module):
    """The mean of all pixels."""

    def forward(self, image: Tensor) -> Tensor:
        """Return channels (n, channels)."""
        return image.flatten(-3, -2).mean(-2)
