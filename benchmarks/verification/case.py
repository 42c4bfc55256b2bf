"""A task under verification: its samples and integrals, made once for all checks, and what a check finds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from benchmarks.task import Array, Task, TaskError, checked_log_joint, logsumexp, seed_words
from benchmarks.verification import cubature, proposal

FIT = 50_000  # examples that cells and proposals are made from, apart from those that are tested
TEST = {"enumeration": 500_000, "quadrature": 500_000, "bridge sampling": 200_000}  # examples tested, at most
NUMBERS = 4_000_000  # at most in the tested inputs, and in their posterior: what memory allows
BLOCK = 25_000  # examples drawn, and weighed, at once


class Finding(NamedTuple):
    """What a check found: whether it is as it should be, and what an Outcome says of it."""

    ok: bool
    found: str
    expected: str
    n: int | None = None
    detects: str = ""
    p: float | None = None


class Skipped(Exception):
    """A check that doesn't apply to a task; the message says why."""


@dataclass(frozen=True)
class Case:
    """A task, the seed of all that is drawn, and the level of each statistical check.

    elsewhere: the task's digest as another interpreter found it, or None.
    """

    task: Task
    seed: int
    level: float
    elsewhere: dict[str, str] | None = None

    def rng(self, purpose: str) -> np.random.Generator:
        """Return a generator that depends on the task's name, the seed and what it is for."""
        return np.random.default_rng([*seed_words(f"verify {purpose} of {self.task.name}"), self.seed])

    def draw(self, n: int, purpose: str) -> tuple[Array, Array]:
        """Draw n labelled examples in blocks: x (n, d) and y (n,)."""
        rng = self.rng(purpose)
        sizes = [min(BLOCK, n - start) for start in range(0, n, BLOCK)]
        x, y = zip(*(self.task.sample(size, rng) for size in sizes), strict=True)
        return np.concatenate(x), np.concatenate(y)

    def log_joint(self, x: Array) -> Array:
        """Return log P(x, c), (n, k), block by block; raises TaskError."""
        blocks = [x[i : i + BLOCK] for i in range(0, len(x), BLOCK)]
        return np.concatenate([checked_log_joint(self.task, block) for block in blocks])

    @cached_property
    def training(self) -> tuple[Array, Array]:
        """Examples that proposals and cells are fitted to: x (n, d) and y (n,)."""
        return self.draw(FIT, "fit")

    @cached_property
    def method(self) -> str:
        """How integrals over the inputs are taken: a key of TEST."""
        if support(self.task) is not None:
            return "enumeration"
        if self.task.features <= 2 and not self.discrete.any():
            return "quadrature"
        return "bridge sampling"

    @cached_property
    def discrete(self) -> Array:
        """Which inputs take values more than once, (d,)."""
        return proposal.repeats(self.training[0][:5000])

    @cached_property
    def sample(self) -> tuple[Array, Array]:
        """The examples that are tested: x (n, d) and y (n,)."""
        most = NUMBERS // max(self.task.features, self.task.classes)
        return self.draw(min(TEST[self.method], most), "test")

    @cached_property
    def joint(self) -> Array:
        """Logs of P(x, c) at the sample, (n, k)."""
        return self.log_joint(self.sample[0])

    @cached_property
    def log_density(self) -> Array:
        """Logs of p(x) at the sample, (n,)."""
        return logsumexp(self.joint)

    @cached_property
    def posterior(self) -> Array:
        """P(c|x) at the sample, (n, k); raises TaskError where a drawn input has no density."""
        nowhere = np.isneginf(self.log_density)
        if nowhere.any():
            raise TaskError(
                f"expected a density at every input drawn, found log_joint -inf in all classes at"
                f" {nowhere.sum():,} of {len(nowhere):,}, such as x = {self.sample[0][nowhere][0]}"
            )
        return np.asarray(np.exp(self.joint - self.log_density[:, None]))

    @cached_property
    def support_joint(self) -> Array:
        """P(x, c) at all inputs there are, (m, k)."""
        return np.exp(self.log_joint(np.asarray(support(self.task), dtype=np.float64)))

    @cached_property
    def tree(self) -> cubature.Tree:
        """Boxes on the line or in the plane."""
        return cubature.Tree.of(self.training[0])

    @cached_property
    def integral(self) -> cubature.Integral:
        """The joint density's integrals over the tree's boxes."""
        return cubature.integrate(self.task, self.tree)

    @cached_property
    def bridge(self) -> Bridge:
        """The sample beside as many draws from a proposal fitted to other examples."""
        x = self.sample[0]
        fitted = proposal.fit(*self.training, self.rng("clusters"))
        drawn = fitted.sample(len(x), self.rng("proposal"))
        joint = np.concatenate([self.joint, self.log_joint(drawn)])
        log_p, pooled = logsumexp(joint), np.concatenate([x, drawn])
        joint -= np.where(np.isneginf(log_p), 0.0, log_p)[:, None]
        log_g, component = fitted.log_density(pooled)
        return Bridge.between(pooled, np.exp(joint, out=joint), log_p, log_g, component)


class Bridge(NamedTuple):
    """Draws of a task, and then as many of a proposal g, with what tells which is which.

    x (2n, d); posterior: P(c|x), (2n, k); log_p and log_ratio = log p - log g, (2n,); component: of g, the
    most likely at each x, (2n,); log_total: the estimated log of p's integral, and error: its standard error;
    share: P(drawn from the task | x) under that estimate, (2n,).
    """

    x: Array
    posterior: Array
    log_p: Array
    log_ratio: Array
    component: Array
    log_total: float
    share: Array
    error: float

    @classmethod
    def between(cls, x: Array, posterior: Array, log_p: Array, log_g: Array, component: Array) -> Bridge:
        """Return the bridge with the estimate of Meng and Wong (1996, Statistica Sinica 6:831-860).

        The estimate is the intercept of the logistic regression of "drawn from the task" on the known log
        p/g (Geyer 1994), which also gives its standard error.
        """
        from scipy import optimize, special

        # Logs of ratios are cut at what makes no difference, so that they can be added to.
        log_ratio = np.where(np.isneginf(log_p), -1e6, np.clip(log_p - log_g, -1e6, 1e6))
        n = len(x) // 2

        def excess(log_total: float) -> float:
            return float(special.expit(log_ratio - log_total).sum() - n)

        log_total = float(optimize.brentq(excess, log_ratio.min() - 50, log_ratio.max() + 50, xtol=1e-12))
        share = special.expit(log_ratio - log_total)
        information = float((share * (1 - share)).sum())
        variance = 1 / information - 2 / n if information > 0 else np.inf
        return cls(
            x, posterior, log_p, log_ratio, component, log_total, share, float(np.sqrt(max(variance, 1e-12)))
        )

    @property
    def overlap(self) -> float:
        """How many independent draws the estimate is worth."""
        return float((self.share * (1 - self.share)).sum())


def support(task: Task) -> Array | None:
    """Return every input there is, (m, d), where x is discrete and the task lists them; else None."""
    found = getattr(task, "support", None)
    return None if found is None else np.asarray(found)
