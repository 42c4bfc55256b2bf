"""Classes in the plane whose boundaries have a shape: rings, moons, spirals, boards and bananas.

A curved class is a mixture of many equal normal components along a curve, at most one standard deviation
apart, so that its density is smooth along the curve. That isn't an approximation of a ring or a spiral:
the mixture is the class, and its density is exact by definition, without an integral.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from benchmarks.task import Array, Task, TaskError
from benchmarks.tasks.mixture import Mixture

BOX = ((-4.0, 4.0), (-4.0, 4.0))


@dataclass(frozen=True, eq=False)  # compared as the object it is: arrays have no one truth value
class WarpedGaussian:
    """Classes in the plane that are normal before a bend: x = (z1, z2 + bend_c (z1² - 1)).

    priors (k,): class priors; means (k, 2), covariances (k, 2, 2): of z; bends (k,): how far each class
    bends. The map keeps areas (its Jacobian is 1), so the density of x is that of z. Raises TaskError where
    shapes don't agree, priors don't sum to 1, a covariance isn't positive definite or a bend isn't finite.
    """

    name: str
    description: str
    priors: Array
    means: Array
    covariances: Array
    bends: Array
    window: Any = None
    version: int = 1

    features = 2

    def __post_init__(self) -> None:
        bends = np.array(self.bends, dtype=np.float64)
        bends.setflags(write=False)
        object.__setattr__(self, "bends", bends)
        for field in ("priors", "means", "covariances"):
            object.__setattr__(self, field, getattr(self._normal, field))
        if self.means.shape[1] != self.features:
            raise TaskError(f"task {self.name}: means should have two columns, found {self.means.shape[1]}")
        if bends.shape != (self.classes,) or not np.isfinite(bends).all():
            raise TaskError(
                f"task {self.name}: bends should be {self.classes} finite numbers, found {bends.tolist()}"
            )

    @property
    def classes(self) -> int:
        """Number of classes k."""
        return len(self.priors)

    @cached_property
    def _normal(self) -> Mixture:
        """The task before the bend."""
        labels = np.arange(len(self.priors))
        return Mixture(self.name, self.description, self.priors, labels, self.means, self.covariances)

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n labelled examples: x (n, 2) float64 and y (n,) int64."""
        z, y = self._normal.sample(n, rng)
        return _bent(z, self.bends[y]), y

    def log_joint(self, x: Array) -> Array:
        """Return log P(x, c) in nats, (n, k) float64, at x (n, 2)."""
        columns = [self._normal.log_joint(_bent(x, -bend))[:, c] for c, bend in enumerate(self.bends)]
        return np.stack(columns, axis=1)

    def logit_basis(self, x: Array) -> Array:
        """Return functions whose span holds the true log-odds, (n, 9).

        All monomials up to degree two, and those that the square of x2 - bend (x1² - 1), and its product
        with x1, add to them.
        """
        a, b = x[:, 0], x[:, 1]
        return np.stack([np.ones(len(x)), a, b, a**2, a * b, b**2, a**3, a**2 * b, a**4], axis=1)


def _bent(z: Array, bend: Array) -> Array:
    """Return (z1, z2 + bend (z1² - 1)), (n, 2); the opposite bend undoes it."""
    return np.stack([z[:, 0], z[:, 1] + bend * (z[:, 0] ** 2 - 1)], axis=1)


def round_components(
    name: str, description: str, std: float, classes: Sequence[Array], window: Any = BOX
) -> Mixture:
    """Return a task of equally likely classes with equal round components.

    classes: the centres of each class's components, (m, 2), in units of x; std: of every component.
    """
    means = np.concatenate(classes)
    return Mixture(
        name=name,
        description=description,
        priors=np.full(len(classes), 1 / len(classes)),
        labels=np.repeat(np.arange(len(classes)), [len(each) for each in classes]),
        means=means,
        covariances=np.broadcast_to(std**2 * np.eye(2), (len(means), 2, 2)),
        window=window,
    )


def along(angle: Array, radius: Array, spacing: float, centre: tuple[float, float] = (0.0, 0.0)) -> Array:
    """Return points (m, 2) at even steps of at most `spacing` along the curve through (angle, radius).

    Both ends are among the points. They are rounded to 4 decimals, so that they agree on every machine.
    """
    curve = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1) + centre
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(curve, axis=0).T))])
    steps = np.linspace(0, length[-1], int(np.ceil(length[-1] / spacing)) + 1)
    return np.round(np.stack([np.interp(steps, length, curve[:, j]) for j in range(2)], axis=1), 4)


def ring(radius: float, spacing: float) -> Array:
    """Return the points of a circle around the origin, (m, 2), the first not repeated at the end."""
    angle = np.linspace(0, 2 * np.pi, 1001)
    return along(angle, np.full(1001, radius), spacing)[:-1]


def moon(centre: tuple[float, float], start: float, spacing: float) -> Array:
    """Return the points of half a circle of radius 2 from the angle `start` on, in radians, (m, 2)."""
    angle = start + np.linspace(0, np.pi, 1001)
    return along(angle, np.full(1001, 2.0), spacing, centre)


def spiral(start: float, turns: float, radii: tuple[float, float], spacing: float) -> Array:
    """Return the points of an Archimedean spiral from the first radius to the second, (m, 2)."""
    share = np.linspace(0, 1, 1001)
    return along(start + 2 * np.pi * turns * share, radii[0] + (radii[1] - radii[0]) * share, spacing)


def checkerboard(colour: int) -> Array:
    """Return the middles of the fields of one colour, 0 or 1, of a board of 4 x 4, (8, 2)."""
    fields = [(i, j) for i in range(4) for j in range(4) if (i + j) % 2 == colour]
    return np.round(1.6 * (np.array(fields) - 1.5), 4)


def ellipses(classes: int, seed: int) -> tuple[Array, Array]:
    """Return means (k, 2) and covariances (k, 2, 2) of ellipses spread evenly over a disc.

    The means are on a sunflower's spiral of radius 3 (Vogel 1979), class 0 in the middle; the principal
    standard deviations lie in [0.25, 0.6] and the orientations are random. All are rounded to 4 decimals.
    """
    rng = np.random.default_rng(seed)
    number = np.arange(classes)
    angle, radius = np.pi * (3 - np.sqrt(5)) * number, 3 * np.sqrt((number + 0.5) / classes)
    tilt = rng.uniform(0, np.pi, classes)
    turn = np.stack([np.cos(tilt), -np.sin(tilt), np.sin(tilt), np.cos(tilt)], axis=1).reshape(-1, 2, 2)
    variances = rng.uniform(0.25, 0.6, (classes, 2)) ** 2
    means = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return np.round(means, 4), np.round(np.einsum("cij,cj,ckj->cik", turn, variances, turn), 4)


def ten_classes() -> Mixture:
    """Return ten normal classes of their own shapes, the priors falling from 10/55 to 1/55."""
    means, covariances = ellipses(10, seed=3)
    return Mixture(
        name="ten-class-2d",
        description="Ten normal classes, each of its own shape, the first ten times as frequent as the last",
        priors=np.arange(10, 0, -1) / 55,
        labels=np.arange(10),
        means=means,
        covariances=covariances,
        window=BOX,
    )


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        round_components(
            name="xor-2d",
            description="Each class at two opposite corners of a square: no linear rule tells them apart",
            std=0.75,
            classes=[np.array([(-1.5, -1.5), (1.5, 1.5)]), np.array([(-1.5, 1.5), (1.5, -1.5)])],
        ),
        round_components(
            name="rings-2d",
            description="A ring of radius 1.2 within a ring of radius 2.4",
            std=0.35,
            classes=[ring(1.2, 0.35), ring(2.4, 0.35)],
        ),
        round_components(
            name="moons-2d",
            description="Two half circles of radius 2, each with an end inside the other",
            std=0.4,
            classes=[moon((-1.0, -0.5), 0.0, 0.4), moon((1.0, 0.5), np.pi, 0.4)],
        ),
        round_components(
            name="spirals-2d",
            description="Two arms of a spiral, one and a quarter turns long",
            std=0.25,
            classes=[spiral(start, 1.25, (0.5, 3.0), 0.25) for start in (0.0, np.pi)],
        ),
        round_components(
            name="checkerboard-2d",
            description="The fields of a board of 4 x 4, by colour",
            std=0.4,
            classes=[checkerboard(0), checkerboard(1)],
        ),
        round_components(
            name="pinwheel-2d",
            description="Five curved arms around the origin, a class each",
            std=0.35,
            classes=[spiral(2 * np.pi * c / 5, 0.25, (0.6, 3.0), 0.35) for c in range(5)],
        ),
        ten_classes(),
        WarpedGaussian(
            name="banana-2d",
            description="Two bananas, the lower one bent more, so that its ends come close to the upper one",
            priors=np.full(2, 0.5),
            means=np.array([(0.0, -1.0), (0.0, 0.4)]),
            covariances=np.stack([np.diag([1.0, 0.16]), np.diag([0.64, 0.25])]),
            bends=np.array([0.5, 0.3]),
            window=BOX,
        ),
    )
}
