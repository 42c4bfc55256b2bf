"""Networks on fixed training sets, ensembles and calibration, from a stack to records; and what fails."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from benchmarks import registry
from benchmarks.architecture import Estimator, Network, Recipe
from benchmarks.architectures import calibrators
from benchmarks.architectures.losses import log_q as log_q_of
from benchmarks.architectures.losses import loss as loss_of
from benchmarks.architectures.losses import mean_log_q
from benchmarks.task import training_data
from runner import cli, plan
from runner import run as running
from runner.engine import Training, evaluated, outputs
from runner.run_stack import run_stack
from runner.scoring import curve_points, evaluation_of
from runner.stacks import stacked
from runner.training import learning
from runner.training.data import TrainingSet
from runner.training.early_stopping import LEAST_STEPS, best_states, checks
from runner.training.modules import build, examined, noise
from suites.suite import load, narrow

BASE = load("gaussian1d-dataset")
NAME = "mlp-16x16"


def suite_of(*names, budgets=(100,), tasks=("gauss-nested",), seeds=1, steps=120):
    found = narrow(BASE, architectures=names, tasks=tasks, budgets=budgets, seeds=seeds)
    return found.model_copy(update={"steps": steps})


def stacks_of(*names, jobs=1, **grid):
    suite = suite_of(*names, **grid)
    trials = [trial for trial in plan.plan(suite, "eager") if trial.architecture in names]
    return stacked(suite, trials, "eager", "cpu", jobs, lambda *_: 7)


def results(*names, **grid):
    return [result for stack in stacks_of(*names, **grid) for result in run_stack(stack, lambda _: None)]


def value(result, metric="expected_kl", region="all"):
    (found,) = [r.value for r in result.records if (r.metric, r.region) == (metric, region)]
    return found


def alone_in(stack, place):
    """Return what one trial of a stack gives by itself."""
    one = dataclasses.replace(stack, trials=stack.trials[place : place + 1])
    return run_stack(one, lambda _: None)[0]


def values(result):
    timed = {"training_seconds"}
    return {(r.budget, r.metric, r.region): str(r.value) for r in result.records if r.metric not in timed}


def reasons(result):
    return {r.reason for r in result.records}


# --- a dataset stack ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [NAME, f"{NAME}+dropout(0.3)+mixup(0.2)", f"{NAME}+ensemble(2)+temperature"])
def test_a_trial_beside_other_tasks_budgets_and_seeds_has_the_bits_it_has_alone(name):
    grid = {"tasks": ("gauss-nested", "gauss-separated"), "budgets": (50, 300), "seeds": 2}
    (stack, *others) = stacks_of(name, **grid)
    stack = dataclasses.replace(stack, trials=sum((each.trials for each in others), stack.trials))
    assert len(stack.trials) == 8
    together = run_stack(stack, lambda _: None)
    for place in (0, 3, 6):
        alone = alone_in(stack, place)
        assert values(alone) == values(together[place])
        for budget, curve in alone.curves.items():
            np.testing.assert_array_equal(curve, together[place].curves[budget])
    assert len({str(values(result)) for result in together}) == 8


def test_when_others_stop_changes_nothing_and_some_stop_early():
    """A fast learning rate overfits the small sets early, while the large one goes on."""
    (stack,) = stacks_of("mlp-64+lr(0.02)", budgets=(20, 3_000), seeds=2, steps=600)
    together = run_stack(stack, lambda _: None)
    best = {(r.trial.budgets[0], r.trial.seed): value(r, "best_step") for r in together}
    assert min(best[20, 0], best[20, 1]) < LEAST_STEPS / 2 < max(best[3_000, 0], best[3_000, 1])
    for place in (0, 3):
        alone = alone_in(stack, place)
        assert values(alone) == values(together[place])


def test_records_count_the_whole_set_and_say_which_step_was_kept():
    (result,) = results(NAME, budgets=(100,))
    assert value(result, "distinct_examples") == 100
    assert value(result, "best_step") in checks(120)
    assert {r.budget for r in result.records} == {100}


# --- early stopping -----------------------------------------------------------------------------------------


def test_held_out_losses_are_looked_at_often_at_first_and_at_the_end():
    assert checks(50) == [20, 40, 50]
    found = checks(5_000)
    assert found[-1] == 5_000 and found == sorted(set(found))
    steps = np.diff([0, *found])[:-1]
    assert (steps >= 20).all() and (steps <= np.maximum(20, np.array(found[:-1]) / 10)).all()


def training_of(recipe, steps, seeds=(0, 1)):
    """Return a network, its training on small sets, its scored module and what is held out."""
    network = dataclasses.replace(registry.architecture("mlp-64"), recipe=recipe)
    task = registry.task("gauss-nested")
    sets = [TrainingSet(task, seed, 40, 64) for seed in seeds]
    modules = [build(network, 1, 2, seed) for seed in seeds]

    def draw(networks, count):
        parts = [sets[i].take(0, count) for i in networks]
        return tuple(np.stack(each, axis=1) for each in zip(*parts, strict=True))

    training = Training(network, modules, draw, steps, "eager", "cpu")
    held_out = [tuple(torch.from_numpy(part) for part in each.held_out) for each in sets]
    return network, training, evaluated(modules[0]), held_out


def looked_at(network, training, module, held_out, steps):
    """Return the held-out loss of each network at each check, trained to the end; and the states."""
    losses, states = [], []
    for step in checks(steps):
        training.advance(step)
        snapshot = training.snapshot()
        states.append([snapshot.state(at) for at in range(len(held_out))])
        losses.append(
            [
                float(loss_of(network.recipe)(outputs(module, state, x), y))
                for state, (x, y) in zip(states[-1], held_out, strict=True)
            ]
        )
    return np.array(losses), states


def expected_stop(losses, steps):
    """Return the index of the check whose state is kept by the rule, and of the check at which it stops."""
    best = 0
    for i, step in enumerate(checks(steps)):
        if losses[i] < losses[best]:
            best = i
        if step >= LEAST_STEPS and checks(steps)[best] < step / 2:
            return best, i
    return best, len(checks(steps)) - 1


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_the_state_with_the_least_held_out_loss_is_kept_until_it_is_old(schedule, monkeypatch):
    recipe, steps = Recipe(learning_rate=0.02, schedule=schedule), 800
    losses, states = looked_at(*training_of(recipe, steps), steps)
    rules = [expected_stop(losses[:, number], steps) for number in range(2)]
    if schedule == "cosine":
        rules = [(int(losses[:, number].argmin()), len(losses) - 1) for number in range(2)]
    made, asked = training_of(recipe, steps), []
    advance = made[1].advance
    monkeypatch.setattr(made[1], "advance", lambda step: (asked.append(step), advance(step)))
    network, training, module, held_out = made
    for number, each in enumerate(best_states(training, network.recipe, module, held_out, steps)):
        best, _ = rules[number]
        assert each.step == checks(steps)[best]
        assert each.held_out == losses[best, number]
        for name, weight in each.state.items():
            assert torch.equal(weight, states[best][number][name])
    last = max(end for _, end in rules)
    assert asked == checks(steps)[: last + 1]
    assert (asked[-1] == steps) is (schedule == "cosine")


def test_a_network_whose_loss_stops_being_finite_fails_alone(monkeypatch):
    class Fragile(nn.Module):
        def __init__(self, features, classes):
            super().__init__()
            self.layer = nn.Linear(features, classes)
            self.scale = nn.Parameter(torch.where(torch.rand(1) < 0.5, 1e38, 1.0))

        def forward(self, x):
            return self.layer(x) * self.scale.square()

    monkeypatch.setitem(registry.ARCHITECTURES, "fragile", Network("fragile", "", Fragile, compiles=False))
    found = results("fragile", seeds=6)
    failed = [result for result in found if result.status == "failed"]
    assert 0 < len(failed) < 6
    assert all(reasons(result) == {"loss not finite at step 1"} for result in failed)
    for result in found:
        if result.status == "ok":
            (alone,) = [r for r in results("fragile", seeds=6) if r.trial == result.trial]
            assert values(alone) == values(result)
            break


# --- ensembles ----------------------------------------------------------------------------------------------


def test_members_start_apart_see_other_orders_and_their_probabilities_are_averaged(monkeypatch):
    name = f"{NAME}+ensemble(3)"
    seen = []
    record = learning._record
    monkeypatch.setattr(learning, "_record", lambda *args: (seen.append(args), record(*args)))
    (stack,) = stacks_of(name)
    (result,) = run_stack(stack, lambda _: None)
    ((_, _, _, parts, _, _, _),) = seen
    assert [member.number for member, _ in parts] == [0, 1, 2]
    weights = [kept.state["0.weight"] for _, kept in parts]
    assert len({tuple(weight.flatten().tolist()) for weight in weights}) == 3
    network = registry.architecture(name)
    x = torch.from_numpy(curve_points(evaluation_of("gauss-nested")).astype(np.float32))
    each = [
        log_q_of(network.recipe, outputs(evaluated(member.module), kept.state, x).double().numpy())
        for member, kept in parts
    ]
    np.testing.assert_allclose(result.curves[100], mean_log_q(each), atol=1e-6)
    assert value(result, "best_step") == np.mean([kept.step for _, kept in parts])
    assert value(result, "parameters") == 21  # three times the seven that `stacks_of` says
    alone = results(NAME)[0]
    np.testing.assert_allclose(alone.curves[100], each[0], atol=1e-6)  # the first is the network


def test_an_ensemble_on_a_stream_shares_its_trials_examples():
    names = [f"{NAME}+ensemble(2)", NAME]
    suite = narrow(load("smoke"), architectures=names, tasks=["gauss-nested"], seeds=1)
    trials = [trial for trial in plan.plan(suite, "eager") if trial.architecture.startswith(NAME)]
    made = stacked(suite, trials, "eager", "cpu", 1, lambda *_: 7)
    found = {stack.architecture: run_stack(stack, lambda _: None)[0] for stack in made}
    assert {result.status for result in found.values()} == {"ok"}
    assert value_at(found[f"{NAME}+ensemble(2)"], 640) != value_at(found[NAME], 640)


def value_at(result, budget):
    (found,) = [
        r.value for r in result.records if (r.metric, r.region, r.budget) == ("expected_kl", "all", budget)
    ]
    return found


# --- calibration --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["temperature", "vector", "isotonic"])
def test_a_calibrator_is_fitted_to_what_is_held_out(method, monkeypatch):
    name = f"{NAME}+lr(0.02)"
    seen, record = [], learning._record
    monkeypatch.setattr(learning, "_record", lambda *args: (seen.append(args), record(*args)))
    plain, found = (results(each, budgets=(300,), steps=150)[0] for each in (name, f"{name}+{method}"))
    assert found.status == "ok"
    ((member, kept),) = seen[0][3]
    x, y = TrainingSet(registry.task("gauss-nested"), 0, 300, 64).held_out
    outputs_there = outputs(evaluated(member.module), kept.state, torch.from_numpy(x)).double().numpy()
    held = log_q_of(registry.architecture(name).recipe, outputs_there)
    expected = calibrators.fit(method, held, y)(plain.curves[300].astype(np.float64))
    np.testing.assert_allclose(np.exp(found.curves[300]), np.exp(expected), atol=1e-4)
    assert not np.allclose(np.exp(found.curves[300]), np.exp(plain.curves[300]), atol=1e-4)


def test_a_calibrators_zeros_make_kl_infinite_and_the_mass_is_said():
    (result,) = results(f"{NAME}+isotonic", tasks=("gauss-separated",))
    assert result.status == "ok"
    assert value(result) == np.inf
    assert 0 < value(result, "infinite_mass") < 1
    assert np.isfinite(value(result, "tv"))


def test_a_calibrator_that_cannot_be_fitted_fails_its_trial_with_the_reason():
    """Of the 20 examples of seeds, four are held out: some seeds have one class alone among them."""
    found = results(f"{NAME}+vector", budgets=(20,), seeds=12, steps=40)
    task = registry.task("gauss-nested")
    for result in found:
        classes = set(training_data(task, result.trial.seed, 20)[1][16:].tolist())
        assert (result.status == "failed") is (len(classes) < 2)
        if len(classes) < 2:
            (reason,) = reasons(result)
            assert reason.startswith("vector calibration needs a held-out example of each of 2 classes")
    assert {result.status for result in found} == {"ok", "failed"}


# --- what fails ---------------------------------------------------------------------------------------------


class Vague(nn.Linear):
    """Not a number beyond x = 20, where hardly any data fall."""

    def forward(self, x):
        return super().forward(x) + torch.where(x > 20, torch.nan, 0.0)


class Wide(nn.Linear):
    def __init__(self, features, classes):
        super().__init__(features, classes + 2)


class Raising(nn.Linear):
    def forward(self, x):
        raise ArithmeticError("no logits today")


class OneClass:
    """An estimator that fits and answers well, if it's asked: with one class it isn't."""

    def fit(self, x, y):
        if len(set(y.tolist())) < 2:
            raise AssertionError("asked to fit one class")
        return self

    def predict_proba(self, x):
        return np.full((len(x), 2), 0.5)


class Broken(OneClass):
    def predict_proba(self, x):
        return np.full((len(x), 3), 1 / 3)


BAD = {
    "vague": (Network("vague", "", Vague, compiles=False), "the output at x = [20."),
    "wide": (Network("wide", "", Wide, compiles=False), "expected logits (8, 2) at x (8, 1), found (8, 4)"),
    "raising": (
        Network("raising", "", Raising, compiles=False),
        "the network raised ArithmeticError: no logits today (test_learning.py, line ",
    ),
    "broken": (
        Estimator("broken", "", lambda seed: Broken()),
        "predict_proba should return (4096, 2)",
    ),
}


@pytest.fixture
def bad(monkeypatch):
    for name, (architecture, _) in BAD.items():
        monkeypatch.setitem(registry.ARCHITECTURES, name, architecture)
    monkeypatch.setitem(registry.ARCHITECTURES, "fine", Estimator("fine", "", lambda seed: OneClass()))


@pytest.mark.parametrize("name", BAD)
def test_a_model_that_breaks_its_contract_fails_with_the_facts(bad, name):
    for result in results(name, seeds=2):
        assert result.status == "failed"
        (reason,) = reasons(result)
        assert BAD[name][1] in reason and "\n" not in reason


def test_an_estimator_that_sees_one_class_alone_is_certain_of_it(bad):
    task = registry.task("rare-class-1d")
    found = results("fine", tasks=("rare-class-1d",), budgets=(10,), seeds=8)
    for result in found:
        alone = len(set(training_data(task, result.trial.seed, 10)[1].tolist())) == 1
        assert result.status == "ok"
        assert (value(result) == np.inf) is alone
    assert any(value(result) == np.inf for result in found)


def test_a_run_goes_on_with_the_others_and_exits_with_3(bad, tmp_path, capsys):
    suite = suite_of("linear", *BAD, "fine", seeds=2, steps=40)
    options = running.Options("eager", "cpu", 1, tmp_path / "run")
    assert cli._run_and_show(suite, options, "none") == cli.TRIALS_FAILED
    assert f"{2 * len(BAD)} trials failed" in capsys.readouterr().err
    frame = pd.read_csv(tmp_path / "run/records.csv").query("metric == 'information_gap'")
    for name in BAD:
        rows = frame[frame.architecture == name]
        assert set(rows.status) == {"failed"} and rows.value.isna().all()
        assert rows.reason.str.contains(BAD[name][1], regex=False).all()
    rest = frame[~frame.architecture.isin(list(BAD))]
    assert (rest.status == "ok").all() and {"linear", "fine", "oracle"} <= set(rest.architecture)


def test_a_network_that_trains_alone_is_said_to_and_equals_itself_in_any_stack(monkeypatch):
    class Branching(nn.Linear):
        def forward(self, x):
            return super().forward(x) if x.sum() > -1e9 else -super().forward(x)

    own = Network("branching", "", Branching, compiles=False)
    monkeypatch.setitem(registry.ARCHITECTURES, "branching", own)
    assert examined(own, 1, 2).reason == "its forward branches on values"
    found = results("branching", seeds=2)
    assert [result.status for result in found] == ["ok", "ok"]
    for result in found:
        assert result.note == "branching trains one network at a time: its forward branches on values"
    (stack,) = stacks_of("branching", seeds=2)
    alone = alone_in(stack, 1)
    assert values(alone) == values(found[1])
    lifted = Network("branching", "", nn.Linear, compiles=False)
    monkeypatch.setitem(registry.ARCHITECTURES, "branching", lifted)
    (twin, _) = results("branching", seeds=2)
    assert value(twin) == pytest.approx(value(found[0]), rel=1e-3)
    assert noise(own, 0, 0).random() == noise(lifted, 0, 0).random()
