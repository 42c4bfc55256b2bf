"""Trains one stack: many networks of one architecture as one tensor program.

An ordinary nn.Module is lifted over a leading axis of networks by torch.func (vmap over functional_call);
each network has its own data, weights and optimiser state, so a trial's numbers are the same bits in a
stack of any size. Nothing here does input or output.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap

from benchmarks.architecture import Network, Recipe
from benchmarks.task import Array, seed_words
from runner.plan import STACK_SIZE

Tensors: TypeAlias = dict[str, Tensor]
CHUNK = 64  # mini-batches that are drawn at once
ROWS = 16_384  # of an evaluation that pass through a network at once: wide layers need memory


@dataclass(frozen=True)
class Snapshot:
    """The networks of a stack after `step` mini-batches.

    weights and buffers: {name: (networks, ...)}, averaged where the recipe says so; diverged: (networks,)
    the step at which a network's loss stopped being finite, 0 where it hasn't; seconds: training time so
    far of one place in the program, without the first step, which compiles.
    """

    step: int
    weights: Tensors
    buffers: Tensors
    diverged: Array
    seconds: float


def build(network: Network, features: int, classes: int, seed: int) -> nn.Module:
    """Return a freshly initialised module; its weights depend on (architecture, seed) alone."""
    words = seed_words(f"{network.name} v{network.version} seed {seed}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(words[0] | words[1] << 32)
        return network.build(features, classes).float()


def parameter_count(network: Network, features: int, classes: int) -> int:
    """Return the number of trainable parameters of a network."""
    module = build(network, features, classes, seed=0)
    return sum(weight.numel() for weight in module.parameters() if weight.requires_grad)


def train(
    network: Network,
    modules: Sequence[nn.Module],
    batches: Callable[[int], tuple[Array, Array]],
    steps: Sequence[int],
    mode: str,
    device: str,
) -> Iterator[Snapshot]:
    """Train the modules side by side and yield a snapshot after each of the increasing `steps`.

    batches(count) returns the next mini-batches: x (count, networks, batch, d) and y (count, networks,
    batch). mode is "compiled" or "eager". A compiled program always has STACK_SIZE places, the empty ones
    filled with copies of the first network: the compiler chooses vector or scalar code, which round
    differently, by the size of each loop, so only programs of one size give one network the same bits.
    Raises ValueError where a compiled stack has more networks than places.
    """
    places = _places(len(modules), mode)
    state = _initial_state([modules[place] for place in places], network.recipe, device)
    step = _training_step(modules[0], network.recipe)
    if mode == "compiled":
        torch.compiler.reset()  # a program must not depend on what was compiled before it in this process
        step = torch.compile(step, dynamic=False, fullgraph=True)
    scalars = _schedule(network.recipe, max(steps), device)
    seconds, done = 0.0, 0
    for mark in sorted({1, *steps, *range(CHUNK, max(steps), CHUNK)}):
        if done % CHUNK == 0:
            drawn = batches(min(CHUNK, max(steps) - done))
            xs, ys = (torch.from_numpy(np.take(part, places, axis=1)).to(device) for part in drawn)
        clock = time.perf_counter()
        # Only the first step compiles: a program made anew in mid-run could round differently.
        with torch.compiler.set_stance("fail_on_recompile" if done else "default"):
            for i in range(done, mark):
                step(state, scalars[i], xs[i % CHUNK], ys[i % CHUNK])
        if device == "cuda":
            torch.cuda.synchronize()
        seconds += (time.perf_counter() - clock) / len(places) if done else 0.0
        done = mark
        if done in steps:
            yield _snapshot(state, network.recipe, len(modules), done, seconds)


def evaluated(module: nn.Module) -> nn.Module:
    """Return a copy of a module without weights, in evaluation mode, for `logits`."""
    return copy.deepcopy(module).to(device="meta").eval()


def logits(module: nn.Module, snapshot: Snapshot, index: int, x: Tensor) -> Tensor:
    """Return one network's logits (n, classes) at x (n, d), float32; module: from `evaluated`.

    Each network runs alone, on copies of its weights, so that neither its place in the stack nor its
    neighbours can change a rounding.
    """
    state = {name: stacked[index].clone() for name, stacked in (snapshot.weights | snapshot.buffers).items()}
    with torch.no_grad():
        parts = [functional_call(module, state, (x[i : i + ROWS],)) for i in range(0, len(x), ROWS)]
    return torch.cat(parts)


def _places(count: int, mode: str) -> list[int]:
    """Return which network each place of the program holds."""
    if mode != "compiled":
        return list(range(count))
    if count > STACK_SIZE:
        raise ValueError(f"a compiled stack has {STACK_SIZE} places, {count} networks don't fit")
    return [*range(count), *[0] * (STACK_SIZE - count)]


def _initial_state(modules: Sequence[nn.Module], recipe: Recipe, device: str) -> dict[str, Any]:
    weights, buffers = stack_module_state(list(modules))
    weights = {name: weight.detach().clone().to(device) for name, weight in weights.items()}
    zeros = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    return {
        "weights": weights,
        "buffers": {name: buffer.clone().to(device) for name, buffer in buffers.items()},
        "mean": zeros,
        "square": {name: torch.zeros_like(weight) for name, weight in weights.items()},
        "average": {name: weight.clone() for name, weight in weights.items()} if recipe.averaging else {},
        "diverged": torch.zeros(len(modules), dtype=torch.int64, device=device),
        "step": torch.zeros((), dtype=torch.int64, device=device),
    }


def _training_step(module: nn.Module, recipe: Recipe) -> Callable[..., None]:
    """Return the program of one step: gradients, Adam and weight averaging, in place on the state."""
    skeleton = copy.deepcopy(module).to(device="meta").train()
    beta1, beta2 = recipe.betas

    def loss(weights: Tensors, buffers: Tensors, x: Tensor, y: Tensor) -> Tensor:
        return nn.functional.cross_entropy(functional_call(skeleton, (weights, buffers), (x,)), y)

    gradients = vmap(grad_and_value(loss))

    def step(state: dict[str, Any], scalars: Tensor, x: Tensor, y: Tensor) -> None:
        rate, correction, share = scalars[0], scalars[1], scalars[2]
        gradient, value = gradients(state["weights"], state["buffers"], x, y)
        state["step"].add_(1)
        fails = (state["diverged"] == 0) & ~torch.isfinite(value)
        state["diverged"].copy_(torch.where(fails, state["step"], state["diverged"]))
        for name, weight in state["weights"].items():
            g, m, v = gradient[name], state["mean"][name], state["square"][name]
            mean = m + (1 - beta1) * (g - m)
            square = beta2 * v + (1 - beta2) * g * g
            m.copy_(mean)
            v.copy_(square)
            weight.sub_(rate * mean / (square.sqrt() * correction + recipe.epsilon))
            if recipe.averaging is not None:
                average = state["average"][name]
                average.add_(share * (weight - average))

    return step


def _schedule(recipe: Recipe, steps: int, device: str) -> Tensor:
    """Return what changes from step to step, (steps, 3) float32.

    Adam's bias-corrected rate, the correction of its second moment (Kingma and Ba 2015, section 2), and
    the share of the new weights in their average. Computed here, in float64, because float64 scalars
    inside the program would turn all of its arithmetic into float64.
    """
    t = np.arange(1, steps + 1, dtype=np.float64)
    beta1, beta2 = recipe.betas
    rate = recipe.learning_rate / (1 - beta1**t)
    correction = 1 / np.sqrt(1 - beta2**t)
    share = 1 - np.minimum(recipe.averaging or 0.0, (1 + t) / (10 + t))
    return torch.from_numpy(np.stack([rate, correction, share], axis=1).astype(np.float32)).to(device)


def _snapshot(state: dict[str, Any], recipe: Recipe, count: int, step: int, seconds: float) -> Snapshot:
    source = state["average"] if recipe.averaging is not None else state["weights"]
    return Snapshot(
        step=step,
        weights={name: weight[:count].clone() for name, weight in source.items()},
        buffers={name: buffer[:count].clone() for name, buffer in state["buffers"].items()},
        diverged=state["diverged"][:count].cpu().numpy().copy(),
        seconds=seconds,
    )
