"""From the kept states of a trial's networks to its log q."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.architecture import Network
from benchmarks.architectures.losses import log_q as log_q_of
from benchmarks.architectures.losses import mean_log_q
from benchmarks.layout import by_class
from benchmarks.task import Array
from runner.engine import evaluated, outputs
from runner.plan import Trial
from runner.scoring import batches, evaluation_of
from runner.training.dropout import Masks
from runner.training.early_stopping import ScoredState
from runner.training.modules import noise


@dataclass(frozen=True)
class Member:
    """One network of a stack: which trial it belongs to, which of its members it is, its module."""

    trial: int
    number: int
    module: nn.Module

    @property
    def key(self) -> tuple[int, int]:
        """The trial and the number, which tell it from the others of its stack."""
        return self.trial, self.number


class Predictor:
    """From the states of a trial's members to its log q."""

    def __init__(self, network: Network, device: str) -> None:
        self._network, self._device = network, device
        self._inputs: dict[str, list[Tensor]] = {}
        self._scored: dict[tuple[int, int], nn.Module] = {}

    def inputs(self, task: str) -> list[Tensor]:
        """Return the points of a task's evaluation and curve, (n, d) float32, in the batches to predict."""
        if task not in self._inputs:
            parts = [torch.from_numpy(x.astype(np.float32)) for x in batches(evaluation_of(task))]
            self._inputs[task] = [x.to(self._device) for x in parts]
        return self._inputs[task]

    def log_q(self, trial: Trial, parts: Sequence[tuple[Member, ScoredState]], x: Tensor) -> Array:
        """Return the members' mean probability, as log q (n, k)."""
        found = (each for member, kept in parts for each in self._outputs(trial, member, kept, x))
        return mean_log_q(log_q_of(self._network.recipe, each) for each in found)

    def _outputs(self, trial: Trial, member: Member, kept: ScoredState, x: Tensor) -> Iterator[Array]:
        assert kept.state is not None
        if member.key not in self._scored:
            self._scored[member.key] = evaluated(member.module)
        module, samples = self._scored[member.key], self._network.recipe.samples
        if not samples:
            yield by_class(outputs(module, kept.state, x).double().cpu().numpy())
            return
        # In evaluation mode: batch norm takes no single row in training.
        masks = Masks(copy.deepcopy(member.module).eval(), torch.zeros(1, x.shape[1]))
        rng = noise(self._network, trial.seed, member.number, "thinned")
        for thinned in masks.thinned(rng, samples):
            dropped = {name: mask.to(x.device) for name, mask in thinned.items()}
            yield by_class(outputs(module, kept.state | dropped, x).double().cpu().numpy())
