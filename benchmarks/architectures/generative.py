"""Generative classifiers, trained discriminatively: logits are log joint densities."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from benchmarks.architectures.layers import padded, padding

FULL = 16  # inputs up to which components have full precision matrices, diagonal ones beyond


def gaussian_mixture(features: int, classes: int, components: int) -> nn.Module:
    """Return a classifier by a Gaussian mixture for each class; one component is a quadratic classifier."""
    return GaussianMixture(features, classes, components)


class GaussianMixture(nn.Module):
    """log pi_c + log sum_j w_cj N(x; mu_cj, (L_cj L_cj^T)^-1), whose softmax over c is Bayes' rule.

    mu_cj (features,) and L_cj (features, features) belong to component j of class c; L is lower triangular
    with diagonal exp(log_diagonal), and diagonal beyond FULL inputs; log pi and log w are log-softmaxes of
    free parameters. Means start at N(0, 1 / features), so that log-odds start of
    order 1 in any dimension and no two components are alike; all else starts at the standard normal.
    """

    places: Tensor

    def __init__(self, features: int, classes: int, components: int) -> None:
        super().__init__()
        shape = (classes, components)
        self.prior = nn.Parameter(torch.zeros(classes))
        self.weights = nn.Parameter(torch.zeros(shape))
        self.means = nn.Parameter(torch.randn(*shape, features) / math.sqrt(features))
        self.log_diagonal = nn.Parameter(torch.zeros(*shape, features))
        self.full = 1 < features <= FULL
        if self.full:
            row, column = torch.tril_indices(features, features, -1)
            self.below = nn.Parameter(torch.zeros(*shape, len(row)))
            side = features + padding(features)
            places = nn.functional.one_hot(row * side + column, side * side)
            self.register_buffer("places", places.to(torch.get_default_dtype()))

    def forward(self, x: Tensor) -> Tensor:
        """Return log joint densities in nats, (n, classes), at x (n, features)."""
        features = self.means.shape[-1]
        distance = self._whitened(x).square().sum(-1).movedim(-1, 0)  # (n, classes, components)
        log_density = self.log_diagonal.sum(-1) - 0.5 * distance - 0.5 * features * math.log(2 * math.pi)
        weighted = self.weights.log_softmax(-1) + log_density
        return self.prior.log_softmax(-1) + weighted.logsumexp(-1)

    def _whitened(self, x: Tensor) -> Tensor:
        """Return L^T (x - mu), (classes, components, n, features)."""
        centred = x - self.means.unsqueeze(-2)
        scaled = centred * self.log_diagonal.exp().unsqueeze(-2)
        if not self.full:
            return scaled
        left = padded(centred).flatten(0, 1)
        below = (self.below.flatten(0, 1) @ self.places).reshape(len(left), left.shape[-1], -1)
        return scaled + (left @ below)[..., : x.shape[-1]].reshape(centred.shape)
