"""What the tests of docs/theory.md share."""

import numpy as np

from benchmarks.metrics import score


def scored(evaluation, log_q, region="all"):
    """Return {metric: value} of log q (n, k) in a region."""
    return {each.metric: each.value for each in score(evaluation, log_q) if each.region == region}


def pairs(classes, count=2_000, seed=0):
    """Return p and q (count, classes), from near the centre of the simplex to its corners."""
    rng = np.random.default_rng(seed)
    spread = np.exp(rng.uniform(-3, 3, (2, count, 1)))
    g = rng.gamma(np.broadcast_to(spread, (2, count, classes))) + 1e-200
    return g / g.sum(axis=-1, keepdims=True)
