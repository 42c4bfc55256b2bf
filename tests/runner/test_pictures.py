"""Where tasks are drawn: densities, the sparse region, projections and outputs, against known answers."""

import dataclasses

import numpy as np
import pytest

from benchmarks import registry
from benchmarks.architectures import fitting
from benchmarks.evaluation import evaluate
from benchmarks.task import log_density, log_posterior, training_data
from runner import pictures, plan, scoring
from runner.pictures import boundary, components, drawing
from runner.run_stack import run_stack
from runner.scoring import evaluation_of, predicted, representatives_of
from runner.stacks import stacked
from suites.suite import load, narrow


@dataclasses.dataclass(frozen=True)
class Normal:
    """One standard normal density, whatever the class."""

    name: str = "standard-normal"
    version: int = 1
    features: int = 2
    classes: int = 2

    @property
    def window(self):
        return ((-4.0, 4.0),) * 2 if self.features == 2 else (-4.0, 4.0)

    def sample(self, n, rng):
        return rng.standard_normal((n, self.features)), rng.integers(0, 2, n)

    def log_joint(self, x):
        log_p = -(x**2).sum(axis=1) / 2 - self.features / 2 * np.log(2 * np.pi)
        return np.stack([log_p, log_p], axis=1) + np.log(0.5)


def trials_of(architecture, task, suite="gaussian1d-dataset", budget=640):
    suite = narrow(load(suite), tasks=[task], architectures=[architecture], budgets=[budget], seeds=1)
    suite = suite.model_copy(update={"steps": 60}) if suite.protocol == "dataset" else suite
    trials = [trial for trial in plan.plan(suite, "eager") if trial.architecture == architecture]
    made = stacked(suite, trials, "eager", "cpu", 1, lambda *_: 7)
    return [result for stack in made for result in run_stack(stack, lambda _: None)]


# --- grids --------------------------------------------------------------------------------------------------


def test_a_planes_grid_goes_row_by_row_from_low_x2_to_high():
    task, found = registry.task("moons-2d"), drawing("moons-2d")
    assert (found.axes, found.shape) == (("x1", "x2"), (40, 40))
    (left, right), (bottom, top) = task.window
    grid = found.x.reshape(40, 40, 2)
    np.testing.assert_allclose(grid[7, :, 0], np.linspace(left, right, 40), rtol=1e-6)
    np.testing.assert_allclose(grid[:, 7, 1], np.linspace(bottom, top, 40), rtol=1e-6)
    assert (grid[7, :, 1] == grid[7, 0, 1]).all()


@pytest.mark.parametrize("name", ["gauss-nested", "moons-2d", "ten-class-2d"])
def test_the_density_on_a_grid_integrates_to_the_mass_of_the_window(name):
    found, evaluation = drawing(name), evaluation_of(name)
    density = np.exp(found.log_joint).sum(axis=1).reshape(found.shape)
    for axis in range(len(found.shape)):
        places = np.unique(found.x[:, axis])
        density = np.trapezoid(density, places, axis=-1)
    low, high = evaluation.window.T
    inside = ((evaluation.x >= low) & (evaluation.x <= high)).all(axis=1)
    assert density == pytest.approx(evaluation.weights["all"][inside].sum(), rel=2e-3)


@pytest.mark.parametrize("name", ["gauss-nested", "pinwheel-2d", "gauss-shared-d8", "bits-d12"])
def test_the_joint_density_gives_the_posterior_by_bayes_rule(name):
    found, task = drawing(name), registry.task(name)
    x = found.x if found.shape else evaluation_of(name).x[representatives_of(name)[0][list(found.rows)]]
    joint = np.exp(found.log_joint - found.log_joint.max(axis=1, keepdims=True))
    expected = joint / joint.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.exp(log_posterior(task, x)), expected, atol=1e-12)


# --- the sparse region --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("features", "edge"),
    [(1, 2.5758293), (2, np.sqrt(-2 * np.log(0.01)))],  # radius beyond which a standard normal has 1 %
)
def test_the_sparse_region_of_a_normal_density_begins_where_one_percent_is_left(monkeypatch, features, edge):
    task = Normal(features=features)
    expected = -(edge**2) / 2 - features / 2 * np.log(2 * np.pi)
    assert boundary(task, evaluate(task)) == pytest.approx(expected, abs=0.005)
    for module in (pictures, scoring):
        monkeypatch.setattr(module.registry, "task", lambda _: task)
    evaluation_of.cache_clear()
    found = drawing("standard-normal")
    evaluation_of.cache_clear()
    radius = np.sqrt((found.x**2).sum(axis=1))
    far = np.abs(radius - edge) > 0.005
    np.testing.assert_array_equal(found.sparse[far], radius[far] > edge)


def test_one_percent_of_what_stands_for_many_inputs_is_sparse_and_least_dense():
    found, (chosen, _) = drawing("gauss-shared-d8"), representatives_of("gauss-shared-d8")
    assert len(found.x) == 600
    assert found.sparse.mean() == pytest.approx(0.01, abs=0.008)
    density = log_density(registry.task("gauss-shared-d8"), evaluation_of("gauss-shared-d8").x[chosen])
    shown = density[list(found.rows)]
    assert shown[found.sparse].max() < shown[~found.sparse].min()


# --- projections --------------------------------------------------------------------------------------------


def test_components_are_the_axes_of_a_normal_density():
    rng = np.random.default_rng(0)
    turned = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    spread = np.array([1.0, 4.0, 0.5, 2.0, 0.1])
    x = 7 + rng.standard_normal((200_000, 5)) * spread @ turned.T
    onto, shares = components(x, np.full(len(x), 1 / len(x)))
    for found, axis in zip(onto.T, turned[:, [1, 3]].T, strict=True):
        assert abs(found @ axis) == pytest.approx(1, abs=1e-4)
        assert found[np.abs(found).argmax()] > 0
    np.testing.assert_allclose(shares, np.array([16, 4]) / (spread**2).sum(), atol=0.005)


def test_components_count_a_point_by_its_weight():
    x = np.random.default_rng(0).standard_normal((20, 3))
    times = np.arange(20) % 3 + 1
    repeated = np.repeat(x, times, axis=0)
    found = components(x, times / times.sum())
    for one, other in zip(
        found, components(repeated, np.full(len(repeated), 1 / len(repeated))), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_many_inputs_are_drawn_on_their_components():
    found, (chosen, weights) = drawing("bits-d12"), representatives_of("bits-d12")
    assert (found.axes, found.shape) == (("component 1", "component 2"), ())
    x = evaluation_of("bits-d12").x[chosen]
    onto, shares = components(x, weights)
    assert found.shares == tuple(shares)
    rows = list(found.rows)
    np.testing.assert_allclose(found.x, (x[rows] - (weights[:, None] * x).sum(axis=0)) @ onto, atol=1e-12)


# --- outputs ------------------------------------------------------------------------------------------------


def test_outputs_on_the_grid_are_what_an_estimator_says_there():
    (result,) = trials_of("logistic-regression", "moons-2d")
    task, estimator = registry.task("moons-2d"), registry.architecture("logistic-regression")
    predict = fitting.fit(estimator, 0, *training_data(task, 0, 640), 2)
    assert result.curves[640].dtype == np.float16
    found = np.exp(result.curves[640].astype(np.float64))
    np.testing.assert_allclose(found, np.exp(predict(drawing("moons-2d").x)), atol=2e-4)


def test_what_is_scored_is_predicted_without_the_grid_beside_it():
    evaluation = evaluation_of("moons-2d")
    found = predicted(evaluation, lambda x: np.full((len(x), 2), float(len(x))))
    assert (found[:-1600] == len(evaluation.x)).all()
    assert (found[-1600:] == 1600).all()


@pytest.mark.parametrize("name", ["mlp-16x16", "mlp-16x16+mc-dropout(0.1, 3)"])
def test_no_score_depends_on_the_grid_and_neither_do_outputs(monkeypatch, name):
    (whole,) = trials_of(name, "moons-2d", "smoke")
    monkeypatch.setattr(scoring, "SIDE", 14)  # 39 steps are three times 13: each third place of the grid
    (few,) = trials_of(name, "moons-2d", "smoke")
    timed = "training_seconds"
    assert [r for r in whole.records if r.metric != timed] == [r for r in few.records if r.metric != timed]
    np.testing.assert_array_equal(whole.predictions[640], few.predictions[640])
    third = whole.curves[640].reshape(40, 40, 2)[::3, ::3].reshape(-1, 2)
    np.testing.assert_allclose(np.exp(third), np.exp(few.curves[640]), atol=1e-3)
