"""From a stack to records: what fails is recorded with its reason and spoils nothing else."""

import dataclasses
import time

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from benchmarks import registry
from benchmarks.architecture import Network, Reference
from benchmarks.evaluation import corrected, evaluate, normalised
from benchmarks.task import BLOCK, log_posterior
from reports.derived import efficiency
from runner import cli, plan
from runner import run as running
from runner.plan import Trial
from runner.records import Rows, TrialResult
from runner.run_stack import run_stack
from runner.scoring import CURVE_POINTS, Scoring, evaluation_of, points, score
from runner.stacks import stacked
from runner.training.data import Examples
from suites.suite import load, narrow


class Sound(nn.Module):
    """A linear layer with a scale; `fragile` makes it overflow in some seeds."""

    fragile = False

    def __init__(self, features, classes):
        super().__init__()
        self.layer = nn.Linear(features, classes)
        overflows = torch.rand(1) < 0.4
        self.scale = nn.Parameter(torch.where(overflows & self.fragile, 1e38, 1.0))

    def forward(self, x):
        return self.layer(x) * self.scale.square()


class Fragile(Sound):
    fragile = True


class FarOut(Sound):
    """Fine where data fall, not a number beyond x = 20."""

    def forward(self, x):
        return super().forward(x) + torch.where(x > 20, torch.nan, 0.0)


def broken(features, classes):
    raise RuntimeError("no such layer")


def refuse(task, evaluation, x, y):
    raise ArithmeticError("can't")


@pytest.fixture
def learners(monkeypatch):
    for name, build in (("mine", Fragile), ("far-out", FarOut), ("broken", broken)):
        monkeypatch.setitem(registry.ARCHITECTURES, name, Network(name, "", build))
    monkeypatch.setitem(registry.ARCHITECTURES, "refuses", Reference("refuses", "", refuse, needs_data=False))


def results(name, seeds=8):
    suite = narrow(load("smoke"), architectures=[name], tasks=["gauss-nested"], seeds=seeds)
    trials = [trial for trial in plan.plan(suite, "eager") if trial.architecture == name]
    (stack,) = stacked(suite, trials, "eager", "cpu", 1, lambda *_: 7)
    shares = []
    found = run_stack(stack, shares.append)
    return found, shares


def values(result):
    timed = {"training_seconds"}
    return {(r.budget, r.metric, r.region): str(r.value) for r in result.records if r.metric not in timed}


def test_a_diverging_trial_is_failed_with_its_step_and_its_neighbours_are_untouched(learners, monkeypatch):
    found, _ = results("mine")
    monkeypatch.setitem(registry.ARCHITECTURES, "mine", Network("mine", "", Sound))
    healthy, _ = results("mine")
    failed = [result for result in found if result.status == "failed"]
    assert 0 < len(failed) < len(found)
    for result in failed:
        assert {record.reason for record in result.records} == {"loss not finite at step 1"}
        assert {record.budget for record in result.records} == {640, 1280}
        assert all(np.isnan(record.value) for record in result.records)
        assert not result.curves
    for result, sound in zip(found, healthy, strict=True):
        if result.status == "ok":
            assert values(result) == values(sound)


def test_an_output_that_is_not_a_number_anywhere_fails_the_trial(learners):
    found, _ = results("far-out", seeds=1)
    assert found[0].status == "failed"
    assert all("the output at x = [20." in record.reason for record in found[0].records)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("broken", "the network raised RuntimeError: no such layer"), ("refuses", "ArithmeticError: can't")],
)
def test_an_architecture_that_raises_fails_its_trials_with_the_reason(learners, name, reason):
    found, _ = results(name, seeds=2)
    assert [result.status for result in found] == ["failed", "failed"]
    reasons = {(r.budget, r.reason.partition(" (test_")[0]) for result in found for r in result.records}
    assert reasons == {(640, reason), (1280, reason)}


def test_a_trial_has_every_number_at_every_budget_and_its_curves():
    found, shares = results("linear", seeds=2)
    assert sum(shares) == pytest.approx(1)
    for result in found:
        frame = pd.DataFrame(result.records)
        assert not frame.duplicated(["budget", "metric", "region"]).any()
        assert frame.groupby("budget").size().nunique() == 1
        assert set(frame.budget) == {640, 1280}
        assert set(frame[frame.metric == "distinct_examples"].value) == {640, 1280}
        assert set(frame[frame.metric == "parameters"].value) == {7}
        for log_q in result.curves.values():
            assert log_q.shape == (CURVE_POINTS, 2)
            np.testing.assert_allclose(np.exp(log_q).sum(axis=1), 1, rtol=1e-5)


def test_one_trials_exception_leaves_its_neighbours_as_they_are_alone(monkeypatch):
    class Broken(type(registry.task("gauss-nested"))):
        def sample(self, n, rng):
            if n == BLOCK:
                raise OSError("the sampler broke")
            return super().sample(n, rng)

    fine, whole = results("linear", seeds=1)[0][0], registry.task("gauss-separated")
    monkeypatch.setitem(registry.TASKS, "gauss-separated", Broken(**dataclasses.asdict(whole)))
    suite = narrow(load("smoke"), architectures=["linear"], seeds=1)
    trials = [trial for trial in plan.plan(suite, "eager") if trial.architecture == "linear"]
    (stack,) = stacked(suite, trials, "eager", "cpu", 1, lambda *_: 7)
    broken, beside = run_stack(stack, lambda _: None)
    ((status, reason, again),) = {(r.status, r.reason, r.again) for r in broken.records}
    assert (status, again) == ("failed", True)
    assert reason.startswith("task gauss-separated: sample raised OSError: the sampler broke")
    assert values(beside) == values(fine)


def test_a_pool_is_scored_with_its_distinct_examples_and_curves_are_the_networks():
    suite = narrow(load("gaussian1d-original"), tasks=["gauss-nested"], seeds=1, budgets=[640, 1280])
    suite = suite.model_copy(update={"pool": 1000})
    made = stacked(suite, plan.plan(suite, "eager"), "eager", "cpu", 1, lambda *_: 7)
    found = {stack.architecture: run_stack(stack, lambda _: None)[0] for stack in made}
    data = Examples(registry.task("gauss-nested"), 0, 64, 1000)
    for name in ("mlp-64x64", "oracle-mle"):
        seen = {r.budget: r.value for r in found[name].records if r.metric == "distinct_examples"}
        assert seen == {budget: data.distinct(budget) for budget in (640, 1280)}
        assert seen[1280] < 1001
    assert not any(r.metric == "distinct_examples" for r in found["oracle"].records)
    task = registry.task("gauss-nested")
    x = np.linspace(*task.window, CURVE_POINTS)[:, None]
    np.testing.assert_allclose(found["oracle"].curves[640], log_posterior(task, x), atol=1e-5)


def test_trials_that_are_scored_together_have_the_records_that_they_have_alone():
    rng, rows = np.random.default_rng(0), {True: [], False: []}
    for task, count in (("gauss-nested", 7), ("bits-d12", 2), ("gauss-nested", 3)):
        m, k = len(points(evaluation_of(task))), registry.task(task).classes
        for seed in range(count):
            log_q = normalised(rng.normal(size=(m, k)))
            if seed == 1:
                log_q[5] = np.nan
            for own in rows.values():
                trial = Trial(task, "mine", seed, "", "", (64,))
                own.append((Rows(TrialResult(trial), TrialResult(trial)), log_q, {"best_step": float(seed)}))
    scoring = Scoring()
    for row, log_q, measured in rows[True]:
        scoring.add(row, 64, log_q, **measured)
    scoring.finish()
    for row, log_q, measured in rows[False]:
        score(row, 64, log_q, **measured)
    for (together, *_), (alone, *_) in zip(*rows.values(), strict=True):
        for found, expected in zip(together.all, alone.all, strict=True):
            assert len(found.records) == (1 if expected.status == "failed" else len(expected.records)) > 0
            assert str(found.records) == str(expected.records)
            for kept in ("curves", "predictions"):
                for budget, array in getattr(expected, kept).items():
                    np.testing.assert_array_equal(getattr(found, kept)[budget], array)


def test_training_seconds_are_a_networks_share_of_the_time_it_took():
    start = time.perf_counter()
    found, _ = results("mlp-16x16", seeds=8)
    took = time.perf_counter() - start
    spent = [
        r.value
        for result in found
        for r in result.records
        if r.metric == "training_seconds" and r.budget == 1280
    ]
    assert 0 < sum(spent) < took


def test_the_law_holds_through_records_and_reports():
    suite = narrow(load("smoke"), architectures=["linear"], tasks=["gauss-nested"], seeds=300, budgets=[6400])
    trials = [trial for trial in plan.plan(suite, "eager") if trial.architecture == "oracle-mle"]
    made = stacked(suite, trials, "eager", "cpu", 1, lambda *_: 0)
    records = [r for stack in made for result in run_stack(stack, lambda _: None) for r in result.records]
    kl = np.array([r.value for r in records if r.metric == "expected_kl" and r.region == "all"])
    law = 3 / (2 * 6400)
    assert len(kl) == 300
    assert abs(kl.mean() - law) < 4 * kl.std(ddof=1) / np.sqrt(300)
    assert efficiency(3, 6400, kl.mean()) == pytest.approx(law / kl.mean())


def test_a_run_with_failures_reports_the_rest_and_exits_with_3(learners, tmp_path, capsys):
    suite = narrow(load("smoke"), architectures=["linear", "mine"], seeds=5)
    options = running.Options("eager", "cpu", 1, tmp_path / "run")
    assert cli._run_and_show(suite, options, "table") == cli.TRIALS_FAILED
    assert "trials failed; the report says why" in capsys.readouterr().err
    frame = pd.read_csv(tmp_path / "run/records.csv")
    mine = frame[(frame.architecture == "mine") & (frame.metric == "information_gap")]
    assert set(mine.status) == {"ok", "failed"}
    assert mine[mine.status == "failed"].value.isna().all()
    assert (frame[(frame.architecture == "linear") & frame.seed.notna()].status == "ok").all()
    board = pd.read_csv(tmp_path / "run/leaderboard.csv")
    row = board[(board.architecture == "mine") & (board.task == "overall") & (board.budget == 1280)].iloc[0]
    assert row.ok < row.total
    assert np.isnan(row.information_gap)
    assert "loss not finite at step 1" in (tmp_path / "run/report/architectures/index.html").read_text()
    assert cli._run_and_show(suite, options, "none") == cli.TRIALS_FAILED
    assert "nothing to train" in capsys.readouterr().err


def test_a_shift_of_the_priors_gives_a_raw_and_a_corrected_row(tmp_path):
    shifted = "gauss-separated+prior-shift(0.95,0.05)"
    suite = narrow(
        load("smoke"),
        tasks=["gauss-separated", shifted],
        architectures=["mlp-16x16"],
        seeds=5,
        budgets=[12800],
    )
    options = running.Options("eager", "cpu", 1, tmp_path / "run")
    assert cli._run_and_show(suite, options, "none") == cli.FINE
    frame = pd.read_csv(tmp_path / "run/records.csv").query("metric == 'information_gap'")
    gap = frame.groupby(["task", "architecture"]).value.mean()
    twin = "mlp-16x16" + plan.CORRECTED
    assert gap[shifted, twin] < 0.2 * gap[shifted, "mlp-16x16"]
    raw, same = (
        frame[(frame.task == "gauss-separated") & (frame.architecture == row)].value.tolist()
        for row in ("mlp-16x16", twin)
    )
    assert raw == same
    assert gap[shifted, "prior"] == pytest.approx(1, abs=1e-12)
    assert gap[shifted, "oracle-mle"] < 0.05
    board = pd.read_csv(tmp_path / "run/leaderboard.csv").query("task == 'overall'")
    assert board.set_index("architecture").loc[["mlp-16x16", twin], "rank"].tolist() == [2, 1]
    assert "corrected for the test law" in (tmp_path / "run/report/architectures/index.html").read_text()


def test_the_correction_is_bayes_rule_for_other_priors():
    task = registry.task("gauss-nested+prior-shift(0.8,0.2)")
    evaluation = evaluate(task)
    trained_on = log_posterior(registry.task("gauss-nested"), evaluation.x)
    np.testing.assert_allclose(
        corrected(task, evaluation, trained_on), evaluation.log_posterior, rtol=1e-7, atol=1e-7
    )
