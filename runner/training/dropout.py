"""Dropout whose masks belong to a trial: drawn from its own generator, fed in from outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.architecture import FitFailed
from benchmarks.task import Array

ACTIVATIONS = (nn.ReLU, nn.Tanh, nn.GELU, nn.SiLU, nn.Sigmoid, nn.LeakyReLU, nn.ELU, nn.Mish, nn.Softplus)


class FedDropout(nn.Module):
    """Multiplies by a mask that is put into its buffer from outside; 1 until then, so nothing is dropped.

    mask: of the shape of what the layer gets, or one that broadcasts to it.
    """

    mask: Tensor

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.register_buffer("mask", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        """Return x with some units set to 0 and the others scaled by 1 / (1 - p)."""
        return x * self.mask


def fed(module: nn.Module) -> nn.Module:
    """Return a module with every nn.Dropout in it replaced by one that is fed."""
    if type(module) is nn.Dropout:
        return FedDropout(module.p)
    for name, child in _places(module):
        setattr(module, name, fed(child))
    return module


def with_dropout(module: nn.Module, p: float) -> nn.Module:
    """Return a module with dropout behind each activation layer; raises FitFailed where it has none.

    Activations that stand as layers are found; a function called within a module's forward isn't.
    """
    if not _insert(module, p, set()):
        raise FitFailed(
            "dropout goes behind activation layers such as nn.ReLU(), and this network has none:"
            " put nn.Dropout into it where it should be"
        )
    return module


def _insert(module: nn.Module, p: float, done: set[nn.Module]) -> bool:
    found = False
    for name, child in _places(module):
        if isinstance(child, ACTIVATIONS):
            setattr(module, name, nn.Sequential(child, nn.Dropout(p)))
            found = True
        elif child not in done:
            done.add(child)
            found = _insert(child, p, done) or found
    return found


def _places(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return a module's children by name; `named_children` leaves out a child's second name."""
    return [(name, child) for name, child in module._modules.items() if child is not None]


class Masks:
    """The masks of a network's dropout layers, for inputs of one shape.

    shapes: {buffer: the shape of what the layer gets}, p: {buffer: the share that it drops}; reused: buffers
    of layers that one pass goes through more than once, which one mask can't serve.
    """

    def __init__(self, module: nn.Module, x: Tensor) -> None:
        self.shapes: dict[str, torch.Size] = {}
        self.p: dict[str, float] = {}
        self.reused: list[str] = []
        handles = [
            layer.register_forward_hook(self._hook(f"{name}.mask", layer.p))
            for name, layer in module.named_modules()
            if isinstance(layer, FedDropout)
        ]
        if handles:
            with torch.no_grad():
                module(x)
        for handle in handles:
            handle.remove()

    def _hook(self, name: str, p: float):  # type: ignore[no-untyped-def]
        def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            if name in self.shapes:
                self.reused.append(name)
            self.shapes[name], self.p[name] = output.shape, p

        return hook

    def draw(self, rng: np.random.Generator) -> dict[str, Array]:
        """Return one mask for each layer, booleans, from one call of the generator."""
        sizes = [int(np.prod(shape)) for shape in self.shapes.values()]
        u = rng.random(sum(sizes), dtype=np.float32)
        parts = np.split(u, np.cumsum(sizes)[:-1])
        return {
            name: (part >= self.p[name]).reshape(self.shapes[name])
            for name, part in zip(self.shapes, parts, strict=True)
        }

    def scaled(self, masks: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return masks as what inputs are multiplied by: 0 or 1 / (1 - p), 0 alone where p is 1."""
        return {name: mask.float() / ((1 - self.p[name]) or 1.0) for name, mask in masks.items()}

    def chunk(self, rngs: Sequence[np.random.Generator], count: int) -> dict[str, Tensor]:
        """Return masks (count, networks, ...) of the next `count` steps of several networks."""
        drawn = [[self.draw(rng) for _ in range(count)] for rng in rngs]
        return {
            name: torch.from_numpy(np.stack([[each[name] for each in steps] for steps in drawn], axis=1))
            for name in self.shapes
        }

    def thinned(self, rng: np.random.Generator, samples: int) -> Iterator[dict[str, Tensor]]:
        """Yield the masks of `samples` thinned networks, each the same for all rows of an input."""
        one = {name: (1, *shape[1:]) for name, shape in self.shapes.items()}
        for _ in range(samples):
            yield self.scaled(
                {name: torch.from_numpy(rng.random(shape) >= self.p[name]) for name, shape in one.items()}
            )
