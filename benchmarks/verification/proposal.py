"""A mixture fitted to labelled examples: a density of our own beside a task's, in any dimension."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from benchmarks.task import Array, logsumexp

PER_CLASS = (1, 2, 4, 8, 16, 32)  # components tried
NUMBERS = 400_000  # at most in all factors together, which bounds what a density costs
COMPONENTS = 256
HELD_OUT = 5  # every fifth example chooses the number of components
ROWS = 2**14


class _Component(NamedTuple):
    """The moments of one cluster of examples, and for each discrete input its values' probabilities."""

    weight: float
    mean: Array
    covariance: Array
    tables: tuple[Array, ...]


@dataclass(frozen=True)
class Proposal:
    """A mixture of components that are normal in the continuous inputs and independent in the discrete ones.

    weights (m,), means (m, c), factors (m, c, c) lower triangular; discrete: the inputs with repeated values,
    values: what each of them takes, ascending, and tables: the values' probabilities, (m, values).
    """

    weights: Array
    means: Array
    factors: Array
    discrete: Array
    values: tuple[Array, ...]
    tables: tuple[Array, ...]

    @cached_property
    def _inverse(self) -> Array:
        return np.linalg.inv(self.factors)

    def log_components(self, x: Array) -> Array:
        """Return the log density of each component times its weight, (n, m), at x (n, d)."""
        continuous = x[:, ~self.discrete]
        log_det = np.log(np.diagonal(self.factors, axis1=1, axis2=2)).sum(axis=1)
        constant = np.log(self.weights) - log_det - 0.5 * continuous.shape[1] * np.log(2 * np.pi)
        found = np.empty((len(x), len(self.weights)))
        for j, (mean, inverse) in enumerate(zip(self.means, self._inverse, strict=True)):
            z = (continuous - mean) @ inverse.T
            found[:, j] = constant[j] - 0.5 * np.einsum("nc,nc->n", z, z)
        for column, values, table in zip(x[:, self.discrete].T, self.values, self.tables, strict=True):
            place = np.minimum(np.searchsorted(values, column), len(values) - 1)
            with np.errstate(divide="ignore"):
                found += np.where(values[place] == column, np.log(table)[:, place], -np.inf).T
        return found

    def log_density(self, x: Array) -> tuple[Array, Array]:
        """Return the log density (n,) at x (n, d) and the component that is most likely there, (n,)."""
        parts = [self.log_components(x[i : i + ROWS]) for i in range(0, len(x), ROWS)]
        return (
            np.concatenate([logsumexp(part) for part in parts]),
            np.concatenate([part.argmax(axis=1) for part in parts]),
        )

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Draw n examples (n, d)."""
        x = np.empty((n, len(self.discrete)))
        counts = rng.multinomial(n, self.weights)
        ends = np.cumsum(counts)
        for j, (count, end) in enumerate(zip(counts, ends, strict=True)):
            rows = slice(end - count, end)
            z = rng.standard_normal((count, self.means.shape[1]))
            x[rows, ~self.discrete] = z @ self.factors[j].T + self.means[j]
            for column, values, table in zip(
                np.flatnonzero(self.discrete), self.values, self.tables, strict=True
            ):
                x[rows, column] = rng.choice(values, count, p=table[j])
        return x


def repeats(x: Array) -> Array:
    """Return which inputs (d,) of a sample x (n, d) take values more than once, as discrete ones do."""
    return np.array([len(np.unique(column)) < 0.9 * len(column) for column in x.T])


def fit(x: Array, y: Array, rng: np.random.Generator) -> Proposal:
    """Return a mixture fitted to examples x (n, d) and y (n,).

    The clusters of each class come from k-means, as many as held-out examples ask for; a covariance is shrunk
    a little towards its diagonal.
    """
    discrete = repeats(x)
    values = tuple(np.unique(column) for column in x.T[discrete])
    held_out = np.arange(len(x)) % HELD_OUT == 0
    best: tuple[float, Proposal] | None = None
    for clusters in _candidates(y, int((~discrete).sum())):
        parts = list(_components(x[~held_out], y[~held_out], discrete, values, clusters, rng))
        found = _mixture(parts, discrete, values)
        score = float(found.log_density(x[held_out])[0].mean())
        if best is not None and score < best[0]:
            break
        best = score, found
    assert best is not None  # at least one candidate
    return best[1]


def _candidates(y: Array, d: int) -> list[int]:
    """Return the numbers of components per class to try; 0 stands for one component in all."""
    classes = len(np.unique(y))
    most = min(COMPONENTS, NUMBERS // max(1, d * d)) // classes
    return [each for each in PER_CLASS if each <= most] or [0]


def _components(
    x: Array, y: Array, discrete: Array, values: tuple[Array, ...], clusters: int, rng: np.random.Generator
) -> Iterator[_Component]:
    groups = [x[y == c] for c in np.unique(y)] if clusters else [x]
    for group in groups:
        spread = group.var(axis=0)[~discrete] + 1e-12
        for cluster in _clusters(group, clusters, rng):
            continuous = cluster[:, ~discrete]
            size, d = continuous.shape
            deviation = continuous - continuous.mean(axis=0)
            prior = 0.25 * d + (d > 0)  # in examples; keeps the covariance of a small cluster invertible
            covariance = (deviation.T @ deviation + prior * np.diag(spread)) / (size + prior)
            tables = tuple(
                _table(column, each) for column, each in zip(cluster.T[discrete], values, strict=True)
            )
            yield _Component(size / len(x), continuous.mean(axis=0), covariance, tables)


def _table(column: Array, values: Array) -> Array:
    counts = np.bincount(np.searchsorted(values, column), minlength=len(values)) + 0.5
    return np.asarray(counts / counts.sum())


def _clusters(x: Array, clusters: int, rng: np.random.Generator) -> list[Array]:
    """Return the rows of x in clusters by k-means; those with too few for a covariance are left to others."""
    from scipy.cluster import vq

    if clusters <= 1 or len(x) < 10 * clusters:
        return [x]
    scaled = x / (x.std(axis=0) + 1e-12)
    _, label = vq.kmeans2(scaled, clusters, iter=20, minit="++", seed=rng)
    found = [x[label == j] for j in range(clusters)]
    return [each for each in found if len(each) >= 2] or [x]


def _mixture(parts: list[_Component], discrete: Array, values: tuple[Array, ...]) -> Proposal:
    weights = np.array([part.weight for part in parts])
    return Proposal(
        weights=weights / weights.sum(),
        means=np.stack([part.mean for part in parts]),
        factors=np.linalg.cholesky(np.stack([part.covariance for part in parts])),
        discrete=discrete,
        values=values,
        tables=tuple(np.stack(each) for each in zip(*(part.tables for part in parts), strict=True)),
    )
