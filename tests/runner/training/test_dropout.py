"""Dropout: masks of a trial's own, what they scale, where they go, and the mean of thinned networks."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from benchmarks import registry
from benchmarks.architecture import FitFailed, Network, Recipe
from benchmarks.architectures.losses import log_q as log_q_of
from benchmarks.architectures.losses import mean_log_q
from runner import plan
from runner.engine import Training, evaluated, outputs
from runner.run_stack import run_stack
from runner.scoring import evaluation_of, points
from runner.stacks import stacked
from runner.training.data import Examples, Targets
from runner.training.dropout import FedDropout, Masks, fed, with_dropout
from runner.training.early_stopping import ScoredState
from runner.training.modules import build, examined, noise
from runner.training.predictor import Member, Predictor
from suites.suite import load, narrow

BATCH = 64


class Dropping(nn.Module):
    """A user's module with dropout of its own."""

    def __init__(self, features, classes):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(features, 16), nn.ReLU(), nn.Dropout(0.4))
        self.drop, self.last = nn.Dropout(0.2), nn.Linear(16, classes)

    def forward(self, x):
        return self.last(self.drop(self.body(x)))


OWN = Network("Dropping", "", Dropping, compiles=False)
RANDOM = [
    "mlp-16x16+dropout(0.3)",
    "mlp-16x16+mixup(0.4)",
    "mlp-16x16+mc-dropout(0.3, 4)",
    "resnet(width=8, blocks=1)+dropout+mixup",
]


def state(network, seeds, steps, stops=(), schedule=None):
    """Return the last network's state after some steps on a stream, with all of a trial's draws.

    stops: steps at which training pauses; schedule: the steps that it is laid out for.
    """
    task = registry.task("gauss-nested")
    examples = [Examples(task, seed, BATCH, None) for seed in seeds]
    targets = [Targets(network.recipe, task, noise(network, seed, 0, "mixup")) for seed in seeds]

    def draw(networks, count):
        drawn = [targets[i](*examples[i].take(count)) for i in networks]
        return tuple(np.stack(part, axis=1) for part in zip(*drawn, strict=True))

    training = Training(
        network,
        [fed(build(network, task.features, task.classes, seed)) for seed in seeds],
        draw,
        schedule or steps,
        "eager",
        "cpu",
        liftable=examined(network, task.features, task.classes),
        noise=[noise(network, seed, 0) for seed in seeds],
    )
    for step in (*stops, steps):
        training.advance(step)
    return training.snapshot().state(-1)


def same(one, other):
    weights = [name for name in one if not name.endswith("mask")]
    return all(torch.equal(one[name], other[name]) for name in weights)


# --- masks --------------------------------------------------------------------------------------------------


def test_every_dropout_is_fed_and_nothing_is_dropped_without_a_mask():
    module = fed(Dropping(3, 2))
    layers = [name for name, each in module.named_modules() if isinstance(each, FedDropout)]
    assert layers == ["body.2", "drop"]
    assert not any(type(each) is nn.Dropout for each in module.modules())
    plain = Dropping(3, 2).eval()
    plain.load_state_dict({k: v for k, v in module.state_dict().items() if not k.endswith("mask")})
    x = torch.randn(5, 3)
    assert torch.equal(module.train()(x), plain(x))
    assert isinstance(fed(nn.Dropout(0.1)), FedDropout)


def test_a_layer_that_stands_in_two_places_is_fed_in_both():
    drop, act = nn.Dropout(0.1), nn.ReLU()
    module = fed(nn.Sequential(nn.Linear(2, 4), act, drop, nn.Linear(4, 4), act, drop))
    assert [type(each) for each in (module[2], module[5])] == [FedDropout, FedDropout]
    assert module[2] is not module[5]
    found = with_dropout(nn.Sequential(nn.Linear(2, 4), act, nn.Linear(4, 4), act, nn.Linear(4, 2)), 0.3)
    assert sum(isinstance(each, nn.Dropout) for each in found.modules()) == 2
    block = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    found = with_dropout(nn.Sequential(block, block), 0.3)
    assert sum(isinstance(each, nn.Dropout) for each in found.modules()) == 1  # one layer, gone through twice


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_share_dropped_is_p_and_what_is_kept_is_scaled(p):
    module = fed(nn.Sequential(nn.Linear(2, 40), nn.Dropout(p)))
    masks = Masks(module, torch.zeros(50, 2))
    assert masks.shapes == {"1.mask": (50, 40)} and masks.p == {"1.mask": p}
    chunk = masks.chunk([np.random.default_rng(0), np.random.default_rng(1)], 30)["1.mask"]
    assert chunk.shape == (30, 2, 50, 40)
    n = chunk.numel()
    assert float(chunk.float().mean()) == pytest.approx(1 - p, abs=4.5 * np.sqrt(p * (1 - p) / n))
    scaled = masks.scaled({"1.mask": chunk})["1.mask"]
    torch.testing.assert_close(scaled, chunk.float() / (1 - p))
    x = torch.randn(50, 2)
    module[1].mask = scaled[0, 0]
    torch.testing.assert_close(module(x), module[0](x) * chunk[0, 0] / (1 - p))


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_nothing_and_everything_can_be_dropped(p):
    module = fed(nn.Sequential(nn.Linear(2, 4), nn.Dropout(p)))
    masks = Masks(module, torch.zeros(8, 2))
    drawn = {name: torch.from_numpy(each) for name, each in masks.draw(np.random.default_rng(0)).items()}
    found = masks.scaled(drawn)["1.mask"]
    assert torch.equal(found, torch.full((8, 4), 1 - p))


def test_units_of_all_rows_steps_layers_and_networks_are_dropped_independently():
    masks = Masks(fed(Dropping(2, 2)), torch.zeros(32, 2))
    chunk = masks.chunk([np.random.default_rng(0), np.random.default_rng(1)], 20)
    one, other = chunk["body.2.mask"].float(), chunk["drop.mask"].float()
    assert float(one.mean()) == pytest.approx(0.6, abs=0.02) and float(other.mean()) == pytest.approx(
        0.8, abs=0.02
    )
    pairs = [(one, other), (one[:-1], one[1:]), (one[:, 0], one[:, 1]), (one[..., :-1, :], one[..., 1:, :])]
    for a, b in pairs:
        assert abs(np.corrcoef(a.flatten(), b.flatten())[0, 1]) < 0.03


def test_masks_drawn_in_chunks_are_those_drawn_step_by_step():
    masks = Masks(fed(Dropping(2, 2)), torch.zeros(8, 2))
    together = masks.chunk([np.random.default_rng(3)], 10)
    rng = np.random.default_rng(3)
    apart = [masks.chunk([rng], count) for count in (1, 4, 5)]
    for name, each in together.items():
        assert torch.equal(each, torch.cat([part[name] for part in apart]))


def test_a_layer_that_one_pass_goes_through_twice_is_told():
    class Twice(Dropping):
        def forward(self, x):
            return self.last(self.drop(self.drop(self.body(x))))

    assert Masks(fed(Twice(2, 2)), torch.zeros(8, 2)).reused == ["drop.mask"]
    assert Masks(fed(Dropping(2, 2)), torch.zeros(8, 2)).reused == []


# --- where the recipe puts it -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "count"),
    [("mlp-64x64", 2), ("mlp-deep", 6), ("mlp-64x64-tanh", 2), ("resnet-64", 2), ("mlp-64x64-silu", 2)],
)
def test_the_recipe_puts_dropout_behind_each_activation(name, count):
    network = registry.architecture(f"{name}+dropout(0.3)")
    module = build(network, 2, 3, 0)
    assert sum(isinstance(each, nn.Dropout) and each.p == 0.3 for each in module.modules()) == count
    plain = build(registry.architecture(name), 2, 3, 0)
    x = torch.randn(6, 2)
    assert torch.equal(module.eval()(x), plain(x))  # and the same initial weights
    assert not torch.equal(module.train()(x), plain(x))


def test_a_network_without_a_place_for_dropout_says_so():
    with pytest.raises(FitFailed) as raised:
        examined(registry.architecture("linear+dropout(0.1)"), 1, 2)
    assert str(raised.value).startswith("dropout goes behind activation layers such as nn.ReLU(), and this")


# --- bits ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RANDOM)
def test_a_trial_has_the_bits_it_has_alone(name):
    network = registry.architecture(name)
    alone = state(network, [3], 30)
    assert same(alone, state(network, [0, 3], 30))
    assert same(alone, state(network, [1, 0, 2, 5, 3], 30))
    assert not same(alone, state(network, [4], 30))


def test_a_users_own_dropout_has_the_bits_it_has_alone_and_is_not_that_of_a_network_without():
    alone = state(OWN, [3], 30)
    assert same(alone, state(OWN, [0, 1, 2, 3], 30))

    def without(features, classes):
        module = Dropping(features, classes)
        module.drop, module.body[2] = nn.Identity(), nn.Identity()
        return module

    assert not same(alone, state(dataclasses.replace(OWN, build=without), [3], 30))


@pytest.mark.parametrize("network", [OWN, *RANDOM], ids=str)
def test_a_shorter_run_is_where_a_longer_one_was(network):
    network = registry.architecture(network) if isinstance(network, str) else network
    short = state(network, [0, 1], 70)
    assert same(short, state(network, [0, 1], 70, stops=(1, 64), schedule=150))
    assert not same(short, state(network, [0, 1], 71))


def test_one_step_with_dropout_equals_a_hand_made_one():
    """The first step's gradient is that of the loss under the trial's first masks."""
    network = dataclasses.replace(OWN, recipe=Recipe(optimiser="sgd", learning_rate=0.1))
    found = state(network, [0], 1)
    module = fed(build(network, 1, 2, 0))
    masks = Masks(module, torch.zeros(BATCH, 1))
    drawn = masks.draw(noise(network, 0, 0))
    for name, mask in masks.scaled({k: torch.from_numpy(v) for k, v in drawn.items()}).items():
        module.get_submodule(name.removesuffix(".mask")).mask = mask
    x, y = Examples(registry.task("gauss-nested"), 0, BATCH, None).take(1)
    functional.cross_entropy(module(torch.from_numpy(x[0])), torch.from_numpy(y[0])).backward()
    for name, weight in module.named_parameters():
        torch.testing.assert_close(found[name], weight.detach() - 0.1 * weight.grad, rtol=1e-4, atol=1e-6)


# --- Monte Carlo dropout ------------------------------------------------------------------------------------


def stack_of(name, seeds=1, suite="smoke", **grid):
    grid = narrow(load(suite), architectures=[name], tasks=["gauss-nested"], seeds=seeds, **grid)
    trials = [trial for trial in plan.plan(grid, "eager") if trial.architecture == name]
    (stack,) = stacked(grid, trials, "eager", "cpu", 1, lambda *_: 7)
    return stack


@pytest.fixture
def thinned():
    """A predictor of mlp-16x16+mc-dropout(0.4, 6), a trial, and its one member with its initial state."""
    name = "mlp-16x16+mc-dropout(0.4, 6)"
    stack, network = stack_of(name), registry.architecture(name)
    module = fed(build(network, 1, 2, 0))
    kept = ScoredState({key: value.detach() * 3 for key, value in module.state_dict().items()})
    return Predictor(network, "cpu"), stack.trials[0], [(Member(0, 0, module), kept)]


def test_monte_carlo_dropout_is_a_function_of_x(thinned):
    predictor, trial, parts = thinned
    x = torch.linspace(-4, 6, 101)[:, None]
    whole = predictor.log_q(trial, parts, x)
    np.testing.assert_array_equal(whole, predictor.log_q(trial, parts, x))
    pieces = np.concatenate([predictor.log_q(trial, parts, x[i : i + 7]) for i in range(0, 101, 7)])
    np.testing.assert_allclose(whole, pieces, atol=1e-6)
    turned = predictor.log_q(trial, parts, x.flip(0))[::-1]
    np.testing.assert_allclose(whole, turned, atol=1e-6)
    np.testing.assert_allclose(np.exp(whole).sum(axis=1), 1)


def test_monte_carlo_dropout_is_the_mean_probability_of_thinned_networks(thinned):
    predictor, trial, parts = thinned
    network, ((member, kept),) = registry.architecture(trial.architecture), parts
    x = torch.linspace(-4, 6, 11)[:, None]
    masks = Masks(member.module, x[:1])
    rng, found = noise(network, trial.seed, 0, "thinned"), []
    for mask in masks.thinned(rng, 6):
        assert {tuple(each.shape) for each in mask.values()} == {(1, 16)}
        assert all(set(each.unique().tolist()) <= {0.0, np.float32(1 / 0.6)} for each in mask.values())
        state = kept.state | mask
        found.append(log_q_of(network.recipe, outputs(evaluated(member.module), state, x).double().numpy()))
    assert len({part.tobytes() for part in found}) == 6
    np.testing.assert_allclose(predictor.log_q(trial, parts, x), mean_log_q(found), rtol=1e-12)


def test_monte_carlo_dropout_trains_as_dropout_does_and_scores_otherwise():
    names = ["mlp-16x16+dropout(0.3)", "mlp-16x16+mc-dropout(0.3, 5)"]
    assert same(*(state(registry.architecture(name), [0], 20) for name in names))
    curves = [run_stack(stack_of(name), lambda _: None)[0].curves[1280] for name in names]
    assert not np.allclose(curves[0], curves[1], atol=1e-3)


def test_monte_carlo_dropout_goes_with_batch_norm(monkeypatch):
    def normed(features, classes):
        return nn.Sequential(nn.Linear(features, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, classes))

    own = Network("normed", "", normed, Recipe(dropout=0.2, samples=3), compiles=False)
    monkeypatch.setitem(registry.ARCHITECTURES, "normed", own)
    (result,) = run_stack(stack_of("normed"), lambda _: None)
    assert result.status == "ok"


def test_monte_carlo_dropout_of_a_network_that_cannot_be_lifted_fails_with_the_reason(monkeypatch):
    class Branching(Dropping):
        def forward(self, x):
            return super().forward(x if x.mean() > 0 else -x)

    own = Network("branching", "", Branching, Recipe(dropout=0.2, samples=3), compiles=False)
    monkeypatch.setitem(registry.ARCHITECTURES, "branching", own)
    (result,) = run_stack(stack_of("branching"), lambda _: None)
    assert {r.reason for r in result.records} == {
        "Monte Carlo dropout needs a network that trains in a stack;"
        " its forward branches on values, and what it gives at an x depends on the rows beside it"
    }


def test_no_unit_is_dropped_where_a_network_is_scored():
    name = "mlp-16x16+dropout(0.5)"
    (result,) = run_stack(stack_of(name), lambda _: None)
    network = registry.architecture(name)
    module = build(network, 1, 2, 0).eval()
    weights = {k: v for k, v in state(network, [0], 20).items() if not k.endswith("mask")}
    module.load_state_dict(weights)
    x = points(evaluation_of("gauss-nested")).astype(np.float32)
    with torch.no_grad():
        expected = log_q_of(network.recipe, module(torch.from_numpy(x)).double().numpy())
    np.testing.assert_allclose(result.curves[1280], expected[-len(result.curves[1280]) :], atol=1e-5)
