"""Wrappers that keep a task's posterior exact: label noise, shifted priors, inputs of pure noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from benchmarks.task import Array, Task, TaskError, logsumexp

Sampler: TypeAlias = Callable[[int, np.random.Generator], tuple[Array, Array]]

MOST_FEATURES = 1_024  # of a task with inputs of noise: half a gibibyte where it is evaluated
DRAWS = 2**16  # examples of the wrapped task that a shifted one draws at once, at most


def forwarded(attribute: str) -> Any:
    """Return a property that is the wrapped task's, and absent where the wrapped task has none."""
    return property(lambda self: getattr(self.task, attribute))


def described(task: Task, words: str) -> str:
    """Return the wrapped task's description, or its name, with words behind it."""
    return f"{getattr(task, 'description', '') or task.name}; {words}"


def number(value: float) -> str:
    """Return the shortest text that reads as this number: 1, 0.1, 1e-07."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def numbers(values: Array) -> str:
    """Return numbers (m,) as the text that a transform's parentheses hold."""
    return ",".join(number(value) for value in values)


def read_only(values: Any) -> Array:
    """Return a copy as float64 of the same shape, which can't be written to."""
    array = np.array(values, dtype=np.float64)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class LabelNoise:
    """A task whose labels are, with probability rate, replaced by one of the other classes, uniformly.

    The noisy label's law is (1 - r k / (k - 1)) P(x, c) + r / (k - 1) P(x), of positive terms alone since
    0 < r < (k - 1) / k (Angluin and Laird 1988, Machine Learning 2:343-370, for k = 2). Raises TaskError
    where the rate is outside that range, or where training data follow other priors than the law: noise
    would turn those into other class-conditional densities.
    """

    task: Any  # a Task; Any for its optional attributes
    rate: float

    version = forwarded("version")
    features = forwarded("features")
    classes = forwarded("classes")
    window = forwarded("window")
    support = forwarded("support")

    def __post_init__(self) -> None:
        limit = 1 - 1 / self.classes
        if not 0 < self.rate < limit:
            raise TaskError(
                f"task {self.name}: expected a rate of label noise between 0 and {limit:.4g}, both excluded,"
                f" found {self.rate}"
            )
        if hasattr(self.task, "sample_train"):
            raise TaskError(
                f"task {self.name}: expected label noise on a task whose training data follow its own law,"
                f" found the priors shifted before; write the label noise before the shift"
            )

    @property
    def name(self) -> str:
        """The wrapped task's name and this transform's."""
        return f"{self.task.name}+label-noise({number(self.rate)})"

    @property
    def description(self) -> str:
        """The wrapped task's description and what was changed."""
        return described(self.task, f"{self.rate:.4g} of the labels replaced by another class")

    @property
    def priors(self) -> Array:
        """Class priors (k,) of the noisy labels; absent where the wrapped task states none."""
        return np.asarray(self._kept * np.asarray(self.task.priors) + self.rate / (self.classes - 1))

    @property
    def _kept(self) -> float:
        """What a class keeps beyond the share that every class gets."""
        return float(1 - self.rate * self.classes / (self.classes - 1))

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n labelled examples: x (n, features) float64 and y (n,) int64."""
        x, y = self.task.sample(n, rng)
        step = np.where(rng.random(n) < self.rate, rng.integers(1, self.classes, size=n), 0)
        return x, (y + step) % self.classes

    def log_joint(self, x: Array) -> Array:
        """Return log P(x, noisy label) in nats, (n, classes), at x (n, features)."""
        joint = self.task.log_joint(x)
        floor = logsumexp(joint) + math.log(self.rate / (self.classes - 1))
        return np.asarray(np.logaddexp(joint + math.log(self._kept), floor[:, None]))


@dataclass(frozen=True, eq=False)
class PriorShift:
    """A task whose law has other class priors (k,), while its training data follow the wrapped task's own.

    The class-conditional densities stay, so log P(x, c) moves by the log of the priors' ratio (Saerens,
    Latinne and Decaestecker 2002, Neural Computation 14(1):21-41); a basis of the log-odds stays one if the
    constant is in its span. Raises TaskError where the wrapped task states no priors or is shifted already,
    or where these priors aren't positive, as many as the classes, and of sum 1.
    """

    task: Any  # a Task; Any for its optional attributes
    priors: Array

    version = forwarded("version")
    features = forwarded("features")
    classes = forwarded("classes")
    window = forwarded("window")
    support = forwarded("support")
    logit_basis = forwarded("logit_basis")
    train_priors = forwarded("priors")
    sample_train = forwarded("sample")

    def __post_init__(self) -> None:
        object.__setattr__(self, "priors", read_only(self.priors))
        if getattr(self.task, "priors", None) is None:
            raise TaskError(f"task {self.name}: expected a task that states its class priors, found none")
        if hasattr(self.task, "sample_train"):
            raise TaskError(
                f"task {self.name}: expected a prior shift of a task whose training data follow its own law,"
                f" found the priors shifted before; state the last priors alone"
            )
        if self.priors.shape != (self.classes,):
            raise TaskError(f"task {self.name}: expected {self.classes} priors, found {self.priors.size}")
        if not (self.priors > 0).all() or not abs(self.priors.sum() - 1) < 1e-9:
            raise TaskError(
                f"task {self.name}: expected positive priors that sum to 1, found {self.priors}"
                f" (sum {self.priors.sum():.12g})"
            )

    @property
    def name(self) -> str:
        """The wrapped task's name and this transform's."""
        return f"{self.task.name}+prior-shift({numbers(self.priors)})"

    @property
    def description(self) -> str:
        """The wrapped task's description and what was changed."""
        return described(self.task, f"class priors {numbers(self.priors)}, unlike the training data's")

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n labelled examples, x (n, features) float64 and y (n,) int64, by rejection.

        An example of the wrapped task is kept with a probability in proportion to the ratio of the priors
        of its class (von Neumann 1951), which leaves what lies within a class as it is.
        """
        ratio = self.priors / np.asarray(self.task.priors)
        xs: list[Array] = []
        ys: list[Array] = []
        lacking = n
        while lacking > 0 or not xs:
            x, y = self.task.sample(min(DRAWS, math.ceil(1.05 * lacking * ratio.max()) + 16), rng)
            kept = rng.random(len(y)) * ratio.max() < ratio[y]
            xs.append(x[kept])
            ys.append(y[kept])
            lacking -= int(kept.sum())
        return np.concatenate(xs)[:n], np.concatenate(ys)[:n]

    def log_joint(self, x: Array) -> Array:
        """Return log P(x, c) in nats under these priors, (n, classes), at x (n, features)."""
        return np.asarray(self.task.log_joint(x) + np.log(self.priors / np.asarray(self.task.priors)))


@dataclass(frozen=True, eq=False)
class NuisanceDimensions:
    """A task with count more inputs behind its own: independent, standard normal, the same in every class.

    Neither a window nor a support is left. Raises TaskError where count isn't positive or too large.
    """

    task: Any  # a Task; Any for its optional attributes
    count: int

    version = forwarded("version")
    classes = forwarded("classes")
    priors = forwarded("priors")
    train_priors = forwarded("train_priors")

    def __post_init__(self) -> None:
        if self.count < 1:
            raise TaskError(f"task {self.name}: expected at least 1 nuisance dimension, found {self.count}")
        if self.features > MOST_FEATURES:
            raise TaskError(
                f"task {self.name}: expected at most {MOST_FEATURES:,} inputs, found {self.features:,}"
            )

    @property
    def name(self) -> str:
        """The wrapped task's name and this transform's."""
        return f"{self.task.name}+nuisance({self.count})"

    @property
    def description(self) -> str:
        """The wrapped task's description and what was changed."""
        return described(self.task, f"{self.count} inputs of noise beside it")

    @property
    def features(self) -> int:
        """Number of inputs, the wrapped task's first."""
        return int(self.task.features + self.count)

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n labelled examples: x (n, features) float64 and y (n,) int64."""
        return self._beside_noise(self.task.sample)(n, rng)

    @property
    def sample_train(self) -> Sampler:
        """The training data's sampler, (n, rng) -> x (n, features), y (n,); absent without one."""
        return self._beside_noise(self.task.sample_train)

    def _beside_noise(self, sample: Sampler) -> Sampler:
        def drawn(n: int, rng: np.random.Generator) -> tuple[Array, Array]:
            x, y = sample(n, rng)
            return np.concatenate([x, rng.standard_normal((n, self.count))], axis=1), y

        return drawn

    def log_joint(self, x: Array) -> Array:
        """Return log P(x, c) in nats, (n, classes), at x (n, features)."""
        noise = x[:, self.task.features :]
        log_normal = -0.5 * (noise * noise).sum(axis=1) - 0.5 * self.count * math.log(2 * math.pi)
        return np.asarray(self.task.log_joint(x[:, : self.task.features]) + log_normal[:, None])

    @property
    def logit_basis(self) -> Callable[[Array], Array]:
        """The wrapped task's basis, x (n, features) -> (n, b), of its own inputs; absent without one."""
        basis, own = self.task.logit_basis, self.task.features
        return lambda x: np.asarray(basis(x[:, :own]))
