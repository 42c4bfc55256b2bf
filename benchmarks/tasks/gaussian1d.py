"""Two classes on a line with normal densities: the three cases of Xie (2024)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.task import Array


@dataclass(frozen=True)
class GaussianPair:
    """Two equally likely classes with normal densities on a line.

    means and stds give mean and standard deviation of class 0 and class 1; window is the stretch that
    figures show, wide enough to hold every crossing of the posterior. Raises ValueError where a standard
    deviation isn't positive.
    """

    name: str
    description: str
    means: tuple[float, float]
    stds: tuple[float, float]
    window: tuple[float, float]
    version: int = 1

    features = 1
    classes = 2
    priors = (0.5, 0.5)

    def __post_init__(self) -> None:
        if min(self.stds) <= 0:
            raise ValueError(f"task {self.name}: standard deviations should be positive, found {self.stds}")

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n labelled examples: x (n, 1) float64 and y (n,) int64."""
        y = rng.integers(2, size=n)
        x = np.take(self.means, y) + np.take(self.stds, y) * rng.standard_normal(n)
        return x[:, None], y

    def log_joint(self, x: Array) -> Array:
        """Return log P(x, c) in nats, (n, 2), at x (n, 1)."""
        mean, std = np.asarray(self.means), np.asarray(self.stds)
        z = (x - mean) / std
        return np.asarray(-0.5 * z * z - np.log(std) - 0.5 * np.log(2 * np.pi) + np.log(0.5))

    def logit_basis(self, x: Array) -> Array:
        """Return functions whose span holds the true log-odds, (n, b): 1 and x, and x^2 if stds differ."""
        powers = 2 if self.stds[0] == self.stds[1] else 3
        return np.concatenate([x**power for power in range(powers)], axis=1)


TASKS = {
    task.name: task
    for task in (
        GaussianPair(
            name="gauss-separated",
            description="N(0, 1) against N(3, 1): one crossing, a linear logit",
            means=(0.0, 3.0),
            stds=(1.0, 1.0),
            window=(-4.0, 7.0),
        ),
        GaussianPair(
            name="gauss-nested",
            description="N(0, 2²) against N(1, 1): the narrow class lies inside the wide one, two crossings",
            means=(0.0, 1.0),
            stds=(2.0, 1.0),
            window=(-5.0, 7.0),
        ),
        GaussianPair(
            name="gauss-sparse-tail",
            description="N(0, 2²) against N(3, 1): the second crossing lies where hardly any data falls",
            means=(0.0, 3.0),
            stds=(2.0, 1.0),
            window=(-5.0, 9.0),
        ),
    )
}
