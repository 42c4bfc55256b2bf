"""Checks of the labels: priors, posterior, training data, and that examples are independent."""

from __future__ import annotations

import numpy as np

from benchmarks.task import Array, Task, logsumexp, training_data
from benchmarks.verification.case import Case, Finding, Skipped
from benchmarks.verification.goodness_of_fit import (
    Residuals,
    Test,
    bernoulli,
    multinomial,
    noncentrality,
    quantile_bins,
    residuals,
    together,
)

EXACT = 1e-6  # how far integrated priors may be from what is stated, beside the integral's own error
BINS = 10
EACH, LEAST = 20_000, 100  # examples of one class in one test, at most and at least


def priors(case: Case) -> Finding:
    """Check that posterior, sampler and the task's own `priors` agree on how frequent the classes are."""
    stated = getattr(case.task, "priors", None)
    counts = np.bincount(case.sample[1], minlength=case.task.classes)
    if case.method == "bridge sampling":
        level = case.level / (1 if stated is None else 3)
        tests = [_classes_of_both(case, level)]
        if stated is not None:
            stated = np.asarray(stated)
            tests += [multinomial(counts, stated, level), _mean_posterior(case, stated, level)]
    else:
        exact, margin = _integrated_priors(case)
        if stated is not None and np.abs(exact - stated).max() > margin:
            return Finding(
                False,
                f"the posterior's mean is {_listed(exact)}",
                f"the task's priors, {_listed(np.asarray(stated))}",
            )
        tests = [multinomial(counts, exact, case.level)]
    test = together(tests)
    against = "the posterior's mean" if stated is None else "the posterior's mean and the task's priors"
    return Finding(
        test.p >= case.level,
        f"labels {_listed(counts / counts.sum())}; p = {test.p:.2g}",
        f"{against}, {_listed(_mean(case))}, to within chance: p at least {case.level:.2g}",
        int(counts.sum()),
        f"{test.detects:.2%} of the labels in a wrong class",
        test.p,
    )


def _integrated_priors(case: Case) -> tuple[Array, float]:
    if case.method == "enumeration":
        joint = case.support_joint.sum(axis=0)
        return joint / joint.sum(), EXACT
    return case.integral.priors / case.integral.priors.sum(), EXACT + float(case.integral.error.sum())


def _mean(case: Case) -> Array:
    """Return the posterior's mean over the inputs, (k,)."""
    if case.method == "bridge sampling":
        return np.asarray(case.posterior.mean(axis=0))
    return _integrated_priors(case)[0]


def _classes_of_both(case: Case, level: float) -> Test:
    """Test, class by class, how many examples of two samples are the task's and of that class.

    Given the pooled inputs, each is with probability P(c|x) p / (p + g), for the proposal's density g.
    """
    bridge, y = case.bridge, case.sample[1]
    cell, tests = np.zeros(len(bridge.x), dtype=np.int64), []
    for c in range(case.task.classes):
        outcome = np.append(y == c, np.zeros(len(y), dtype=bool))
        found = residuals(outcome, bridge.share * bridge.posterior[:, c], cell)
        tests.append(bernoulli(found, level / case.task.classes))
    return together(tests)


def _mean_posterior(case: Case, stated: Array, level: float) -> Test:
    """Test the posterior's mean over the sample against stated priors."""
    n = len(case.posterior)
    total, variance = n * (case.posterior.mean(axis=0) - stated), n * case.posterior.var(axis=0)
    each = [
        Residuals(total[c : c + 1], variance[c : c + 1], np.array([n]), n * stated[c : c + 1])
        for c in range(len(stated))
    ]
    return together([bernoulli(one, level / len(stated)) for one in each])


def sampler_posterior(case: Case) -> Finding:
    """Check that labels are drawn with the posterior: those of each class, in bins of its probability."""
    y = case.sample[1]
    own = case.posterior[np.arange(len(y)), y]
    if (own == 0).any():
        return Finding(
            False,
            f"a label of class {y[own == 0][0]} at x = {case.sample[0][own == 0][0]}, of posterior 0",
            "labels of classes that are possible there",
            len(y),
        )
    test = calibration(y, case.posterior, case.level)
    return Finding(
        test.p >= case.level,
        f"p = {test.p:.2g}",
        f"labels that follow the posterior to within chance: p at least {case.level:.2g}",
        len(y),
        f"a class probability off by {100 * test.detects:.2g} percentage points on average",
        test.p,
    )


def calibration(y: Array, posterior: Array, level: float) -> Test:
    """Test labels y (n,) against their probabilities (n, k), each class in ten bins of its probability."""
    classes = posterior.shape[1]
    tests = []
    for c in range(classes):
        cell = equal_variance_bins(posterior[:, c])
        tests.append(bernoulli(residuals(y == c, posterior[:, c], cell), level / classes))
    return together(tests)


def equal_variance_bins(probability: Array) -> Array:
    """Return bins (n,) of ascending probability (n,), in each of which 0-1 outcomes vary about as much."""
    order = np.argsort(probability)
    running = np.cumsum((probability * (1 - probability))[order])
    bins = np.empty(len(order), dtype=np.int64)
    bins[order] = np.minimum(running / max(float(running[-1]), 1e-300) * BINS, BINS - 1).astype(np.int64)
    return bins


def independence(case: Case) -> Finding:
    """Check that examples don't depend on the one before: pairs of labels, and of the log density's ranks.

    Raises Skipped where there is nothing to compare.
    """
    from scipy import stats

    y = case.sample[1]
    frequent = np.argsort(-np.bincount(y, minlength=case.task.classes))[:BINS]
    group = np.full(case.task.classes, len(frequent) - 1)
    group[frequent] = np.arange(len(frequent))
    level, tests = case.level / 2, []
    for cell in (group[y], quantile_bins(case.log_density, case.log_density, 4)):
        size = int(cell.max()) + 1
        table = np.bincount(cell[:-1] * size + cell[1:], minlength=size * size).reshape(size, size)
        table = table[np.ix_(table.sum(axis=1) > 0, table.sum(axis=0) > 0)]
        if table.size > 1:
            p = stats.chi2_contingency(table, lambda_="log-likelihood", correction=False).pvalue
            size = np.sqrt(noncentrality(level, (len(table) - 1) ** 2) / len(y))
            tests.append(Test(float(p), float(size)))
    if not tests:
        raise Skipped("one label and one density: nothing to compare")
    test = together(tests)
    return Finding(
        test.p >= case.level,
        f"p = {test.p:.2g}",
        f"examples independent of the one before, to within chance: p at least {case.level:.2g}",
        len(y),
        f"a correlation of {test.detects:.2g} with the example before",
        test.p,
    )


def is_shifted(task: Task) -> bool:
    """Return whether training data follow another law than the test law."""
    return any(getattr(task, name, None) is not None for name in ("train_priors", "sample_train"))


def train_priors(case: Case) -> Finding:
    """Check that training data have the stated priors and the test law's class-conditional densities.

    Raises Skipped where training data follow the test law.
    """
    stated = getattr(case.task, "train_priors", None)
    sampler = getattr(case.task, "sample_train", None)
    if not is_shifted(case.task):
        raise Skipped("training data follow the test law")
    if stated is None or sampler is None:
        there = "sample_train" if stated is None else "train_priors"
        return Finding(False, f"{there} alone", "train_priors and sample_train, or neither")
    x, y = training_data(case.task, case.seed, len(case.sample[1]))
    counts, stated = np.bincount(y, minlength=case.task.classes), np.asarray(stated)
    conditionals = _conditionals(case, x, y)
    level = case.level / (2 + len(conditionals))
    tests = [multinomial(counts, stated, level)]
    test_priors = getattr(case.task, "priors", None if case.method == "bridge sampling" else _mean(case))
    if test_priors is not None:
        joint = case.log_joint(x) + np.log(stated) - np.log(np.asarray(test_priors))
        tests.append(calibration(y, np.exp(joint - logsumexp(joint)[:, None]), level))
    test = together([*tests, *conditionals])
    return Finding(
        test.p >= case.level,
        f"training labels {_listed(counts / counts.sum())}; p = {test.p:.2g}",
        f"the task's train_priors, {_listed(stated)}, to within chance: p at least {case.level:.2g}",
        len(y),
        f"{tests[0].detects:.2%} of the labels in a wrong class",
        test.p,
    )


def _conditionals(case: Case, x: Array, y: Array) -> list[Test]:
    """Test each input of training data against the sample's within one class (Kolmogorov and Smirnov).

    Of many inputs and classes the first 16 and the most frequent ten.
    """
    from scipy import stats

    tests = []
    for c in np.argsort(-np.bincount(case.sample[1]))[:BINS]:
        drawn, trained = (part[label == c, :16][:EACH] for part, label in (case.sample, (x, y)))
        if min(len(drawn), len(trained)) >= LEAST:
            p = stats.ks_2samp(drawn, trained, method="asymp").pvalue
            tests += [Test(float(each), 0.0) for each in np.atleast_1d(p)]
    return tests


def _listed(values: Array) -> str:
    shown = " ".join(f"{value:.4g}" for value in values[:4])
    return f"({shown}{' ...' if len(values) > 4 else ''})"
