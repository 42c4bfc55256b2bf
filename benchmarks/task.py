"""The Task protocol, and what follows from a task's log joint density."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

FEW_CLASSES = 16
BLOCK = 4096  # examples drawn from one child generator, so that short training sets are prefixes of long ones


@runtime_checkable
class Task(Protocol):
    """A generative model P(X, C) whose posterior P(C|x) is known exactly; NumPy only, immutable.

    Optional attributes: `description`; `window`, what figures show, (low, high) with one input and
    ((low, high), (low, high)) with two; `logit_basis(x) -> (n, b)`, functions whose span holds the true
    log-odds; `priors` (k,), the class priors; `support` (m, features), every input there is where x is
    discrete (`log_joint` is then the log probability); and, where the training data follow other class
    priors than the law that `sample` and `log_joint` state, `train_priors` (k,) and `sample_train(n, rng)`.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def version(self) -> int: ...  # noqa: D102
    @property
    def features(self) -> int: ...  # noqa: D102
    @property
    def classes(self) -> int: ...  # noqa: D102

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n labelled examples: x (n, features) float64 and y (n,) int64."""
        ...

    def log_joint(self, x: Array) -> Array:
        """Return log P(x, c) in nats, (n, classes) float64, at x (n, features)."""
        ...


class TaskError(ValueError):
    """A task broke its contract; the message names the task, what was expected and what was there."""


def over_classes(reduce: Callable[..., Any], a: Array) -> Array:
    """Return a NumPy reduction of a (..., k) over its last axis.

    Where k is small the axis is moved to the front first: NumPy is ten times faster that way.
    """
    if a.shape[-1] > FEW_CLASSES:
        return np.asarray(reduce(a, axis=-1))
    return np.asarray(reduce(np.ascontiguousarray(np.moveaxis(a, -1, 0)), axis=0))


def logsumexp(a: Array) -> Array:
    """Return log(sum(exp(a))) along the last axis, -inf where all terms are -inf.

    scipy.special's does the same, but importing scipy takes longer than `runner list` may.
    """
    top = over_classes(np.max, a)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(over_classes(np.sum, np.exp(a - top[..., None]))) + top)


def log_density(task: Task, x: Array) -> Array:
    """Return log p(x) in nats, (n,), at x (n, features).

    Raises TaskError where `log_joint` returns another shape or dtype, or NaN.
    """
    return logsumexp(checked_log_joint(task, x))


def log_posterior(task: Task, x: Array) -> Array:
    """Return log P(c|x) in nats, (n, classes), at x (n, features), by Bayes' rule in log space.

    Raises TaskError where `log_joint` returns another shape or dtype, or NaN.
    """
    joint = checked_log_joint(task, x)
    return np.asarray(joint - logsumexp(joint)[:, None])


def checked_log_joint(task: Task, x: Array) -> Array:
    """Return `task.log_joint(x)` after checking it against the contract; raises TaskError."""
    joint = task.log_joint(x)
    expected = (len(x), task.classes)
    if not isinstance(joint, np.ndarray) or joint.shape != expected or joint.dtype != np.float64:
        found = f"{joint.dtype} {joint.shape}" if isinstance(joint, np.ndarray) else type(joint).__name__
        raise TaskError(f"task {task.name}: log_joint should return float64 {expected}, returned {found}")
    if np.isnan(joint).any():
        where = x[np.isnan(joint).any(axis=1)][0]
        raise TaskError(f"task {task.name}: log_joint returned NaN at x = {where}")
    return joint


def parameters(task: Task) -> dict[str, Any]:
    """Return what the task is, as plain data: class, name, version, and the fields of a dataclass.

    Of arrays, the shape and a hash. The description is left out: words don't change what is measured.
    """
    names: list[str] = (
        [each.name for each in dataclasses.fields(task)] if dataclasses.is_dataclass(task) else []
    )
    values = {name: _plain(getattr(task, name)) for name in names if name != "description"}
    return {"class": type(task).__qualname__, "name": task.name, "version": task.version, **values}


def _plain(value: Any) -> Any:
    if isinstance(value, Task):
        return parameters(value)
    if isinstance(value, np.ndarray):
        content = np.ascontiguousarray(value).astype(value.dtype.newbyteorder("<"))
        return {"shape": list(value.shape), "sha256": hashlib.sha256(content.tobytes()).hexdigest()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value


def conditional_parameters(task: Task) -> int | None:
    """Return k, the free parameters of the conditional family that `logit_basis` names; None where none.

    k = b (classes - 1) for b basis functions, as in multinomial logistic regression.
    """
    basis = getattr(task, "logit_basis", None)
    if basis is None:
        return None
    return int(basis(np.zeros((1, task.features))).shape[1] * (task.classes - 1))


class Stream:
    """The endless labelled examples of one (task, seed), drawn in blocks of 4,096.

    Each block comes from a child generator of its own, so what is drawn up to any point never depends on
    how it was asked for, whatever the task's `sample` does inside.
    """

    def __init__(self, task: Task, seed: int) -> None:
        self._task = task
        self._entropy = [*seed_words(f"{task.name} v{task.version}"), seed]
        self._block = 0
        self._x = np.empty((0, task.features))
        self._y = np.empty(0, dtype=np.int64)

    def take(self, n: int) -> tuple[Array, Array]:
        """Return the next n examples: x (n, features) float64, y (n,) int64; raises TaskError."""
        xs, ys, have = [self._x], [self._y], len(self._y)
        while have < n:
            x, y = self._draw()
            xs.append(x)
            ys.append(y)
            have += len(y)
        x, y = np.concatenate(xs), np.concatenate(ys)
        self._x, self._y = x[n:], y[n:]
        return x[:n], y[:n]

    def _draw(self) -> tuple[Array, Array]:
        rng = np.random.default_rng(np.random.SeedSequence(self._entropy, spawn_key=(self._block,)))
        self._block += 1
        x, y = getattr(self._task, "sample_train", self._task.sample)(BLOCK, rng)
        if x.shape != (BLOCK, self._task.features) or y.shape != (BLOCK,):
            raise TaskError(
                f"task {self._task.name}: sample({BLOCK}) should return x {(BLOCK, self._task.features)} "
                f"and y {(BLOCK,)}, returned {x.shape} and {y.shape}"
            )
        return x, y


def training_data(task: Task, seed: int, n: int) -> tuple[Array, Array]:
    """Return the first n training examples of (task, seed): x (n, features) float64, y (n,) int64.

    Raises TaskError where the task's `sample` returns other shapes.
    """
    return Stream(task, seed).take(n)


def seed_words(text: str) -> Sequence[int]:
    """Return 32-bit words that stand for a text in a random seed, the same in every process."""
    return np.frombuffer(hashlib.sha256(text.encode()).digest(), dtype="<u4").tolist()  # type: ignore[no-any-return]
