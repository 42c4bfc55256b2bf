"""Binary inputs: every input there is can be listed, so nothing about these tasks is integrated."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from benchmarks.task import Array, TaskError

LISTED = 16  # bits at most: 65,536 inputs


@dataclass(frozen=True, eq=False)
class BinaryTrees:
    """Classes of binary inputs x in {0, 1}^d, each with a tree of dependence (Chow and Liu 1968).

    priors (k,): class priors; parents (k, d): the parent of each input in each class, an input of a lower
    number, or -1 for none; on (k, d, 2): P(x_i = 1 | its parent is 0, or 1; class), the first where it has
    no parent. Everything that `numpy.asarray` takes will do; the fields are read-only. Raises TaskError
    where shapes don't agree, a parent doesn't come first, or a probability isn't one.
    """

    name: str
    description: str
    priors: Array
    parents: Array
    on: Array
    version: int = 1

    def __post_init__(self) -> None:
        for field, dtype in (("priors", np.float64), ("parents", np.int64), ("on", np.float64)):
            array = np.array(getattr(self, field), dtype=dtype)
            array.setflags(write=False)
            object.__setattr__(self, field, array)
        self._check()

    def _check(self) -> None:
        """Raise TaskError where the parameters aren't those of trees."""
        k, d = len(self.priors), self.parents.shape[-1]
        if not 1 <= d <= LISTED:
            raise TaskError(
                f"task {self.name}: expected 1 to {LISTED} inputs, so that all can be listed, found {d}"
            )
        for field, shape in (("parents", (k, d)), ("on", (k, d, 2))):
            found = getattr(self, field).shape
            if found != shape:
                raise TaskError(f"task {self.name}: {field} should have the shape {shape}, found {found}")
        if not (self.priors > 0).all() or not abs(self.priors.sum() - 1) < 1e-9:
            raise TaskError(f"task {self.name}: priors should be positive and sum to 1, found {self.priors}")
        if (self.parents >= np.arange(d)).any() or (self.parents < -1).any():
            raise TaskError(
                f"task {self.name}: the parent of an input should be one before it or -1, found"
                f" {self.parents.tolist()}"
            )
        if not ((self.on > 0) & (self.on < 1)).all():
            raise TaskError(
                f"task {self.name}: probabilities should be between 0 and 1, both excluded, found"
                f" {self.on.min():.4g} to {self.on.max():.4g}"
            )

    @property
    def features(self) -> int:
        """Number of inputs d."""
        return int(self.parents.shape[1])

    @property
    def classes(self) -> int:
        """Number of classes k."""
        return len(self.priors)

    @cached_property
    def support(self) -> Array:
        """Every input there is, (2^d, d), the first bit the slowest; read-only."""
        d = self.features
        bits = (np.arange(2**d)[:, None] >> np.arange(d)[::-1]) & 1
        every = bits.astype(np.float64)
        every.setflags(write=False)
        return every

    @cached_property
    def _log_table(self) -> Array:
        """Log P(x_i = u | parent = v, class), (k, d, v, u)."""
        return np.asarray(np.log(np.stack([1 - self.on, self.on], axis=-1)))

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n labelled examples: x (n, d) of 0 and 1, float64, and y (n,) int64."""
        edges = np.cumsum(self.priors)[:-1]
        y = np.searchsorted(edges, rng.random(n), side="right")
        u = rng.random((n, self.features))
        x = np.zeros((n, self.features + 1), dtype=np.int64)  # the last column is the parent of roots
        rows = np.arange(n)
        for i in range(self.features):  # a parent comes before its children
            x[:, i] = u[:, i] < self.on[y, i, x[rows, self.parents[y, i]]]
        return x[:, :-1].astype(np.float64), y

    def log_joint(self, x: Array) -> Array:
        """Return log P(x, c) in nats, (n, k), at x (n, d); -inf where x isn't all 0 and 1."""
        inside = ((x == 0) | (x == 1)).all(axis=1)
        bits = np.zeros((len(x), self.features + 1), dtype=np.int64)
        bits[inside, :-1] = x[inside]
        joint = np.tile(np.log(self.priors), (len(x), 1))
        inputs = np.arange(self.features)
        for c in range(self.classes):
            joint[:, c] += self._log_table[c][inputs, bits[:, self.parents[c]], bits[:, :-1]].sum(axis=1)
        joint[~inside] = -np.inf
        return joint

    @cached_property
    def _edges(self) -> Array:
        """The pairs of an input and its parent in any class, (edges, 2)."""
        pairs = np.stack(
            [self.parents, np.broadcast_to(np.arange(self.features), self.parents.shape)], axis=2
        )
        return np.unique(pairs[self.parents >= 0], axis=0)

    def logit_basis(self, x: Array) -> Array:
        """Return 1, every x_i, and x_i x_j for each edge of any class's tree, (n, 1 + d + edges).

        log P(x | c) is a sum of functions of x_i and its parent alone, and on {0, 1}^2 each of those is
        linear in 1, x_i, x_j and x_i x_j.
        """
        ones = np.ones((len(x), 1))
        return np.concatenate([ones, x, x[:, self._edges[:, 0]] * x[:, self._edges[:, 1]]], axis=1)


def fair_trees(name: str, description: str, priors: Array, parents: Array, flips: Array) -> BinaryTrees:
    """Return trees where each input copies its parent, or flips it with a probability flips (d,).

    Every input is 0 or 1 equally often in every class, so none alone tells about the class: what does is the
    dependence between inputs.
    """
    copied = np.stack([flips, 1 - flips], axis=-1)
    on = np.where(parents[:, :, None] < 0, 0.5, copied)
    return BinaryTrees(name=name, description=description, priors=priors, parents=parents, on=on)


def lagged(d: int, lag: int) -> Array:
    """Return the parents (d,) of inputs that each depend on the one `lag` before."""
    return np.maximum(np.arange(d) - lag, -1)


TASKS = {
    task.name: task
    for task in (
        fair_trees(
            name="bits-d12",
            description="Twelve bits that copy, by class, the bit one, three or six before, with flips",
            priors=np.array([0.5, 0.3, 0.2]),
            parents=np.stack([lagged(12, lag) for lag in (1, 3, 6)]),
            flips=np.tile([0.2, 0.15, 0.1, 0.05], 3),
        ),
    )
}
