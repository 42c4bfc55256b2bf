"""The statistics of verification: false alarms and the sizes of faults that it finds are as stated."""

import dataclasses
import itertools

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from benchmarks import registry
from benchmarks.task import log_density, log_posterior
from benchmarks.tasks.mixture import Mixture
from benchmarks.verification import ALARM, CHECKS, case, cubature, verify
from benchmarks.verification import goodness_of_fit as fit
from benchmarks.verification import proposal as proposals
from benchmarks.verification.case import Bridge, Case
from benchmarks.verification.density import _places

LINE = registry.task("gauss-nested")
LEVEL = 1e-5


@pytest.fixture
def small(monkeypatch):
    """Let samples be small, so that hundreds of them can be drawn."""
    monkeypatch.setattr(case, "FIT", 5_000)
    monkeypatch.setattr(case, "TEST", dict.fromkeys(case.TEST, 10_000))


def space(d=3):
    """Return two classes in d dimensions that overlap."""
    return Mixture("space", "", (0.6, 0.4), (0, 1, 1), np.eye(3, d) * 2, [np.eye(d)] * 3)


# --- false alarms -----------------------------------------------------------------------------------------


def p_values(task, check, seeds):
    with np.errstate(all="ignore"):
        return np.array([CHECKS[check].run(Case(task, seed, LEVEL)).p for seed in range(seeds)])


def assert_not_too_small(p):
    """Assert that p-values are uniform, or larger than that."""
    assert stats.kstest(p, "uniform", alternative="greater").pvalue > 1e-4, np.sort(p)[:10]
    assert p.mean() < 0.85, "the test is so conservative that it finds little"


@pytest.mark.parametrize("check", ["priors", "sampler-density", "sampler-posterior", "independence"])
def test_p_values_on_the_line_are_uniform(small, check):
    assert_not_too_small(p_values(LINE, check, 200))


@pytest.mark.parametrize("check", ["normalisation", "priors", "sampler-density", "sampler-posterior"])
def test_p_values_beyond_two_inputs_are_uniform(small, check):
    assert_not_too_small(p_values(space(), check, 100))


def test_p_values_in_the_plane_are_uniform(small):
    assert_not_too_small(p_values(space(2), "sampler-density", 60))


def test_p_values_of_training_data_are_uniform(small):
    shifted = registry.task("three-class-1d+prior-shift(0.2,0.5,0.3)")
    assert_not_too_small(p_values(shifted, "train-priors", 60))


def test_rare_events_raise_no_false_alarm():
    """In the far tail, where counts are small, p-values below 1e-3 are hardly more frequent than that."""
    rng = np.random.default_rng(0)
    mass = np.array([0.9, 0.0891, 0.01, 0.0006, 0.0003])
    p = [fit.multinomial(counts, mass, LEVEL).p for counts in rng.multinomial(20_000, mass, size=20_000)]
    assert np.mean(np.array(p) < 1e-3) < 2e-3
    probability = np.concatenate([np.full(1_000, 0.5), np.full(20_000, 1e-4), np.full(5_000, 2e-3)])
    cell = np.repeat([0, 1, 2], [1_000, 20_000, 5_000])
    p = []
    for _ in range(5_000):
        outcome = rng.random(len(probability)) < probability
        p.append(fit.bernoulli(fit.residuals(outcome, probability, cell), LEVEL).p)
    assert np.mean(np.array(p) < 1e-3) < 2e-3


def test_the_alarm_is_shared_among_the_statistical_checks():
    statistical = [name for name, check in CHECKS.items() if check.statistical]
    outcomes = verify(space())
    assert {each.check for each in outcomes if each.p is not None} <= set(statistical)
    level = ALARM / len(statistical)
    assert all(f"p at least {level:.2g}" in each.expected for each in outcomes if each.p is not None)


# --- sizes of faults --------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Moved:
    """gauss-nested, whose inputs just above the median are moved to just below: a CDF off by `size`."""

    size: float
    name: str = "moved"
    version: int = 1
    features: int = 1
    classes: int = 2

    def sample(self, n, rng):
        x, y = LINE.sample(n, rng)
        median, above, below = (quantile(0.5 + shift) for shift in (0, self.size, -self.size))
        moved = (x >= median) & (x < above)
        return np.where(moved, below + (x - median) / (above - median) * (median - below), x), y

    def log_joint(self, x):
        return LINE.log_joint(x)


@dataclasses.dataclass(frozen=True)
class Tilted(Moved):
    """gauss-nested, with the probability of class 1 higher by `size` everywhere."""

    def sample(self, n, rng):
        x, y = LINE.sample(n, rng)
        rate = self.size / np.exp(log_posterior(LINE, x)[:, 0])
        return x, np.where((y == 0) & (rng.random(n) < rate), 1, y)


def quantile(share):
    def excess(x):
        return stats.norm(0, 2).cdf(x) / 2 + stats.norm(1, 1).cdf(x) / 2 - share

    return optimize.brentq(excess, -9, 9)


@pytest.mark.parametrize(("check", "faulty"), [("sampler-density", Moved), ("sampler-posterior", Tilted)])
def test_a_fault_of_the_stated_size_is_caught(small, check, faulty):
    said = CHECKS[check].run(Case(LINE, 0, LEVEL)).detects
    number = next(float(word.strip("%")) for word in said.split() if word[0].isdigit())
    found = [CHECKS[check].run(Case(faulty(number / 100), seed, LEVEL)).ok for seed in range(100)]
    assert found.count(False) >= 95
    half = [CHECKS[check].run(Case(faulty(number / 400), seed, LEVEL)).ok for seed in range(20)]
    assert half.count(False) <= 10, "the stated size should be near the smallest that is caught"


def test_mass_in_wrong_cells_is_caught_wherever_it_is():
    rng, n = np.random.default_rng(0), 20_000
    mass = rng.dirichlet(np.full(50, 5.0))
    size = fit.multinomial(rng.multinomial(n, mass), mass, LEVEL).detects
    for left, right in (([0], [1]), (range(25), range(25, 50)), ([3], range(4, 50))):
        moved = mass.copy()
        taken = min(size, 0.9 * mass[list(left)].sum())  # no more than there is
        moved[list(left)] *= 1 - taken / mass[list(left)].sum()
        moved[list(right)] *= 1 + taken / mass[list(right)].sum()
        caught = [fit.multinomial(rng.multinomial(n, moved), mass, LEVEL).p < LEVEL for _ in range(100)]
        assert sum(caught) >= 95 or taken < size


def test_two_samples_that_differ_by_the_stated_size_are_told_apart():
    rng, n = np.random.default_rng(0), 20_000
    g = np.full(20, 1 / 20)
    p = rng.dirichlet(np.full(20, 5.0))
    share = p / (p + g)

    def tested(law):
        cell = np.concatenate([rng.choice(20, n, p=law), rng.choice(20, n, p=g)])
        return fit.two_samples(fit.residuals(np.arange(2 * n) < n, share[cell], cell), LEVEL)

    size = tested(p).detects
    moved = p * (1 + size * np.repeat([1 / p[:10].sum(), -1 / p[10:].sum()], 10))
    assert moved.sum() == pytest.approx(1) and (moved > 0).all()
    assert sum(tested(moved).p < LEVEL for _ in range(100)) >= 95
    assert sum(tested(p).p < 0.01 for _ in range(300)) <= 12


def test_a_histogram_with_a_certain_outcome_isnt_fooled():
    """One event of probability 1e-12 is an alarm, none isn't."""
    probability, cell = np.full(1_000, 1e-12), np.zeros(1_000, dtype=np.int64)
    outcome = np.zeros(1_000, dtype=bool)
    assert fit.bernoulli(fit.residuals(outcome, probability, cell), LEVEL).p > 0.9
    outcome[3] = True
    assert fit.bernoulli(fit.residuals(outcome, probability, cell), LEVEL).p < 1e-7
    assert fit.bernoulli(fit.residuals(outcome, np.zeros(1_000), cell), LEVEL).p == 0


# --- integrals --------------------------------------------------------------------------------------------


def test_boxes_tile_the_plane_and_hold_the_mass_of_a_product_of_normal_laws():
    task = Mixture("product", "", (1.0,), (0,), [(1.0, -2.0)], [np.diag([4.0, 0.25])])
    tree = cubature.Tree.of(task.sample(5_000, np.random.default_rng(0))[0])
    low, high = tree.boxes()
    assert (high - low).prod(axis=1).sum() == pytest.approx((2 * cubature.REACH) ** 2)
    corners = [tree.chart.forth(np.clip(each, -30, 30))[0] for each in (low, high)]
    first, last = (stats.norm([1, -2], [2, 0.5]).cdf(each) for each in corners)
    np.testing.assert_allclose(
        cubature.integrate(task, tree).boxes, (last - first).prod(axis=1), rtol=0, atol=1e-10
    )


def test_points_are_placed_in_the_box_that_holds_them():
    for d in (1, 2):
        x = np.random.default_rng(d).standard_t(1, size=(3_000, d))
        tree = cubature.Tree.of(x)
        low, high = (each[tree.place(x)] for each in tree.boxes())
        t = tree.chart.back(x)
        assert ((t >= low - 1e-12) & (t <= high + 1e-12)).all()
        counts = np.bincount(tree.place(x))
        assert counts.max() <= cubature.MOST[d]


def test_boxes_beside_each_other_differ_by_one_level_at_most():
    x = np.random.default_rng(0).normal(3, 1e-3, size=(2_000, 2))
    x[0] = 50
    tree = cubature.Tree.of(x)
    low, high = tree.boxes()
    for i in range(0, len(low), 7):
        beside = ((low <= high[i] + 1e-12) & (high >= low[i] - 1e-12)).all(axis=1)
        assert np.ptp(tree.level[beside]) <= 2
        assert abs(tree.level[beside] - tree.level[i]).max() <= 1


def test_bridge_sampling_gives_a_known_integral_and_its_error():
    rng, off = np.random.default_rng(0), []
    for _ in range(200):
        x = np.concatenate([rng.standard_normal(2_000), 1.5 * rng.standard_normal(2_000) + 0.5])
        log_p = stats.norm.logpdf(x) + np.log(7.0)
        log_g = stats.norm(0.5, 1.5).logpdf(x)
        none = np.zeros(len(x), dtype=np.int64)
        bridge = Bridge.between(x[:, None], np.ones((len(x), 1)), log_p, log_g, none)
        off.append((bridge.log_total - np.log(7.0)) / bridge.error)
    assert abs(np.mean(off)) < 4 / np.sqrt(200)
    assert np.std(off) == pytest.approx(1, abs=0.2)


def test_a_proposal_has_the_density_that_it_draws_from():
    task = space(3)
    fitted = proposals.fit(*task.sample(4_000, np.random.default_rng(0)), np.random.default_rng(1))
    x = fitted.sample(500, np.random.default_rng(2))
    covariances = fitted.factors @ fitted.factors.transpose(0, 2, 1)
    parts = zip(fitted.weights, fitted.means, covariances, strict=True)
    expected = sum(w * stats.multivariate_normal(m, c).pdf(x) for w, m, c in parts)
    np.testing.assert_allclose(np.exp(fitted.log_density(x)[0]), expected, rtol=1e-9)
    assert log_density(task, x).mean() == pytest.approx(fitted.log_density(x)[0].mean(), abs=0.1)


def test_a_proposal_of_discrete_inputs_sums_to_one():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.integers(3, size=(900, 1)), rng.integers(2, size=(900, 1))], axis=1).astype(float)
    fitted = proposals.fit(x, rng.integers(2, size=900), rng)
    points = np.array(list(itertools.product(range(3), range(2))), dtype=float)
    assert np.exp(fitted.log_density(points)[0]).sum() == pytest.approx(1)
    assert np.isneginf(fitted.log_density(np.array([[7.0, 0.0]]))[0]).all()
    assert set(map(tuple, fitted.sample(200, rng))) <= set(map(tuple, points))


def test_mixed_inputs_have_a_proposal_that_integrates_to_one():
    rng = np.random.default_rng(0)
    x = np.stack([rng.integers(2, size=900).astype(float), rng.standard_normal(900)], axis=1)
    fitted = proposals.fit(x, rng.integers(2, size=900), rng)

    def density(z):
        return np.exp(fitted.log_density(np.array([[0.0, z], [1.0, z]]))[0]).sum()

    assert integrate.quad(density, -9, 9)[0] == pytest.approx(1, abs=1e-6)


def test_inputs_are_found_in_a_support_whatever_their_rounding():
    points = np.random.default_rng(0).standard_normal((500, 4))
    order = np.random.default_rng(1).permutation(500)
    np.testing.assert_array_equal(_places(points[order] * (1 + 1e-9), points), order)
    assert (_places(points + 0.01, points) == -1).all()
