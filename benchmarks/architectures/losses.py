"""What networks minimise, in torch, and how their outputs become log q, in NumPy.

Outputs are (n, k); targets are labels (n,), int64, or probabilities (n, k). A loss is one number, a mean over
the n examples.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.architecture import Recipe
from benchmarks.evaluation import normalised
from benchmarks.task import Array

FEW = 4  # classes up to which a loss by columns is faster: vectors run along the batch, not along the classes


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean of -sum_c t_c log q_c in nats, q the softmax of outputs (n, k).

    targets t: labels (n,) or probabilities (n, k).
    """
    return functional.cross_entropy(outputs, targets)


def cross_entropy_by_columns(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return `cross_entropy`, class by class where there are few: faster compiled, slower in eager.

    outputs (n, k); targets: labels (n,) or probabilities (n, k).
    """
    if targets.dtype.is_floating_point or outputs.shape[-1] > FEW:
        return cross_entropy(outputs, targets)
    columns = outputs.unbind(-1)
    top = functools.reduce(torch.maximum, columns).detach()
    total = functools.reduce(operator.add, ((column - top).exp() for column in columns))
    wanted = [torch.where(targets == c, column, 0.0) for c, column in enumerate(columns)]
    return (total.log() + top - functools.reduce(operator.add, wanted)).mean()


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean of sum_c (q_c - t_c)^2, the Brier score (Brier 1950) of q, the softmax of the outputs.

    outputs (n, k); targets t: labels (n,) or probabilities (n, k).
    """
    return (outputs.softmax(-1) - _probabilities(targets, outputs)).square().sum(-1).mean()


def squared_error_linear(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean of sum_c (output_c - t_c)^2, as Richard and Lippmann (1991) trained networks.

    outputs (n, k); targets t: labels (n,) or probabilities (n, k).
    """
    return (outputs - _probabilities(targets, outputs)).square().sum(-1).mean()


def focal(outputs: Tensor, targets: Tensor, gamma: float) -> Tensor:
    """Return the mean of -sum_c t_c (1 - q_c)^gamma log q_c (Lin et al. 2017, eq. 4).

    outputs (n, k), whose softmax is q; targets t: labels (n,) or probabilities (n, k).
    """
    log_q = outputs.log_softmax(-1)
    # expm1 keeps 1 - q where q is close to 1; the floor keeps the gradient of 0^gamma finite for gamma < 1.
    rest = (-torch.expm1(log_q)).clamp_min(1e-12)
    return -(_probabilities(targets, outputs) * rest**gamma * log_q).sum(-1).mean()


def loss(recipe: Recipe, *, compiled: bool = False) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a recipe's loss of outputs (n, k) and targets: labels (n,) or probabilities (n, k).

    compiled: written for a compiler where that is another way of writing it.
    """
    if recipe.loss == "focal":
        return lambda outputs, targets: focal(outputs, targets, recipe.gamma)
    return {
        "cross-entropy": cross_entropy_by_columns if compiled else cross_entropy,
        "squared-error": squared_error,
        "squared-error-linear": squared_error_linear,
    }[recipe.loss]


def _probabilities(targets: Tensor, outputs: Tensor) -> Tensor:
    if targets.dtype.is_floating_point:
        return targets
    # functional.one_hot looks at values, which vmap can't.
    classes = torch.arange(outputs.shape[-1], device=targets.device)
    return (targets.unsqueeze(-1) == classes).to(outputs.dtype)


def log_q(recipe: Recipe, outputs: Array) -> Array:
    """Return log q (n, k) in float64 from a network's outputs (n, k).

    The log-softmax; of linear outputs trained by squared error, the log of what is left when they are cut at
    0 and renormalised, -inf where an output isn't positive. Where none is, all goes to the largest.
    """
    if recipe.loss != "squared-error-linear":
        return normalised(outputs)
    kept = np.maximum(outputs, 0.0)
    nothing = np.asarray((kept <= 0).all(axis=1))
    kept[nothing] = outputs[nothing] == outputs[nothing].max(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(kept / kept.sum(axis=1, keepdims=True)))


def mean_log_q(parts: Iterable[Array]) -> Array:
    """Return the log of the mean probability of several models' log q, each (n, k), one at a time."""
    total, count = None, 0
    for part in parts:
        total, count = part if total is None else np.logaddexp(total, part), count + 1
    assert total is not None
    return np.asarray(total) if count == 1 else np.asarray(total - np.log(count))
