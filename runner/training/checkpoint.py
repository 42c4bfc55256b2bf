"""A stack's checkpoint: the one file from which it goes on after its process was killed.

Arrays by safetensors, everything else as JSON in its header: nothing that is in a file is ever run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from pydantic import TypeAdapter
from safetensors import safe_open
from safetensors.numpy import save

from benchmarks.errors import in_one_line
from benchmarks.task import Array
from runner import provenance
from runner.results import files
from runner.stacks import Stack

FOLDER = "checkpoints"  # in a run's folder
EVERY = 60.0  # seconds between two writes: a kill costs about that
OLD, STALE = 7 * 86_400, 3_600  # seconds after which a checkpoint, and one that was half written, are removed
SUFFIX, PART = ".safetensors", ".part"
OURS = re.compile(rf"[0-9a-f]{{32}}({re.escape(SUFFIX)}|-\w+{re.escape(PART)})")
FORMAT = 1
SHARED = "protocol", "batch", "pool", "steps", "mode", "device"  # of two stacks that share a checkpoint
# Names that files have for types.
TYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "I64": "int64", "I32": "int32", "I16": "int16",
    "I8": "int8", "U8": "uint8", "U16": "uint16", "U32": "uint32", "U64": "uint64", "BOOL": "bool",
}  # fmt: skip
Kinds: TypeAlias = Mapping[str, tuple[str, tuple[int, ...]]]  # {name of an array: its dtype and shape}
Content: TypeAlias = tuple[Any, Mapping[str, Array]]  # plain data, and arrays by name


class Unusable(ValueError):
    """A checkpoint doesn't fit its stack; the message says what was expected and found."""


@dataclass(frozen=True)
class _Whose:
    """Of what a checkpoint's header says of its stack, what a plan asks: ids of rows with budgets, device."""

    trials: tuple[tuple[tuple[str, ...], tuple[int, ...]], ...]
    device: str

    @property
    def ids(self) -> tuple[str, ...]:
        """The trials' ids, in the stack's order."""
        return tuple(rows[0] for rows, _ in self.trials)


def _identity(stack: Stack) -> str:
    """Return as JSON what two stacks have to share to go on from one checkpoint."""
    trials = [([row.id for row in trial.rows], trial.budgets) for trial in stack.trials]
    shared = {name: getattr(stack, name) for name in SHARED}
    return json.dumps({"trials": trials, **shared, "format": FORMAT}, sort_keys=True)


@dataclass(frozen=True)
class Saved:
    """A checkpoint that was opened: state is plain data, kinds says which arrays `arrays` would read."""

    state: Any
    kinds: Kinds
    path: Path

    def arrays(self) -> dict[str, Array]:
        """Read the arrays, shaped as in `kinds`; raises Unusable where they or the state aren't as saved."""
        with safe_open(self.path, framework="numpy") as file:
            found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
            about = file.metadata() or {}
        if about.pop("digest", "") != _digest(about, found):
            raise Unusable("expected what was written, found other content")
        return found


class Checkpoint:
    """Where one stack writes its state every minute or so, and looks for it when it starts.

    said: what the user should know, each thing once.
    """

    def __init__(self, stack: Stack) -> None:
        self._on, self._device, self._identity = bool(stack.checkpoints), stack.device, _identity(stack)
        self.path = _path(stack)
        self.said: list[str] = []
        self._last = time.monotonic()

    def write(self, content: Callable[[], Content]) -> None:
        """Put a new checkpoint in the place of the last one if that is old; go without where it can't be.

        content: gives plain data and arrays of any shape, by name; asked only where a checkpoint is due.
        """
        if not self._on or time.monotonic() - self._last < EVERY:
            return
        try:
            state, arrays = content()
            about = {
                "stack": self._identity,
                "environment": json.dumps(provenance.environment(self._device), sort_keys=True),
                "state": json.dumps(state),
            }
            whole = {name: np.asarray(each, order="C") for name, each in arrays.items()}
            _replace(self.path, save(whole, about | {"digest": _digest(about, whole)}))
        except Exception as error:  # whatever it is, training can do without
            reason = error.strerror if isinstance(error, OSError) else in_one_line(error)
            self.say(
                f"{self.path.parent}: expected to write checkpoints to it, found: {reason};"
                " what is killed would train from its start"
            )
        self._last = time.monotonic()

    def read(self) -> Saved | None:
        """Return the checkpoint, None where there is none that fits; what there is instead is said."""
        try:
            return self._opened() if self._on and self.path.exists() else None
        except Exception as error:  # whatever is in the file
            self.refuse(error)
            return None

    def _opened(self) -> Saved:
        with safe_open(self.path, framework="numpy") as file:
            about = file.metadata() or {}
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
            kinds = {
                name: (TYPES.get(each.get_dtype(), each.get_dtype()), tuple(each.get_shape()))
                for name, each in slices.items()
            }
        if about.get("stack") != self._identity:
            raise Unusable("expected one of this stack, found another's")
        environment = provenance.environment(self._device)
        theirs = json.loads(about["environment"])
        for key, own in environment.items():
            if theirs.get(key) != own:
                raise Unusable(f"expected one made with {key} {own}, found {theirs.get(key)}")
        return Saved(json.loads(about["state"]), kinds, self.path)

    def refuse(self, error: Exception) -> None:
        """Say that the checkpoint isn't used and why."""
        reason = str(error) if isinstance(error, Unusable) else in_one_line(error)
        self.say(f"checkpoint {self.path} is left out, its stack trains from the start: {reason[:300]}")

    def say(self, what: str) -> None:
        """Keep something to be said, once."""
        if what not in self.said:
            self.said.append(what)


def _path(stack: Stack) -> Path:
    """Return where a stack's checkpoint is; by what it is alone, so that any machine finds it."""
    name = hashlib.sha256(_identity(stack).encode()).hexdigest()[:32]
    return Path(stack.checkpoints) / f"{name}{SUFFIX}"


def _digest(about: Mapping[str, str], arrays: Mapping[str, Array]) -> str:
    found = hashlib.sha256(json.dumps(sorted(about.items())).encode())
    for name, each in sorted(arrays.items()):
        found.update(json.dumps([name, str(each.dtype), each.shape]).encode())
        found.update(each.reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def _replace(path: Path, content: bytes) -> None:
    """Put content into a file whole or not at all, on the disk when this returns; raises OSError."""
    number, aside = tempfile.mkstemp(prefix=f"{path.stem}-", suffix=PART, dir=path.parent)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
        files.swap_in(Path(aside), path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(aside).unlink()
        raise


# --- what the process that plans a run does with them ----------------------------------------------------


def found(folder: Path, device: str) -> list[tuple[str, ...]]:
    """Return the ids of trials that have a checkpoint together, in the order of their stack."""
    return [whose.ids for _, whose in _owners(folder) if whose.device in (device, "cpu")]


def prepare(folder: Path, done: Mapping[str, set[int]], *, fresh: bool) -> None:
    """Make a run's folder for checkpoints and remove what nobody goes on from; done: {trial id: budgets}.

    That is a stack of which some trial is stored, one that a week has passed over, what was half written,
    and everything where a run starts afresh.
    """
    with contextlib.suppress(OSError):  # the stacks say that they can't write
        folder.mkdir(exist_ok=True)
        now = time.time()
        ours = [path for path in folder.iterdir() if OURS.fullmatch(path.name)]  # not what a user put there
        age = {path: now - path.stat().st_mtime for path in ours}
        over = {path for path in ours if path.suffix == SUFFIX and (fresh or age[path] > OLD)}
        over |= {path for path in ours if path.suffix == PART and age[path] > STALE}
        for path, whose in _owners(folder):
            if any(done.get(rows[0], set()).issuperset(budgets) for rows, budgets in whose.trials):
                over.add(path)
        for path in over:
            path.unlink(missing_ok=True)


def remove(stack: Stack) -> None:
    """Remove the checkpoint of a stack whose results are stored, and those of what it was split into."""
    if stack.checkpoints:
        with contextlib.suppress(OSError):
            _path(stack).unlink(missing_ok=True)
        for half in stack.halves:
            remove(half)


def tidy(folder: Path) -> None:
    """Remove a run's folder for checkpoints where none is left."""
    with contextlib.suppress(OSError):
        folder.rmdir()


def _owners(folder: Path) -> Iterator[tuple[Path, _Whose]]:
    """Yield the checkpoints in a folder with whose they are, from their headers alone."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            with safe_open(path, framework="numpy") as file:
                whose = TypeAdapter(_Whose).validate_json((file.metadata() or {})["stack"])
        except Exception:
            continue
        yield path, whose
