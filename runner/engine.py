"""Trains one stack: many networks of one architecture as one tensor program.

An ordinary nn.Module is lifted over a leading axis of networks by torch.func (vmap over functional_call);
each network has its own data, weights and optimiser state, so a trial's numbers are the same bits in a
stack of any size. A module that can't be lifted trains alone, by the same rules. Nothing here does input or
output.
"""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._pytree import tree_leaves

from benchmarks.architecture import Network
from benchmarks.architectures.losses import loss as loss_of
from benchmarks.task import Array
from runner.stacks import CHUNK
from runner.training.dropout import Masks
from runner.training.gpu import Captured
from runner.training.groups import Group, groups
from runner.training.modules import Liftable, Tensors, attributes
from runner.training.optimiser import schedule
from runner.training.program import Program
from runner.training.step import training_step

Draw: TypeAlias = Callable[[Sequence[int], int], tuple[Array, Array]]
ROWS = 8_192  # of an evaluation that pass through a network at once: wide layers need memory
# What wide layers make of fewer rows stays in the processor's cache; narrow ones would wait for calls.
WIDE, WIDE_ROWS = 2**15, 512


@dataclass(frozen=True)
class Snapshot:
    """The networks of a stack after `step` mini-batches.

    networks: their numbers in the stack; weights and buffers: {name: (networks, ...)}, averaged where the
    recipe says so; diverged: (networks,) the step at which a network's loss stopped being finite, 0 where it
    hasn't; seconds: training time so far of one place in a program, without drawing examples and compiling.
    """

    step: int
    networks: tuple[int, ...]
    weights: Tensors
    buffers: Tensors
    diverged: Array
    seconds: float

    def state(self, place: int) -> Tensors:
        """Return a copy of the weights and buffers at one place."""
        return {name: each[place].clone() for name, each in (self.weights | self.buffers).items()}


class Training:
    """A stack in training: `advance` it, take a `snapshot`, `keep` some of its networks."""

    _program: Program | None = None
    _captured: Captured | None = None
    _masks: Masks | None = None

    def __init__(
        self,
        network: Network,
        modules: Sequence[nn.Module],
        draw: Draw,
        steps: int,
        mode: str,
        device: str,
        *,
        liftable: Liftable | None = None,
        noise: Sequence[np.random.Generator] = (),
    ) -> None:
        """Lay out the modules side by side; steps: the most that will be asked for.

        draw(networks, count) returns the next mini-batches of some networks: x (count, networks, batch, d)
        and targets, labels (count, networks, batch) or probabilities (count, networks, batch, k). mode is
        "compiled" or "eager"; on a GPU both mean that steps are captured as a graph. Compiled programs of an
        architecture always have the same number of places, the empty ones filled with copies of a network:
        the compiler chooses vector or scalar code, which round differently, by the size of each loop, so only
        programs of one size give one network the same bits. liftable: what is known of the module; one that
        can't be lifted has to be alone. noise: a generator for each network, from which its dropout masks
        come.
        """
        self._network, self._recipe, self._draw, self._steps = network, network.recipe, draw, steps
        self._device, self._noise = device, noise
        self._module, self._networks = modules[0], list(range(len(modules)))
        liftable = liftable or Liftable()
        self._groups = groups(modules, self._recipe, mode, device, liftable.moving)
        self._compiles = mode == "compiled" and device == "cpu"
        criterion = loss_of(self._recipe, compiled=self._compiles)
        self._skeleton = copy.deepcopy(modules[0]).train()
        self._aside = attributes(self._skeleton)
        self._step = training_step(self._skeleton, self._recipe, criterion, liftable)
        self._capturable = True
        self._alone = bool(liftable.reason)
        self._random = torch.random.get_rng_state()
        self._random_on_card = [torch.cuda.get_rng_state()] if device == "cuda" else []
        self._scalars = schedule(self._recipe, steps, device)
        self._seconds, self._done = 0.0, 0

    def advance(self, step: int) -> None:
        """Train up to a step."""
        for mark in sorted({step, *range(CHUNK, step, CHUNK)}):
            if mark > self._done:
                if self._done % CHUNK == 0:
                    self._load(min(CHUNK, self._steps - self._done))
                self._run(mark)

    def _load(self, count: int) -> None:
        """Draw the next chunk of mini-batches, and the masks that go with it."""
        x, targets = self._draw(self._networks, count)
        if self._masks is None:
            self._masks = Masks(self._module, torch.zeros(x.shape[2:]))
        masks: Tensors = {}
        if self._masks.shapes and not self._alone:
            masks = self._masks.chunk([self._noise[network] for network in self._networks], count)
        for group in self._groups:
            group.xs, group.targets = (
                # Not by an index, which may return another order in memory than the program was compiled for.
                torch.from_numpy(np.take(part, group.places, axis=1)).to(self._device)
                for part in (x, targets)
            )
            group.dropped = {name: mask[:, group.places].to(self._device) for name, mask in masks.items()}
        if self._compiles and self._program is None:
            self._program = Program(self._network, self._step, *self._arguments(self._groups[0], 0))

    def _arguments(self, group: Group, i: int) -> tuple[Any, ...]:
        """Return what the step with number i takes."""
        at = i % CHUNK
        dropped = self._scaled({name: masks[at] for name, masks in group.dropped.items()})
        return group.state, self._scalars[i], group.xs[at], group.targets[at], dropped

    def _scaled(self, dropped: Tensors) -> Tensors:
        return self._masks.scaled(dropped) if dropped and self._masks else dropped

    def _run(self, mark: int) -> None:
        whole = self._device == "cuda" and mark - self._done == CHUNK and not self._alone
        captured = self._capture() if whole else None
        clock = time.perf_counter()
        with self._own_randomness():
            for group in self._groups:  # one after the other: what a group needs stays in the cache
                if self._program:
                    self._run_program(self._program, group, mark)
                elif captured:
                    captured(self._chunk(group))
                else:
                    for i in range(self._done, mark):
                        self._step(*self._arguments(group, i))
        if self._device == "cuda":
            torch.cuda.synchronize()
        places = sum(len(group.places) for group in self._groups)
        self._seconds += (time.perf_counter() - clock) / places
        self._done = mark

    def _run_program(self, program: Program, group: Group, mark: int) -> None:
        state, first = tree_leaves(group.state), self._done - self._done % CHUNK
        chunk = slice(self._done - first, mark - first)
        parts = self._scalars[self._done : mark], group.xs[chunk], group.targets[chunk]
        for i, rows in enumerate(zip(*(part.unbind() for part in parts), strict=True), chunk.start):
            dropped = self._scaled({name: masks[i] for name, masks in group.dropped.items()})
            program([*state, *rows, *dropped.values()])

    def _chunk(self, group: Group) -> list[Tensor]:
        """Return what all steps of the chunk take, beside the state."""
        scalars = self._scalars[self._done : self._done + CHUNK]
        return [scalars, group.xs, group.targets, *group.dropped.values()]

    def _capture(self) -> Captured | None:
        """Return the GPU's graph of a whole chunk of steps, recorded once; None where it can't be."""
        (group,) = self._groups
        names = list(group.dropped)

        def chunk(scalars: Tensor, xs: Tensor, targets: Tensor, *masks: Tensor) -> None:
            for at in range(CHUNK):
                dropped = {name: mask[at] for name, mask in zip(names, masks, strict=True)}
                self._step(group.state, scalars[at], xs[at], targets[at], self._scaled(dropped))

        if self._captured is None and self._capturable:
            try:
                self._captured = Captured(chunk, group.state, self._chunk(group))
            except RuntimeError:  # somebody's forward makes a tensor on the processor: step by step, then
                self._capturable = False
        return self._captured

    @contextlib.contextmanager
    def _own_randomness(self) -> Iterator[None]:
        """Let a module that draws random numbers itself draw the trial's own."""
        if not self._alone:
            yield
            return
        cards = [torch.cuda.current_device()] if self._device == "cuda" else []
        with torch.random.fork_rng(devices=cards):
            if not self._done and self._noise:
                torch.manual_seed(int(self._noise[0].integers(2**63)))
            else:
                torch.random.set_rng_state(self._random)
                for state in self._random_on_card:
                    torch.cuda.set_rng_state(state)
            yield
            self._random = torch.random.get_rng_state()
            self._random_on_card = [torch.cuda.get_rng_state() for _ in cards]

    def keep(self, networks: Sequence[int]) -> None:
        """Go on with some of the networks alone; of an eager stack only, where it changes no bits."""
        at = [self._networks.index(network) for network in networks]
        (group,) = self._groups
        group.keep(at)
        self._networks = list(networks)
        self._captured = None  # it is of tensors that are gone

    @property
    def networks(self) -> list[int]:
        """The numbers of the networks that are in training."""
        return self._networks

    @property
    def step(self) -> int:
        """How many mini-batches each of them has been trained on."""
        return self._done

    @property
    def seconds(self) -> float:
        """Training time so far, as a snapshot has it."""
        return self._seconds

    def changing(self) -> Tensors:
        """Return by name, not copied, every tensor that training changes and that its future follows from.

        Those of the networks are (networks, ...), the states of random generators (m,) bytes. Raises
        ValueError where a module changes something else too, such as a counter in plain Python.
        """
        if not self._compiles and (changed := attributes(self._skeleton).items() - self._aside.items()):
            raise ValueError(f"a state beside parameters and buffers, {min(name for name, _ in changed)}")
        named = {f"{i}/{name}": x for i, each in enumerate(self._groups) for name, x in each.changing()}
        random = [self._random, *self._random_on_card] if self._alone else []
        return named | {f"random/{i}": state for i, state in enumerate(random)}

    def resume(self, step: int, seconds: float, tensors: Tensors) -> None:
        """Go on after a step of other training, with what `changing` returned there; shapes have to agree.

        The draws have to be at the start of the chunk that the step is in, which is drawn again. Raises
        RuntimeError where a tensor doesn't fit.
        """
        for name, tensor in self.changing().items():
            tensor.copy_(tensors[name])
        if self._alone:
            with torch.random.fork_rng(devices=[]):
                torch.random.set_rng_state(self._random)  # refuses what is no state
        self._done, self._seconds = step, seconds
        if begun := step % CHUNK:
            self._load(min(CHUNK, self._steps - step + begun))

    def snapshot(self) -> Snapshot:
        """Return a copy of what the networks are now."""
        # Averaged where the recipe says so: weights, and what batch norm counts along with them.
        states = [group.state for group in self._groups]
        now = [state["weights"] | state["buffers"] | state["average"] for state in states]
        return Snapshot(
            step=self._done,
            networks=tuple(self._networks),
            weights={name: self._joined([each[name] for each in now]) for name in states[0]["weights"]},
            buffers={name: self._joined([each[name] for each in now]) for name in states[0]["buffers"]},
            diverged=self._joined([state["diverged"] for state in states]).cpu().numpy(),
            seconds=self._seconds,
        )

    def _joined(self, parts: Sequence[Tensor]) -> Tensor:
        """Return tensors of all groups as one of all networks, a copy without what fills a program."""
        return torch.cat(list(parts))[: len(self._networks)]


def evaluated(module: nn.Module) -> nn.Module:
    """Return a copy of a module without weights, in evaluation mode, for `outputs`."""
    return copy.deepcopy(module).to(device="meta").eval()


def outputs(module: nn.Module, state: Tensors, x: Tensor) -> Tensor:
    """Return one network's outputs (n, classes) at x (n, d), float32; module: from `evaluated`.

    Each network runs alone, on its own state, so that neither its place in the stack nor its neighbours can
    change a rounding.
    """
    wide = sum(each.numel() for each in state.values()) > WIDE and not x.is_cuda
    rows = WIDE_ROWS if wide else ROWS
    with torch.no_grad():
        parts = [functional_call(module, state, (x[i : i + rows],)) for i in range(0, len(x), rows)]
    return torch.cat(parts)
