"""Classifiers in scikit-learn's style that scikit-learn lacks."""

from __future__ import annotations

import math

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF, ConstantKernel
from sklearn.neighbors import KNeighborsClassifier

from benchmarks.evaluation import normalised
from benchmarks.task import Array

PAIRS = 1_000_000  # kernel values that are held at once


class SquareRootNeighbours(KNeighborsClassifier):  # type: ignore[misc]
    """Nearest neighbours whose k grows as sqrt(n), times a factor, rounded up.

    k grows without limit and k/n falls to 0, so class shares tend to the posterior (Stone 1977, Annals of
    Statistics 5(4):595-620).
    """

    def __init__(self, factor: float = 1.0, weights: str = "uniform") -> None:
        super().__init__(weights=weights)
        self.factor = factor

    def fit(self, x: Array, y: Array) -> SquareRootNeighbours:
        """Fit to x (n, d), y (n,)."""
        self.n_neighbors = min(max(math.ceil(self.factor * math.sqrt(len(y))), 1), len(y))
        super().fit(x, y)
        return self


class GaussianProcess(GaussianProcessClassifier):  # type: ignore[misc]
    """A Gaussian process with one Gaussian kernel, whose variance and width maximise the marginal likelihood.

    They start at the values given; scikit-learn's default kernel would stay at 1 and 1.
    """

    def __init__(self, variance: float = 1.0, width: float = 1.0, random_state: int | None = None) -> None:
        super().__init__(random_state=random_state)
        self.variance = variance
        self.width = width

    def fit(self, x: Array, y: Array) -> GaussianProcess:
        """Fit to x (n, d), y (n,)."""
        self.kernel = ConstantKernel(self.variance) * RBF(self.width)
        super().fit(x, y)
        return self


class KernelDensityBayes(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Bayes' rule with a Gaussian kernel density for each class and the classes' shares as priors.

    The bandwidth of a class is factor n^(-1/(d + 4)) s, Scott's rule (Scott 1992, Multivariate Density
    Estimation, eq. 6.42), for its n examples in d dimensions; s is the root of its variance averaged over
    the inputs, 1 where that is 0. Inputs should be of one scale.
    """

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def fit(self, x: Array, y: Array) -> KernelDensityBayes:
        """Fit to x (n, d), y (n,); raises ValueError where the factor isn't positive."""
        if not self.factor > 0:
            raise ValueError(f"factor should be above 0, found {self.factor}")
        x, y = np.asarray(x, dtype=np.float64), np.asarray(y)
        self.classes_ = np.unique(y)
        self.examples_ = [x[y == each] for each in self.classes_]
        self.bandwidths_ = [
            self.factor * len(own) ** (-1 / (x.shape[1] + 4)) * (math.sqrt(own.var(axis=0).mean()) or 1.0)
            for own in self.examples_
        ]
        self.log_prior_ = np.log([len(own) / len(y) for own in self.examples_])
        return self

    def log_densities(self, x: Array) -> Array:
        """Return log p(x|c) in nats, (m, classes), at x (m, d); every kernel counts, however far it is."""
        pairs = zip(self.examples_, self.bandwidths_, strict=True)
        return np.stack([_log_kernel_density(x, own, width) for own, width in pairs], axis=1)

    def predict_log_proba(self, x: Array) -> Array:
        """Return log q (m, classes) at x (m, d)."""
        return normalised(self.log_densities(np.asarray(x, dtype=np.float64)) + self.log_prior_)

    def predict_proba(self, x: Array) -> Array:
        """Return q (m, classes) at x (m, d)."""
        return np.asarray(np.exp(self.predict_log_proba(x)))

    def predict(self, x: Array) -> Array:
        """Return the likeliest class, (m,), at x (m, d)."""
        return np.asarray(self.classes_[np.argmax(self.predict_log_proba(x), axis=1)])


def _log_kernel_density(x: Array, examples: Array, width: float) -> Array:
    """Return the log density of equal Gaussians of one width around the examples, (m,), at x (m, d)."""
    rows = max(PAIRS // len(examples), 1)
    parts = [np.empty(0)]
    for start in range(0, len(x), rows):
        exponent = cdist(x[start : start + rows], examples, "sqeuclidean")
        exponent *= -0.5 / width**2
        top = exponent.max(axis=1)
        exponent -= top[:, None]
        np.exp(exponent, out=exponent)
        parts.append(np.log(exponent.sum(axis=1)) + top)
    volume = math.log(len(examples)) + examples.shape[1] * (0.5 * math.log(2 * math.pi) + math.log(width))
    return np.asarray(np.concatenate(parts) - volume)
