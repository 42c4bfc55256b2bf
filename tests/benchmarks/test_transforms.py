"""Transformed tasks against independent formulas, samplers against posteriors, texts against names."""

import itertools
from dataclasses import dataclass, field

import numpy as np
import pytest
from scipy import integrate, stats

from benchmarks.identity import parameters
from benchmarks.task import TaskError, log_density, log_posterior, training_data
from benchmarks.tasks.gaussian1d import TASKS as GAUSSIANS
from benchmarks.tasks.mixture import Mixture
from benchmarks.tasks.transforms import (
    TRANSFORMS,
    LabelNoise,
    LinearMap,
    NuisanceDimensions,
    PriorShift,
    parse,
    random_linear_map,
)

PAIR = GAUSSIANS["gauss-nested"]
LINE = Mixture(
    name="line",
    description="Three normal classes on a line",
    priors=(0.5, 0.3, 0.2),
    labels=(0, 1, 2),
    means=((-1.0,), (0.5,), (2.0,)),
    covariances=(((1.0,),), ((0.5,),), ((2.0,),)),
    window=(-5.0, 6.0),
)
PLANE = Mixture(
    name="plane",
    description="Two classes in the plane, one of two components",
    priors=(0.4, 0.6),
    labels=(0, 0, 1),
    means=((-1.0, 0.0), (1.0, 1.0), (0.0, 0.5)),
    covariances=(np.eye(2), ((0.5, 0.2), (0.2, 0.7)), np.eye(2)),
    window=((-3.0, 3.0), (-2.0, 4.0)),
)
CUBE = np.array(list(itertools.product((0.0, 1.0), repeat=3)))


@dataclass(frozen=True, eq=False)
class Bits:
    """Three bits, each on with a probability of its own in each class."""

    name: str = "bits"
    version: int = 1
    features: int = 3
    classes: int = 2
    priors: tuple = (0.5, 0.5)
    on: tuple = ((0.2, 0.5, 0.7), (0.6, 0.4, 0.1))
    support: np.ndarray = field(default_factory=lambda: CUBE)

    def sample(self, n, rng):
        y = rng.integers(2, size=n)
        return (rng.random((n, 3)) < np.take(self.on, y, axis=0)).astype(float), y

    def log_joint(self, x):
        on = np.array(self.on)
        with np.errstate(divide="ignore"):
            joint = np.log(0.5 * np.prod(np.where(x[:, None] == 1, on, 1 - on), axis=2))
        return np.where(np.isin(x, (0, 1)).all(axis=1)[:, None], joint, -np.inf)

    def logit_basis(self, x):
        return np.concatenate([np.ones((len(x), 1)), x], axis=1)


class Plain:
    """Two classes with all that a task needs and nothing else."""

    name, version, features, classes = "plain", 1, 1, 2

    def sample(self, n, rng):
        y = rng.integers(2, size=n)
        return rng.standard_normal((n, 1)) + y[:, None], y

    def log_joint(self, x):
        return stats.norm.logpdf(x, np.arange(2)) + np.log(0.5)


BASES = {task.name: task for task in (*GAUSSIANS.values(), LINE, PLANE, Bits(), Plain())}
COMPOSED = [  # every transform, and those pairs whose order matters
    "line+label-noise(0.1)",
    "bits+label-noise(0.3)",
    "line+prior-shift(0.1,0.2,0.7)",
    "bits+prior-shift(0.9,0.1)",
    "gauss-sparse-tail+prior-shift(0.9,0.1)",
    "plain+label-noise(0.2)+nuisance(1)",
    "plane+nuisance(3)",
    "bits+nuisance(1)",
    "gauss-nested+linear-map(-2)",
    "plane+linear-map(1,2,-0.5,1)",
    "plane+random-linear-map(7)",
    "bits+random-linear-map(0)",
    "line+label-noise(0.1)+prior-shift(0.1,0.2,0.7)",
    "line+label-noise(0.1)+label-noise(0.2)",
    "line+prior-shift(0.1,0.2,0.7)+nuisance(2)",
    "plane+prior-shift(0.8,0.2)+linear-map(2,0,1,1)",
    "plane+nuisance(2)+random-linear-map(1)+label-noise(0.05)",
    "bits+linear-map(2,0,0,0,1,0,1,1,1)+nuisance(2)",
    "plane+linear-map(2,0,1,1)+linear-map(0,1,1,0)+prior-shift(0.3,0.7)",
]


def transformed(text):
    return parse(text, BASES.__getitem__)


def draw(task, n, seed):
    return task.sample(n, np.random.default_rng(seed))


def joint(task, x):
    return np.exp(task.log_joint(x))


# --- every transform --------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", COMPOSED)
def test_names_are_the_texts_and_read_as_the_same_task(text):
    task = transformed(text)
    assert task.name == text
    assert parameters(transformed(task.name)) == parameters(task)
    assert task.description.startswith(
        getattr(BASES[text.partition("+")[0]], "description", text.partition("+")[0])
    )


@pytest.mark.parametrize("text", COMPOSED)
def test_labels_follow_the_posterior(text):
    task = transformed(text)
    x, y = draw(task, 60_000, 1)
    assert x.shape == (60_000, task.features)
    assert (x.dtype, y.dtype) == (np.float64, np.int64)
    p = np.exp(log_posterior(task, x))
    for c in range(task.classes):
        bins = np.minimum((p[:, c] * 20).astype(int), 19)
        residual = np.bincount(bins, weights=(y == c) - p[:, c], minlength=20)
        spread = np.sqrt(np.bincount(bins, weights=p[:, c] * (1 - p[:, c]), minlength=20))
        chi2 = ((residual / np.where(spread > 0, spread, np.inf)) ** 2).sum()
        assert stats.chi2.sf(chi2, (spread > 0).sum()) > 1e-4


@pytest.mark.parametrize("text", [text for text in COMPOSED if hasattr(transformed(text), "priors")])
def test_labels_follow_the_priors(text):
    task = transformed(text)
    _, y = draw(task, 60_000, 2)
    assert np.sum(task.priors) == pytest.approx(1, abs=1e-12)
    assert stats.chisquare(np.bincount(y), len(y) * np.asarray(task.priors)).pvalue > 1e-4


@pytest.mark.parametrize("text", COMPOSED)
def test_inputs_follow_the_density(text):
    """E[f(x) / p(x)] under p is the integral of f, 1 for a normal density f; with a support, by counting."""
    task = transformed(text)
    x, _ = draw(task, 60_000, 3)
    if hasattr(task, "support"):
        mass = joint(task, task.support).sum(axis=1)
        assert mass.sum() == pytest.approx(1, abs=1e-12)
        found = np.abs(x[:, None] - task.support).max(axis=2).argmin(axis=1)
        assert stats.chisquare(np.bincount(found, minlength=len(mass)), len(x) * mass).pvalue > 1e-4
        return
    if text.startswith("bits"):  # both a support and a density: the noise alone has been looked at elsewhere
        return
    proposal = stats.multivariate_normal(x.mean(axis=0), 0.4 * np.atleast_2d(np.cov(x.T)))
    weight = np.exp(proposal.logpdf(x) - log_density(task, x))
    assert abs(weight.mean() - 1) < 4 * weight.std() / np.sqrt(len(x))
    assert weight.std() < 5  # else the check above says little


@pytest.mark.parametrize("text", [text for text in COMPOSED if hasattr(transformed(text), "logit_basis")])
def test_log_odds_lie_in_the_span_of_the_basis(text):
    task = transformed(text)
    x, _ = draw(task, 500, 4)
    odds = task.log_joint(x)[:, 1:] - task.log_joint(x)[:, :1]
    basis = task.logit_basis(x)
    weights, *_ = np.linalg.lstsq(basis, odds, rcond=None)
    np.testing.assert_allclose(basis @ weights, odds, atol=1e-8)


@pytest.mark.parametrize("text", COMPOSED)
def test_samples_depend_on_the_generator_alone(text):
    task = transformed(text)
    for n in (0, 1, 7, 100):
        (x, y), (again, labels) = draw(task, n, 5), draw(task, n, 5)
        assert x.shape == (n, task.features)
        assert y.shape == (n,)
        np.testing.assert_array_equal(x, again)
        np.testing.assert_array_equal(y, labels)


# --- label noise ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [1e-12, 0.1, 0.66])
def test_label_noise_is_a_noise_matrix(rate):
    x = np.linspace(-8, 9, 35)[:, None]
    matrix = np.full((3, 3), rate / 2) + (1 - 1.5 * rate) * np.eye(3)
    task = LabelNoise(LINE, rate)
    np.testing.assert_allclose(joint(task, x), joint(LINE, x) @ matrix, rtol=1e-9)
    np.testing.assert_allclose(task.priors, LINE.priors @ matrix)


def test_label_noise_far_out_leaves_its_share_to_the_other_classes():
    """Where the clean log-odds are in the thousands, and far beyond exp(-745)."""
    found = log_posterior(LabelNoise(LINE, 0.1), np.array([[-1e3], [-100.0], [1e3]]))
    np.testing.assert_allclose(np.exp(found), [[0.05, 0.05, 0.9]] * 3, rtol=1e-9)


def test_label_noise_keeps_what_the_inputs_have_and_drops_the_basis():
    task = LabelNoise(LINE, 0.1)
    assert task.window == LINE.window
    assert not hasattr(task, "logit_basis")
    assert not hasattr(task, "support")
    assert not hasattr(task, "sample_train")
    assert not hasattr(LabelNoise(Plain(), 0.1), "priors")
    np.testing.assert_array_equal(LabelNoise(Bits(), 0.1).support, CUBE)


# --- prior shift ------------------------------------------------------------------------------------------

SHIFTED = PriorShift(LINE, np.array([0.1, 0.2, 0.7]))


def test_prior_shift_is_bayes_rule_with_other_priors():
    x = np.linspace(-8, 9, 35)[:, None]
    classes = zip((0.1, 0.2, 0.7), LINE.means[:, 0], np.sqrt(LINE.covariances[:, 0, 0]), strict=True)
    expected = np.concatenate([prior * stats.norm.pdf(x, mean, std) for prior, mean, std in classes], axis=1)
    np.testing.assert_allclose(joint(SHIFTED, x), expected, rtol=1e-12)
    total, _ = integrate.quad(lambda t: joint(SHIFTED, np.array([[t]])).sum(), -30, 30, points=(-1, 0.5, 2))
    assert total == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("n", [1, 2, 50])
def test_small_samples_of_a_shifted_task_have_the_law_of_large_ones(n):
    rng = np.random.default_rng(6)
    parts = [SHIFTED.sample(n, rng) for _ in range(4000)]
    first = np.array([(x[-1, 0], y[-1]) for x, y in parts])  # the last of each: where stopping could tell
    assert stats.chisquare(np.bincount(first[:, 1].astype(int)), 4000 * SHIFTED.priors).pvalue > 1e-4
    classes = zip(LINE.means[:, 0], np.sqrt(LINE.covariances[:, 0, 0]), strict=True)
    for c, (mean, std) in enumerate(classes):
        assert stats.kstest(first[first[:, 1] == c, 0], stats.norm(mean, std).cdf).pvalue > 1e-4


def test_training_data_of_a_shifted_task_follow_the_wrapped_tasks_law():
    x, y = training_data(SHIFTED, 0, 40_000)
    np.testing.assert_array_equal(SHIFTED.train_priors, LINE.priors)
    assert stats.chisquare(np.bincount(y), len(y) * LINE.priors).pvalue > 1e-4
    for c in range(3):
        cdf = stats.norm(LINE.means[c, 0], np.sqrt(LINE.covariances[c, 0, 0])).cdf
        assert stats.kstest(x[y == c, 0], cdf).pvalue > 1e-4
    x, y = SHIFTED.sample_train(100, np.random.default_rng(8))
    np.testing.assert_array_equal(x, LINE.sample(100, np.random.default_rng(8))[0])


def test_a_shift_keeps_window_support_and_basis():
    assert SHIFTED.window == LINE.window
    assert hasattr(SHIFTED, "logit_basis")
    assert not hasattr(PriorShift(PLANE, (0.5, 0.5)), "logit_basis")
    np.testing.assert_array_equal(PriorShift(Bits(), (0.9, 0.1)).support, CUBE)


def test_a_shift_of_noisy_labels_shifts_the_noisy_classes():
    noisy = LabelNoise(LINE, 0.1)
    task = PriorShift(noisy, (0.2, 0.2, 0.6))
    x = np.linspace(-8, 9, 35)[:, None]
    np.testing.assert_allclose(joint(task, x), joint(noisy, x) / noisy.priors * [0.2, 0.2, 0.6], rtol=1e-12)
    _, y = training_data(task, 0, 40_000)
    assert stats.chisquare(np.bincount(y), len(y) * noisy.priors).pvalue > 1e-4


@pytest.mark.parametrize("text", ["nuisance(2)", "linear-map(3)", "linear-map(3)+nuisance(1)"])
def test_the_training_priors_pass_through_what_changes_the_inputs(text):
    task = transformed(f"line+prior-shift(0.1,0.2,0.7)+{text}")
    np.testing.assert_array_equal(task.train_priors, LINE.priors)
    np.testing.assert_array_equal(task.priors, (0.1, 0.2, 0.7))
    x, y = training_data(task, 0, 40_000)
    assert stats.chisquare(np.bincount(y), len(y) * LINE.priors).pvalue > 1e-4
    unshifted = transformed(f"line+{text}")
    log_p = task.log_joint(x) - np.log(task.priors) + np.log(task.train_priors)
    np.testing.assert_allclose(log_p, unshifted.log_joint(x), atol=1e-12)
    p = np.exp(log_posterior(unshifted, x))  # the training data's own posterior
    residual = ((np.eye(3)[y] - p).sum(axis=0)) / np.sqrt((p * (1 - p)).sum(axis=0))
    assert np.abs(residual).max() < 4


@pytest.mark.parametrize("text", ["line", "line+label-noise(0.1)", "line+nuisance(2)"])
def test_without_a_shift_there_is_no_training_law(text):
    task = transformed(text)
    assert not hasattr(task, "train_priors")
    assert not hasattr(task, "sample_train")


# --- nuisance dimensions ----------------------------------------------------------------------------------


def test_nuisance_multiplies_the_density_and_leaves_the_posterior():
    task = NuisanceDimensions(LINE, 3)
    x = np.random.default_rng(9).normal(size=(50, 4))
    expected = joint(LINE, x[:, :1]) * stats.norm.pdf(x[:, 1:]).prod(axis=1, keepdims=True)
    np.testing.assert_allclose(joint(task, x), expected, rtol=1e-12)
    np.testing.assert_allclose(log_posterior(task, x), log_posterior(LINE, x[:, :1]), atol=1e-12)
    np.testing.assert_array_equal(task.logit_basis(x), LINE.logit_basis(x[:, :1]))


def test_nuisance_is_standard_normal_in_every_class():
    x, y = draw(NuisanceDimensions(LINE, 2), 20_000, 10)
    for c in range(3):
        assert stats.kstest(x[y == c, 1], "norm").pvalue > 1e-4
        assert stats.kstest(x[y == c, 1:].sum(axis=1) / np.sqrt(2), "norm").pvalue > 1e-4


def test_nuisance_has_neither_window_nor_support():
    assert not hasattr(NuisanceDimensions(LINE, 1), "window")
    assert not hasattr(NuisanceDimensions(Bits(), 1), "support")


# --- linear maps ------------------------------------------------------------------------------------------


def test_a_linear_map_of_normals_has_their_mapped_means_and_covariances():
    a = np.array([[1.0, 2.0], [-0.5, 1.0]])
    expected = Mixture(
        name="mapped",
        description="",
        priors=PLANE.priors,
        labels=PLANE.labels,
        means=PLANE.means @ a.T,
        covariances=[a @ covariance @ a.T for covariance in PLANE.covariances],
    )
    x = np.random.default_rng(11).normal(scale=3, size=(200, 2))
    np.testing.assert_allclose(LinearMap(PLANE, a).log_joint(x), expected.log_joint(x), atol=1e-11)


def test_a_mapped_density_integrates_to_one():
    task = LinearMap(PLANE, [[1.0, 2.0], [-0.5, 1.0]])
    grid = np.linspace(-16, 16, 321)
    x = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    assert joint(task, x).sum() * (grid[1] - grid[0]) ** 2 == pytest.approx(1, abs=1e-9)


def test_the_window_is_the_box_around_the_mapped_one():
    assert LinearMap(LINE, [[-2.0]]).window == (-12.0, 10.0)
    assert LinearMap(PAIR, [[3.0]]).window == (-15.0, 21.0)
    assert LinearMap(PLANE, [[1.0, 2.0], [-0.5, 1.0]]).window == ((-7.0, 11.0), (-3.5, 5.5))
    assert not hasattr(LinearMap(NuisanceDimensions(LINE, 2), np.eye(3)), "window")


def test_discrete_inputs_are_found_again_in_single_precision_and_only_they():
    task = random_linear_map(Bits(), 5)
    there = task.support.astype(np.float32).astype(np.float64)
    np.testing.assert_array_equal(task.log_joint(there), Bits().log_joint(CUBE))
    for off in (there + 1e-3, there * 1.01 + 0.01, task.support.mean(axis=0)[None]):
        assert (task.log_joint(off) == -np.inf).all()
    assert not task.support.flags.writeable


def test_a_random_map_follows_from_its_seed_and_is_well_conditioned():
    wide = NuisanceDimensions(LINE, 19)
    for task, seed in itertools.product((LINE, PLANE, wide), range(5)):
        found = random_linear_map(task, seed)
        np.testing.assert_array_equal(found.matrix, random_linear_map(task, seed).matrix)
        assert not np.array_equal(found.matrix, random_linear_map(task, seed + 5).matrix) or task is LINE
        assert np.linalg.cond(found.matrix) == pytest.approx(8 if task.features > 1 else 1, rel=1e-4)
        np.testing.assert_array_equal(found.matrix, np.round(found.matrix, 6))


# --- what is wrong ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("line+label-nose(0.1)", "found 'label-nose(0.1)'; did you mean label-noise"),
        ("line+wobble(1)", "found 'wobble(1)'; known: label-noise(RATE), prior-shift"),
        ("line+", "expected a transform behind '+', found ''"),
        ("line++nuisance(1)", "expected a transform behind '+', found ''"),
        ("+nuisance(1)", "expected the name of a task first, found '+'"),
        ("", "expected the name of a task first, found ''"),
        ("line+nuisance(1", "expected a ')' behind 'nuisance(1', found the end"),
        ("line+nuisance(1))", "found a ')' too many in 'nuisance(1))'"),
        ("line+nuisance((1))", "found a '(' too many in 'nuisance(('"),
        ("line+nuisance", "expected nuisance(COUNT) with 1 whole number, found 'nuisance'"),
        ("line+nuisance()", "expected nuisance(COUNT) with 1 whole number, found 'nuisance()'"),
        ("line+nuisance(1)x", "found 'nuisance(1)x'"),
        ("line+nuisance(1.5)", "expected nuisance(COUNT) with 1 whole number, found 'nuisance(1.5)'"),
        ("line+nuisance(0)", "expected at least 1 nuisance dimension, found 0"),
        ("line+label-noise(0.1,0.2)", "expected label-noise(RATE) with 1 number, found"),
        ("line+label-noise(much)", "expected label-noise(RATE) with 1 number, found 'label-noise(much)'"),
        (
            "line+label-noise(0)",
            "expected a rate of label noise between 0 and 0.6667, both excluded, found 0",
        ),
        ("bits+label-noise(0.5)", "between 0 and 0.5, both excluded, found 0.5"),
        ("bits+label-noise(nan)", "between 0 and 0.5, both excluded, found nan"),
        ("plain+prior-shift(0.9,0.1)", "expected a task that states its class priors, found none"),
        ("line+prior-shift(0.9,0.1)", "expected 3 priors, found 2"),
        ("line+prior-shift()", "expected prior-shift(P0,P1,...) with one or more numbers, found"),
        ("line+prior-shift(0.9,0.1,0)", "expected positive priors that sum to 1"),
        ("line+prior-shift(0.5,0.4,0.2)", "(sum 1.1)"),
        ("line+prior-shift(0.2,0.2,0.6)+label-noise(0.1)", "write the label noise before the shift"),
        ("line+prior-shift(0.2,0.2,0.6)+nuisance(1)+label-noise(0.1)", "write the label noise before"),
        ("line+prior-shift(0.2,0.2,0.6)+prior-shift(0.3,0.3,0.4)", "state the last priors alone"),
        ("plane+linear-map(1,2,3)", "the 4 numbers of a 2 x 2 matrix, row by row, found 3"),
        ("plane+linear-map(1,2,2,4)", "expected an invertible matrix"),
        ("plane+linear-map(1,2,2,inf)", "expected an invertible matrix"),
        ("bits+nuisance(1)+random-linear-map(1)", "write the linear map before the nuisance dimensions"),
        ("line+random-linear-map(-1)", "random-linear-map: expected a seed from 0, found -1"),
    ],
)
def test_a_wrong_text_is_named_with_what_was_expected_and_found(text, words):
    with pytest.raises(TaskError) as raised:
        transformed(text)
    assert words in str(raised.value)
    assert text.partition("(")[0] in str(raised.value)
    assert "\n" not in str(raised.value)


def test_blanks_and_other_spellings_of_a_number_read_as_the_same_task():
    for text in ("line+prior-shift(.1, 0.20, 7e-1)", " line + prior-shift( 0.1 ,0.2,0.7 ) "):
        assert transformed(text).name == SHIFTED.name


def test_every_usage_names_its_transform():
    for name, transform in TRANSFORMS.items():
        assert transform.usage.startswith(f"{name}(")
        assert transform.description
