"""A task seen through an invertible linear map of its inputs."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from benchmarks.task import Array, Task, TaskError
from benchmarks.tasks.wrappers import Sampler, described, forwarded, numbers, read_only

CHUNK = 2**21  # numbers in one chunk's largest array, 16 MiB
ROUNDING = 1e-5  # relative; mapped inputs that are this near an input of the support are that input
MOST_FEATURES = 512  # of a random map, whose making takes their cube
CONDITION = 8.0  # ratio of the largest to the least singular value of a random linear map


@dataclass(frozen=True, eq=False)
class LinearMap:
    """A task seen through a linear map of its inputs: x' = A x with an invertible matrix A (d, d).

    Densities are divided by |det A|; where the wrapped task has a `support`, that is mapped, and inputs are
    looked up in it with room for single precision. notation: what the name says, the matrix's numbers
    unless given. Raises TaskError where the matrix isn't d x d, finite and invertible (condition number
    below 1e6), or where discrete inputs have continuous ones beside them.
    """

    task: Any  # a Task; Any for its optional attributes
    matrix: Array
    notation: str = ""

    version = forwarded("version")
    features = forwarded("features")
    classes = forwarded("classes")
    priors = forwarded("priors")
    train_priors = forwarded("train_priors")

    def __post_init__(self) -> None:
        object.__setattr__(self, "matrix", read_only(self.matrix))
        d = self.features
        if self.matrix.shape != (d, d):
            raise TaskError(f"task {self.name}: expected a {d} x {d} matrix, found {self.matrix.shape}")
        if not np.isfinite(self.matrix).all() or not np.linalg.cond(self.matrix) < 1e6:
            raise TaskError(f"task {self.name}: expected an invertible matrix, found {self.matrix.tolist()}")
        if not hasattr(self.task, "support") and self._within("support"):
            raise TaskError(
                f"task {self.name}: expected inputs that are all continuous or all discrete, found both;"
                f" write the linear map before the nuisance dimensions"
            )

    @property
    def name(self) -> str:
        """The wrapped task's name and this transform's."""
        return f"{self.task.name}+{self.notation or f'linear-map({numbers(self.matrix.ravel())})'}"

    @property
    def description(self) -> str:
        """The wrapped task's description and what was changed."""
        return described(self.task, "its inputs mapped linearly")

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n labelled examples: x (n, features) float64 and y (n,) int64."""
        return self._mapped(self.task.sample)(n, rng)

    @property
    def sample_train(self) -> Sampler:
        """The training data's sampler; absent where the wrapped task has none."""
        return self._mapped(self.task.sample_train)

    def _mapped(self, sample: Sampler) -> Sampler:
        def drawn(n: int, rng: np.random.Generator) -> tuple[Array, Array]:
            x, y = sample(n, rng)
            return self._forth(x), y

        return drawn

    def _within(self, attribute: str) -> bool:
        """Return whether a task that is wrapped further in has the attribute."""
        inner = self.task
        while not hasattr(inner, attribute) and hasattr(inner, "task"):
            inner = inner.task
        return hasattr(inner, attribute)

    def _forth(self, x: Array) -> Array:
        return np.asarray(x @ self.matrix.T)

    def _back(self, x: Array) -> Array:
        return np.asarray(x @ self._inverse.T)

    @cached_property
    def _inverse(self) -> Array:
        return np.linalg.inv(self.matrix)

    @cached_property
    def _log_det(self) -> float:
        return float(np.linalg.slogdet(self.matrix).logabsdet)

    def log_joint(self, x: Array) -> Array:
        """Return log P(x, c) in nats, (n, classes), at x (n, features)."""
        if not hasattr(self.task, "support"):
            return np.asarray(self.task.log_joint(self._back(x)) - self._log_det)
        nearest = self._nearest(self._back(x))
        there = self._forth(nearest)
        room = ROUNDING * np.abs(there).max(axis=1, initial=1.0)
        return np.where(
            (np.abs(there - x) <= room[:, None]).all(axis=1)[:, None], self.task.log_joint(nearest), -np.inf
        )

    def _nearest(self, x: Array) -> Array:
        """Return the wrapped task's input (n, d) that is nearest to each x (n, d)."""
        support = np.asarray(self.task.support)
        half = 0.5 * (support * support).sum(axis=1)
        rows = max(1, CHUNK // len(support))
        found = [(x[i : i + rows] @ support.T - half).argmax(axis=1) for i in range(0, len(x), rows)]
        return np.asarray(support[np.concatenate([np.empty(0, dtype=np.int64), *found])])

    @cached_property
    def support(self) -> Array:
        """Every input there is, (m, features); absent where the wrapped task has none."""
        return read_only(self._forth(np.asarray(self.task.support)))

    @property
    def window(self) -> Any:
        """The box around the wrapped task's window once it is mapped, with one or two inputs.

        Else absent: raises AttributeError.
        """
        box = self.task.window
        if box is None or self.features > 2:
            raise AttributeError(f"task {self.name} has no window")
        corners = self._forth(np.array(list(itertools.product(*np.reshape(box, (-1, 2))))))
        bounds = tuple(zip(corners.min(axis=0).tolist(), corners.max(axis=0).tolist(), strict=True))
        return bounds[0] if self.features == 1 else bounds

    @property
    def logit_basis(self) -> Callable[[Array], Array]:
        """The wrapped task's basis of the inputs mapped back; absent where it has none."""
        basis = self.task.logit_basis
        return lambda x: np.asarray(basis(self._back(x)))


def random_linear_map(task: Task, seed: int) -> LinearMap:
    """Return the task seen through a matrix that follows from the seed alone, with condition number 8.

    The matrix is U diag(s) V^T with U and V orthogonal (Stewart 1980, SIAM J. Numer. Anal. 17(3):403-409)
    and s evenly spaced in the logarithm around 1. It is rounded to six decimals, so that machines whose
    linear algebra rounds differently agree on it. Raises TaskError where the seed is negative or the task
    has too many inputs.
    """
    if seed < 0:
        raise TaskError(f"task {task.name}+random-linear-map: expected a seed from 0, found {seed}")
    d = task.features
    if d > MOST_FEATURES:
        raise TaskError(
            f"task {task.name}+random-linear-map: expected at most {MOST_FEATURES:,} inputs, found {d:,}"
        )
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.standard_normal((d, d))) for _ in range(2))
    scales = np.geomspace(CONDITION**-0.5, CONDITION**0.5, d) if d > 1 else np.ones(1)
    u, v = left.Q * np.sign(np.diag(left.R)), right.Q * np.sign(np.diag(right.R))
    return LinearMap(task, np.round((u * scales) @ v.T, 6), f"random-linear-map({seed})")
