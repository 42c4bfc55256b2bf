"""An estimator of your own: anything with fit(x, y) and predict_proba(x)."""

import numpy as np


class Histogram:
    """Class shares among the examples in each of a few bins of the first input."""

    def __init__(self, bins=8):
        self.bins = bins

    def fit(self, x, y):
        """Count classes in bins of equal mass: x (n, features), y (n,)."""
        self.edges = np.quantile(x[:, 0], np.linspace(0, 1, self.bins + 1)[1:-1])
        self.counts = np.ones((self.bins, y.max() + 1))  # one example of each class in each bin beforehand
        np.add.at(self.counts, (np.searchsorted(self.edges, x[:, 0]), y), 1)
        return self

    def predict_proba(self, x):
        """Return probabilities (n, classes) at x (n, features)."""
        counts = self.counts[np.searchsorted(self.edges, x[:, 0])]
        return counts / counts.sum(axis=1, keepdims=True)
