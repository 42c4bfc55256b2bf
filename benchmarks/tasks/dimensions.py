"""From two inputs to 128: normal classes, a signal among noise, a hundred classes and random networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from benchmarks.task import Array, Task, TaskError, logsumexp
from benchmarks.tasks.mixture import CHUNK, Mixture

DISTANCE = 2.5  # Mahalanobis, between classes that share a covariance: Bayes error Phi(-1.25) = 10.6 %
BOX = ((-5.0, 5.0), (-5.0, 5.0))


@dataclass(frozen=True)
class RandomMLP:
    """Standard normal inputs whose log-odds are a random network's: the family of the Neural Testbed.

    logits = W3 relu(W2 relu(W1 x + b1)) - b3, divided by `temperature`, with two layers of `hidden` units.
    The weights are normal with variance 1 / fan-in and so is b1, with variance 1 / features (Osband et al.
    2022, arXiv:2110.04629); b3 is the mean output over 4,096 inputs, so that no class has all the mass.
    All follow from `seed` and are rounded to 4 decimals, so that they agree on every machine. The priors
    have no closed form, so there is no attribute of that name. Raises TaskError where a size or the
    temperature isn't positive or there are fewer than two classes.
    """

    name: str
    description: str
    features: int
    hidden: int
    temperature: float
    seed: int
    classes: int = 2
    window: tuple[tuple[float, float], tuple[float, float]] | None = None
    version: int = 1

    def __post_init__(self) -> None:
        least = {"features": 1, "hidden": 1, "classes": 2}
        for field, bound in least.items():
            if getattr(self, field) < bound:
                raise TaskError(
                    f"task {self.name}: {field} should be at least {bound}, found {getattr(self, field)}"
                )
        if not 0 < self.temperature < np.inf:
            raise TaskError(
                f"task {self.name}: the temperature should be positive and finite, found {self.temperature}"
            )

    @cached_property
    def weights(self) -> tuple[Array, Array, Array, Array, Array]:
        """W1 (hidden, features), b1 (hidden,), W2 (hidden, hidden), W3 (classes, hidden), b3 (classes,)."""
        rng = np.random.default_rng(self.seed)
        first = rng.standard_normal((self.hidden, self.features)) / np.sqrt(self.features)
        bias = rng.standard_normal(self.hidden) / np.sqrt(self.features)
        second = rng.standard_normal((self.hidden, self.hidden)) / np.sqrt(self.hidden)
        last = rng.standard_normal((self.classes, self.hidden)) / np.sqrt(self.hidden)
        layers = [np.round(each, 4) for each in (first, bias, second, last)]
        output = _network(rng.standard_normal((4096, self.features)), *layers)
        arrays = (*layers, np.round(output.mean(axis=0), 4))
        for array in arrays:
            array.setflags(write=False)
        return arrays

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n labelled examples: x (n, features) float64 and y (n,) int64."""
        x = rng.standard_normal((n, self.features))
        edges = np.cumsum(np.exp(self._log_posterior(x)), axis=1)
        y = (rng.random((n, 1)) >= edges[:, :-1]).sum(axis=1)  # the last edge is 1 but for rounding
        return x, y.astype(np.int64)

    def log_joint(self, x: Array) -> Array:
        """Return log P(x, c) in nats, (n, k) float64, at x (n, features)."""
        log_density = -0.5 * (np.einsum("nd,nd->n", x, x) + self.features * np.log(2 * np.pi))
        return np.asarray(self._log_posterior(x) + log_density[:, None])

    def _log_posterior(self, x: Array) -> Array:
        *layers, centre = self.weights
        rows = max(1, CHUNK // max(self.hidden, self.features, self.classes))
        logits = np.empty((len(x), self.classes))
        for i in range(0, len(x), rows):
            logits[i : i + rows] = (_network(x[i : i + rows], *layers) - centre) / self.temperature
        return np.asarray(logits - logsumexp(logits)[:, None])


def _network(x: Array, first: Array, bias: Array, second: Array, last: Array) -> Array:
    """Return W3 relu(W2 relu(W1 x + b1)), (n, classes)."""
    hidden = np.maximum(x @ first.T + bias, 0)
    return np.asarray(np.maximum(hidden @ second.T, 0) @ last.T)


def covariance(rng: np.random.Generator, d: int, draws: int) -> Array:
    """Return the second moments of some draws from a standard normal law, (d, d), to 4 decimals.

    The more draws, the closer they come to the identity: the eigenvalues of many dimensions lie within
    (1 ± sqrt(d / draws))² (Marchenko and Pastur 1967).
    """
    z = rng.standard_normal((draws, d))
    return np.asarray(np.round(z.T @ z / draws, 4))


def mean_at(rng: np.random.Generator, sigma: Array, distance: float) -> Array:
    """Return a mean (d,) at a Mahalanobis distance from 0 under sigma (d, d), to 4 decimals.

    It is sigma w for a random w, so that w is the direction of the linear discriminant.
    """
    w = rng.standard_normal(len(sigma))
    return np.asarray(np.round(sigma @ w * distance / np.sqrt(w @ sigma @ w), 4))


def shared(d: int, seed: int) -> Mixture:
    """Return two equally likely normal classes in d dimensions that share a covariance.

    Inputs i and j correlate by 0.5^|i - j|, as in an autoregressive process of order one, so the condition
    number is below 9 in every dimension.
    """
    place = np.arange(d)
    sigma = np.round(0.5 ** np.abs(place[:, None] - place), 4)
    half = mean_at(np.random.default_rng(seed), sigma, DISTANCE / 2)
    description = f"Two normal classes in {d} dimensions share a covariance: a linear logit"
    return _two_normals(f"gauss-shared-d{d}", description, half, [sigma, sigma])


def full(d: int, seed: int) -> Mixture:
    """Return two equally likely normal classes in d dimensions, each with a covariance of its own.

    The means are a Mahalanobis distance of 1.5 apart under the first covariance. Each covariance has d² / 2
    draws, at least 8, so that their difference tells about as much in many dimensions as in few.
    """
    rng = np.random.default_rng(seed)
    sigma = [covariance(rng, d, max(8, d * d // 2)) for _ in range(2)]
    half = mean_at(rng, sigma[0], 1.5 / 2)
    description = f"Two normal classes in {d} dimensions, each with its own covariance: a quadratic logit"
    return _two_normals(f"gauss-full-d{d}", description, half, sigma)


def _two_normals(name: str, description: str, half: Array, covariances: Sequence[Array]) -> Mixture:
    """Return two equally likely normal classes with means -half and half (d,)."""
    return Mixture(
        name=name,
        description=description,
        priors=np.full(2, 0.5),
        labels=np.arange(2),
        means=np.stack([-half, half]),
        covariances=np.stack(covariances),
        window=BOX if len(half) == 2 else None,
    )


def needle() -> Mixture:
    """Return an XOR of two inputs among 32.

    Every input has mean 0 and variance 1, and in both classes the same density, so none alone gives the
    two away.
    """
    corner, d, inputs = 0.9, 32, [7, 19]
    means = np.zeros((4, d))
    means[:, inputs] = corner * np.array([(1, 1), (-1, -1), (1, -1), (-1, 1)])
    variances = np.ones(d)
    variances[inputs] = 1 - corner**2
    return Mixture(
        name="needle-d32",
        description="An XOR of 2 inputs among 32, the rest noise: no linear rule and no input alone helps",
        priors=np.full(2, 0.5),
        labels=np.repeat([0, 1], 2),
        means=means,
        covariances=np.broadcast_to(np.diag(variances), (4, d, d)),
    )


def hundred(spread: float, seed: int) -> Mixture:
    """Return a hundred normal classes in 16 dimensions that share a covariance, with priors as in Zipf's law.

    spread: standard deviation of the means in each dimension.
    """
    d, classes = 16, 100
    rng = np.random.default_rng(seed)
    weight = 1 / np.arange(1, classes + 1)
    return Mixture(
        name="hundred-class-d16",
        description="A hundred normal classes share a covariance; their priors go as 1, 1/2, 1/3 ... 1/100",
        priors=weight / weight.sum(),
        labels=np.arange(classes),
        means=np.round(spread * rng.standard_normal((classes, d)), 4),
        covariances=np.broadcast_to(covariance(rng, d, 4 * d), (classes, d, d)),
    )


def random_mlp(d: int) -> RandomMLP:
    """Return the random network of 50 hidden units with d inputs, at the Testbed's temperature 0.1."""
    return RandomMLP(
        name=f"random-mlp-d{d}",
        description=f"A random ReLU network of {d} inputs at temperature 0.1 draws the labels",
        features=d,
        hidden=50,
        temperature=0.1,
        seed=0,
        window=BOX if d == 2 else None,
    )


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        shared(2, seed=0),
        shared(8, seed=0),
        shared(32, seed=0),
        shared(128, seed=0),
        full(2, seed=37),
        full(8, seed=2),
        full(32, seed=3),
        needle(),
        hundred(spread=1.0, seed=0),
        random_mlp(2),
        random_mlp(10),
        random_mlp(100),
    )
}
