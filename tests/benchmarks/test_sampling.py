"""Beyond two inputs: what replicates say against closed forms, and the cache of their points."""

import dataclasses
import itertools

import numpy as np
import pytest
from scipy import integrate, special, stats

from benchmarks import sampling
from benchmarks.evaluation import evaluate, expectation, normalised
from benchmarks.metrics import score
from benchmarks.tasks.mixture import Mixture

D, DISTANCE = 5, 2.0


def shared(name="shared", separation=DISTANCE, **changes):
    means = np.zeros((2, D))
    means[1, 2] = separation
    return Mixture(name, "", [0.5, 0.5], [0, 1], means, [np.eye(D)] * 2, **changes)


def numbers(evaluation, log_q):
    return {(s.metric, s.region): s for s in score(evaluation, log_q)}


def closed_form(of):
    """Integrate of(logit) where the logit of class 1 is N(+-D²/2, D²) by class."""
    half = DISTANCE**2 / 2

    def integrand(t):
        density = (stats.norm.pdf(t, -half, DISTANCE) + stats.norm.pdf(t, half, DISTANCE)) / 2
        return float(of(t) * density)

    return integrate.quad(integrand, -30, 30, limit=300)[0]


def binary_kl(p, q):
    return special.rel_entr(p, q) + special.rel_entr(1 - p, 1 - q)


def test_numbers_have_their_closed_form_within_two_errors():
    evaluation = evaluate(shared())
    logit = evaluation.log_posterior[:, 1] - evaluation.log_posterior[:, 0]
    found = numbers(evaluation, normalised(np.stack([np.zeros(len(logit)), 0.7 * logit + 0.1], axis=1)))
    p, q = special.expit, lambda t: special.expit(0.7 * t + 0.1)
    exact = {
        "expected_kl": closed_form(lambda t: binary_kl(p(t), q(t))),
        "tv": closed_form(lambda t: abs(p(t) - q(t))),
        "excess_brier": closed_form(lambda t: 2 * (p(t) - q(t)) ** 2),
    }
    for name, value in exact.items():
        score_ = found[name, "all"]
        assert abs(score_.value - value) < 2 * score_.error
        assert 1e-4 * value < score_.error < 0.02 * value
    information = np.log(2) - closed_form(lambda t: special.entr(p(t)) + special.entr(1 - p(t)))
    assert evaluation.information == pytest.approx(information, rel=0.01)


def test_the_stated_error_covers_the_truth_as_often_as_two_standard_errors_should(monkeypatch):
    monkeypatch.setattr(sampling, "DRAWS", 4096)
    monkeypatch.setattr(sampling, "BATCH", 2048)
    monkeypatch.setattr(sampling, "TAILS", ((0.01, 4096), (0.05, 2048)))
    monkeypatch.setattr(sampling, "BULK", 512)
    monkeypatch.setattr(sampling, "_save", lambda path, draws: None)
    p, q = special.expit, lambda t: special.expit(0.7 * t + 0.1)
    exact = closed_form(lambda t: binary_kl(p(t), q(t)))
    hits = 0
    for trial in range(60):
        evaluation = evaluate(shared(f"shared-{trial}"))
        logit = evaluation.log_posterior[:, 1] - evaluation.log_posterior[:, 0]
        log_q = normalised(np.stack([np.zeros(len(logit)), 0.7 * logit + 0.1], axis=1))
        found = numbers(evaluation, log_q)["expected_kl", "all"]
        hits += abs(found.value - exact) <= found.error
    assert hits >= 51  # Student's t with 15 degrees of freedom: 93.6 %


def test_the_sparse_region_is_beyond_its_quantile_and_has_points_of_its_own():
    evaluation = evaluate(shared(separation=0.0))  # one normal: the density is a function of the radius
    square = (evaluation.x**2).sum(axis=1)
    for region, mass in (("sparse99", 0.01), ("sparse95", 0.05)):
        weights, edge = evaluation.weights[region], stats.chi2.isf(mass, D)
        assert (weights > 0).sum() >= 10_000
        assert square[weights > 0].min() > 0.9 * edge
        beyond = D * stats.chi2.sf(edge, D + 2) / mass  # E[r² | r² > edge] of a chi-square variable
        assert expectation(square, weights) == pytest.approx(beyond, rel=5e-3)
    strata = [expectation(square, evaluation.weights[f"stratum-{i}"]) for i in range(1, 11)]
    assert strata == sorted(strata)
    assert np.mean(strata) == pytest.approx(D, rel=5e-3)


def test_the_prior_has_a_gap_of_exactly_one():
    evaluation = evaluate(shared())
    found = numbers(evaluation, np.tile(evaluation.log_prior, (len(evaluation.x), 1)))
    assert found["information_gap", "all"].value == pytest.approx(1, abs=1e-12)


@dataclasses.dataclass(frozen=True)
class Dice:
    """Three loaded dice, whose faces have probabilities of their own in each class."""

    name: str = "dice"
    version: int = 1
    features = 3
    classes = 2
    faces = np.array([[0.4, 0.3, 0.15, 0.1, 0.04, 0.01], [0.1, 0.1, 0.2, 0.2, 0.2, 0.2]])

    def sample(self, n, rng):
        y = rng.integers(2, size=n)
        u = rng.random((n, 3))
        return (u[:, :, None] > np.cumsum(self.faces, axis=1)[y][:, None]).sum(axis=2).astype(float), y

    def log_joint(self, x):
        return np.log(0.5) + np.log(self.faces)[:, x.astype(int)].sum(axis=2).T


class Counted(Dice):
    """The same dice, all of whose throws are enumerated."""

    support = np.array(list(itertools.product(range(6), repeat=3)), dtype=float)


def test_a_sample_of_inputs_whose_densities_tie_weighs_what_it_drew():
    sampled, exact = evaluate(Dice("dice")), evaluate(Counted("counted"))
    found, true = (numbers(each, normalised(0.6 * each.log_posterior)) for each in (sampled, exact))
    for region in ("all", "sparse95", "stratum-1", "stratum-10"):
        score_ = found["expected_kl", region]
        assert abs(score_.value - true["expected_kl", region].value) < 2 * score_.error + 0.02 * score_.value
    assert sampled.information == pytest.approx(exact.information, rel=0.01)
    for rule in sampled.checks:
        assert rule.weights["all"].sum() == pytest.approx(1)


def test_points_are_made_once_and_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("POSTERIOR_BENCH_CACHE", str(tmp_path))
    first = evaluate(shared())
    monkeypatch.setattr(sampling, "_replicate", lambda *_: pytest.fail("drawn again"))
    again = evaluate(shared())
    np.testing.assert_array_equal(first.x, again.x)
    np.testing.assert_array_equal(first.table, again.table)


class Changed(Mixture):
    """A task that became another one without saying so."""

    def log_joint(self, x):
        return super().log_joint(x) + np.array([0.01, -0.01])


Changed.__qualname__ = "Mixture"


def test_kept_points_of_a_task_that_has_changed_are_not_used(monkeypatch, tmp_path):
    monkeypatch.setenv("POSTERIOR_BENCH_CACHE", str(tmp_path))
    evaluate(shared())
    changed = Changed(**{name: getattr(shared(), name) for name in Mixture.__dataclass_fields__})
    assert sampling._file_name(changed) == sampling._file_name(shared())
    drawn = []
    monkeypatch.setattr(sampling, "_replicate", lambda *a, of=sampling._replicate: drawn.append(1) or of(*a))
    evaluate(changed)
    assert len(drawn) == sampling.REPLICATES


class Sampler(Mixture):
    """A task whose sampler was mended in one class, without a new version."""

    def sample(self, n, rng):
        x, y = super().sample(n, rng)
        return np.where((y == 1)[:, None], x + 0.5, x), y


Sampler.__qualname__ = "Mixture"


def test_kept_points_of_a_sampler_that_has_changed_are_not_used(monkeypatch, tmp_path):
    monkeypatch.setenv("POSTERIOR_BENCH_CACHE", str(tmp_path))
    before = evaluate(Sampler(**{name: getattr(shared(), name) for name in Mixture.__dataclass_fields__}))
    assert not np.array_equal(before.x, evaluate(shared()).x)


def test_a_damaged_file_and_a_folder_that_cannot_be_written_are_no_fault(monkeypatch, tmp_path):
    monkeypatch.setenv("POSTERIOR_BENCH_CACHE", str(tmp_path))
    first = evaluate(shared())
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:1000])
    np.testing.assert_array_equal(first.x, evaluate(shared()).x)
    blocked = tmp_path / "blocked"
    blocked.write_text("not a folder")
    monkeypatch.setenv("POSTERIOR_BENCH_CACHE", str(blocked))
    np.testing.assert_array_equal(first.x, evaluate(shared()).x)
