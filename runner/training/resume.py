"""Networks under way: what of a stack's training goes into its checkpoint, and how it goes on from there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from pydantic import TypeAdapter
from torch import Tensor

from benchmarks.task import Array
from runner.engine import Training
from runner.records import Rows, TrialResult
from runner.stacks import Stack
from runner.training import saved_results
from runner.training.batches import Batches, Source
from runner.training.checkpoint import Content, Kinds, Saved, Unusable
from runner.training.early_stopping import ScoredState
from runner.training.predictor import Member


@dataclass
class Part:
    """Networks that train as one, with their mini-batches; all of a stack, or each alone if not liftable.

    kept: under `dataset`, what is known of each network; finished: whether no more is to come.
    """

    group: Sequence[Member]
    batches: Batches
    training: Training
    kept: list[ScoredState] = field(default_factory=list)
    finished: bool = False

    @property
    def sources(self) -> Iterator[tuple[Member, Source]]:
        """Each network with where its examples come from."""
        return zip(self.group, self.batches.sources, strict=True)


@dataclass(frozen=True)
class _SavedState:
    """A `ScoredState` as plain data; there: whether it has a state, which stands among the arrays."""

    step: int
    seconds: float
    diverged: int
    held_out: float
    stopped: bool
    there: bool


@dataclass(frozen=True)
class _Part:
    """A `Part` as plain data; number: which it is; networks: those of it that are still in training."""

    number: int
    networks: list[int]
    step: int
    seconds: float
    generators: list[dict[str, Any]]
    finished: bool
    kept: list[_SavedState]


def to_save(parts: Sequence[Part], rows: Sequence[Rows]) -> Content:
    """Return where training is, at the end of a chunk of mini-batches of the part that is being trained."""
    state, arrays = saved_results.to_save(_results(rows))
    said = []
    for number, part in enumerate(parts):
        if not (part.training.step or part.finished):
            continue
        said.append(asdict(_said(number, part)))
        tensors = {} if part.finished else _named(number, part.training.changing())
        for i, each in enumerate(part.kept):
            tensors |= _named(f"{number}/kept/{i}", each.state or {})
        arrays |= {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
    return {"parts": said, "results": state}, arrays


def _said(number: int, part: Part) -> _Part:
    training = part.training
    kept = [
        _SavedState(e.step, e.seconds, e.diverged, e.held_out, e.stopped, e.state is not None)
        for e in part.kept
    ]
    if part.finished:
        return _Part(number, list(range(len(part.group))), 0, 0.0, [], True, kept)
    generators = part.batches.generators(training.step)
    networks = list(training.networks)
    return _Part(number, networks, training.step, training.seconds, generators, False, kept)


def restore(saved: Saved, stack: Stack, parts: Sequence[Part], rows: Sequence[Rows]) -> None:
    """Bring parts and results that are at the start to where they were; raises something if it can't be.

    Nothing is read before names, types and shapes agree with what the parts have. What has raised leaves
    parts that are of no use.
    """
    said = TypeAdapter(list[_Part]).validate_python(saved.state["parts"])
    results = _results(rows)
    expected: dict[str, tuple[str, tuple[int, ...]]] = {}
    for each in said:
        expected |= _expected(each, parts[each.number], stack)
    found = {n: kind for n, kind in saved.kinds.items() if not n.startswith(saved_results.FOLDER)}
    _compare(expected, found)
    saved_results.check(saved.state["results"], saved.kinds, results)
    arrays = saved.arrays()
    for each in said:
        _resume(each, parts[each.number], arrays)
    saved_results.restore(saved.state["results"], arrays, results)


def _expected(said: _Part, part: Part, stack: Stack) -> Kinds:
    """Return the kinds of arrays that a part needs, with the networks taken out that no longer trained."""
    every, sets = list(range(len(part.group))), stack.protocol == "dataset"
    kept = len(part.group) if sets else 0
    begun = 0 < said.step <= stack.steps or said.finished
    fits = said.number >= 0 and begun and len(said.kept) == kept
    some = sorted(set(said.networks) & set(every)) == said.networks != []
    if not (fits and some and (sets or (said.networks == every and not said.finished))):
        raise Unusable(f"expected a state of part {said.number}, found step {said.step} of {said.networks}")
    one = {name: _kind(x) for name, x in part.training.snapshot().state(0).items()}
    kinds: dict[str, tuple[str, tuple[int, ...]]] = {}
    for i, each in enumerate(said.kept):
        kinds |= _named(f"{said.number}/kept/{i}", one if each.there else {})
    if said.finished:
        return kinds
    if said.networks != every:
        part.training.keep(said.networks)
    return kinds | _named(said.number, {name: _kind(x) for name, x in part.training.changing().items()})


def _resume(said: _Part, part: Part, arrays: Mapping[str, Array]) -> None:
    def tensors(start: str) -> dict[str, Tensor]:
        return {n[len(start) :]: torch.from_numpy(x) for n, x in arrays.items() if n.startswith(start)}

    device = next(iter(part.training.changing().values())).device
    for i, (kept, each) in enumerate(zip(said.kept, part.kept, strict=True)):
        each.step, each.seconds, each.diverged = kept.step, kept.seconds, kept.diverged
        each.held_out, each.stopped = kept.held_out, kept.stopped
        state = tensors(f"{said.number}/kept/{i}/")
        each.state = {name: x.to(device) for name, x in state.items()} if kept.there else None
    part.finished = said.finished
    if not said.finished:
        part.batches.resume(said.networks, said.step, said.generators)
        part.training.resume(said.step, said.seconds, tensors(f"{said.number}/"))


def _compare(expected: Kinds, found: Kinds) -> None:
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise Unusable(f"expected {name} to be {expected.get(name)}, found {found.get(name)}")


def _kind(x: Tensor) -> tuple[str, tuple[int, ...]]:
    return str(x.dtype).removeprefix("torch."), tuple(x.shape)


def _named(start: object, each: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{start}/{name}": value for name, value in each.items()}


def _results(rows: Sequence[Rows]) -> list[TrialResult]:
    return [result for row in rows for result in row.all]
