"""The networks of a stack, in the groups that train as one program each, and what training changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.architecture import Recipe
from runner.stacks import places
from runner.training.modules import Tensors

PARTS = "weights", "buffers", "mean", "square", "average"  # of the state that hold tensors by their names


@dataclass
class Group:
    """The networks that one program trains together: places hold their numbers, state what training changes.

    The state's tensors are (networks, ...), but for `step`, a single number. xs (steps, networks, batch, d),
    targets and dropped (steps, networks, ...): the chunk of mini-batches and dropout masks in training.
    """

    places: list[int]
    state: dict[str, Any]
    xs: Tensor = field(default_factory=lambda: torch.empty(0))
    targets: Tensor = field(default_factory=lambda: torch.empty(0))
    dropped: Tensors = field(default_factory=dict)

    def keep(self, at: Sequence[int]) -> None:
        """Go on with what is at these places alone, numbered anew."""
        for key in PARTS:
            self.state[key] = {name: each[at].clone() for name, each in self.state[key].items()}
        self.state["diverged"] = self.state["diverged"][at].clone()
        if len(self.xs):
            self.xs, self.targets = self.xs[:, at], self.targets[:, at]
        self.dropped = {name: masks[:, at] for name, masks in self.dropped.items()}
        self.places = list(range(len(at)))

    def changing(self) -> Iterator[tuple[str, Tensor]]:
        """Yield the tensors of the state with their names, (networks, ...) each but for `step`."""
        for key in PARTS:
            yield from ((f"{key}/{name}", each) for name, each in self.state[key].items())
        yield from ((key, self.state[key]) for key in ("diverged", "step"))


def groups(
    modules: Sequence[nn.Module], recipe: Recipe, mode: str, device: str, moving: Sequence[str]
) -> list[Group]:
    """Return networks in groups, untrained; moving: the buffers that a step changes."""
    return [
        Group(numbers, _initial_state([modules[i] for i in numbers], recipe, device, moving))
        for numbers in _places(modules, mode, device)
    ]


def _places(modules: Sequence[nn.Module], mode: str, device: str) -> list[list[int]]:
    """Return which network each place of each program holds."""
    every = list(range(len(modules)))
    if mode != "compiled" or device != "cpu":
        return [every]
    size = places(sum(weight.numel() for weight in modules[0].parameters() if weight.requires_grad))
    groups = [every[i : i + size] for i in range(0, len(every), size)]
    return [group + [group[0]] * (size - len(group)) for group in groups]


def _initial_state(
    modules: Sequence[nn.Module], recipe: Recipe, device: str, moving: Sequence[str]
) -> dict[str, Any]:
    """Return what training changes; parameters that aren't to be trained stand among the buffers."""
    learned = [name for name, weight in modules[0].named_parameters() if weight.requires_grad]
    every = [dict(module.named_parameters()) | dict(module.named_buffers()) for module in modules]
    stacked = {name: torch.stack([each[name].detach() for each in every]).to(device) for name in every[0]}
    weights = {name: stacked.pop(name) for name in learned}

    averages = {name: weight.clone() for name, weight in weights.items()}
    averages |= {name: stacked[name].clone() for name in moving if stacked[name].is_floating_point()}

    def zeros() -> Tensors:
        return {name: torch.zeros_like(weight) for name, weight in weights.items()}

    return {
        "weights": weights,
        "buffers": stacked,
        "mean": zeros(),
        "square": zeros() if recipe.optimiser == "adam" else {},
        "average": averages if recipe.averaging is not None else {},
        "diverged": torch.zeros(len(modules), dtype=torch.int64, device=device),
        "step": torch.zeros((), dtype=torch.int64, device=device),
    }
