"""Reference rows: the exact posterior, the class priors, and maximum likelihood in the true family."""

from __future__ import annotations

import contextlib

import numpy as np

from benchmarks.architecture import FitFailed, Predict, Reference, Skipped
from benchmarks.evaluation import Evaluation, corrected, normalised
from benchmarks.task import Array, Task, conditional_parameters, log_posterior

NEWTON_STEPS = 40
CONVERGED = 1e-9  # Newton decrement, twice the log-likelihood (nats) that is still to be gained
CHUNK = 4_096  # rows of a basis that are worked on at once
NO_INFORMATION = 1e-7  # in examples: true maxima of the tasks here leave 1e-5 or more, false ones 1e-11
PILOT = 10_000  # from this many examples on, a tenth of them gives the starting point


def _oracle(task: Task, evaluation: Evaluation, x: Array, y: Array) -> Predict:
    return lambda points: log_posterior(task, points)


def _prior(task: Task, evaluation: Evaluation, x: Array, y: Array) -> Predict:
    return lambda points: np.tile(evaluation.log_prior, (len(points), 1))


def _oracle_mle(task: Task, evaluation: Evaluation, x: Array, y: Array) -> Predict:
    k = conditional_parameters(task)
    if k is None:
        raise Skipped("the task names no family of log-odds")
    if k > len(y) / 5 or k > 1_000:
        raise Skipped(f"{k} parameters are too many for {len(y)} examples (limits: a fifth of them, 1,000)")
    basis = task.logit_basis  # type: ignore[attr-defined]
    weights = fit_multinomial(basis(x), y, task.classes)

    def predict(points: Array) -> Array:
        parts = [normalised(_logits(basis(points[rows]), weights)) for rows in _chunks(len(points))]
        return corrected(task, evaluation, np.concatenate(parts))

    return predict


def fit_multinomial(features: Array, y: Array, classes: int) -> Array:
    """Return the weights (b, classes - 1) of multinomial logistic regression by maximum likelihood.

    features (n, b), y (n,); class 0 is the reference. Newton's method with step halving. Raises FitFailed
    where the maximum doesn't exist: there Newton's method still converges, but linearly, as weights run
    off to infinity, where at a true maximum it converges quadratically (Albert and Anderson 1984,
    Biometrika 71(1):1-10, say when that is).
    """
    start = np.zeros((features.shape[1], classes - 1))
    if len(y) >= PILOT:
        with contextlib.suppress(FitFailed):  # the pilot sample only saves time
            pilot = fit_multinomial(features[: len(y) // 10], y[: len(y) // 10], classes)
            return _newton(features, y, pilot)
    return _newton(features, y, start)


def _newton(features: Array, y: Array, weights: Array) -> Array:
    """Return the maximum likelihood weights, found from a starting point; raises FitFailed."""
    classes = weights.shape[1] + 1
    one_hot = np.eye(classes)[y]
    previous = np.inf
    log_q = normalised(_logits(features, weights))
    for _ in range(NEWTON_STEPS):
        q = np.exp(log_q)
        gradient = features.T @ (one_hot - q)[:, 1:]
        try:
            step = np.linalg.solve(_information_matrix(features, q[:, 1:]), gradient.T.ravel())
        except np.linalg.LinAlgError:
            break
        decrement = float(gradient.T.ravel() @ step)
        weights, log_q = _line_search(features, one_hot, weights, log_q, step.reshape(classes - 1, -1).T)
        if decrement < CONVERGED and decrement < 0.1 * previous:
            if _least_information(features, np.exp(log_q)[:, 1:]) < NO_INFORMATION:
                break
            return weights
        previous = decrement
    raise FitFailed(f"the likelihood of {len(y)} examples has no maximum (separable classes)")


def _least_information(features: Array, q: Array) -> float:
    """Return the information that is left in the direction with least, in examples.

    An example at equal odds has one. Where the maximum lies at infinity, next to nothing is left in its
    direction, and rounding can pass for convergence.
    """
    level = _information_matrix(features, np.full_like(q, 1 / (q.shape[1] + 1)))
    try:
        root = np.linalg.cholesky(level)
    except np.linalg.LinAlgError:  # functions that depend on each other
        return 0.0
    half = np.linalg.solve(root, _information_matrix(features, q))
    return float(np.linalg.eigvalsh(np.linalg.solve(root, half.T))[0] * len(features))


def _logits(features: Array, weights: Array) -> Array:
    return np.concatenate([np.zeros((len(features), 1)), features @ weights], axis=1)


def _information_matrix(features: Array, q: Array) -> Array:
    """Return the Fisher information, class by class: blocks sum_n q_j (1[j = l] - q_l) f f^T."""
    free, count = q.shape[1], features.shape[1]
    total = np.zeros((free, count, free, count))
    for rows in _chunks(len(features)):
        f, p = features[rows], q[rows]
        for j in range(free):
            for m in range(j + 1):
                block = (f * (p[:, j] * ((j == m) - p[:, m]))[:, None]).T @ f
                total[j, :, m] += block
                if m < j:
                    total[m, :, j] += block.T
    return total.reshape(free * count, free * count)


def _chunks(n: int) -> list[slice]:
    """Return slices of rows, few enough that a wide basis stays in the processor's cache."""
    return [slice(start, start + CHUNK) for start in range(0, max(n, 1), CHUNK)]


def _line_search(
    features: Array, one_hot: Array, weights: Array, log_q: Array, step: Array
) -> tuple[Array, Array]:
    """Return weights and log q after the longest of the halved steps that doesn't lose likelihood."""
    before = (one_hot * log_q).sum()
    for halving in range(30):
        trial = weights + step * 0.5**halving
        trial_log_q = normalised(_logits(features, trial))
        if (one_hot * trial_log_q).sum() >= before - 1e-9 * abs(before):
            return trial, trial_log_q
    return weights, log_q


REFERENCES = {
    reference.name: reference
    for reference in (
        Reference("oracle", "the exact posterior; scores 0", _oracle, needs_data=False),
        Reference("prior", "the class priors at every x; information gap 1", _prior, needs_data=False),
        Reference(
            "oracle-mle",
            "conditional maximum likelihood in the true family of log-odds; expected KL about k/2N",
            _oracle_mle,
            needs_data=True,
        ),
    )
}
