"""Verification: good tasks pass, each planted fault is caught by name, alarms and sizes are as stated."""

import dataclasses
import functools

import numpy as np
import pytest
from scipy import stats

from benchmarks import registry
from benchmarks.task import logsumexp
from benchmarks.tasks.mixture import Mixture
from benchmarks.verification import CHECKS, case, verify


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Let samples be a third of what they are, for speed: what is caught here is caught there."""
    monkeypatch.setattr(case, "NUMBERS", case.NUMBERS // 3)
    monkeypatch.setattr(case, "TEST", {method: n // 3 for method, n in case.TEST.items()})


LINE = registry.task("gauss-nested")


def mixture(d, seed=0):
    """Return three classes of two components each, the components near one another."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((6, d, 3 * d)) / np.sqrt(3 * d)
    return Mixture(
        name=f"mixture-d{d}",
        description="",
        priors=(0.5, 0.3, 0.2),
        labels=(0, 0, 1, 1, 2, 2),
        shares=(0.7, 0.3, 0.4, 0.6, 0.9, 0.1),
        means=rng.standard_normal((6, d)) * 2,
        covariances=a @ a.transpose(0, 2, 1),
    )


PLANE, EIGHT, THIRTY_TWO = (mixture(d) for d in (2, 8, 32))


class Wrapped:
    """An immutable task whose parts can be put in place of another's."""

    def __init__(self, task, name="wrapped"):
        vars(self).update(task=task, name=name, version=1)

    def __setattr__(self, name, value):
        raise AttributeError(name)

    features = property(lambda self: self.task.features)
    classes = property(lambda self: self.task.classes)

    def sample(self, n, rng):
        return self.task.sample(n, rng)

    def log_joint(self, x):
        return self.task.log_joint(x)


@dataclasses.dataclass(frozen=True, eq=False)
class Bits:
    """Two classes of independent binary inputs, all of which `support` lists."""

    rates: tuple = ((0.2, 0.7, 0.4), (0.6, 0.3, 0.5))
    priors: tuple = (0.7, 0.3)
    name: str = "bits"
    version: int = 1

    classes = 2
    features = property(lambda self: len(self.rates[0]))

    @functools.cached_property
    def support(self):
        points = np.indices((2,) * self.features).reshape(self.features, -1).T.astype(float)
        points.setflags(write=False)
        return points

    def sample(self, n, rng):
        y = (rng.random(n) < self.priors[1]).astype(np.int64)
        return (rng.random((n, self.features)) < np.asarray(self.rates)[y]).astype(float), y

    def log_joint(self, x):
        there = ((x == 0) | (x == 1)).all(axis=1, keepdims=True)
        rates = np.log(self.rates), np.log1p(-np.asarray(self.rates))
        return np.where(there, x @ rates[0].T + (1 - x) @ rates[1].T + np.log(self.priors), -np.inf)


class Listed(Wrapped):
    """A wrapped task with the support of the one within."""

    support = property(lambda self: self.task.support)


class Uniform(Wrapped):
    """Two overlapping uniform densities on the line: a bounded support, edges within the data."""

    classes, features = 2, 1

    def __init__(self):
        super().__init__(None, "uniform")

    def sample(self, n, rng):
        y = rng.integers(2, size=n)
        return (np.where(y == 1, 2.0, 1.0) * rng.random(n) - 0.3 * y)[:, None], y

    def log_joint(self, x):
        inside = np.concatenate([((x >= 0) & (x < 1)) / 2, ((x >= -0.3) & (x < 1.7)) / 4], axis=1)
        with np.errstate(divide="ignore"):
            return np.log(inside)


class Beta(Wrapped):
    """Two beta densities: one unbounded at 0, the other with all its power at 1."""

    classes, features, shapes = 2, 1, ((6.0, 1.5), (0.5, 3.0))

    def __init__(self):
        super().__init__(None, "beta")

    def sample(self, n, rng):
        y = rng.integers(2, size=n)
        return rng.beta(*np.array(self.shapes)[y].T)[:, None], y

    def log_joint(self, x):
        return np.concatenate([stats.beta(*shape).logpdf(x) + np.log(0.5) for shape in self.shapes], axis=1)


class Disc(Wrapped):
    """A uniform disc and a uniform square in the plane, far apart."""

    classes, features = 2, 2

    def __init__(self):
        super().__init__(None, "disc")

    def sample(self, n, rng):
        y = rng.integers(2, size=n)
        angle, radius = 2 * np.pi * rng.random(n), np.sqrt(rng.random(n))
        disc = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return np.where(y[:, None] == 1, disc, 30 + rng.random((n, 2))), y

    def log_joint(self, x):
        inside = ((x > 30) & (x < 31)).all(axis=1) / 2, ((x * x).sum(axis=1) < 1) / (2 * np.pi)
        with np.errstate(divide="ignore"):
            return np.log(np.stack(inside, axis=1))


class Counts(Wrapped):
    """Poisson counts: discrete, without end, so that no support can be listed."""

    classes, features = 2, 1

    def __init__(self):
        super().__init__(None, "counts")

    def sample(self, n, rng):
        y = rng.integers(2, size=n)
        return rng.poisson(np.where(y == 1, 3.0, 9.0)).astype(float)[:, None], y

    def log_joint(self, x):
        return stats.poisson([9.0, 3.0]).logpmf(x) + np.log(0.5)


class Mixed(Wrapped):
    """Bits beside two normal inputs."""

    classes, features = 2, 5

    def __init__(self):
        super().__init__(Bits(), "mixed")

    def sample(self, n, rng):
        x, y = self.task.sample(n, rng)
        return np.concatenate([x, rng.standard_normal((n, 2)) + y[:, None]], axis=1), y

    def log_joint(self, x):
        normal = [stats.norm(mean).logpdf(x[:, 3:]).sum(axis=1) for mean in (0, 1)]
        return self.task.log_joint(x[:, :3]) + np.stack(normal, axis=1)


class Shell(Wrapped):
    """Thin shells around the origin in five dimensions, which no normal mixture is like."""

    classes, features = 2, 5

    def __init__(self):
        super().__init__(None, "shell")

    def sample(self, n, rng):
        y, z = rng.integers(2, size=n), rng.standard_normal((n, 5))
        radius = rng.gamma(100.0, np.where(y == 1, 2.0, 2.5) / 100)
        return z * (radius / np.linalg.norm(z, axis=1))[:, None], y

    def log_joint(self, x):
        radius = np.linalg.norm(x, axis=1, keepdims=True)
        log_area = np.log(8 * np.pi**2 / 3) + 4 * np.log(radius)
        return stats.gamma(100, scale=np.array([2.5, 2.0]) / 100).logpdf(radius) - log_area + np.log(0.5)


class Shifted(Wrapped):
    """A mixture whose training data have other class priors."""

    priors = property(lambda self: self.task.priors)
    train_priors = (0.2, 0.3, 0.5)

    def sample_train(self, n, rng):
        return dataclasses.replace(self.task, priors=self.train_priors).sample(n, rng)


class NoPrefixes(Wrapped):
    """A sampler whose short samples are no prefixes of long ones, as many are."""

    def sample(self, n, rng):
        x, y = self.task.sample(n, rng)
        order = rng.permutation(n)
        return x[order][::-1], y[order][::-1]


GOOD = [
    LINE,
    PLANE,
    EIGHT,
    THIRTY_TWO,
    Bits(),
    Uniform(),
    Beta(),
    Disc(),
    Counts(),
    Mixed(),
    Shell(),
    Shifted(EIGHT, "shifted"),
    NoPrefixes(LINE, "no-prefixes"),
    Mixture("heavy", "", (0.5, 0.5), (0, 1), np.eye(2, 4), [np.eye(4)] * 2, degrees=(3.0, 2.0)),
    Mixture("heavier", "", (0.5, 0.5), (0, 1), ((0,), (2,)), [np.eye(1)] * 2, degrees=(1.0, 0.7)),
    Mixture("far", "", (0.8, 0.2), (0, 1), ((0, 0), (900, 300)), [np.eye(2), 0.01 * np.eye(2)]),
]


@pytest.mark.parametrize("task", GOOD, ids=lambda task: task.name)
def test_a_task_without_fault_passes(task):
    outcomes = verify(task)
    assert [each for each in outcomes if each.status == "failed"] == []
    assert [each.check for each in outcomes] == list(CHECKS)
    for each in outcomes:
        if each.p is not None:
            assert each.n and each.detects, each


@pytest.mark.parametrize("name", registry.TASKS)
def test_every_registered_task_passes(name):
    assert [each for each in verify(registry.task(name)) if each.status == "failed"] == []


# --- planted faults ---------------------------------------------------------------------------------------


class Density(Wrapped):
    """A task with the log joint density of another."""

    def __init__(self, task, other):
        super().__init__(task)
        vars(self).update(other=other)

    def log_joint(self, x):
        return self.other.log_joint(x)


def changed(task, **fields):
    return dataclasses.replace(task, **fields)


def variance_for_std(task, component):
    """Return the mixture with the square of one component's covariance in place of it."""
    covariances = np.array(task.covariances)
    covariances[component] = covariances[component] @ covariances[component]
    return changed(task, covariances=covariances)


def one_variance(task):
    """Return the mixture with the first component's variance along one input halved."""
    scale = np.eye(task.features)
    scale[-1, -1] = np.sqrt(0.5)
    covariances = np.array(task.covariances)
    covariances[0] = scale @ covariances[0] @ scale
    return changed(task, covariances=covariances)


def without(task, component):
    """Return the mixture with next to nothing of one component, and the rest of its class as it was."""
    shares = np.array(task.shares)
    own = task.labels == task.labels[component]
    lost = shares[component]
    shares[component] = 1e-12
    shares[own & (np.arange(len(shares)) != component)] += lost - 1e-12
    return changed(task, shares=shares)


class Lost(Wrapped):
    """The log joint density has none of a component, and nothing in its place."""

    def log_joint(self, x):
        task, rest = self.task, np.log(1 - self.task.shares[1])
        joint = without(task, 1).log_joint(x)
        joint[:, 0] += rest
        return joint


class BareExp(Wrapped):
    def log_joint(self, x):
        with np.errstate(divide="ignore"):
            return np.log(np.exp(self.task.log_joint(x)))


class SingleExp(Wrapped):
    def log_joint(self, x):
        with np.errstate(divide="ignore"):
            return np.log(np.exp(self.task.log_joint(x).astype(np.float32)).astype(np.float64))


class Clipped(Wrapped):
    def log_joint(self, x):
        return np.log(np.exp(self.task.log_joint(x)) + 1e-300)


class Unnormalised(Wrapped):
    def log_joint(self, x):
        return self.task.log_joint(x) + np.log(1.02)


class UnnormalisedBits(Unnormalised, Listed):
    pass


class Relabelled(Wrapped):
    """Three labels in a hundred belong to another example."""

    def sample(self, n, rng):
        x, y = self.task.sample(n, rng)
        return x, np.where(rng.random(n) < 0.03, rng.permutation(y), y)


class RelabelledBits(Relabelled, Listed):
    pass


class Float32(Wrapped):
    def log_joint(self, x):
        return self.task.log_joint(x).astype(np.float32)


class RoundedToFloat32(Wrapped):
    def log_joint(self, x):
        return self.task.log_joint(x).astype(np.float32).astype(np.float64)


class NotANumber(Wrapped):
    def log_joint(self, x):
        far = (np.abs(x) > 40).any(axis=1, keepdims=True)
        return np.where(far, np.nan, self.task.log_joint(x))


class Infinite(Wrapped):
    def log_joint(self, x):
        far = (np.abs(x) > 40).any(axis=1, keepdims=True)
        return np.where(far, np.inf, self.task.log_joint(x))


class MixedUpBatch(Wrapped):
    """Right for one input at a time; in a batch the normaliser is summed over the batch too."""

    def log_joint(self, x):
        joint = self.task.log_joint(x)
        return joint - logsumexp(joint).mean() + logsumexp(joint)[:1] if len(x) > 1 else joint


class OneShape(Wrapped):
    def log_joint(self, x):
        return self.task.log_joint(x[:1])


class GlobalState(Wrapped):
    def sample(self, n, rng):
        return self.task.sample(n, np.random.default_rng(np.random.randint(2**31)))


class ReseededGlobalState(Wrapped):
    def sample(self, n, rng):
        np.random.seed(int(rng.integers(2**31)))
        return self.task.sample(n, np.random.default_rng(np.random.randint(2**31)))


class DeafToSeeds(Wrapped):
    def sample(self, n, rng):
        return self.task.sample(n, np.random.default_rng(0))


class Repeating(Wrapped):
    def sample(self, n, rng):
        x, y = self.task.sample(n, rng)
        return np.repeat(x[::2], 2, axis=0)[:n] if n > 1 else x, np.repeat(y[::2], 2)[:n] if n > 1 else y


class SortedByClass(Wrapped):
    def sample(self, n, rng):
        x, y = self.task.sample(n, rng)
        order = np.argsort(y, kind="stable")
        return x[order], y[order]


class ChangesItself(Wrapped):
    def sample(self, n, rng):
        object.__setattr__(self, "version", self.version + 1)
        return self.task.sample(n, rng)


class ChangesItsArgument(Wrapped):
    def log_joint(self, x):
        x -= 0.0
        x[0] += 1
        return self.task.log_joint(x)


@dataclasses.dataclass(eq=False)
class Thawed:
    task: object
    name: str = "thawed"
    version: int = 1
    features: int = 1
    classes: int = 2

    def sample(self, n, rng):
        return self.task.sample(n, rng)

    def log_joint(self, x):
        return self.task.log_joint(x)


class OpenArray(Wrapped):
    def __init__(self, task):
        super().__init__(task)
        vars(self).update(offset=np.zeros(3))


class FromAddress(Wrapped):
    """Something within depends on where the object is in memory."""

    def log_joint(self, x):
        return self.task.log_joint(x) + 1e-12 * (id(self) % 1000)


class IgnoredPriors(Shifted):
    def sample_train(self, n, rng):
        return self.task.sample(n, rng)


class OtherConditionals(Shifted):
    def sample_train(self, n, rng):
        x, y = super().sample_train(n, rng)
        return x + 0.1 * (y == 2)[:, None], y


class StatedOnly(Wrapped):
    train_priors = (0.2, 0.3, 0.5)


class WrongPriors(Wrapped):
    priors = (0.4999, 0.5001)


class Raises(Wrapped):
    def log_joint(self, x):
        if len(x) > 2_000:
            raise MemoryError("too many")
        return self.task.log_joint(x)


class WrongLabels(Wrapped):
    def sample(self, n, rng):
        x, y = self.task.sample(n, rng)
        return x, y + 1


class BrokenSupport(Listed):
    def log_joint(self, x):
        return np.where((x == 1).all(axis=1, keepdims=True), np.inf, self.task.log_joint(x))


class IncompleteSupport(Wrapped):
    support = property(lambda self: self.task.support[1:])


CONSEQUENCES = {"normalisation", "priors", "sampler-density", "sampler-posterior", "independence"}


class WrongBasis(Wrapped):
    def logit_basis(self, x):
        return np.concatenate([np.ones_like(x), x], axis=1)


class RedundantBasis(Wrapped):
    def logit_basis(self, x):
        return np.concatenate([np.ones_like(x), x, x**2, 3 - x], axis=1)


class UnevenPriors(Wrapped):
    priors = (0.5, 0.4)


class FlatWindow(Wrapped):
    window = (-1, 1)


FAULTS = {  # what is wrong: (a task with the fault, the checks that catch it)
    # one input
    "std for variance in log_joint, d = 1": (
        Density(LINE, changed(LINE, stds=(np.sqrt(2), 1))),
        "sampler-density",
    ),
    "std for variance in the sampler, d = 1": (Density(changed(LINE, stds=(4, 1)), LINE), "sampler-density"),
    "priors swapped, d = 1": (
        Density(registry.task("rare-class-1d"), changed(registry.task("rare-class-1d"), priors=(0.01, 0.99))),
        "priors sampler-density sampler-posterior",
    ),
    "labels swapped, d = 1": (Density(LINE, changed(LINE, means=(1, 0), stds=(1, 2))), "sampler-posterior"),
    "stated priors, d = 1": (WrongPriors(LINE), "priors"),
    "exp underflows, d = 1": (BareExp(LINE), "tails"),
    "exp underflows in float32, d = 1": (SingleExp(LINE), "tails"),
    "density clipped, d = 1": (Clipped(LINE), "tails"),
    "factor 1.02, d = 1": (Unnormalised(LINE), "normalisation"),
    "labels of others, d = 1": (Relabelled(LINE), "sampler-posterior"),
    "float32": (Float32(LINE), "contract"),
    "float32 within": (RoundedToFloat32(LINE), "contract"),
    "NaN far out": (NotANumber(LINE), "tails"),
    "inf far out": (Infinite(LINE), "tails"),
    "np.random": (GlobalState(LINE), "reproducible digest"),
    "np.random, seeded": (ReseededGlobalState(LINE), "reproducible"),
    "a seed of its own": (DeafToSeeds(LINE), "reproducible"),
    "each example twice": (Repeating(EIGHT), "independence"),
    "sorted by class": (SortedByClass(LINE), "independence"),
    "changes itself": (ChangesItself(LINE), "immutable reproducible digest"),
    "changes its argument": (ChangesItsArgument(LINE), "immutable batch-invariance"),
    "fields can be set": (Thawed(LINE), "immutable"),
    "an array can be written to": (OpenArray(LINE), "immutable"),
    "depends on id()": (FromAddress(LINE), "digest"),
    "raises": (Raises(EIGHT), "normalisation sampler-density sampler-posterior digest"),
    "labels from 1": (WrongLabels(LINE), "contract"),
    "one row for all": (OneShape(LINE), "contract"),
    "x^2 missing in the basis": (WrongBasis(LINE), "logit-basis"),
    "a function too many in the basis": (RedundantBasis(LINE), "logit-basis"),
    "priors that sum to 0.9": (UnevenPriors(LINE), "contract"),
    # two inputs
    "a window for one input": (FlatWindow(PLANE), "contract"),
    "std for variance in log_joint, d = 2": (Density(PLANE, variance_for_std(PLANE, 0)), "sampler-density"),
    "a component lost in log_joint, d = 2": (Lost(PLANE), "normalisation priors sampler-density"),
    "a component lost in the sampler, d = 2": (Density(without(PLANE, 1), PLANE), "sampler-density"),
    "wrong shares in the sampler, d = 2": (
        Density(changed(PLANE, shares=(0.75, 0.25, 0.4, 0.6, 0.9, 0.1)), PLANE),
        "sampler-density",
    ),
    "broken for batches, d = 2": (MixedUpBatch(PLANE), "batch-invariance"),
    "exp underflows, d = 2": (BareExp(PLANE), "tails"),
    "factor 1.02, d = 2": (Unnormalised(PLANE), "normalisation"),
    # eight and 32 inputs
    "std for variance in log_joint, d = 8": (Density(EIGHT, variance_for_std(EIGHT, 0)), "sampler-density"),
    "std for variance in the sampler, d = 8": (Density(variance_for_std(EIGHT, 0), EIGHT), "sampler-density"),
    "one of 8 variances, one of 6 components": (Density(EIGHT, one_variance(EIGHT)), "sampler-density"),
    "wrong shares in the sampler, d = 8": (
        Density(changed(EIGHT, shares=(0.75, 0.25, 0.4, 0.6, 0.9, 0.1)), EIGHT),
        "sampler-density",
    ),
    "a component lost in log_joint, d = 8": (Lost(EIGHT), "sampler-density"),
    "a component lost in the sampler, d = 8": (
        Density(without(EIGHT, 1), EIGHT),
        "normalisation sampler-density",
    ),
    "priors swapped, d = 8": (
        Density(EIGHT, changed(EIGHT, priors=(0.3, 0.5, 0.2))),
        "priors sampler-density",
    ),
    "factor 1.02, d = 8": (Unnormalised(EIGHT), "normalisation"),
    "labels of others, d = 8": (Relabelled(EIGHT), "sampler-posterior"),
    "exp underflows, d = 8": (BareExp(EIGHT), "tails"),
    "broken for batches, d = 8": (MixedUpBatch(EIGHT), "batch-invariance"),
    "train_priors not followed": (IgnoredPriors(EIGHT), "train-priors"),
    "training data of other densities": (OtherConditionals(EIGHT), "train-priors"),
    "train_priors without a sampler": (StatedOnly(EIGHT), "train-priors"),
    "std for variance in log_joint, d = 32": (
        Density(THIRTY_TWO, variance_for_std(THIRTY_TWO, 0)),
        "sampler-density",
    ),
    "one of 32 variances, one of 6 components": (
        Density(THIRTY_TWO, one_variance(THIRTY_TWO)),
        "sampler-density",
    ),
    "wrong shares in the sampler, d = 32": (
        Density(changed(THIRTY_TWO, shares=(0.75, 0.25, 0.4, 0.6, 0.9, 0.1)), THIRTY_TWO),
        "sampler-density",
    ),
    # discrete inputs
    "factor 1.02, discrete": (UnnormalisedBits(Bits()), "normalisation"),
    "another rate, discrete": (Bits(), "sampler-density"),
    "labels of others, discrete": (RelabelledBits(Bits()), "sampler-posterior"),
    "inf on the support": (BrokenSupport(Bits()), "contract"),
    "an input missing in the support": (IncompleteSupport(Bits()), "normalisation sampler-density"),
}


class OtherRate(Listed):
    def log_joint(self, x):
        return changed(self.task, rates=((0.2, 0.69, 0.4), (0.6, 0.3, 0.5))).log_joint(x)


FAULTS["another rate, discrete"] = (OtherRate(Bits()), "sampler-density")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught_by_name(fault):
    task, checks = FAULTS[fault]
    outcomes = verify(task)
    failed = {each.check: each for each in outcomes if each.status == "failed"}
    named = set(checks.split())
    assert named <= set(failed) <= named | CONSEQUENCES, outcomes
    for each in failed.values():
        assert each.found and each.expected
        assert "\n" not in each.found
