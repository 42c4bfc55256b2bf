"""The formulas of docs/theory.md on what each loss leads to, by minimising the project's losses."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import expit, logit, roots_jacobi
from scipy.stats import beta, norm
from theory import pairs

from benchmarks import registry
from benchmarks.architecture import Recipe
from benchmarks.architectures.losses import log_q as outputs_to_log_q
from benchmarks.architectures.losses import loss
from benchmarks.evaluation import normalised
from benchmarks.metrics import squared_error
from benchmarks.task import log_posterior
from runner.training.data import Targets

P = np.array([[0.5, 0.3, 0.2], [0.9, 0.08, 0.02], [0.6, 0.399, 0.001]])


def least(recipe, p, target=lambda one_hot: one_hot):
    """Return the q that minimises a recipe's loss, averaged over labels drawn with probabilities p (k,)."""
    k, criterion = len(p), loss(recipe)

    def risk(z):
        outputs = torch.tensor(np.tile(z, (k, 1)), requires_grad=True)
        targets = torch.tensor(target(np.eye(k)))
        total = sum(p[c] * criterion(outputs[c : c + 1], targets[c : c + 1]) for c in range(k))
        total.backward()
        return total.item(), outputs.grad.numpy().sum(axis=0)

    found = minimize(risk, np.full(k, 0.1), jac=True, method="BFGS", options={"gtol": 1e-10})
    return np.exp(outputs_to_log_q(recipe, found.x[None])[0])


def test_the_gradient_of_cross_entropy_is_q_minus_p():
    z = np.random.default_rng(2).normal(size=P.shape)
    outputs = torch.tensor(z, requires_grad=True)
    loss(Recipe())(outputs, torch.tensor(P)).backward()
    q = np.exp(normalised(z))
    np.testing.assert_allclose(outputs.grad.numpy() * len(P), q - P, atol=1e-12)


@pytest.mark.parametrize("name", ["cross-entropy", "squared-error", "squared-error-linear"])
@pytest.mark.parametrize("p", P, ids=str)
def test_proper_losses_are_least_at_the_posterior(name, p):
    np.testing.assert_allclose(least(Recipe(loss=name), p), p, atol=1e-6)


def test_squared_error_is_a_part_without_q_plus_the_squared_distance():
    for p, q in zip(*pairs(3, 200), strict=True):
        z, labels = torch.tensor(np.tile(np.log(q), (3, 1))), torch.arange(3)
        by_label = [loss(Recipe(loss="squared-error"))(z[[c]], labels[[c]]).item() for c in range(3)]
        distance = squared_error(np.log(p), np.log(q))
        assert p @ by_label == pytest.approx((p * (1 - p)).sum() + distance, abs=1e-12)


# --- losses that lead elsewhere --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cross-entropy", "squared-error", "squared-error-linear"])
@pytest.mark.parametrize("p", P, ids=str)
def test_smoothed_labels_lead_to_a_mixture_with_the_uniform_law(name, p):
    share, k = 0.125, 3  # a float32, as targets are
    recipe = Recipe(loss=name, smoothing=share)
    targets = Targets(recipe, registry.task("three-class-1d"), np.random.default_rng(0))
    found = least(recipe, p, lambda one_hot: targets(np.zeros((k, 1)), one_hot.argmax(1))[1].astype(float))
    np.testing.assert_allclose(found, (1 - share) * p + share / k, atol=1e-6)
    np.testing.assert_allclose((found - share / k) / (1 - share), p, atol=1e-6)


def test_smoothing_bounds_the_log_odds():
    share = 0.2
    x, target = Targets(Recipe(smoothing=share), registry.task("gauss-nested"), np.random.default_rng(0))(
        np.zeros((1, 2, 1)), np.array([[0, 1]])
    )
    assert x.shape == (1, 2, 1)
    bound = np.log((2 - share) / share)
    np.testing.assert_allclose(logit(target[0, :, 1].astype(float)), [-bound, bound], rtol=1e-6)


def test_label_noise_is_smoothing_of_the_task_itself():
    rate, clean = 0.1, registry.task("three-class-1d")
    noisy = registry.task("three-class-1d+label-noise(0.1)")
    x, _ = clean.sample(1_000, np.random.default_rng(0))
    share = rate * 3 / 2
    expected = (1 - share) * np.exp(log_posterior(clean, x)) + share / 3
    np.testing.assert_allclose(np.exp(log_posterior(noisy, x)), expected, rtol=1e-12)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("p", P, ids=str)
def test_the_minimiser_of_focal_loss_solves_its_equation(gamma, p):
    q = least(Recipe(loss="focal", gamma=gamma), p)
    slope = (1 - q) ** gamma / q - gamma * (1 - q) ** (gamma - 1) * np.log(q)
    np.testing.assert_allclose(1 / slope / (1 / slope).sum(), p, rtol=2e-3, atol=1e-6)
    assert np.argmax(q) == np.argmax(p) and q.max() < p.max()


def test_mixup_leads_to_the_posterior_of_the_mixed_examples():
    task, alpha, batch = registry.task("gauss-separated"), 0.4, 100
    rng = np.random.default_rng(3)
    x, y = task.sample(400_000, rng)
    mixed, targets = Targets(Recipe(mixup=alpha), task, rng)(x.reshape(-1, batch, 1), y.reshape(-1, batch))
    nodes, share = roots_jacobi(60, alpha - 1, alpha - 1)  # the weight function of Beta(alpha, alpha)
    nodes, share = (1 + nodes) / 2, share / share.sum()
    assert (share @ nodes**2) == pytest.approx(beta(alpha, alpha).moment(2))
    at, top, bottom = mixed.ravel(), 0.0, 0.0
    edges = np.array([-1.0, 0.0, 0.75, 1.25, 1.75, 2.25, 3.0, 4.0])
    middle = np.clip(np.digitize(at, edges), 1, len(edges) - 1)
    grid = np.linspace(edges[:-1], edges[1:], 201)
    for first in (0, 1):
        for second in (0, 1):
            centre = 3 * (nodes * first + (1 - nodes) * second)
            std = np.sqrt(nodes**2 + (1 - nodes) ** 2)
            density = norm.pdf(grid[..., None], centre, std) * share / 4
            top = top + (density * (nodes * first + (1 - nodes) * second)).sum(axis=(0, -1))
            bottom = bottom + density.sum(axis=(0, -1))
    for number, expected in enumerate(top / bottom, start=1):
        found = targets.reshape(-1, 2)[:, 1][(middle == number) & (at > edges[0]) & (at < edges[-1])]
        assert abs(found.mean() - expected) < 5 * found.std() / np.sqrt(len(found)) + 0.003
    plain = expit(3 * (edges[:-1] + edges[1:]) / 2 - 4.5)
    assert np.abs(top / bottom - plain).max() > 0.05  # and isn't the task's own
