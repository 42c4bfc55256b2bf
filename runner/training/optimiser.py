"""One step of an optimiser for all networks of a stack, and what changes from step to step."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.architecture import Recipe


def update(
    state: dict[str, Any], name: str, weight: Tensor, g: Tensor, scalars: Tensor, recipe: Recipe
) -> None:
    """Move one weight: Adam, or momentum as PyTorch's SGD has it; decoupled decay before either.

    weight and its gradient g: of one shape, as the state's moments of that name; all are changed in place.
    scalars (4,): a row of `schedule`. Adam: Kingma and Ba 2015; decoupled decay: Loshchilov and Hutter 2019.
    """
    rate, correction = scalars[0], scalars[1]
    if recipe.weight_decay:
        weight.mul_(1 - scalars[3])
    mean = state["mean"][name]
    if recipe.optimiser == "sgd":
        mean.copy_(recipe.momentum * mean + g)
        weight.sub_(rate * mean)
        return
    beta1, beta2 = recipe.betas
    square = state["square"][name]
    first = mean + (1 - beta1) * (g - mean)
    second = beta2 * square + (1 - beta2) * g * g
    mean.copy_(first)
    square.copy_(second)
    weight.sub_(rate * first / (second.sqrt() * correction + recipe.epsilon))


def schedule(recipe: Recipe, steps: int, device: str) -> Tensor:
    """Return what changes from step to step, (steps, 4) float32.

    The learning rate (Adam's with its bias correction, Kingma and Ba 2015, section 2), the correction of
    Adam's second moment, the share of the new weights in their average, and the share of a weight that
    decays. Computed here, in float64, because float64 scalars inside the program would turn all of its
    arithmetic into float64.
    """
    t = np.arange(1, steps + 1, dtype=np.float64)
    beta1, beta2 = recipe.betas
    plain = recipe.learning_rate * np.ones(steps)
    if recipe.schedule == "cosine":
        plain *= 0.5 * (1 + np.cos(np.pi * (t - 1) / steps))
    rate = plain / (1 - beta1**t) if recipe.optimiser == "adam" else plain
    correction = 1 / np.sqrt(1 - beta2**t)
    share = 1 - np.minimum(recipe.averaging or 0.0, (1 + t) / (10 + t))
    decay = plain * recipe.weight_decay
    table = np.stack([rate, correction, share, decay], axis=1).astype(np.float32)
    return torch.from_numpy(table).to(device)
