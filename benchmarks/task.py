"""The Task protocol, and what follows from a task's log joint density."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import Refused, in_one_line

Array: TypeAlias = NDArray[Any]

FEW_CLASSES = 16
FILE_MODULE = "plugged_in_"  # begins the names of modules made from somebody's files
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
    def name(self) -> str:
        """What suites, records and pages call it."""

    @property
    def version(self) -> int:
        """A whole number that grows whenever the task's numbers change, and its results with them."""

    @property
    def features(self) -> int:
        """Number of inputs."""

    @property
    def classes(self) -> int:
        """Number of classes; labels are 0, 1, ... classes - 1."""

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n labelled examples: x (n, features) float64 and y (n,) int64."""
        ...

    def log_joint(self, x: Array) -> Array:
        """Return log P(x, c) in nats, (n, classes) float64, at x (n, features)."""
        ...


class TaskError(Refused):
    """A task broke its contract; the message names the task, what was expected and what was there."""


def over_classes(reduce: Callable[..., Any], a: Array) -> Array:
    """Return a NumPy reduction of a (..., k) over its last axis.

    Where k is small the axis is moved to the front first: NumPy is ten times faster that way.
    """
    if a.shape[-1] > FEW_CLASSES:
        return np.asarray(reduce(a, axis=-1))
    return np.asarray(reduce(np.ascontiguousarray(np.moveaxis(a, -1, 0)), axis=0))


def logsumexp(a: Array) -> Array:
    """Return log(sum(exp(a))) of a (..., k) along the last axis, -inf where all terms are -inf.

    scipy.special's does the same, but importing scipy takes longer than `runner list` may.
    """
    top = over_classes(np.max, a)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(over_classes(np.sum, np.exp(a - top[..., None]))) + top)


def log_density(task: Task, x: Array) -> Array:
    """Return log p(x) in nats, (n,), at x (n, features).

    Raises TaskError where `log_joint` returns another shape or dtype, or NaN.

    >>> from benchmarks import registry
    >>> log_density(registry.task("gauss-separated"), np.array([[0.0], [1.5]])).round(4)
    array([-1.601 , -2.0439])
    """
    return logsumexp(checked_log_joint(task, x))


def log_posterior(task: Task, x: Array) -> Array:
    """Return log P(c|x) in nats, (n, classes), at x (n, features), by Bayes' rule in log space.

    Raises TaskError where `log_joint` returns another shape or dtype, or NaN.

    >>> from benchmarks import registry
    >>> task = registry.task("gauss-separated")  # N(0, 1) against N(3, 1): log-odds 3 x - 4.5
    >>> log_p = log_posterior(task, np.array([[0.0], [1.5], [3.0]]))
    >>> np.exp(log_p).round(3)
    array([[0.989, 0.011],
           [0.5  , 0.5  ],
           [0.011, 0.989]])
    """
    return bayes_rule(checked_log_joint(task, x))


def train_log_posterior(task: Task, x: Array) -> Array:
    """Return log P(c|x) in nats, (n, classes), under the law that training data follow.

    That is `log_posterior`, unless a task has `train_priors`: then with these class priors in place of its
    `priors`.
    """
    train_priors = getattr(task, "train_priors", None)
    if train_priors is None:
        return log_posterior(task, x)
    shift = np.log(train_priors) - np.log(task.priors)  # type: ignore[attr-defined]
    return bayes_rule(checked_log_joint(task, x) + shift)


def bayes_rule(log_joint: Array) -> Array:
    """Return log P(c|x) from log P(x, c), both (n, k) in nats.

    Where the density is exactly 0 no posterior is defined; there it is uniform, and carries no weight.
    """
    void = np.asarray(np.isneginf(log_joint).all(axis=1))
    joint = np.where(void[:, None], 0.0, log_joint) if void.any() else log_joint
    return np.asarray(joint - logsumexp(joint)[:, None])


def checked_log_joint(task: Task, x: Array) -> Array:
    """Return `task.log_joint(x)` in nats, (n, classes), after checking it against the contract.

    x (n, features). Raises TaskError where it has another shape or dtype, or NaN, or where it raises.
    """
    joint = _called(task, "log_joint", x)
    expected = (len(x), task.classes)
    if _kind(joint) != f"float64 {expected}":
        raise TaskError(
            f"task {task.name}: log_joint should return float64 {expected}, returned {_kind(joint)}"
        )
    if np.isnan(joint).any():
        where = x[np.isnan(joint).any(axis=1)][0]
        raise TaskError(f"task {task.name}: log_joint returned NaN at x = {where}")
    return np.asarray(joint)


def checked_sample(
    task: Task, n: int, rng: np.random.Generator, method: str = "sample"
) -> tuple[Array, Array]:
    """Return n examples, x (n, features) float64 and y (n,) int64, after checking them against the contract.

    method: "sample", or "sample_train" where the task has one. Raises TaskError.
    """
    drawn = _called(task, method, n, rng)
    where = f"task {task.name}: {method}({n})"
    if not isinstance(drawn, tuple | list) or len(drawn) != 2:
        raise TaskError(f"{where} should return a pair x, y, returned {_kind(drawn)}")
    x, y = drawn
    points = isinstance(x, np.ndarray) and x.shape == (n, task.features) and x.dtype == np.float64
    whole = isinstance(y, np.ndarray) and y.shape == (n,) and y.dtype.kind in "iu"
    if not (points and whole):
        raise TaskError(
            f"{where} should return x {(n, task.features)} float64 and y {(n,)} int64,"
            f" returned x {_kind(x)} and y {_kind(y)}"
        )
    if n and not 0 <= y.min() <= y.max() < task.classes:
        raise TaskError(
            f"{where} should return labels from 0 to {task.classes - 1}, returned {y.min()} to {y.max()}"
        )
    if not np.isfinite(x).all():
        raise TaskError(f"{where} should return finite x, returned {x[~np.isfinite(x).all(axis=1)][0]}")
    return x, y.astype(np.int64, copy=False)


def _called(task: Task, method: str, *arguments: Any) -> Any:
    """Return what a task's method returns; what it raises becomes a TaskError that says where."""
    try:
        return getattr(task, method)(*arguments)
    except TaskError:
        raise
    except Exception as error:  # whatever somebody else's code raises
        raise TaskError(f"task {task.name}: {method} raised {in_one_line(error)}") from error


def _kind(value: Any) -> str:
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__


def parameters(task: Task) -> dict[str, Any]:
    """Return what the task is, as plain data: class, name, version, and the fields of a dataclass.

    Of arrays, the shape and a hash; of functions and classes, the qualified name. The description is left
    out: words don't change what is measured. Raises TaskError where a field holds anything else.
    """
    names: list[str] = (
        [each.name for each in dataclasses.fields(task)] if dataclasses.is_dataclass(task) else []
    )
    values = {
        name: _plain(getattr(task, name), f"task {task.name}: field {name}")
        for name in names
        if name != "description"
    }
    return {"class": type(task).__qualname__, "name": task.name, "version": task.version, **values}


def _plain(value: Any, where: str) -> Any:
    """Return a field's value as plain data; raises TaskError, which begins with where."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, type | np.ufunc) or inspect.isroutine(value):
        return qualified_name(value)
    if isinstance(value, Task):
        return parameters(value)
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        content = np.ascontiguousarray(value).astype(value.dtype.newbyteorder("<"))
        return {"shape": list(value.shape), "sha256": hashlib.sha256(content.tobytes()).hexdigest()}
    return _plain_collection(value.tolist() if isinstance(value, np.ndarray) else value, where)


def _plain_collection(value: Any, where: str) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(each, where) for each in value]
    if isinstance(value, AbstractSet):
        return sorted((_plain(each, where) for each in value), key=_order)
    if isinstance(value, Mapping):
        return {_key(key, where): _plain(each, where) for key, each in value.items()}
    raise TaskError(
        f"{where} should hold plain data, arrays, tasks or functions,"
        f" found {type(value).__module__}.{type(value).__qualname__}"
    )


def _key(key: Any, where: str) -> str:
    return key if isinstance(key, str) else json.dumps(_plain(key, where), sort_keys=True)


def _order(value: Any) -> tuple[bool, float, str]:
    """Return what sorts plain data of any kind: numbers by value, before everything else by its text."""
    if isinstance(value, int | float):
        return False, value, ""
    return True, 0.0, json.dumps(value, sort_keys=True)


def qualified_name(value: Any) -> str:
    """Return module.name of a function or class, without the module where that is somebody's file.

    The module of a file has its path in its name, and where a file lies doesn't change what is measured.
    """
    named = value if hasattr(value, "__name__") else type(value)  # an object that can be called has no name
    name = getattr(named, "__qualname__", named.__name__)
    module = getattr(named, "__module__", None) or ""
    return name if not module or module.startswith(FILE_MODULE) else f"{module}.{name}"


def conditional_parameters(task: Task) -> int | None:
    """Return k, the free parameters of the conditional family that `logit_basis` names; None where none.

    k = b (classes - 1) for b basis functions, as in multinomial logistic regression.

    >>> from benchmarks import registry
    >>> conditional_parameters(registry.task("gauss-separated"))  # of 1 and x
    2
    >>> conditional_parameters(registry.task("gauss-nested"))  # of 1, x and x^2
    3
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
        words = [*seed_words(f"{task.name} v{task.version}"), seed]
        # The same seed from an array as from a list, three times as fast.
        self._entropy = np.array(words, dtype=np.uint32) if 0 <= seed < 2**32 else words
        self._block = 0
        self._x = np.empty((0, task.features))
        self._y = np.empty(0, dtype=np.int64)

    def take(self, n: int) -> tuple[Array, Array]:
        """Return the next n examples: x (n, features) float64, y (n,) int64; raises TaskError."""
        xs, ys, wanted = [self._x[:n]], [self._y[:n]], n - len(self._y)
        self._x, self._y = self._x[n:], self._y[n:]
        while wanted > 0:
            x, y = self._draw()
            xs.append(x[:wanted])
            ys.append(y[:wanted])
            self._x, self._y = x[wanted:], y[wanted:]
            wanted -= len(y)
        return _joined(xs), _joined(ys)

    def skip(self, n: int) -> None:
        """Go on behind the next n examples, without drawing whole blocks of them; raises TaskError."""
        beyond = n - len(self._y)
        if beyond <= 0:
            self._x, self._y = self._x[n:], self._y[n:]
            return
        self._x, self._y = self._x[:0], self._y[:0]
        self._block += beyond // BLOCK
        self.take(beyond % BLOCK)

    def _draw(self) -> tuple[Array, Array]:
        rng = np.random.default_rng(np.random.SeedSequence(self._entropy, spawn_key=(self._block,)))
        self._block += 1
        method = "sample_train" if hasattr(self._task, "sample_train") else "sample"
        return checked_sample(self._task, BLOCK, rng, method)


def _joined(parts: list[Array]) -> Array:
    """Return the parts one behind the other, without a copy where only one has any rows."""
    there = [part for part in parts if len(part)]
    return there[0] if len(there) == 1 else np.concatenate(there or parts)


def training_data(task: Task, seed: int, n: int) -> tuple[Array, Array]:
    """Return the first n training examples of (task, seed): x (n, features) float64, y (n,) int64.

    Raises TaskError where the task's `sample` breaks its contract.

    >>> from benchmarks import registry
    >>> x, y = training_data(registry.task("gauss-nested"), seed=0, n=1000)
    >>> first = training_data(registry.task("gauss-nested"), seed=0, n=10)
    >>> bool((x[:10] == first[0]).all() and (y[:10] == first[1]).all())
    True
    """
    return Stream(task, seed).take(n)


def seed_words(text: str) -> Sequence[int]:
    """Return 32-bit words that stand for a text in a random seed, the same in every process."""
    return np.frombuffer(hashlib.sha256(text.encode()).digest(), dtype="<u4").tolist()  # type: ignore[no-any-return]
