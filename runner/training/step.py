"""One training step of many networks: an ordinary nn.Module lifted over a leading axis of networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from benchmarks.architecture import Recipe
from runner.training.modules import Liftable, Tensors
from runner.training.optimiser import update


def training_step(
    module: nn.Module, recipe: Recipe, criterion: Callable[..., Tensor], liftable: Liftable
) -> Callable[..., Tensor]:
    """Return a step: gradients, optimiser and averaging, in place on the state; it returns the losses.

    The step takes the state, scalars (4,), x (networks, batch, d), targets and masks (networks, ...), and
    returns (networks,). module: in training mode, the step's own from now on.
    """
    gradients = (_alone if liftable.reason else _lifted)(module, criterion, liftable.moving)

    def step(state: dict[str, Any], scalars: Tensor, x: Tensor, targets: Tensor, dropped: Tensors) -> Tensor:
        gradient, (value, moved) = gradients(state["weights"], state["buffers"] | dropped, x, targets)
        state["step"].add_(1)
        fails = (state["diverged"] == 0) & ~torch.isfinite(value)
        state["diverged"].copy_(torch.where(fails, state["step"], state["diverged"]))
        for name, buffer in moved.items():
            state["buffers"][name].copy_(buffer)
        for name, weight in state["weights"].items():
            update(state, name, weight, gradient[name], scalars, recipe)
        for name, average in state["average"].items():
            now = state["weights"][name] if name in state["weights"] else state["buffers"][name]
            average.add_(scalars[2] * (now - average))
        return torch.as_tensor(value)

    return step


def _lifted(module: nn.Module, criterion: Callable[..., Tensor], moving: Sequence[str]) -> Callable[..., Any]:
    """Return gradients, losses and moved buffers of all networks at once."""
    skeleton = module.to(device="meta")

    def loss(weights: Tensors, buffers: Tensors, x: Tensor, targets: Tensor) -> tuple[Tensor, Any]:
        own = buffers | {name: buffers[name].clone() for name in moving}
        value = criterion(functional_call(skeleton, (weights, own), (x,)), targets)
        return value, {name: own[name] for name in moving}

    return vmap(grad_and_value(loss, has_aux=True))


def _alone(module: nn.Module, criterion: Callable[..., Tensor], moving: Sequence[str]) -> Callable[..., Any]:
    """Return the same for a stack of one network whose module can't be lifted."""

    def gradients(weights: Tensors, buffers: Tensors, x: Tensor, targets: Tensor) -> tuple[Tensors, Any]:
        live = {name: weight[0].detach().clone().requires_grad_() for name, weight in weights.items()}
        own = {name: buffer[0].clone() for name, buffer in buffers.items()}
        value = criterion(functional_call(module, (live, own), (x[0],)), targets[0])
        found = torch.autograd.grad(value, list(live.values()), allow_unused=True)
        gradient = {
            name: (torch.zeros_like(weight) if g is None else g)[None]
            for (name, weight), g in zip(live.items(), found, strict=True)
        }
        return gradient, (value.detach()[None], {name: own[name][None] for name in moving})

    return gradients
