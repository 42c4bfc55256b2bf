"""Tasks fitted to real data: the committed parameters against a new fit, and what is said of them."""

import dataclasses
import json

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_digits

from benchmarks.identity import parameters
from benchmarks.task import TaskError, log_posterior
from benchmarks.tasks.fit_real_data import SOURCES, Settings, fit, log_likelihood
from benchmarks.tasks.real_data import TASKS, mixture

NAMES = list(TASKS)


def written(name):
    return json.loads(TASKS[name].path.read_text())


@pytest.mark.parametrize("name", NAMES)
def test_a_new_fit_gives_the_committed_parameters(name):
    x, y = SOURCES[name].load()
    settings = Settings(**written(name)["settings"])
    assert settings in SOURCES[name].settings
    again, task = mixture(name, fit(x, y, settings)), TASKS[name].mixture
    for field in ("priors", "labels", "shares", "means", "covariances"):
        np.testing.assert_allclose(getattr(again, field), getattr(task, field), atol=2e-3, err_msg=field)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_said_of_held_out_data_is_so(name):
    x, y = SOURCES[name].load()
    said = written(name)
    plain = log_likelihood(x, y, SOURCES[name].settings[0])
    assert plain == pytest.approx(
        said["quality_of_one_normal_density_a_class"]["held_out_log_likelihood"], abs=0.01
    )
    assert said["quality"]["held_out_log_likelihood"] > plain
    if name != "digits-d64":  # which takes longer than it tells
        found = log_likelihood(x, y, Settings(**said["settings"]))
        assert found == pytest.approx(said["quality"]["held_out_log_likelihood"], abs=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_said_of_the_model_is_so(name):
    task, said = TASKS[name], written(name)["model"]
    x, y = task.sample(40_000, np.random.default_rng(1))
    log_p = log_posterior(task, x)
    wrong = int((log_p.argmax(axis=1) != y).sum())
    assert stats.binomtest(wrong, len(y), said["bayes_error"]).pvalue > 1e-3
    assert 0.01 < said["bayes_error"] < 0.05
    surprise = -log_p[np.arange(len(y)), y]
    spread = 4 * surprise.std() / np.sqrt(len(y))
    assert surprise.mean() == pytest.approx(said["conditional_entropy"], abs=spread)
    assert (x.shape[1], log_p.shape[1]) == (task.features, task.classes)
    largest = np.linalg.cond(task.mixture.covariances).max()
    assert largest == pytest.approx(said["largest_condition_number"], rel=1e-6)
    assert largest < 15


@pytest.mark.parametrize("name", NAMES)
def test_labels_follow_the_posterior_and_the_priors(name):
    task = TASKS[name]
    x, y = task.sample(40_000, np.random.default_rng(2))
    assert stats.chisquare(np.bincount(y), len(y) * task.priors).pvalue > 1e-4
    p = np.exp(log_posterior(task, x))
    confident = p.max(axis=1)
    bins = np.minimum((confident * 20).astype(int), 19)
    right = p.argmax(axis=1) == y
    residual = np.bincount(bins, weights=right - confident, minlength=20)
    spread = np.sqrt(np.bincount(bins, weights=confident * (1 - confident), minlength=20))
    chi2 = ((residual / np.where(spread > 0, spread, np.inf)) ** 2).sum()
    assert stats.chi2.sf(chi2, (spread > 0).sum()) > 1e-4


def test_the_models_digits_look_like_digits():
    """The class means of the model are those of the data, and blank pixels hold the noise alone."""
    task, (pixels, y) = TASKS["digits-d64"].mixture, load_digits(return_X_y=True)
    for c in range(10):
        own = task.labels == c
        mean = (task.shares[own, None] * task.means[own]).sum(axis=0)
        np.testing.assert_allclose(mean, (pixels[y == c].mean(axis=0) - 8) / 8, atol=1e-3)
    blank = np.flatnonzero(pixels.max(axis=0) == 0)
    assert len(blank)
    np.testing.assert_allclose(task.means[:, blank], -1, atol=1e-4)
    np.testing.assert_allclose(task.covariances[:, blank, blank], (5 / 8) ** 2, atol=1e-4)


def test_the_posterior_classifies_clean_digits():
    x, y = SOURCES["digits-d64"].load()
    assert (TASKS["digits-d64"].log_joint(x).argmax(axis=1) == y).mean() > 0.97


def test_components_have_variance_one_overall():
    x, _ = SOURCES["digits-pca-d16"].load()
    assert x.var(axis=0).mean() == pytest.approx(1, abs=0.01)
    np.testing.assert_allclose(np.corrcoef(x.T), np.eye(16), atol=1e-8)
    assert (np.diff(x.var(axis=0)) < 0).all()


def test_only_wine_has_a_finite_basis():
    assert [name for name, task in TASKS.items() if hasattr(task, "logit_basis")] == ["wine-d13"]
    task = TASKS["wine-d13"]
    x, _ = task.sample(500, np.random.default_rng(3))
    basis, odds = task.logit_basis(x), task.log_joint(x)[:, 1:] - task.log_joint(x)[:, :1]
    weights, *_ = np.linalg.lstsq(basis, odds, rcond=None)
    np.testing.assert_allclose(basis @ weights, odds, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_parameter_files_are_small_and_part_of_what_a_task_is(name):
    assert sum(TASKS[each].path.stat().st_size for each in NAMES) < 400_000
    assert parameters(TASKS[name])["sha256"] == TASKS[name].sha256


def test_another_parameter_file_is_refused():
    task = dataclasses.replace(TASKS["wine-d13"], sha256="0" * 64)
    with pytest.raises(
        TaskError, match=r"task wine-d13: expected parameters with the SHA-256 0000.*, found [0-9a-f]{64}$"
    ):
        task.log_joint(np.zeros((1, 13)))
    with pytest.raises(
        TaskError, match=r"task beer-d13: expected parameters in .*beer-d13\.json, found .*No such"
    ):
        _ = dataclasses.replace(task, name="beer-d13").priors
