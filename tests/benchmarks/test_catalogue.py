"""The built-in tasks against independent formulas, their own samplers and what their descriptions state."""

import dataclasses
import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import special, stats

from benchmarks import registry
from benchmarks.identity import parameters
from benchmarks.task import TaskError, conditional_parameters, log_density, log_posterior
from benchmarks.tasks import dimensions, mixtures, shapes
from benchmarks.tasks.dimensions import RandomMLP
from benchmarks.tasks.mixture import Mixture
from benchmarks.tasks.shapes import WarpedGaussian

FAMILIES = {"mixtures": mixtures.TASKS, "shapes": shapes.TASKS, "dimensions": dimensions.TASKS}
TASKS = {name: task for family in FAMILIES.values() for name, task in family.items()}
BASIS = {  # functions in the smallest basis that holds the log-odds of the family
    "rare-class-1d": 2,
    "overlap-1d": 2,
    "scale-only-1d": 3,
    "three-class-1d": 3,
    "ten-class-2d": 6,
    "banana-2d": 9,
    "gauss-shared-d2": 3,
    "gauss-shared-d8": 9,
    "gauss-shared-d32": 33,
    "gauss-shared-d128": 129,
    "gauss-full-d2": 6,
    "gauss-full-d8": 45,
    "gauss-full-d32": 561,
    "hundred-class-d16": 17,
}
LINE = {  # classes -> components (frozen scipy law, share of the class), as the descriptions state them
    "comb-1d": [
        [(stats.norm(x, 0.3), 0.25) for x in (-3.5, -1.5, 0.5, 2.5)],
        [(stats.norm(x, 0.3), 0.25) for x in (-2.5, -0.5, 1.5, 3.5)],
    ],
    "rare-class-1d": [[(stats.norm(0, 1), 1)], [(stats.norm(3, 1), 1)]],
    "scale-only-1d": [[(stats.norm(0, 1), 1)], [(stats.norm(0, 4), 1)]],
    "heavy-tail-1d": [[(stats.t(2), 1)], [(stats.norm(2, 1), 1)]],
    "three-class-1d": [[(stats.norm(-2, 0.7), 1)], [(stats.norm(0, 2), 1)], [(stats.norm(2, 0.7), 1)]],
    "bimodal-1d": [[(stats.norm(-3, 1), 0.5), (stats.norm(3, 1), 0.5)], [(stats.norm(0, 1), 1)]],
    "overlap-1d": [[(stats.norm(0, 1), 1)], [(stats.norm(0.2, 1), 1)]],
}
PINNED = {  # a change here changes what the tasks are: raise their version
    "shared": [0.0252, 0.0299, 0.0711],
    "full": [0.9618, 0.0154, 0.0353],
    "hundred": [2.3666, -1.4022, -0.546],
    "ten": [0.0899, -0.0588, -0.0588, 0.2255],
    "spirals": [0.5767, 0.2313],
    "mlp": [-0.25, 0.0449, 0.2407, 0.2285],
}
PLANE = [name for name, task in TASKS.items() if task.features == 2]
MLPS = [name for name in TASKS if name.startswith("random-mlp")]
MIXTURES = [name for name, task in TASKS.items() if isinstance(task, Mixture)]


def line_priors(name):
    return (0.99, 0.01) if name == "rare-class-1d" else np.full(len(LINE[name]), 1 / len(LINE[name]))


def sampled(name, n=40_000, seed=11):
    return TASKS[name].sample(n, np.random.default_rng(seed))


def bayes_error(name, n=40_000):
    return 1 - np.exp(log_posterior(TASKS[name], sampled(name, n)[0])).max(axis=1).mean()


# --- what there is ----------------------------------------------------------------------------------------


def test_every_family_has_the_tasks_that_the_registry_names():
    assert list(FAMILIES["mixtures"]) == list(LINE)
    shapes_ = ("xor", "rings", "moons", "spirals", "checkerboard", "pinwheel", "ten-class", "banana")
    assert list(FAMILIES["shapes"]) == [f"{shape}-2d" for shape in shapes_]
    assert list(FAMILIES["dimensions"]) == [
        *(f"gauss-shared-d{d}" for d in (2, 8, 32, 128)),
        *(f"gauss-full-d{d}" for d in (2, 8, 32)),
        "needle-d32",
        "hundred-class-d16",
        *(f"random-mlp-d{d}" for d in (2, 10, 100)),
    ]
    assert all(registry.task(name) is task for name, task in TASKS.items())


@pytest.mark.parametrize("name", TASKS)
def test_the_name_states_features_and_classes(name):
    task = TASKS[name]
    size = name.rsplit("-", 1)[1].strip("d")
    assert task.features == int(size)
    words = {"three": 3, "ten": 10, "hundred": 100, "pinwheel": 5}
    assert task.classes == words.get(name.split("-")[0], 2)


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.features <= 2])
def test_the_window_holds_most_of_the_mass(name):
    window = np.array(TASKS[name].window).reshape(TASKS[name].features, 2)
    x, _ = sampled(name)
    assert ((x > window[:, 0]) & (x < window[:, 1])).all(axis=1).mean() > 0.98


@pytest.mark.parametrize("family", FAMILIES)
def test_parameters_are_plain_data_and_the_same_at_each_construction(family):
    again = runpy.run_path(str(Path(mixtures.__file__).with_name(f"{family}.py")), run_name="again")["TASKS"]
    for name, task in FAMILIES[family].items():
        assert again[name] is not task
        assert json.dumps(parameters(again[name])) == json.dumps(parameters(task))


@pytest.mark.parametrize("name", TASKS)
def test_parameters_can_not_be_changed(name):
    task = TASKS[name]
    with pytest.raises(dataclasses.FrozenInstanceError):
        task.version = 2
    fields = [getattr(task, field.name) for field in dataclasses.fields(task)]
    arrays = task.weights if name in MLPS else [each for each in fields if isinstance(each, np.ndarray)]
    assert len(arrays) >= 4
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_random_parameters_are_these_numbers_on_every_machine():
    assert TASKS["gauss-shared-d128"].means[1, :3].tolist() == PINNED["shared"]
    assert TASKS["gauss-full-d32"].covariances[1, 0, :3].tolist() == PINNED["full"]
    assert TASKS["hundred-class-d16"].means[99, :3].tolist() == PINNED["hundred"]
    assert TASKS["ten-class-2d"].covariances[9].ravel().tolist() == PINNED["ten"]
    assert TASKS["spirals-2d"].means[1].tolist() == PINNED["spirals"]
    first, _, _, _, centre = TASKS["random-mlp-d10"].weights
    assert [*first[49, :2].tolist(), *centre.tolist()] == PINNED["mlp"]


def test_the_task_modules_need_numpy_alone():
    code = (
        "import sys, benchmarks.tasks.mixtures, benchmarks.tasks.shapes, benchmarks.tasks.dimensions;"
        "assert not {'torch', 'scipy', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- densities --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LINE)
def test_one_dimension_equals_the_stated_laws_by_scipy(name):
    x = np.linspace(-30, 30, 1201)
    classes = [
        special.logsumexp([law.logpdf(x) + np.log(share) for law, share in each], axis=0) + np.log(prior)
        for each, prior in zip(LINE[name], line_priors(name), strict=True)
    ]
    np.testing.assert_allclose(
        TASKS[name].log_joint(x[:, None]), np.stack(classes, 1), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("name", LINE)
def test_one_dimension_is_sampled_from_the_stated_laws(name):
    x, y = sampled(name)
    for label, (each, prior) in enumerate(zip(LINE[name], line_priors(name), strict=True)):
        cdf = lambda t, each=each: sum(law.cdf(t) * share for law, share in each)  # noqa: E731
        assert stats.kstest(x[y == label, 0], cdf).pvalue > 1e-4
        assert stats.binomtest(int((y == label).sum()), len(y), prior).pvalue > 1e-4


@pytest.mark.parametrize("name", [name for name in MIXTURES if name not in LINE])
def test_mixtures_equal_normal_densities_by_scipy(name):
    task = TASKS[name]
    x = sampled(name, 50)[0]
    x[:5] *= 4  # far out too
    each = np.stack(
        [
            stats.multivariate_normal(mean, covariance).logpdf(x) + np.log(share * task.priors[label])
            for mean, covariance, share, label in zip(
                task.means, task.covariances, task.shares, task.labels, strict=True
            )
        ]
    )
    expected = [special.logsumexp(each[task.labels == c], axis=0) for c in range(task.classes)]
    np.testing.assert_allclose(task.log_joint(x), np.stack(expected, 1), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", PLANE)
def test_each_class_in_the_plane_integrates_to_its_prior(name):
    step = 0.075
    axes = np.arange(-9, 20, step)  # the bananas' ends reach far up
    x = np.stack(np.meshgrid(axes, axes, indexing="ij"), axis=-1).reshape(-1, 2)
    total = np.exp(TASKS[name].log_joint(x)).sum(axis=0) * step**2
    assert total.sum() == pytest.approx(1, abs=1e-9)
    if hasattr(TASKS[name], "priors"):
        np.testing.assert_allclose(total, TASKS[name].priors, atol=1e-9)


@pytest.mark.parametrize("name", TASKS)
def test_labels_follow_the_posterior(name):
    task = TASKS[name]
    x, y = sampled(name, 100_000, seed=2)
    posterior = np.exp(log_posterior(task, x))
    for c in {0, 1, task.classes - 1}:
        p = posterior[:, c]
        bins = np.minimum((p * 20).astype(int), 19)
        residual = np.bincount(bins, weights=(y == c) - p, minlength=20)
        variance = np.bincount(bins, weights=p * (1 - p), minlength=20)
        full = variance > 3  # expected labels enough for the normal approximation
        chi2 = (residual[full] ** 2 / variance[full]).sum()
        assert full.any()
        assert stats.chi2.sf(chi2, full.sum()) > 1e-4


@pytest.mark.parametrize("name", TASKS)
def test_log_odds_lie_in_the_span_of_the_basis_if_there_is_one(name):
    task = TASKS[name]
    assert hasattr(task, "logit_basis") == (name in BASIS)
    if name not in BASIS:
        assert conditional_parameters(task) is None
        return
    assert conditional_parameters(task) == BASIS[name] * (task.classes - 1)
    x, _ = sampled(name, 4 * BASIS[name] + 20)
    joint = task.log_joint(x)
    odds = joint[:, 1:] - joint[:, :1]
    basis = task.logit_basis(x)
    weights, *_ = np.linalg.lstsq(basis, odds, rcond=None)
    np.testing.assert_allclose(basis @ weights, odds, atol=1e-9)


# --- what the descriptions state --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("comb-1d", 7),
        ("rare-class-1d", 1),
        ("scale-only-1d", 2),
        ("heavy-tail-1d", 2),
        ("three-class-1d", 4),
        ("bimodal-1d", 2),
        ("overlap-1d", 1),
    ],
)
def test_crossings_have_the_stated_number_and_lie_in_the_window(name, number):
    x = np.linspace(-60, 60, 120_002)
    best = TASKS[name].log_joint(x[:, None]).argmax(axis=1)
    crossings = x[1:][np.diff(best) != 0]
    low, high = TASKS[name].window
    assert len(crossings) == number
    assert low < crossings.min() and crossings.max() < high


@pytest.mark.parametrize(
    ("name", "x"),
    [
        ("comb-1d", -3.0),
        ("rare-class-1d", 1.5 + np.log(99) / 3),
        ("scale-only-1d", np.sqrt(32 * np.log(4) / 15)),
        ("bimodal-1d", np.arccosh(np.exp(4.5)) / 3),
        ("overlap-1d", 0.1),
    ],
)
def test_crossings_lie_where_the_formula_puts_them(name, x):
    joint = TASKS[name].log_joint(np.array([[x]]))[0]
    assert joint[0] == pytest.approx(joint[1], abs=1e-9 if name != "comb-1d" else 1e-4)


def test_rare_class_has_one_example_in_a_hundred():
    assert TASKS["rare-class-1d"].priors.tolist() == [0.99, 0.01]
    assert sampled("rare-class-1d", 200_000)[1].mean() == pytest.approx(0.01, abs=0.001)


def test_overlap_has_five_thousandths_of_a_nat():
    law = TASKS["overlap-1d"]
    x = np.linspace(-12, 12, 4801)[:, None]
    p, mass = np.exp(log_posterior(law, x)), np.exp(log_density(law, x)) * 0.005
    information = (mass[:, None] * p * np.log(p / 0.5)).sum()
    assert information == pytest.approx(0.005, abs=5e-5)
    assert information == pytest.approx(0.2**2 / 8, rel=0.01)  # the leading term of small distances


@pytest.mark.parametrize("name", shapes.TASKS)
def test_shapes_have_errors_between_one_and_fifteen_percent(name):
    assert 0.01 < bayes_error(name) < 0.15


@pytest.mark.parametrize("name", [name for name in MIXTURES if name in shapes.TASKS])
def test_shapes_suit_a_grid_of_the_window(name):
    task = TASKS[name]
    assert np.linalg.eigvalsh(task.covariances).min() > 0.12**2
    assert np.abs(task.means).max() < 3.5


@pytest.mark.parametrize("name", ["rings-2d", "moons-2d", "spirals-2d", "pinwheel-2d"])
def test_components_along_a_curve_are_at_most_a_standard_deviation_apart(name):
    task = TASKS[name]
    std = np.sqrt(task.covariances[0, 0, 0])
    for c in range(task.classes):
        points = task.means[task.labels == c]
        gaps = np.hypot(*np.diff(points, axis=0).T)
        assert gaps.max() <= std + 2e-4  # rounded to 4 decimals
        assert gaps.min() == pytest.approx(gaps.max(), rel=0.05)
        closed = np.hypot(*(points[0] - points[-1])) <= std + 2e-4
        assert closed == (name == "rings-2d")


def test_curves_are_the_curves_that_they_are_called():
    rings, moons, spirals = (TASKS[f"{name}-2d"] for name in ("rings", "moons", "spirals"))
    np.testing.assert_allclose(np.hypot(*rings.means.T), np.take([1.2, 2.4], rings.labels), atol=1e-4)
    centres = np.array([(-1, -0.5), (1, 0.5)])[moons.labels]
    np.testing.assert_allclose(np.hypot(*(moons.means - centres).T), 2, atol=1e-4)
    first, second = (spirals.means[spirals.labels == c] for c in range(2))
    np.testing.assert_allclose(first, -second, atol=2e-4)  # half a turn apart
    turned = np.unwrap(np.arctan2(first[:, 1], first[:, 0]))
    assert turned[-1] - turned[0] == pytest.approx(2.5 * np.pi, abs=1e-3)
    np.testing.assert_allclose(np.hypot(*first.T), 0.5 + 2.5 * turned / (2.5 * np.pi), atol=2e-4)


def test_pinwheel_looks_the_same_after_a_fifth_of_a_turn():
    task = TASKS["pinwheel-2d"]
    x = np.random.default_rng(3).uniform(-4, 4, (500, 2))
    a = 2 * np.pi / 5
    turned = x @ np.array([(np.cos(a), np.sin(a)), (-np.sin(a), np.cos(a))])
    found = np.roll(np.exp(log_posterior(task, turned)), -1, axis=1)
    np.testing.assert_allclose(found, np.exp(log_posterior(task, x)), atol=5e-3)


def test_neighbouring_fields_of_the_checkerboard_differ_in_class():
    middles = 1.6 * (np.arange(4) - 1.5)
    x = np.stack(np.meshgrid(middles, middles, indexing="ij"), axis=-1).reshape(-1, 2)
    best = TASKS["checkerboard-2d"].log_joint(x).argmax(axis=1).reshape(4, 4)
    np.testing.assert_array_equal(best, np.add.outer(np.arange(4), np.arange(4)) % 2)


# --- bananas ----------------------------------------------------------------------------------------------


def test_banana_equals_a_change_of_variables_by_hand():
    x1, x2 = np.random.default_rng(4).uniform(-4, 4, (2, 300))
    lower = stats.norm(0, 1).logpdf(x1) + stats.norm(-1, 0.4).logpdf(x2 - 0.5 * (x1**2 - 1))
    upper = stats.norm(0, 0.8).logpdf(x1) + stats.norm(0.4, 0.5).logpdf(x2 - 0.3 * (x1**2 - 1))
    found = TASKS["banana-2d"].log_joint(np.stack([x1, x2], axis=1))
    np.testing.assert_allclose(found, np.stack([lower, upper], axis=1) + np.log(0.5), rtol=1e-12)


def test_bananas_are_normal_when_bent_back():
    x, y = sampled("banana-2d")
    for c, (bend, stds, mean) in enumerate([(0.5, (1, 0.4), -1), (0.3, (0.8, 0.5), 0.4)]):
        z1, z2 = x[y == c].T
        z2 = z2 - bend * (z1**2 - 1)
        assert stats.kstest(z1, stats.norm(0, stds[0]).cdf).pvalue > 1e-4
        assert stats.kstest(z2, stats.norm(mean, stds[1]).cdf).pvalue > 1e-4
        assert stats.pearsonr(z1, z2).pvalue > 1e-4
    assert stats.binomtest(int(y.sum()), len(y), 0.5).pvalue > 1e-4


def test_a_correlated_banana_integrates_to_one_and_needs_every_function_of_its_basis():
    task = WarpedGaussian(
        name="skew",
        description="",
        priors=[0.3, 0.7],
        means=[(0.5, 0), (-0.5, 0.2)],
        covariances=[[(1, 0.3), (0.3, 0.5)], [(0.8, -0.2), (-0.2, 0.6)]],
        bends=[0.4, -0.2],
    )
    axes = np.linspace(-9, 15, 401)
    x = np.stack(np.meshgrid(axes, axes), axis=-1).reshape(-1, 2)
    mass = np.exp(task.log_joint(x)).sum(axis=0) * (axes[1] - axes[0]) ** 2
    np.testing.assert_allclose(mass, [0.3, 0.7], atol=1e-8)
    x, _ = task.sample(200, np.random.default_rng(0))
    basis, odds = task.logit_basis(x), np.diff(task.log_joint(x))[:, 0]
    weights = np.linalg.lstsq(basis, odds, rcond=None)[0]
    np.testing.assert_allclose(basis @ weights, odds, atol=1e-9)
    assert np.abs(weights).min() > 1e-3


# --- dimensions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [2, 8, 32, 128])
def test_classes_that_share_a_covariance_are_as_far_apart_in_every_dimension(d):
    task = TASKS[f"gauss-shared-d{d}"]
    assert (task.covariances[0] == task.covariances[1]).all()
    difference = task.means[1] - task.means[0]
    distance = np.sqrt(difference @ np.linalg.inv(task.covariances[0]) @ difference)
    assert distance == pytest.approx(2.5, abs=1e-3)
    n = 20_000
    assert bayes_error(task.name, n) == pytest.approx(stats.norm.cdf(-1.25), abs=4 * 0.15 / np.sqrt(n))


@pytest.mark.parametrize("name", [n for n in dimensions.TASKS if n.startswith(("gauss", "hundred"))])
def test_covariances_are_well_conditioned_and_not_diagonal(name):
    for covariance in TASKS[name].covariances[:2]:
        assert np.linalg.cond(covariance) < (9 if "shared" in name else 30)
        scale = np.sqrt(np.diag(covariance))
        correlation = covariance / np.outer(scale, scale)
        assert np.abs(correlation - np.eye(len(scale))).max() > 0.05


@pytest.mark.parametrize("d", [2, 8, 32])
def test_full_covariances_help_beyond_a_linear_rule(d):
    task = TASKS[f"gauss-full-d{d}"]
    assert 0.12 < bayes_error(task.name) < 0.2
    x, y = sampled(task.name)
    pooled = task.covariances.mean(axis=0)
    linear = (x @ np.linalg.solve(pooled, task.means[1] - task.means[0])) > 0
    assert (linear != y).mean() > bayes_error(task.name) + 0.01


def test_needle_is_seen_by_no_input_alone_and_by_no_linear_rule():
    task = TASKS["needle-d32"]
    x, y = sampled("needle-d32", 100_000)
    for c in range(2):
        np.testing.assert_allclose(x[y == c].mean(axis=0), 0, atol=0.03)
        np.testing.assert_allclose(x[y == c].var(axis=0), 1, atol=0.04)
    assert all(stats.ks_2samp(x[y == 0, j], x[y == 1, j]).pvalue > 1e-4 for j in (0, 7, 19))
    noise = np.delete(np.arange(32), [7, 19])
    moved = x[:1000].copy()
    moved[:, noise] += 1
    np.testing.assert_allclose(log_posterior(task, moved), log_posterior(task, x[:1000]), atol=1e-9)
    assert ((x[:, 7] * x[:, 19] < 0) != y).mean() == pytest.approx(bayes_error("needle-d32"), abs=0.004)


def test_hundred_classes_follow_zipfs_law():
    task = TASKS["hundred-class-d16"]
    np.testing.assert_allclose(task.priors * np.arange(1, 101), task.priors[0], rtol=1e-12)
    assert 0.05 < bayes_error(task.name, 20_000) < 0.2


# --- random networks --------------------------------------------------------------------------------------


def network_by_hand(task, x):
    """Unit by unit, with sums of Python floats."""
    w1, b1, w2, w3, b3 = (array.tolist() for array in task.weights)
    dot = lambda row, values: sum(a * b for a, b in zip(row, values, strict=True))  # noqa: E731
    first = [max(0.0, dot(row, x) + bias) for row, bias in zip(w1, b1, strict=True)]
    second = [max(0.0, dot(row, first)) for row in w2]
    return [(dot(row, second) - centre) / task.temperature for row, centre in zip(w3, b3, strict=True)]


@pytest.mark.parametrize("name", MLPS)
def test_random_networks_equal_an_evaluation_by_hand(name):
    task = TASKS[name]
    x, _ = sampled(name, 20)
    logits = np.array([network_by_hand(task, row) for row in x.tolist()])
    expected = special.log_softmax(logits, axis=1) + stats.norm.logpdf(x).sum(axis=1)[:, None]
    np.testing.assert_allclose(task.log_joint(x), expected, rtol=1e-11)


@pytest.mark.parametrize("name", MLPS)
def test_random_networks_have_the_stated_weights_and_balanced_classes(name):
    task = TASKS[name]
    first, bias, second, last, _ = task.weights
    shapes_ = [(50, task.features), (50,), (50, 50), (2, 50), (2,)]
    assert [each.shape for each in task.weights] == shapes_
    for weight, fan_in in ((first, task.features), (bias, task.features), (second, 50), (last, 50)):
        spread = 4 / np.sqrt(2 * weight.size)
        assert weight.std() * np.sqrt(fan_in) == pytest.approx(1, abs=spread)
    assert all((np.round(each, 4) == each).all() for each in task.weights)
    x, y = sampled(name)
    assert stats.kstest(x.ravel()[:50_000], stats.norm.cdf).pvalue > 1e-4
    assert 0.3 < y.mean() < 0.7
    assert 0.05 < bayes_error(name) < 0.25
    assert task.temperature == 0.1 and "0.1" in task.description
    assert not hasattr(task, "priors")


@pytest.mark.parametrize("name", MLPS)
def test_random_networks_are_far_from_linear(name):
    x, _ = sampled(name, 20_000)
    odds = np.diff(log_posterior(TASKS[name], x))[:, 0]
    affine = np.column_stack([np.ones(len(x)), x])
    rest = odds - affine @ np.linalg.lstsq(affine, odds, rcond=None)[0]
    assert rest.var() > 0.2 * odds.var()


def test_random_networks_are_evaluated_in_chunks(monkeypatch):
    task = TASKS["random-mlp-d10"]
    x, _ = sampled("random-mlp-d10", 1000)
    whole = task.log_joint(x)
    monkeypatch.setattr(dimensions, "CHUNK", 50 * 7)
    np.testing.assert_allclose(task.log_joint(x), whole, rtol=1e-13)
    assert task.log_joint(x[:0]).shape == (0, 2)


def test_random_networks_of_more_classes_draw_labels_from_the_softmax():
    task = RandomMLP("five", "", features=3, hidden=20, temperature=0.3, seed=5, classes=5)
    x, y = task.sample(50_000, np.random.default_rng(0))
    p = np.exp(log_posterior(task, x))
    expected, variance = p.sum(axis=0), (p * (1 - p)).sum(axis=0)
    assert (np.abs(np.bincount(y, minlength=5) - expected) < 4 * np.sqrt(variance)).all()
    assert dataclasses.replace(task, seed=6).weights[0][0, 0] != task.weights[0][0, 0]


# --- wrong parameters -------------------------------------------------------------------------------------

EYES = np.stack([np.eye(2), np.eye(2)])
LINE_CLASSES = [[(0, 1)], [(1, 1)]]


def banana(**changes):
    fields = dict(priors=[0.5, 0.5], means=np.zeros((2, 2)), covariances=EYES, bends=[0, 1])
    return WarpedGaussian(name="odd", description="", **fields | changes)


def mixture(**changes):
    fields = dict(priors=[0.5, 0.5], labels=[0, 1], means=np.zeros((2, 2)), covariances=EYES)
    return Mixture(name="odd", description="", **fields | changes)


def mlp(**changes):
    return RandomMLP("odd", "", **dict(features=2, hidden=5, temperature=1.0, seed=0) | changes)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: mixtures.on_a_line("odd", "", (0, 1), LINE_CLASSES, [0.5, 0.6]), r"sum to 1, found .*1\.1"),
        (lambda: mixtures.on_a_line("odd", "", (0, 1), [[(0, 0)], [(1, 1)]]), "positive definite, found"),
        (lambda: mixture(labels=[0, -1]), r"labels should ascend from 0 to 1, found \[ 0 -1\]"),
        (lambda: mixture(labels=[1, 0]), r"labels should ascend from 0 to 1, found \[1 0\]"),
        (lambda: mixture(labels=[0, 2]), r"labels should ascend from 0 to 1, found \[0 2\]"),
        (lambda: mixture(labels=[[0, 1]]), r"labels should have the shape \(m,\), found \(1, 2\)"),
        (lambda: mixture(labels=[0, 1, 1]), r"labels should have the shape \(2,\), found \(3,\)"),
        (
            lambda: mixture(labels=[], means=[], covariances=[]),
            "expected at least one component a class, found no components",
        ),
        (lambda: mixture(means=[0, 1]), r"means should have a row a component, found the shape \(2,\)"),
        (lambda: banana(priors=[0.2, 0.7]), r"priors should .*sum to 1, found \[0.2 0.7\]"),
        (lambda: banana(covariances=[np.eye(2), [[1, 2], [2, 1]]]), r"positive definite, found .*-1"),
        (lambda: banana(bends=[0, 1, 2]), r"bends should be 2 finite numbers, found \[0.0, 1.0, 2.0\]"),
        (lambda: banana(bends=[0, np.nan]), r"finite numbers, found \[0.0, nan\]"),
        (
            lambda: banana(means=np.zeros((2, 3)), covariances=[np.eye(3)] * 2),
            "means should have two columns, found 3",
        ),
        (lambda: mlp(temperature=0.0), "temperature should be positive and finite, found 0.0"),
        (lambda: mlp(temperature=np.nan), "temperature should be positive and finite, found nan"),
        (lambda: mlp(classes=1), "classes should be at least 2, found 1"),
        (lambda: mlp(hidden=0), "hidden should be at least 1, found 0"),
        (lambda: mlp(features=0), "features should be at least 1, found 0"),
    ],
)
def test_wrong_parameters_are_named_with_what_was_expected_and_found(make, words):
    with pytest.raises(TaskError, match=words) as error:
        make()
    assert str(error.value).startswith("task odd: ")
