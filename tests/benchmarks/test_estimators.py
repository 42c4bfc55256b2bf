"""Estimators: log q against what is known of it, and what is said where there is none."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from benchmarks import architecture, registry
from benchmarks.architecture import Estimator, FitFailed, Skipped
from benchmarks.architectures import fitting, own_estimators, scikit
from benchmarks.architectures.estimators import ESTIMATORS, ScikitLearn, calibrated
from benchmarks.architectures.reference import fit_multinomial
from benchmarks.evaluation import kl, normalised
from benchmarks.task import log_posterior, training_data

DIFFERENT = [name for name in ESTIMATORS if "+" not in name or name.startswith("gaussian-naive-bayes+")]


def fitted(name, task, n, seed=0, points=None, **values):
    """Return log q of a built-in estimator after n examples of a task, at points or at fresh inputs."""
    task, estimator = registry.task(task), ESTIMATORS[name]
    if values:
        estimator = replace(estimator, build=estimator.build.with_arguments(**values))
    x, y = training_data(task, 0, n)
    points = training_data(task, 1_000, 500)[0] if points is None else points
    return fitting.fit(estimator, seed, x, y, task.classes)(points), points


def fit(found, x, y, classes=2, seed=0):
    return fitting.fit(own_estimators.as_estimator("own", found), seed, x, y, classes)


def two_classes(n=60, seed=0, d=2):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    return rng.normal(size=(n, d)) + y[:, None], y


# --- what is known of log q ------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["xor-2d", "three-class-1d"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_gives_normalised_log_q(name, task):
    log_q, points = fitted(name, task, 200)
    assert log_q.shape == (len(points), registry.task(task).classes) and log_q.dtype == np.float64
    assert not np.isnan(log_q).any() and (log_q <= 1e-12).all()
    np.testing.assert_allclose(np.exp(log_q).sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("name", DIFFERENT)
def test_every_estimator_predicts_as_its_object_does(name):
    estimator, task = ESTIMATORS[name], registry.task("three-class-1d")
    x, y = training_data(task, 0, 150)
    points = np.linspace(-2, 2, 50)[:, None]
    if estimator.calibration:
        theirs = fitting._with_calibration(estimator.build(0), estimator.calibration, 5)
    else:
        theirs = estimator.build(0)
    with fitting._quietly():
        q = theirs.fit(x, y).predict_proba(points)
    np.testing.assert_allclose(np.exp(fitting.fit(estimator, 0, x, y, 3)(points)), q, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "task", "degree"),
    [
        ("logistic-regression", "gauss-shared-d2", 1),
        ("quadratic-logistic-regression", "gauss-nested", 2),
        ("logistic-regression", "three-class-1d", 1),
    ],
)
def test_logistic_regression_is_maximum_likelihood(name, task, degree):
    log_q, points = fitted(name, task, 3_000)
    x, y = training_data(registry.task(task), 0, 3_000)

    def basis(x):
        return np.concatenate([np.ones((len(x), 1))] + [x**power for power in range(1, degree + 1)], axis=1)

    weights = fit_multinomial(basis(x), y, log_q.shape[1])
    ours = normalised(np.concatenate([np.zeros((len(points), 1)), basis(points) @ weights], axis=1))
    np.testing.assert_allclose(log_q, ours, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("lda", "gauss-shared-d2"),
        ("qda", "gauss-full-d2"),
        ("qda", "gauss-nested"),
        ("gaussian-naive-bayes", "gauss-nested"),
        ("quadratic-logistic-regression", "gauss-nested"),
    ],
)
def test_in_the_true_family_log_q_approaches_the_posterior(name, task):
    log_p = log_posterior(registry.task(task), training_data(registry.task(task), 1_000, 500)[0])
    few, many = (kl(log_p, fitted(name, task, n)[0]).mean() for n in (200, 50_000))
    assert many < 2e-4 and few > 10 * many


@pytest.mark.parametrize("name", ["k-nearest-neighbours", "kernel-density-bayes"])
def test_consistent_estimators_come_closer_with_more_examples(name):
    log_p = log_posterior(registry.task("moons-2d"), training_data(registry.task("moons-2d"), 1_000, 500)[0])
    few, many = (np.abs(np.exp(fitted(name, "moons-2d", n)[0]) - np.exp(log_p)).mean() for n in (100, 10_000))
    assert many < 0.5 * few


FAR = np.array([[-1e3], [-200.0], [200.0], [1e3]])


@pytest.mark.parametrize("name", ["qda", "gaussian-naive-bayes"])
def test_gaussian_models_are_exact_far_out(name):
    log_q, _ = fitted(name, "three-class-1d", 2_000, points=FAR)
    x, y = training_data(registry.task("three-class-1d"), 0, 2_000)
    own = [x[y == c, 0] for c in range(3)]
    joint = np.stack(
        [
            np.log(len(z) / 2_000) - np.log(z.std()) - 0.5 * ((FAR[:, 0] - z.mean()) / z.std()) ** 2
            for z in own
        ],
        axis=1,
    )
    assert np.isfinite(log_q).all() and log_q.min() < -1e4
    np.testing.assert_allclose(log_q, normalised(joint), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("lda", "gauss-separated"),
        ("lda", "three-class-1d"),
        ("logistic-regression", "gauss-separated"),
        ("logistic-regression", "three-class-1d"),
        ("qda", "gauss-nested"),
        ("kernel-density-bayes", "three-class-1d"),
        ("mlp-classifier", "gauss-separated"),
        ("mlp-classifier", "three-class-1d"),
    ],
)
def test_what_has_logits_excludes_nothing_far_out(name, task):
    log_q, _ = fitted(name, task, 1_000, points=FAR)
    assert np.isfinite(log_q).all() and log_q.min() < -50


def test_far_out_discriminants_are_linear_without_a_pipeline_and_within_one():
    x, y = two_classes()
    points = 1e3 * np.ones((1, 2))
    expected = LinearDiscriminantAnalysis().fit(x, y).decision_function(points)
    for found in (
        LinearDiscriminantAnalysis(),
        make_pipeline(StandardScaler(), LinearDiscriminantAnalysis()),
    ):
        log_q = fit(found, x, y)(points)
        np.testing.assert_allclose(log_q[0, 1] - log_q[0, 0], expected, rtol=1e-9)
        assert log_q[0, 0] < -1e3


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("scaled", [True, False])
def test_a_networks_logits_are_its_own(activation, scaled):
    x, y = two_classes()
    network = MLPClassifier((7, 5), activation=activation, max_iter=30, random_state=0)
    model = make_pipeline(StandardScaler(), network) if scaled else network
    log_q = fit(model, x, y)(x)
    with fitting._quietly():
        np.testing.assert_allclose(np.exp(log_q), model.fit(x, y).predict_proba(x), atol=1e-12)


def test_boosting_has_the_log_odds_of_its_trees():
    x = np.linspace(-1, 1, 400)[:, None]  # separable, where probabilities round
    estimator = ESTIMATORS["histogram-gradient-boosting"]
    estimator = replace(estimator, build=estimator.build.with_arguments(learning_rate=2.0, max_iter=40))
    for labels, classes in ((np.arange(400) // 200, 2), (np.arange(400) // 134, 3)):
        log_q = fitting.fit(estimator, 0, x, labels, classes)(x)
        scores = estimator.build(0).fit(x, labels).decision_function(x)
        scores = scores if classes == 3 else np.stack([np.zeros(400), scores], axis=1)
        assert np.abs(np.diff(scores)).max() > 12
        np.testing.assert_allclose(np.diff(log_q), np.diff(scores), atol=1e-13)


def test_estimators_of_shares_exclude_what_no_example_says():
    x, y = two_classes(200)
    nearest = fit(KNeighborsClassifier(1), x, y)(x)
    np.testing.assert_array_equal(nearest, np.where(np.arange(2) == y[:, None], 0.0, -np.inf))
    for name in ("random-forest", "extra-trees", "k-nearest-neighbours"):
        log_q, _ = fitted(name, "gauss-separated", 500)
        assert np.isneginf(log_q).any(), name


def test_subclasses_answer_for_themselves():
    class Stubborn(LogisticRegression):
        def predict_proba(self, x):
            return np.tile([0.25, 0.75], (len(x), 1))

    x, y = two_classes()
    np.testing.assert_allclose(np.exp(fit(Stubborn(), x, y)(x)), np.tile([0.25, 0.75], (60, 1)))


def test_k_is_the_root_of_n():
    x, y = two_classes(101)
    q = np.exp(fitting.fit(ESTIMATORS["k-nearest-neighbours"], 0, x, y, 2)(x))
    np.testing.assert_allclose(q * 11, np.round(q * 11), atol=1e-9)
    assert len(np.unique(np.round(q * 11))) > 5
    q = np.exp(fitted("k-nearest-neighbours", "moons-2d", 101, factor=0.2)[0])
    np.testing.assert_allclose(q * 3, np.round(q * 3), atol=1e-9)


def test_kernel_densities_equal_a_hand_computation_and_a_librarys():
    x, y = np.array([[0.0], [2.0], [5.0]]), np.array([0, 0, 1])
    model = scikit.KernelDensityBayes().fit(x, y)
    h = 2 ** (-1 / 5)  # two examples, one input, standard deviation 1
    np.testing.assert_allclose(model.bandwidths_, [h, 1.0])
    normal = np.exp(-0.5 * (np.array([1.0, -1.0]) / h) ** 2) / (h * np.sqrt(2 * np.pi))
    first = np.log(normal.mean())
    second = -0.5 * 16 - 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(model.log_densities(np.array([[1.0]])), [[first, second]])
    odds = first + np.log(2 / 3) - second - np.log(1 / 3)
    log_q = model.predict_log_proba(np.array([[1.0]]))
    np.testing.assert_allclose(log_q[0, 0] - log_q[0, 1], odds)
    x, y = two_classes(300)
    model = scikit.KernelDensityBayes(factor=0.5).fit(x, y)
    for c in (0, 1):
        width = 0.5 * 150 ** (-1 / 6) * np.sqrt(x[y == c].var(axis=0).mean())
        theirs = KernelDensity(bandwidth=width).fit(x[y == c]).score_samples(x)
        np.testing.assert_allclose(model.log_densities(x)[:, c], theirs)
    far = model.predict_log_proba(np.full((1, 2), 1e3))
    assert np.isfinite(far).all()


def test_kernel_densities_are_the_same_in_pieces(monkeypatch):
    x, y = two_classes(100)
    whole = scikit.KernelDensityBayes().fit(x, y).log_densities(x)
    monkeypatch.setattr(scikit, "PAIRS", 120)
    np.testing.assert_array_equal(scikit.KernelDensityBayes().fit(x, y).log_densities(x), whole)


def test_a_gaussian_process_fits_its_kernel():
    x, y = two_classes(100)
    model = scikit.GaussianProcess().fit(x, y)
    at_one = model.log_marginal_likelihood(np.zeros(2))
    assert model.log_marginal_likelihood_value_ > at_one + 0.1


def test_predictions_in_chunks_are_predictions(monkeypatch):
    whole, _ = fitted("random-forest", "xor-2d", 200)
    monkeypatch.setattr(fitting, "CHUNK", 7)
    pieces, points = fitted("random-forest", "xor-2d", 200)
    np.testing.assert_array_equal(pieces, whole)
    assert fitted("lda", "xor-2d", 200, points=points[:0])[0].shape == (0, 2)


# --- seeds ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["random-forest", "extra-trees", "mlp-classifier", "extra-trees+isotonic"])
def test_a_seed_decides_the_fit(name):
    same, again, other = (fitted(name, "xor-2d", 200, seed=seed)[0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(same, again)
    assert (same != other).any()


def test_instances_are_copied_and_seeded_also_within():
    x, y = two_classes()
    model = make_pipeline(StandardScaler(), RandomForestClassifier(5))
    same, again, other = (fit(model, x, y, seed=seed)(x) for seed in (1, 1, 2))
    np.testing.assert_array_equal(same, again)
    assert (same != other).any()
    assert not hasattr(model[-1], "estimators_")
    chosen = BaggingClassifier(DecisionTreeClassifier(random_state=7), random_state=7)
    build = own_estimators.as_estimator("own", chosen).build
    assert build(1).get_params()["random_state"] == 1
    assert build(1).get_params()["estimator__random_state"] == 7
    assert own_estimators.as_estimator("own", RandomForestClassifier).build(5).random_state == 5


# --- classes without examples ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_class_without_examples_has_probability_zero(name):
    x, y = two_classes(200)
    log_q = fitting.fit(ESTIMATORS[name], 0, x, np.where(y == 1, 3, 1), 4)(x)
    assert np.isneginf(log_q[:, [0, 2]]).all()
    np.testing.assert_array_equal(log_q[:, [1, 3]], fitting.fit(ESTIMATORS[name], 0, x, y, 2)(x))


@pytest.mark.parametrize("name", ["lda", "random-forest+isotonic", "gaussian-process"])
def test_a_single_class_is_certain(name):
    x, _ = two_classes(4)
    log_q = fitting.fit(ESTIMATORS[name], 0, x, np.full(4, 1), 3)(x)
    np.testing.assert_array_equal(log_q, np.tile([-np.inf, 0.0, -np.inf], (4, 1)))


# --- calibration -----------------------------------------------------------------------------------------


def test_a_calibrated_twin_is_the_same_estimator_calibrated():
    forest = ESTIMATORS["random-forest"]
    twin = calibrated(forest, "isotonic")
    assert twin == ESTIMATORS["random-forest+isotonic"]
    assert twin.build == forest.build and twin.family == forest.family and twin.calibration == "isotonic"
    with pytest.raises(ValueError, match="unknown calibration 'isotonc'; did you mean isotonic"):
        calibrated(forest, "isotonc")
    with pytest.raises(ValueError, match=r"random-forest\+isotonic is calibrated already, by isotonic"):
        calibrated(twin, "sigmoid")


def test_a_sigmoid_makes_a_forests_kl_finite():
    task = registry.task("moons-2d")
    log_p = log_posterior(task, training_data(task, 1_000, 500)[0])
    plain, twin = (
        kl(log_p, fitted(name, "moons-2d", 500)[0]).mean() for name in ("extra-trees", "extra-trees+sigmoid")
    )
    assert plain == np.inf and twin < 0.1


def test_calibration_needs_two_examples_of_each_class():
    x, y = two_classes(40)
    three = np.where(np.arange(40) < 1, 2, y)
    with pytest.raises(Skipped, match=r"sigmoid calibration needs 2 examples of each class .* class 2 has 1"):
        fitting.fit(ESTIMATORS["random-forest+sigmoid"], 0, x, three, 3)
    three = np.where(np.arange(40) < 2, 2, y)
    assert fitting.fit(ESTIMATORS["random-forest+sigmoid"], 0, x, three, 3)(x).shape == (40, 3)


def test_platt_scaling_is_a_sigmoid_of_the_score_of_one_machine():
    x, y = two_classes(200)
    log_q = fitting.fit(ESTIMATORS["svc-platt"], 0, x, y, 2)(x)
    score = make_pipeline(StandardScaler(), SVC()).fit(x, y).decision_function(x)
    log_odds = log_q[:, 1] - log_q[:, 0]
    line = np.polyfit(score, log_odds, 1)
    np.testing.assert_allclose(np.polyval(line, score), log_odds, atol=1e-8)
    assert line[0] > 0


# --- refusals --------------------------------------------------------------------------------------------


def test_too_many_examples_are_skipped():
    x, y = two_classes(6_400)
    with pytest.raises(Skipped, match=r"^gaussian-process takes at most 1,280 examples, here are 6,400$"):
        fitting.fit(ESTIMATORS["gaussian-process"], 0, x, y, 2)


class Foreign:
    """Nothing of scikit-learn's: fit and predict_proba alone.

    More text.
    """

    answer = staticmethod(lambda x: np.tile([0.25, 0.75], (len(x), 1)))

    def fit(self, x, y):
        self.shape = x.shape

    def predict_proba(self, x):
        return self.answer(x)


def answering(answer):
    return type("Answering", (Foreign,), {"answer": staticmethod(answer)})()


def test_anything_with_fit_and_predict_proba_will_do():
    x, y = two_classes()
    for found in (Foreign, Foreign(), answering(lambda x: np.tile(np.float32([0.25, 0.75]), (len(x), 1)))):
        np.testing.assert_allclose(np.exp(fit(found, x, y)(x)), np.tile([0.25, 0.75], (60, 1)))
    zeros = fit(answering(lambda x: np.tile([0.0, 1.0], (len(x), 1))), x, y)(x)
    np.testing.assert_array_equal(zeros, np.tile([-np.inf, 0.0], (60, 1)))
    assert own_estimators.as_estimator("own", Foreign).description.startswith("Nothing of scikit-learn's")


def test_log_probabilities_alone_will_do():
    class Logs:
        def fit(self, x, y):
            pass

        def predict_log_proba(self, x):
            return np.tile(np.log([0.25, 0.75]), (len(x), 1))

    x, y = two_classes()
    np.testing.assert_allclose(np.exp(fit(Logs(), x, y)(x)), np.tile([0.25, 0.75], (60, 1)))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda x: np.ones((len(x), 3)) / 3, r"predict_proba should return \(60, 2\), returned \(60, 3\)"),
        (lambda x: np.ones(len(x)), r"predict_proba should return \(60, 2\), returned \(60,\)"),
        (lambda x: "words", r"should return numbers \(60, 2\), returned str"),
        (lambda x: np.full((len(x), 2), np.nan), r"should return numbers, returned NaN at x = \["),
        (lambda x: np.ones((len(x), 2)), r"that sum to 1, they sum to 2 at x = \["),
        (lambda x: np.tile([0.5, 0.50001], (len(x), 1)), r"that sum to 1, they sum to 1\.00001 at x = \["),
        (lambda x: np.tile([-0.5, 1.5], (len(x), 1)), r"numbers from 0, returned -0\.5 at x = \["),
        (lambda x: np.zeros((len(x), 2)), r"that sum to 1, they sum to 0 at x = \["),
        (lambda x: np.tile([0.0, np.inf], (len(x), 1)), r"that sum to 1, they sum to inf at x = \["),
    ],
)
def test_answers_that_are_no_probabilities_fail_with_the_facts(answer, expected):
    x, y = two_classes()
    with pytest.raises(FitFailed, match=expected) as caught:
        fit(answering(answer), x, y)(x)
    assert "\n" not in str(caught.value)


def test_single_precision_may_be_off_by_its_rounding():
    x, y = two_classes()
    off = np.float32([0.5, 0.50005])
    log_q = fit(answering(lambda x: np.tile(off, (len(x), 1))), x, y)(x)
    np.testing.assert_allclose(np.exp(log_q).sum(axis=1), 1, atol=1e-12)


def raising(method):
    def fail(self, *values):
        raise RuntimeError("no\nsuch luck")

    return type("Raising", (Foreign,), {method: fail})


@pytest.mark.parametrize("method", ["fit", "predict_proba"])
def test_what_an_estimator_raises_is_said_in_one_line(method):
    x, y = two_classes()
    expected = rf"^{method} raised RuntimeError: no such luck \(test_estimators\.py, line \d+\)$"
    with pytest.raises(FitFailed, match=expected):
        fit(raising(method), x, y)(x)
    with pytest.raises(FitFailed, match=r"^build raised RuntimeError: no such luck"):
        fit(raising("__init__"), x, y)


def test_an_estimator_without_probabilities_says_what_is_needed():
    x, y = two_classes()
    expected = "^expected an estimator with predict_proba or predict_log_proba, found RidgeClassifier without"
    with pytest.raises(FitFailed, match=expected):
        fit(RidgeClassifier(), x, y)(x)
    twin = calibrated(own_estimators.as_estimator("ridge", RidgeClassifier()), "sigmoid")
    assert np.isfinite(fitting.fit(twin, 0, x, y, 2)(x)).all()


def test_infinite_logits_fail():
    x, y = two_classes()
    predict = fit(LogisticRegression(), x, y)
    with pytest.raises(FitFailed, match=r"^decision_function should return finite .* an infinity at x = \["):
        predict(np.full((1, 2), 1.7e308))


def test_labels_that_are_none_fail():
    class Odd(Foreign):
        classes_ = np.array([0, 7])

    x, y = two_classes()
    with pytest.raises(FitFailed, match=r"classes_ should hold labels from 0 to 1, each once, found \[0 7\]"):
        fit(Odd, x, y)


def test_what_cannot_be_fitted_is_no_estimator():
    for found, kind in ((3, "int"), (int, "class int")):
        with pytest.raises(ValueError, match=rf"^own: expected .*, found {kind} without fit$"):
            own_estimators.as_estimator("own", found)


def test_no_warning_is_shown(recwarn):
    x, y = two_classes(60)
    fit(MLPClassifier(max_iter=1), x, y)(x)
    fit(KNeighborsClassifier(1), x, y)(x)
    fit(LogisticRegression(max_iter=1), 1e3 * x, y)(1e6 * x)
    assert not recwarn.list


# --- names and arguments ---------------------------------------------------------------------------------


def test_other_arguments_build_another_object():
    build = ESTIMATORS["random-forest"].build.with_arguments(n_estimators=7, max_depth=2)
    assert (build(4).n_estimators, build(4).max_depth, build(4).random_state) == (7, 2, 4)
    assert build.with_arguments(n_estimators=8)(0).max_depth == 2
    assert ESTIMATORS["svc-platt"].build.with_arguments(C=3.0)(0)[-1].C == 3.0
    with pytest.raises(
        ValueError, match=r"no argument 'n_estimator'; did you mean n_estimators\b.*there are: n_est"
    ):
        ESTIMATORS["random-forest"].build.with_arguments(n_estimator=7)
    for chosen in ("random_state", "n_jobs"):
        with pytest.raises(ValueError, match=f"no argument '{chosen}'"):
            ESTIMATORS["random-forest"].build.with_arguments(**{chosen: 2})
    with pytest.raises(ValueError, match=r"there are: factor$"):
        ESTIMATORS["kernel-density-bayes"].build.with_arguments(bandwith=2)


def test_an_argument_out_of_range_fails_with_the_librarys_words():
    x, y = two_classes()
    build = ScikitLearn("ensemble.RandomForestClassifier").with_arguments(n_estimators=-1)
    with pytest.raises(FitFailed, match="fit raised InvalidParameterError: The 'n_estimators' parameter"):
        fitting.fit(Estimator("own", "", build), 0, x, y, 2)


def test_records_say_what_an_estimator_is():
    said = architecture.parameters(ESTIMATORS["quadratic-logistic-regression"])
    assert said["build"]["name"] == "linear_model.LogisticRegression" and said["build"]["degree"] == 2
    named = [
        architecture.parameters(own_estimators.as_estimator("own", found))["build"]
        for found in (GaussianNB, GaussianNB(), KNeighborsClassifier(3), KNeighborsClassifier(4))
    ]
    assert named[0] == "sklearn.naive_bayes.GaussianNB" and len(set(named)) == 4
    assert "n_neighbors=3" in named[2]


def test_objects_within_have_no_address_in_records():
    class Own(ClassifierMixin, BaseEstimator):
        def __init__(self, inner=None, weight=None):
            self.inner, self.weight = inner, weight

        def fit(self, x, y):
            return self

    said, again = (
        architecture.parameters(own_estimators.as_estimator("own", own))["build"]
        for own in (Own(inner=GaussianNB(), weight=print), Own(inner=GaussianNB(), weight=print))
    )
    assert said == again and " at 0x" not in said and "var_smoothing" in said


def test_the_list_imports_no_library():
    probe = (
        "import sys; from benchmarks.architectures import estimators;"
        "assert not {'sklearn', 'torch', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", probe], check=True)
