"""Quadrature, regions and error bounds against independent integration."""

import dataclasses

import numpy as np
import pytest
from scipy import integrate, optimize, stats
from threadpoolctl import threadpool_limits

from benchmarks import quadrature, registry
from benchmarks.evaluation import evaluate, expectation, kl, normalised
from benchmarks.metrics import score
from benchmarks.regions import STRATA, Cells, share_below
from benchmarks.task import TaskError, log_density, log_posterior

NAMES = ["gauss-separated", "gauss-nested", "gauss-sparse-tail"]


@pytest.fixture(scope="module", params=NAMES)
def case(request):
    task = registry.task(request.param)
    return task, evaluate(task)


def density(task, x):
    return np.exp(log_density(task, np.atleast_1d(np.asarray(x, dtype=float))[:, None]))


def kinked(task, x):
    """log q of a model like a ReLU network: the exact log-odds plus a few kinks."""
    log_p = log_posterior(task, x)
    bend = 0.2 * np.maximum(x[:, 0] - 0.37, 0) - 0.3 * np.maximum(x[:, 0] - 2.21, 0)
    return normalised(log_p + np.stack([np.zeros(len(x)), bend], axis=1))


def integrated(task, f, low, high):
    kinks = [point for point in (0.37, 2.21) if low < point < high]
    return integrate.quad(
        lambda x: float(f(np.array([[x]]))[0] * density(task, x)[0]),
        low,
        high,
        points=kinks,
        limit=800,
        epsabs=1e-13,
        epsrel=1e-11,
    )[0]


def test_weights_of_every_region_sum_to_one(case):
    _, evaluation = case
    assert set(evaluation.weights) == {"all", "sparse99", "sparse95", "sparse99-uniform"} | {
        f"stratum-{i}" for i in range(1, STRATA + 1)
    }
    for weights in evaluation.weights.values():
        assert weights.min() >= 0
        assert weights.sum() == pytest.approx(1, abs=1e-12)


def test_points_are_what_a_float32_network_sees(case):
    _, evaluation = case
    np.testing.assert_array_equal(evaluation.x, evaluation.x.astype(np.float32).astype(np.float64))


def test_strata_part_the_whole_from_densest_to_sparsest(case):
    task, evaluation = case
    together = sum(evaluation.weights[f"stratum-{i}"] for i in range(1, STRATA + 1)) / STRATA
    np.testing.assert_allclose(together, evaluation.weights["all"], atol=1e-15)
    p = density(task, evaluation.x[:, 0])
    means = [float(expectation(p, evaluation.weights[f"stratum-{i}"])) for i in range(1, STRATA + 1)]
    assert means == sorted(means, reverse=True)


def test_sparse_region_is_where_the_density_is_below_its_quantile(case):
    task, evaluation = case
    grid = np.linspace(-25, 25, 200_001)
    p = density(task, grid)
    step = grid[1] - grid[0]

    def outside(threshold):
        return p[p < threshold].sum() * step - 0.01

    threshold = optimize.brentq(outside, 1e-8, p.max())
    weights = evaluation.weights["sparse99"]
    inside = density(task, evaluation.x[:, 0]) < threshold
    assert weights[~inside].sum() < 0.01  # at most the fractions of the boundary cells
    uniform = evaluation.weights["sparse99-uniform"]
    assert uniform[~inside].sum() < 0.01
    assert 0 < (uniform > 0).sum() < (uniform > 0).size / 2
    low, high = grid[(p >= threshold)][[0, -1]]
    left = float(expectation((evaluation.x[:, 0] < low).astype(float), weights))
    assert left == pytest.approx(p[grid < low].sum() * step / 0.01, abs=0.002)
    assert 0 < left < 1
    assert high > low


@pytest.mark.parametrize(("region", "mass"), [("sparse99", 0.01), ("sparse95", 0.05), ("stratum-10", 0.1)])
def test_a_sparse_region_holds_the_mass_that_its_name_says(case, region, mass):
    task, evaluation = case
    everything, weights = evaluation.weights["all"], evaluation.weights[region]
    whole = weights > 0.999 * everything / mass  # the points that are in it entirely
    assert everything[whole].sum() == pytest.approx(mass, rel=0.02)
    p = density(task, evaluation.x[:, 0])
    assert p[whole].max() <= p[weights == 0].min()


def test_errors_bound_the_difference_to_a_finer_grid(case, monkeypatch):
    task, coarse = case
    monkeypatch.setitem(quadrature.NODES, 1, 8 * 4096 + 1)
    fine = evaluate(task)
    exact = {(s.metric, s.region): s.value for s in score(fine, kinked(task, fine.x))}
    for found in score(coarse, kinked(task, coarse.x)):
        if found.metric in ("expected_kl", "tv", "excess_brier", "expected_nll", "information_gap"):
            assert abs(found.value - exact[found.metric, found.region]) <= 1.2 * found.error, found


def test_uniform_sparse_region_ignores_the_density_and_stays_in_the_window(case):
    task, evaluation = case
    weights, x = evaluation.weights["sparse99-uniform"], evaluation.x[:, 0]
    low, high = task.window
    used = x[weights > 0]
    assert low - 0.05 < used.min() and used.max() < high + 0.05
    tail = (x > used[used > (low + high) / 2].min() + 0.1) & (x < high - 0.1)
    spacing = np.gradient(x)
    np.testing.assert_allclose(
        weights[tail] / spacing[tail], (weights[tail] / spacing[tail]).mean(), rtol=1e-3
    )


def test_numbers_equal_adaptive_integration_within_their_error(case):
    task, evaluation = case
    scores = {(s.metric, s.region): s for s in score(evaluation, kinked(task, evaluation.x))}
    found = scores["expected_kl", "all"]
    true = integrated(task, lambda x: kl(log_posterior(task, x), kinked(task, x)), -45, 50)
    assert abs(found.value - true) <= found.error + 1e-12
    assert found.error < 1e-4 * found.value


def test_sparse_numbers_equal_adaptive_integration_within_their_error():
    task = registry.task("gauss-separated")  # symmetric about 1.5: the sparse region is two equal tails
    evaluation = evaluate(task)
    scores = {(s.metric, s.region): s for s in score(evaluation, kinked(task, evaluation.x))}
    edge = optimize.brentq(lambda x: stats.norm.sf(x) + stats.norm.sf(x, 3) - 0.01, 3, 9)
    f = lambda x: kl(log_posterior(task, x), kinked(task, x))  # noqa: E731
    true = (integrated(task, f, edge, 30) + integrated(task, f, -27, 3 - edge)) / 0.01
    found = scores["expected_kl", "sparse99"]
    assert abs(found.value - true) <= found.error
    assert found.error < 0.002 * found.value


def test_cells_of_one_density_share_a_boundary_that_falls_among_them():
    flat = np.ones(10)
    np.testing.assert_allclose(share_below(Cells(flat / 10, flat, flat.copy()), 0.3), 0.3, atol=1e-9)
    steps = np.repeat([0.5, 1.5], 5)
    cells = Cells(steps / 10, steps, steps.copy())
    np.testing.assert_allclose(share_below(cells, 0.4), [1] * 5 + [0.2] * 5, atol=1e-9)


def test_weights_do_not_depend_on_how_many_threads_multiply():
    evaluations = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            evaluations.append(evaluate(registry.task("xor-2d")))
    one, two = evaluations
    assert all(np.array_equal(one.weights[region], two.weights[region]) for region in one.weights)


def test_points_without_weight_never_count():
    values = np.array([[np.inf, 1.0, 2.0]])
    assert expectation(values, np.array([0.0, 0.5, 0.5])) == pytest.approx(1.5)
    assert expectation(values, np.array([0.1, 0.5, 0.4])) == np.inf


def test_a_density_that_does_not_integrate_to_one_is_refused():
    @dataclasses.dataclass(frozen=True)
    class Unnormalised(type(registry.task("gauss-nested"))):
        def log_joint(self, x):
            return super().log_joint(x) + 0.1

    task = Unnormalised(**dataclasses.asdict(registry.task("gauss-nested")))
    with pytest.raises(
        TaskError, match=r"task gauss-nested: the density should integrate to 1, it integrates to 1\.105"
    ):
        evaluate(task)


SLOW = ("digits-d64", "gauss-shared-d128")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.long if name in SLOW else ()) for name in registry.TASKS],
)
def test_every_task_has_its_regions(name):
    task = registry.task(name)
    found = evaluate(task)
    strata = [f"stratum-{i}" for i in range(1, STRATA + 1)]
    assert {"all", "sparse99", "sparse95", *strata} <= set(found.weights)
    for weights in found.weights.values():
        assert weights.min() >= 0 and weights.sum() == pytest.approx(1, abs=1e-9)
    together = sum(found.weights[stratum] for stratum in strata) / STRATA
    np.testing.assert_allclose(together, found.weights["all"], atol=1e-12)
    log_p = log_density(task, found.x)
    means = [float(expectation(log_p, found.weights[stratum])) for stratum in strata]
    assert means == sorted(means, reverse=True)
    if found.replicates:
        assert (found.weights["sparse99"] > 0).sum() >= 10_000 and len(found.checks) >= 16
