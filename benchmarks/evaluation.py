"""What a task is scored on: points, weights of the regions, the exact posterior and integration errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks import quadrature, sampling
from benchmarks.layout import by_class
from benchmarks.regions import Averages, Points, Rule, as_networks_see, atoms, region_weights
from benchmarks.task import Array, Task, TaskError, bayes_rule, checked_log_joint, logsumexp, over_classes

RESOLUTION = 2.0**-24  # of float32, to which the points are rounded
MOST_REPRESENTATIVES = 2_000
MOST_NUMBERS = 20_000  # representatives times classes
VERSION = 2  # of points and weights; a change of numbers bumps it


@dataclass(frozen=True, eq=False)  # compared and hashed as the object it is, so that caches can hold it
class Evaluation:
    """The points, weights and exact log-posteriors that a task is scored on.

    x: (n, d) float64, exactly representable in float32, as the networks see it; weights: {region: (n,),
    sums to 1}; log_posterior: (n, k) nats; error: how far the density's integral is from 1, NaN where it
    isn't integrated; window (d, 2): what figures show, or None; checks, replicates and tails: see
    `benchmarks.regions.Points`, how a number's integration error is found.
    """

    x: Array
    weights: Mapping[str, Array]
    log_posterior: Array
    method: str
    error: float
    window: Array | None = None
    checks: tuple[Rule, ...] = ()
    replicates: bool = False
    tails: tuple[tuple[Array, ...], ...] = ()

    @cached_property
    def table(self) -> Array:
        """The weights of all regions as rows, (regions, n)."""
        return np.stack(list(self.weights.values()))

    @cached_property
    def by_class(self) -> Array:
        """log_posterior (n, k) in the layout that metrics are fastest on."""
        return by_class(self.log_posterior)

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The rule on all points, and behind it the checks, each with its points as indices."""
        every = np.arange(len(self.x))
        checks = [replace(rule, points=every[rule.points]) for rule in self.checks]
        return Rule(every, self.weights), *checks

    @cached_property
    def everywhere(self) -> Averages:
        """Averages over points: under each rule, then at the end of each tail, in every region."""
        return self._averages(list(self.weights))

    @cached_property
    def overall(self) -> Averages:
        """The same in region `all` alone."""
        return self._averages(["all"])

    def _averages(self, regions: Sequence[str]) -> Averages:
        rows = [(np.asarray(rule.points), rule.weights[region]) for rule in self.rules for region in regions]
        ends = [tail[-1] for tail in self.tails]
        return Averages.of(rows + [(end, self.weights[region][end]) for end in ends for region in regions])

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.log_posterior.shape[1])

    @cached_property
    def log_prior(self) -> Array:
        """Log class priors in nats, (k,), integrated over the same points as every measure."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(expectation(np.exp(self.log_posterior.T), self.weights["all"])))

    @cached_property
    def entropy(self) -> float:
        """H(C|X) in nats."""
        p = np.exp(self.log_posterior)
        terms = np.where(p > 0, p * self.log_posterior, 0.0)
        return float(-expectation(terms.sum(axis=1), self.weights["all"]))

    @cached_property
    def bayes_error(self) -> float:
        """The error rate of the exact posterior, between 0 and 1: the least that any classifier can have."""
        return float(expectation(1 - np.exp(self.log_posterior).max(axis=1), self.weights["all"]))

    @cached_property
    def information(self) -> float:
        """I(X;C) in nats: the expected KL of predicting the class priors everywhere."""
        log_prior = np.broadcast_to(self.log_prior, self.log_posterior.shape)
        # Summed as scores are, so that predicting the priors has a gap of exactly 1.
        return float(self.overall(kl(self.by_class, log_prior)[None])[0, 0])

    @cached_property
    def information_by_rule(self) -> Array:
        """I(X;C) under each of the rules, (1 + checks,)."""
        return np.array([self.information, *(part.information for part in self.restrictions)])

    @cached_property
    def restrictions(self) -> tuple[Evaluation, ...]:
        """The evaluation on each of its check rules, for what is known of the task alone."""
        return tuple(
            replace(
                self,
                x=self.x[rule.points],
                weights=rule.weights,
                log_posterior=self.log_posterior[rule.points],
                checks=(),
                tails=(),
            )
            for rule in self.checks
        )

    def integration_error(
        self, value: float, checks: Sequence[float], resolution: float = RESOLUTION
    ) -> float:
        """Return the integration error of one number; see `integration_errors`."""
        return float(self.integration_errors(np.array([value]), np.array([checks]), resolution)[0])

    def integration_errors(
        self, values: Array, checks: Array, resolution: float | Array = RESOLUTION
    ) -> Array:
        """Return the integration errors (m,) of numbers (m,), from what each check rule says (m, checks).

        Of replicates: two standard errors, and the bias that their smaller size shows (a jackknife's
        estimate). Of coarser rules: the largest disagreement, each times its factor, and the value times
        what the density's integral is off. To either comes what rounding adds. NaN where there is no number.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            differences = np.ascontiguousarray(checks - values[:, None])
            there = ~np.isnan(differences)
            error = (self._spread if self.replicates else self._largest)(differences, there)
            off = 0.0 if np.isnan(self.error) else self.error
            relative = np.where(np.asarray(resolution) > 0, resolution + off, 0.0)
            error = error + relative * np.abs(values)
        return np.where(np.isfinite(values), error, np.nan)

    def _spread(self, differences: Array, there: Array) -> Array:
        count = there.sum(axis=1)
        mean = np.where(there, differences, 0.0).sum(axis=1) / count
        squares = np.where(there, (differences - mean[:, None]) ** 2, 0.0).sum(axis=1)
        error = 2 * np.sqrt(squares / (count - 1) / count) + np.abs(mean) / (count - 1)
        return np.where(count < 2, np.nan, error)

    def _largest(self, differences: Array, there: Array) -> Array:
        if not self.checks:
            return np.zeros(len(differences))
        factors = np.array([rule.factor for rule in self.checks])
        error = np.where(there, np.abs(differences * factors), -np.inf).max(axis=1)
        return np.where(there.any(axis=1), error, np.nan)


def expectation(values: Array, weights: Array) -> Array:
    """Return the weighted sums (...) over the last axis of values and weights, (..., n), which broadcast.

    Points without weight don't count, whatever the value there. NumPy's own summation is used instead of
    a matrix product because its result never depends on how many rows are summed beside each other.
    """
    with np.errstate(invalid="ignore"):
        total = np.asarray((values * weights).sum(axis=-1))
        if np.isfinite(total).all():
            return total
        return np.asarray(np.where(weights > 0, values * weights, 0.0).sum(axis=-1))


def representatives(evaluation: Evaluation) -> tuple[Array, Array]:
    """Return rows (m,) of an evaluation that stand for p(x), and their weights (m,), which sum to 1.

    All points where there are few; else 2,000 of equal weight, fewer of many classes, at evenly spaced
    quantiles of the weights in the order of the points (systematic sampling).
    """
    weights = evaluation.weights["all"]
    most = min(MOST_REPRESENTATIVES, max(100, MOST_NUMBERS // evaluation.classes))
    if len(weights) <= most:
        return np.arange(len(weights)), weights / weights.sum()
    cumulated = np.cumsum(weights)
    quantiles = (np.arange(most) + 0.5) / most * cumulated[-1]
    return np.searchsorted(cumulated, quantiles), np.full(most, 1 / most)


def kl(log_p: Array, log_q: Array) -> Array:
    """Return KL(p || q) at each point in nats, (...), of logs (..., k); infinite where q is 0 and p isn't."""
    p = np.exp(log_p)
    with np.errstate(invalid="ignore"):
        return over_classes(np.sum, np.where(p > 0, p * (log_p - log_q), 0.0))


def evaluate(task: Task) -> Evaluation:
    """Return the evaluation of a task.

    Every input of a task with a finite `support`; quadrature over one or two inputs; beyond that a fixed
    sample. Raises TaskError where the density doesn't integrate to 1.

    >>> from benchmarks import registry
    >>> evaluation = evaluate(registry.task("gauss-separated"))
    >>> evaluation.method
    'quadrature, 4,097 nodes on [-21.02, 24.24]'
    >>> round(evaluation.bayes_error, 4)  # the mass of N(0, 1) beyond 1.5
    0.0668
    >>> round(evaluation.information, 4), round(evaluation.entropy, 4)  # nats; their sum is H(C) = log 2
    (0.5268, 0.1664)
    >>> log_p, weights = evaluation.log_posterior, evaluation.weights["all"]
    >>> round(float(expectation(-(np.exp(log_p) * log_p).sum(axis=1), weights)), 4)  # H(C|X) again
    0.1664
    """
    with threadpool_limits(1):  # with more threads, products have other last bits
        if getattr(task, "support", None) is not None:
            points = _enumerated(task)
        else:
            points = (quadrature if task.features <= 2 else sampling).integrate(task)
    parts = points._asdict()
    joint = parts.pop("log_joint")
    return Evaluation(**parts, log_posterior=bayes_rule(joint))


def _enumerated(task: Task) -> Points:
    """Return every input there is; nothing is left to err but rounding."""
    support = as_networks_see(task.support)  # type: ignore[attr-defined]
    if task.features == 1:
        support = np.sort(support, axis=0)  # along a line, so that crossings lie between neighbours
    joint = checked_log_joint(task, support)
    log_mass = logsumexp(joint)
    total = float(np.exp(log_mass).sum())
    if not abs(total - 1) < 1e-9:
        raise TaskError(
            f"task {task.name}: the probabilities of the support, rounded to float32 as networks see it,"
            f" should sum to 1, they sum to {total:.9g}"
        )
    there = np.isfinite(log_mass)
    return Points(
        x=support[there],
        log_joint=joint[there],
        weights=region_weights(atoms(np.exp(log_mass[there]), log_mass[there])),
        method=f"enumeration, all {there.sum():,} inputs",
        error=abs(total - 1),
    )


def corrected(task: Task, evaluation: Evaluation, log_q: Array) -> Array:
    """Return log q (n, k) of a model of the training data as it is under the test law's class priors.

    q(c|x) test prior(c) / training prior(c), normalised (Saerens, Latinne and Decaestecker 2002, Neural
    Computation 14(1):21-41, eq. 2.4); unchanged where a task has no `train_priors`.
    """
    train_priors = getattr(task, "train_priors", None)
    if train_priors is None:
        return log_q
    stated = getattr(task, "priors", None)
    log_prior = evaluation.log_prior if stated is None else np.log(stated)
    return normalised(log_q + log_prior - np.log(train_priors))


def normalised(log_q: Array) -> Array:
    """Return log probabilities (..., k) whose exponentials sum to 1 over the last axis."""
    return np.asarray(log_q - logsumexp(log_q)[..., None])
