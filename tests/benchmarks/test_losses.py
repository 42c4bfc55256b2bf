"""Where each loss has its least value, in closed form or by another optimiser, and what outputs mean."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit, log_softmax, softmax

from benchmarks.architecture import Recipe
from benchmarks.architectures.losses import log_q, loss, mean_log_q

POSTERIORS = np.array([[0.5, 0.3, 0.2], [0.9, 0.08, 0.02], [1 / 3, 1 / 3, 1 / 3], [0.6, 0.399, 0.001]])


def minimiser(recipe, p, targets=None):
    """Return q (n, k) at the outputs that minimise a recipe's population loss at points with posteriors p.

    The loss of every label, weighted by its probability, is minimised over free outputs; with targets
    (n, k) the loss of these.
    """
    n, k = p.shape
    criterion, weights = loss(recipe), torch.from_numpy(p)
    outputs = torch.zeros(n, k, dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS(
        [outputs], max_iter=2_000, tolerance_grad=1e-13, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def closure():
        search.zero_grad()
        total = 0
        for i in range(n):
            row = outputs[i : i + 1]
            if targets is None:
                for c in range(k):
                    total = total + weights[i, c] * criterion(row, torch.tensor([c]))
            else:
                total = total + criterion(row, torch.from_numpy(targets[i : i + 1]))
        total.backward()
        return total

    search.step(closure)
    return np.exp(log_q(recipe, outputs.detach().numpy()))


@pytest.mark.parametrize("name", ["cross-entropy", "squared-error", "squared-error-linear"])
def test_a_proper_losss_least_value_is_at_the_posterior(name):
    np.testing.assert_allclose(minimiser(Recipe(loss=name), POSTERIORS), POSTERIORS, atol=2e-5)


@pytest.mark.parametrize("name", ["cross-entropy", "squared-error", "squared-error-linear"])
@pytest.mark.parametrize("smoothing", [0.1, 0.5])
def test_smoothed_labels_lead_to_a_smoothed_posterior(name, smoothing):
    smoothed = (1 - smoothing) * POSTERIORS + smoothing / 3
    found = minimiser(Recipe(loss=name), POSTERIORS, smoothed)
    np.testing.assert_allclose(found, smoothed, atol=2e-5)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
def test_focal_loss_leads_where_another_optimiser_finds_its_least_value(gamma):
    p = np.array([0.5, 0.6, 0.8, 0.95])

    def population(odds, share):
        return -share * expit(-odds) ** gamma * log_expit(odds) - (1 - share) * expit(
            odds
        ) ** gamma * log_expit(-odds)

    best = [
        minimize_scalar(
            population, bounds=(-20, 20), args=(share,), method="bounded", options={"xatol": 1e-9}
        )
        for share in p
    ]
    expected = np.array([expit(each.x) for each in best])
    both = np.stack([1 - p, p], axis=1)
    found = minimiser(Recipe(loss="focal", gamma=gamma), both)[:, 1]
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert found[0] == pytest.approx(0.5, abs=1e-6)
    assert (found[1:] < p[1:] - 0.01).all() and (found[1:] > 0.5).all()  # flatter, on the same side
    assert (np.diff(found) > 0).all()


def test_focal_loss_of_gamma_0_is_cross_entropy():
    generator = torch.Generator().manual_seed(0)
    outputs = 5 * torch.randn(50, 4, generator=generator)
    labels = torch.randint(4, (50,), generator=generator)
    found = loss(Recipe(loss="focal", gamma=0.0))(outputs, labels)
    torch.testing.assert_close(found, loss(Recipe())(outputs, labels))


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        (Recipe(), lambda z, t: -(t * log_softmax(z, axis=1)).sum(1).mean()),
        (Recipe(loss="squared-error"), lambda z, t: ((softmax(z, axis=1) - t) ** 2).sum(1).mean()),
        (Recipe(loss="squared-error-linear"), lambda z, t: ((z - t) ** 2).sum(1).mean()),
        (
            Recipe(loss="focal", gamma=1.5),
            lambda z, t: -(t * (1 - softmax(z, axis=1)) ** 1.5 * log_softmax(z, axis=1)).sum(1).mean(),
        ),
    ],
)
def test_losses_by_hand_of_labels_and_of_probabilities(recipe, expected):
    rng = np.random.default_rng(0)
    z, y, t = rng.normal(size=(20, 3)), rng.integers(3, size=20), rng.dirichlet([1, 1, 1], size=20)
    criterion = loss(recipe)
    assert criterion(torch.tensor(z), torch.tensor(y)).item() == pytest.approx(expected(z, np.eye(3)[y]))
    assert criterion(torch.tensor(z), torch.tensor(t)).item() == pytest.approx(expected(z, t))


@pytest.mark.parametrize(
    "recipe", [Recipe(), Recipe(loss="squared-error"), Recipe(loss="focal", gamma=0.5)], ids=str
)
@pytest.mark.parametrize("far", [50.0, 200.0, 1e4])
def test_gradients_stay_finite_where_a_network_is_certain(recipe, far):
    outputs = torch.tensor([[far, 0.0], [0.0, far]], requires_grad=True)
    for labels in ([0, 1], [1, 0]):
        (gradient,) = torch.autograd.grad(loss(recipe)(outputs, torch.tensor(labels)), outputs)
        assert gradient.isfinite().all()


def test_logits_become_their_log_softmax_in_float64():
    z = np.random.default_rng(0).normal(size=(10, 3)) * 300
    for name in ("cross-entropy", "squared-error", "focal"):
        found = log_q(Recipe(loss=name), z)
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, log_softmax(z, axis=1), rtol=1e-12)
        assert np.isfinite(found).all()


def test_linear_outputs_are_cut_at_0_and_renormalised():
    outputs = np.array([[0.2, 0.3, 0.5], [0.6, 0.6, -0.2], [0.0, 1.5, 0.5], [-1e-30, 2.0, -7.0]])
    given = outputs.copy()
    found = log_q(Recipe(loss="squared-error-linear"), outputs)
    expected = [[0.2, 0.3, 0.5], [0.5, 0.5, 0], [0, 0.75, 0.25], [0, 1, 0]]
    np.testing.assert_allclose(np.exp(found), expected)
    np.testing.assert_array_equal(np.isneginf(found), outputs <= 0)
    np.testing.assert_array_equal(outputs, given)


def test_where_no_linear_output_is_positive_all_goes_to_the_largest():
    outputs = np.array([[-0.3, -0.1, -0.2], [0.0, -1.0, 0.0], [-2.0, -2.0, -2.0]])
    found = np.exp(log_q(Recipe(loss="squared-error-linear"), outputs))
    np.testing.assert_allclose(found, [[0, 1, 0], [0.5, 0, 0.5], [1 / 3, 1 / 3, 1 / 3]])


def test_an_output_that_is_no_number_stays_none():
    outputs = np.array([[np.nan, 0.5], [0.5, np.nan], [np.nan, np.nan]])
    for name in ("cross-entropy", "squared-error-linear"):
        assert np.isnan(log_q(Recipe(loss=name), outputs)).any(axis=1).all()


def test_several_models_give_their_mean_probability():
    rng = np.random.default_rng(0)
    parts = [np.log(rng.dirichlet([1, 1, 1], size=8)) for _ in range(5)]
    expected = np.log(np.mean([np.exp(part) for part in parts], axis=0))
    np.testing.assert_allclose(mean_log_q(parts), expected, rtol=1e-12)
    assert not np.allclose(mean_log_q(parts), np.mean(parts, axis=0), atol=0.05)
    assert mean_log_q(parts[:1]) is parts[0]


def test_a_class_is_excluded_by_a_mean_only_where_all_exclude_it():
    with np.errstate(divide="ignore"):
        one, other = np.log([[0.0, 1.0], [0.0, 1.0]]), np.log([[0.0, 1.0], [0.4, 0.6]])
    found = mean_log_q([one, other])
    assert np.isneginf(found[0, 0])
    np.testing.assert_allclose(np.exp(found), [[0, 1], [0.2, 0.8]])


def test_means_are_taken_in_log_space():
    found = mean_log_q([np.array([[-2_000.0, 0.0]]), np.array([[-2_001.0, 0.0]])])
    assert found[0, 0] == pytest.approx(-2_000 + np.log((1 + np.exp(-1)) / 2))


@pytest.mark.parametrize("classes", [2, 4, 5])
def test_cross_entropy_by_columns_is_cross_entropy_with_its_gradient(classes):
    generator = torch.Generator().manual_seed(classes)
    outputs = 40 * torch.randn(64, classes, generator=generator, dtype=torch.float64)
    labels = torch.randint(classes, (64,), generator=generator)
    for targets in (labels, torch.softmax(outputs.flip(1), -1)):
        found = []
        for compiled in (False, True):
            free = outputs.clone().requires_grad_()
            value = loss(Recipe(), compiled=compiled)(free, targets)
            value.backward()
            found.append((value.detach(), free.grad))
        torch.testing.assert_close(found[1], found[0], rtol=1e-12, atol=1e-15)
