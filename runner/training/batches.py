"""Where the networks that train together get their mini-batches from, and how far each of them is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from benchmarks import registry
from benchmarks.architecture import Network
from benchmarks.task import Array
from runner.stacks import CHUNK, Stack
from runner.training.data import Examples, Targets, TrainingSet
from runner.training.modules import noise
from runner.training.predictor import Member

State: TypeAlias = dict[str, Any]  # of a NumPy generator, plain data


class Source(Protocol):
    """Mini-batches one behind the other."""

    def take(self, count: int) -> tuple[Array, Array]:
        """Return the next `count` mini-batches: x (count, batch, d) float32, y (count, batch) int64."""
        ...

    def skip(self, count: int) -> None:
        """Go on behind the next `count` mini-batches."""
        ...

    def distinct(self, budget: int) -> int:
        """Return how many different examples there are up to a budget."""
        ...


@dataclass(frozen=True)
class Passes:
    """The mini-batches that one member makes of a training set."""

    examples: TrainingSet
    member: int

    def take(self, count: int) -> tuple[Array, Array]:
        """Return the next `count` mini-batches: x (count, batch, d) float32, y (count, batch) int64."""
        return self.examples.take(self.member, count)

    def skip(self, count: int) -> None:
        """Go on behind the next `count` mini-batches."""
        self.examples.skip(self.member, count)

    def distinct(self, budget: int) -> int:
        """Return how many different examples a training set of that budget has, the held-out ones too."""
        return budget


class Batches:
    """The mini-batches of a group of networks, and the generators of their other random draws.

    noise: a generator for each network, from which its dropout masks are to come.
    """

    def __init__(
        self, network: Network, stack: Stack, group: Sequence[Member], sources: Sequence[Source]
    ) -> None:
        """sources: one for each network; networks that share one get the same examples."""
        trials = [stack.trials[member.trial] for member in group]
        self.noise = [noise(network, t.seed, m.number) for t, m in zip(trials, group, strict=True)]
        self._mixing = [noise(network, t.seed, m.number, "mixup") for t, m in zip(trials, group, strict=True)]
        self._targets = [
            Targets(network.recipe, registry.task(trial.task), rng)
            for trial, rng in zip(trials, self._mixing, strict=True)
        ]
        self.sources = sources
        self._before: list[State] = []

    def take(self, networks: Sequence[int], count: int) -> tuple[Array, Array]:
        """Return the next mini-batches of some networks: x (count, networks, batch, d) and their targets."""
        if len(self.noise) == 1:  # several are at the end of a chunk whenever others could want to know
            self._before = self._states()
        shared = dict.fromkeys(self.sources[i] for i in networks)
        fresh = {source: source.take(count) for source in shared}
        return _stacked(self._targets[i](*fresh[self.sources[i]]) for i in networks)

    def generators(self, step: int) -> list[State]:
        """Return the states of all generators at the start of the chunk that comes behind a step.

        Of a network that trains alone also in the middle of a chunk: those at that chunk's start.
        """
        return self._before if step % CHUNK else self._states()

    def resume(self, networks: Sequence[int], step: int, states: Sequence[Mapping[str, Any]]) -> None:
        """Go on at the chunk that a step is in, for some networks; raises ValueError or TypeError."""
        for source in dict.fromkeys(self.sources[i] for i in networks):
            source.skip(step - step % CHUNK)
        for rng, state in zip([*self.noise, *self._mixing], states, strict=True):
            rng.bit_generator.state = state

    def _states(self) -> list[State]:
        return [dict(rng.bit_generator.state) for rng in (*self.noise, *self._mixing)]


def of_stream(stack: Stack, members: Sequence[Member], *, shared: bool) -> list[Examples]:
    """Return a source for each network on a stream; shared: whether those of one trial may read from one."""

    def stream(trial: int) -> Examples:
        one, most = stack.trials[trial], stack.steps * stack.batch
        return Examples(registry.task(one.task), one.seed, stack.batch, stack.pool, stack.shared, most)

    if not shared:
        return [stream(member.trial) for member in members]
    each = [stream(trial) for trial in range(len(stack.trials))]
    return [each[member.trial] for member in members]


def _stacked(drawn: Iterator[tuple[Array, Array]]) -> tuple[Array, Array]:
    xs, targets = zip(*drawn, strict=True)
    return np.stack(xs, axis=1), np.stack(targets, axis=1)
