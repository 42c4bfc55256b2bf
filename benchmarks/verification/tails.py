"""Checks of log_joint's values: the posterior's sum, the log-odds' basis, and values far from all data."""

from __future__ import annotations

import numpy as np

from benchmarks.task import Array, Task, checked_log_joint, log_posterior, logsumexp
from benchmarks.verification.case import Case, Finding, Skipped, support

FAR = 50.0  # interquartile ranges from the median
UNDERFLOW = 80.0  # nats; exp of float32 gives 0 from -104, of float64 from -746
FEW = 2_000  # examples
FUNCTIONS = 1_000  # of a basis, at most
FITTED = 1e-6  # relative to 1 + |log-odds|


def posterior_sums_to_one(case: Case) -> Finding:
    """Check that the posterior sums to 1 over the classes and is no probability outside [0, 1]."""
    x = case.training[0][:FEW]
    p = np.exp(log_posterior(case.task, x))
    off = float(np.abs(p.sum(axis=1) - 1).max())
    fine = off <= 1e-9 and bool((p >= 0).all())
    return Finding(fine, f"sums off by {off:.1g}", "1 to within 1e-09", len(x), "a sum off by 1e-09")


def has_basis(task: Task) -> bool:
    """Return whether a task names a basis of its log-odds that is small enough to be fitted."""
    basis = getattr(task, "logit_basis", None)
    return basis is not None and basis(np.zeros((1, task.features))).shape[1] <= FUNCTIONS


def logit_basis(case: Case) -> Finding:
    """Check that the log-odds lie in the span of the functions that `logit_basis` names, none too many.

    Their number gives the parameters k, which `efficiency` is proportional to. Raises Skipped where the task
    names no basis, or more than 1,000 functions.
    """
    basis = getattr(case.task, "logit_basis", None)
    if basis is None:
        raise Skipped("the task names no basis")
    b = basis(case.training[0][:1]).shape[1]
    if b > FUNCTIONS:
        raise Skipped(f"{b:,} functions: too many to fit, above {FUNCTIONS:,}")
    x = case.training[0][: max(FEW, 5 * b)]
    columns, joint = np.asarray(basis(x)), checked_log_joint(case.task, x)
    odds = joint[:, 1:] - joint[:, :1]
    if columns.shape != (len(x), b) or not np.isfinite(columns).all() or not np.isfinite(odds).all():
        return Finding(False, f"shape {columns.shape}, or infinite values", f"finite, of shape {(len(x), b)}")
    scaled = columns / np.maximum(np.abs(columns).max(axis=0), 1e-300)
    weights, _, rank, _ = np.linalg.lstsq(scaled, odds, rcond=1e-12)
    off = float((np.abs(scaled @ weights - odds) / (1 + np.abs(odds))).max())
    return Finding(
        off <= FITTED and rank == b,
        f"log-odds off the span by {off:.1g}; {rank} of {b} functions independent",
        f"log-odds within {FITTED:g} of the span of independent functions",
        len(x),
        f"log-odds off the span by {FITTED:g}",
    )


def tails(case: Case) -> Finding:
    """Check log_joint 50 interquartile ranges out: no NaN, no +inf, and -inf only where no density is.

    Of a task with a `support`, at all of its inputs. Raises Skipped where all inputs are discrete otherwise.
    """
    if support(case.task) is not None:
        return _finite_on_support(case)
    if case.discrete.all():
        raise Skipped("all inputs are discrete")
    starts, ends = _rays(case)
    expected = f"log densities that are finite {FAR:.0f} interquartile ranges out, or -inf beyond an edge"
    for share in (0.1, 0.2, 0.4, 1.0):
        if np.isposinf(checked_log_joint(case.task, starts + share * (ends - starts))).any():
            return Finding(False, "log_joint returned +inf", expected, len(ends))
    far, nearer = (checked_log_joint(case.task, starts + share * (ends - starts)) for share in (1.0, 0.8))
    flat = np.isfinite(far) & (far == nearer)
    if flat.any():
        ray, c = np.argwhere(flat)[0]
        words = f"class {c}: the log density is {far[ray, c]:.4g} from there on, as if clipped"
        return Finding(False, words, expected, len(ends))
    vanished = np.argwhere(np.isneginf(far))
    chosen = case.rng("vanished").permutation(len(vanished))[:40]
    for ray, c in vanished[chosen]:
        fault = _underflow(case, starts[ray], ends[ray], int(c))
        if fault:
            return Finding(False, fault, expected, len(ends))
    edges = f"; {len(vanished)} of them beyond an edge" if len(vanished) else ""
    return Finding(
        True, f"{len(ends)} rays{edges}", expected, len(ends), "a log density that ends within them"
    )


def _rays(case: Case) -> tuple[Array, Array]:
    """Return where rays start, at drawn inputs, and end (m, d): along axes and in random directions."""
    x, rng = case.training[0], case.rng("rays")
    d = x.shape[1]
    low, median, high = np.quantile(x, (0.25, 0.5, 0.75), axis=0)
    spread = np.where(high > low, high - low, x.std(axis=0) + 1e-12)
    axes = np.eye(d)[rng.permutation(np.flatnonzero(~case.discrete))[:16]]
    directions = rng.standard_normal((16, d))
    directions = np.concatenate([axes, -axes, directions / np.abs(directions).max(axis=1, keepdims=True)])
    starts = x[: len(directions)]
    return starts, np.where(case.discrete, starts, median + FAR * spread * directions)


def _underflow(case: Case, start: Array, end: Array, c: int) -> str | None:
    """Return what is wrong where a class's log density becomes -inf along a ray without having had an edge.

    At an edge the density is 0 from one point to the next, or falls to 0 in the last stretch; where exp of a
    log density gave 0, the log density was far below its start long before.
    """
    examples = case.training[0][case.training[1] == c]
    if len(examples):
        start = np.where(case.discrete, start, examples[0])

    def at(share: float) -> float:
        return float(checked_log_joint(case.task, (start + share * (end - start))[None])[0, c])

    if not np.isfinite(at(0.0)):
        return None  # discrete inputs that the class doesn't take
    inside, outside = 0.0, 1.0
    for _ in range(60):
        middle = 0.5 * (inside + outside)
        inside, outside = (middle, outside) if np.isfinite(at(middle)) else (inside, middle)
    fall = at(0.0) - at(0.99 * inside)
    if fall < UNDERFLOW:
        return None
    where = (start + inside * (end - start)).round(4)
    return f"class {c}: log density {at(inside):.4g} at x = {where}, then -inf: exp underflowed before log"


def _finite_on_support(case: Case) -> Finding:
    """Check that inputs of a discrete task have no NaN or +inf, and a finite log density wherever drawn."""
    joint = case.log_joint(np.asarray(support(case.task), dtype=np.float64))
    x, y = case.training
    own = case.log_joint(x)[np.arange(len(y)), y]
    fine = not np.isposinf(joint).any() and bool(np.isfinite(own).all())
    possible = int(np.isfinite(logsumexp(joint)).sum())
    return Finding(
        fine,
        f"{possible:,} of {len(joint):,} inputs possible, {np.isneginf(own).sum():,} drawn ones impossible",
        "log probabilities that are finite wherever an example is drawn",
        len(joint),
    )
