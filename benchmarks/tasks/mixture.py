"""The one class behind most tasks: each class of labels is a mixture of normal or Student-t components."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from benchmarks.task import Array, TaskError

CHUNK = 2**21  # numbers in one chunk's largest array, 16 MiB
SMALL = 4  # up to this many features one gather is faster than a matrix product for each component


@dataclass(frozen=True, eq=False)  # compared as the object it is: arrays have no one truth value
class Mixture:
    """A task whose class-conditional densities are mixtures of normal and Student-t components.

    priors (k,): class priors; labels (m,): the class of each component, in ascending order, none left out;
    shares (m,): P(component | its class), 1 / components of the class unless given; means (m, d);
    covariances (m, d, d): of the normal components, and the scale matrices of the Student-t ones;
    degrees (m,): degrees of freedom, infinite for a normal component, which is what all are unless given;
    window: what figures show, (low, high) with one feature, ((low, high), (low, high)) with two.

    Everything that `numpy.asarray` takes will do; the fields are read-only float64 arrays. Raises TaskError
    where shapes don't agree, probabilities don't sum to 1 or a covariance isn't positive definite.
    """

    name: str
    description: str
    priors: Array
    labels: Array
    means: Array
    covariances: Array
    shares: Any = None
    degrees: Any = None
    window: Any = None
    version: int = 1

    def __post_init__(self) -> None:
        labels = np.array(self.labels, dtype=np.int64)
        self._check_labels(labels)
        components = len(labels)
        shares = 1 / np.bincount(labels)[labels] if self.shares is None else self.shares
        degrees = np.full(components, np.inf) if self.degrees is None else self.degrees
        fields = {
            "priors": self.priors,
            "labels": labels,
            "means": self.means,
            "covariances": self.covariances,
            "shares": shares,
            "degrees": degrees,
        }
        for field, value in fields.items():
            array = np.array(value, dtype=np.int64 if field == "labels" else np.float64)
            array.setflags(write=False)
            object.__setattr__(self, field, array)
        self._check()

    def _check_labels(self, labels: Array) -> None:
        """Raise TaskError where the labels (m,) aren't those of at least one component a class."""
        if labels.size == 0:
            raise self._error("expected at least one component a class, found no components")
        if labels.ndim != 1:
            raise self._error(f"labels should have the shape (m,), found {labels.shape}")
        if (np.diff(labels) < 0).any() or set(labels.tolist()) != set(range(self.classes)):
            raise self._error(f"labels should ascend from 0 to {self.classes - 1}, found {labels}")

    def _check(self) -> None:
        """Raise TaskError where the parameters aren't those of a mixture."""
        if self.means.ndim != 2:
            raise self._error(f"means should have a row a component, found the shape {self.means.shape}")
        m, d = self.means.shape
        shapes = {"labels": (m,), "means": (m, d), "covariances": (m, d, d), "shares": (m,), "degrees": (m,)}
        for field, shape in shapes.items():
            found = getattr(self, field).shape
            if found != shape:
                raise self._error(f"{field} should have the shape {shape}, found {found}")
        for what, values in (("priors", self.priors), *self._shares_by_class()):
            if not (values > 0).all() or not abs(values.sum() - 1) < 1e-9:
                raise self._error(
                    f"{what} should be positive and sum to 1, found {values} (sum {values.sum()})"
                )
        if not (self.degrees > 0).all():
            raise self._error(f"degrees of freedom should be positive, found {self.degrees}")
        self._check_covariances()

    def _check_covariances(self) -> None:
        if not np.isfinite(self.means).all() or not np.isfinite(self.covariances).all():
            raise self._error("means and covariances should be finite, found one that isn't")
        skew = np.abs(self.covariances - np.swapaxes(self.covariances, 1, 2)).max(axis=(1, 2))
        for j, covariance in enumerate(self.covariances):
            # The same matrix again, as where classes share one, needs no second look.
            if j and np.array_equal(covariance, self.covariances[j - 1]):
                continue
            try:
                np.linalg.cholesky(covariance)
                definite = skew[j] <= 1e-12 * np.abs(covariance).max()
            except np.linalg.LinAlgError:
                definite = False
            if not definite:
                least = np.linalg.eigvalsh(covariance)[0]
                raise self._error(
                    f"the covariance of component {j} (class {self.labels[j]}) should be symmetric and"
                    f" positive definite, found the smallest eigenvalue {least:.4g}"
                    f" and an asymmetry of {skew[j]:.4g}"
                )

    def _shares_by_class(self) -> list[tuple[str, Array]]:
        return [(f"shares of class {c}", self.shares[self.labels == c]) for c in range(self.classes)]

    def _error(self, message: str) -> TaskError:
        return TaskError(f"task {self.name}: {message}")

    @property
    def features(self) -> int:
        """Number of inputs d."""
        return int(self.means.shape[1])

    @property
    def classes(self) -> int:
        """Number of classes k."""
        return len(self.priors)

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n labelled examples: x (n, d) float64 and y (n,) int64."""
        component = self._component(rng.random(n))
        z = rng.standard_normal((n, self.features))
        heavy = np.isfinite(self.degrees)[component]
        if heavy.any():
            degrees = self.degrees[component[heavy]]
            z[heavy] /= np.sqrt(rng.chisquare(degrees) / degrees)[:, None]
        return self._placed(component, z), self.labels[component]

    def _component(self, u: Array) -> Array:
        """Return the component (n,) that each uniform number u (n,) picks."""
        edges = np.cumsum(self.priors[self.labels] * self.shares)
        return np.minimum(np.searchsorted(edges, u, side="right"), len(edges) - 1)

    def _placed(self, component: Array, z: Array) -> Array:
        """Return mean + factor z of each row's component, (n, d)."""
        if self.features <= SMALL:
            factors = self._factors[component]
            return np.asarray(self.means[component] + np.einsum("nij,nj->ni", factors, z))
        x = np.empty_like(z)
        order = np.argsort(component, kind="stable")
        parts = np.split(order, np.cumsum(np.bincount(component, minlength=len(self.labels)))[:-1])
        for mean, factor, rows in zip(self.means, self._factors, parts, strict=True):
            x[rows] = z[rows] @ factor.T + mean
        return x

    @cached_property
    def _factors(self) -> Array:
        """Lower triangular L with L L^T = covariance, (m, d, d)."""
        return np.linalg.cholesky(self.covariances)

    @cached_property
    def _whitening(self) -> tuple[Array, Array, Array]:
        """W (d, m d) and w (m d,) such that x W - w are the whitened distances, and log constants (m,)."""
        inverse = np.linalg.inv(self._factors)
        matrix = inverse.transpose(2, 0, 1)
        offset = np.einsum("mij,mj->mi", inverse, self.means)
        log_scale = [_log_normaliser(self.features, degrees) for degrees in self.degrees]
        log_det = np.log(np.diagonal(self._factors, axis1=1, axis2=2)).sum(axis=1)
        log_weight = np.log(self.priors[self.labels] * self.shares)
        return matrix.reshape(self.features, -1), offset.ravel(), log_weight - log_det - log_scale

    def log_joint(self, x: Array) -> Array:
        """Return log P(x, c) in nats, (n, k) float64, at x (n, d)."""
        rows = max(1, CHUNK // (len(self.labels) * self.features))
        parts = [self._log_joint(x[i : i + rows]) for i in range(0, len(x), rows)]
        return np.concatenate(parts) if parts else np.empty((0, self.classes))

    def _log_joint(self, x: Array) -> Array:
        matrix, offset, constant = self._whitening
        z = (x @ matrix - offset).reshape(len(x), len(self.labels), self.features)
        square = np.einsum("nmd,nmd->nm", z, z)
        heavy = np.isfinite(self.degrees)
        power = -0.5 * square
        if heavy.any():
            degrees = self.degrees[heavy]
            power[:, heavy] = -0.5 * (degrees + self.features) * np.log1p(square[:, heavy] / degrees)
        return self._summed(power + constant)

    def _summed(self, terms: Array) -> Array:
        """Return the log of the sum of each class's components, (n, k), from their logs (n, m)."""
        if len(self.labels) == self.classes:
            return terms
        starts = np.searchsorted(self.labels, np.arange(self.classes))
        top = np.maximum.reduceat(terms, starts, axis=1)
        scaled = np.exp(terms - top[:, self.labels])
        return np.asarray(np.log(np.add.reduceat(scaled, starts, axis=1)) + top)

    @property
    def logit_basis(self) -> Callable[[Array], Array]:
        """Functions whose span holds the true log-odds, x (n, d) -> (n, b); only where each class is normal.

        1 and x where all covariances are equal, else all monomials up to degree two. Raises AttributeError
        where the log-odds have no such finite basis.
        """
        if len(self.labels) > self.classes or np.isfinite(self.degrees).any():
            raise AttributeError(f"task {self.name}: the log-odds of mixtures have no finite basis")
        return _affine if (self.covariances == self.covariances[0]).all() else _quadratic


def _log_normaliser(d: int, degrees: float) -> float:
    """Return the log integral of the standard kernel in d dimensions (Kotz and Nadarajah 2004, eq. 1.1)."""
    if math.isinf(degrees):
        return 0.5 * d * math.log(2 * math.pi)
    return math.lgamma(degrees / 2) - math.lgamma((degrees + d) / 2) + 0.5 * d * math.log(degrees * math.pi)


def _affine(x: Array) -> Array:
    return np.concatenate([np.ones((len(x), 1)), x], axis=1)


def _quadratic(x: Array) -> Array:
    left, right = zip(*itertools.combinations_with_replacement(range(x.shape[1]), 2), strict=True)
    return np.concatenate([_affine(x), x[:, left] * x[:, right]], axis=1)
