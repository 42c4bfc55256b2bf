"""Anybody's modules: which are lifted, what is said of those that aren't, and what training gives."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from training import trained

from benchmarks.architecture import FitFailed, Module, Network, Recipe, Skipped
from benchmarks.architectures.networks import NETWORKS
from runner.engine import Training, evaluated, outputs
from runner.training.modules import Liftable, build, examined, noise, parameter_count

BATCH, STEPS = 32, 25


class Plain(nn.Module):
    """A hidden layer of 8; its classes below differ in one thing each."""

    def __init__(self, features, classes):
        super().__init__()
        self.first, self.last = nn.Linear(features, 8), nn.Linear(8, classes)

    def hidden(self, x):
        return self.first(x).relu()

    def forward(self, x):
        return self.last(self.hidden(x))


class Normed(Plain):
    """With batch norm, whose running statistics move."""

    def __init__(self, features, classes):
        super().__init__(features, classes)
        # Without a bias, whose gradient were 0 but for rounding, of which Adam keeps the sign.
        self.first, self.last = nn.Linear(features, 64, bias=False), nn.Linear(64, classes)
        self.norm = nn.BatchNorm1d(64)

    def hidden(self, x):
        return self.norm(self.first(x)).relu()


class Odd(Plain):
    """Of 7 units: in a stack most matrices begin where a processor's sums come out otherwise."""

    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.first = nn.Sequential(nn.Linear(features, 7), nn.ReLU(), nn.Linear(7, 7))
        self.last = nn.Linear(7, classes)


class Branching(Plain):
    def hidden(self, x):
        h = self.first(x)
        return h.relu() if h.mean() > 0 else h.tanh()


class Counting(Plain):
    def hidden(self, x):
        return super().hidden(x) * float(self.first.weight.sum())


class Noisy(Plain):
    """Draws numbers itself, in training alone."""

    def hidden(self, x):
        return functional.dropout(super().hidden(x), 0.3, self.training)


class Loose(Plain):
    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.scale = torch.linspace(0.5, 2.0, 8)

    def hidden(self, x):
        return super().hidden(x) * self.scale


class Nested(Plain):
    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.inner = Loose(features, classes)

    def forward(self, x):
        return super().forward(x) + self.inner(x)


class Frozen(Plain):
    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.first.requires_grad_(False)


class Dropping(Plain):
    """One layer, used twice where the widths differ."""

    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.drop = nn.Dropout(0.25)

    def forward(self, x):
        return self.last(self.drop(self.first(self.drop(x)).relu()))


class AlwaysDropping(Plain):
    def hidden(self, x):
        return functional.dropout(super().hidden(x), 0.3)


class OfTheBatch(Plain):
    def hidden(self, x):
        return super().hidden(x) - super().hidden(x).mean(0)


class Wide(Plain):
    def __init__(self, features, classes):
        super().__init__(features, classes + 1)


class Squeezed(Plain):
    def forward(self, x):
        return super().forward(x)[:, 0]


class Listing(Plain):
    def forward(self, x):
        return [super().forward(x)]


class Labels(Plain):
    def forward(self, x):
        return super().forward(x).round().long()


class Raising(Plain):
    def forward(self, x):
        raise ArithmeticError("no\nlogits")


class Still(Plain):
    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.requires_grad_(False)


class Bare(nn.Module):
    def __init__(self, features, classes):
        super().__init__()

    def forward(self, x):
        return torch.cat([x, x], dim=1)


def network(build, **recipe):
    return Network(getattr(build, "__name__", "own"), "", build, Recipe(**recipe), compiles=False)


# --- what is found ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Plain, Frozen])
def test_ordinary_modules_are_lifted(kind):
    assert examined(network(kind), 1, 2) == Liftable()


def test_batch_norm_is_lifted_and_its_moving_buffers_are_found():
    found = examined(network(Normed), 1, 2)
    assert found.reason == ""
    assert set(found.moving) == {"norm.running_mean", "norm.running_var", "norm.num_batches_tracked"}


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (
            Branching,
            "its forward branches on values, and what it gives at an x depends on the rows beside it",
        ),
        (Counting, "its forward branches on values"),
        (Noisy, "it draws random numbers other than by nn.Dropout"),
        (Loose, "scale is a tensor that is neither parameter nor buffer"),
        (Nested, "inner.scale is a tensor that is neither parameter nor buffer"),
        (Odd, "in a stack it rounds differently than alone (widths that are multiples of 16 rarely do)"),
        (Dropping, "a pass uses drop more than once, each time with its own dropout"),
    ],
)
def test_what_keeps_a_module_from_being_lifted_is_said(kind, reason):
    assert examined(network(kind), 1, 2).reason == reason


@pytest.mark.parametrize("name", ["mlp-8", "poly3", "gaussian-mixture-1", "transformer-16", "resnet-64"])
def test_networks_of_ours_are_lifted(name):
    assert examined(NETWORKS[name], 2, 3) == Liftable()


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (Wide, "expected logits (8, 3) at x (8, 2), found (8, 4)"),
        (Squeezed, "expected logits (8, 3) at x (8, 2), found (8,)"),
        (Listing, "expected logits (8, 3) at x (8, 2), found list"),
        (Labels, "expected logits of a floating point type, found torch.int64"),
        (lambda features, classes: nn.Linear(5, classes), "the network raised RuntimeError: mat1 and mat2"),
        (lambda features, classes: np.zeros(3), "expected a torch module, found ndarray"),
        (lambda features, classes: nn.Linear, "expected a torch module, found type"),
        (Still, "expected a network with parameters to train, found none"),
        (Bare, "found (8, 4)"),
        (AlwaysDropping, "expected the same logits at the same x in evaluation mode, found others at each"),
        (OfTheBatch, "expected logits that depend on x alone in evaluation mode, found that they depend on"),
    ],
)
def test_a_network_that_gives_no_logits_fails_with_the_facts(build, words):
    with pytest.raises(FitFailed) as raised:
        examined(network(build), 2, 3)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_a_network_raises_is_one_line_with_its_place():
    with pytest.raises(FitFailed) as raised:
        examined(network(Raising), 2, 3)
    assert str(raised.value).startswith(
        "the network raised ArithmeticError: no logits (test_modules.py, line"
    )


def test_a_network_that_does_not_apply_is_skipped():
    with pytest.raises(Skipped, match="8 x 8 pixels"):
        examined(NETWORKS["cnn-16"], 2, 3)


def test_parameters_are_counted_that_are_trained():
    assert parameter_count(network(Plain), 3, 2) == 4 * 8 + 9 * 2
    assert parameter_count(network(Frozen), 3, 2) == 9 * 2
    assert parameter_count(network(lambda features, classes: 1 / 0), 3, 2) == 0


# --- initial weights ----------------------------------------------------------------------------------------


def test_initial_weights_follow_architecture_seed_and_member_and_no_recipe():
    def first(name="Plain", seed=0, member=0, version=1, **recipe):
        made = Network(name, "", Plain, Recipe(**recipe), version)
        state = torch.random.get_rng_state()
        weight = build(made, 1, 2, seed, member).first.weight
        assert torch.equal(torch.random.get_rng_state(), state)
        return weight

    assert torch.equal(first(), first())
    assert torch.equal(first(), first("Plain+focal(2)+ensemble(3)", loss="focal", members=3))
    others = [first(seed=1), first(member=1), first(member=2), first(version=2), first("Other")]
    assert len({tuple(weight.flatten().tolist()) for weight in [first(), *others]}) == 6


def test_random_draws_follow_purpose_seed_and_member():
    def draw(**each):
        return noise(network(Plain), **({"seed": 0, "member": 0} | each)).random()

    assert draw() == draw()
    others = [draw(), draw(seed=1), draw(member=1), draw(purpose="mixup"), draw(purpose="thinned")]
    assert len(set(others)) == len(others)


def test_weights_are_single_precision_whatever_a_module_starts_with():
    double = build(network(lambda features, classes: Plain(features, classes).double()), 1, 2, 0)
    assert {weight.dtype for weight in double.parameters()} == {torch.float32}


# --- training -----------------------------------------------------------------------------------------------


def examples(seeds, steps=STEPS, batch=BATCH, features=1):
    """Return batches(count) of networks on these seeds, labels that the inputs say something about."""
    xs, ys = [], []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        y = rng.integers(2, size=(steps, batch))
        xs.append((rng.normal(size=(steps, batch, features)) + y[..., None]).astype(np.float32))
        ys.append(y)
    return lambda count: (np.stack(xs, axis=1)[:count], np.stack(ys, axis=1)[:count])


def last(kind, seeds, steps=STEPS):
    """Return the snapshot of networks of one kind that train in one stack, or alone if it can't be lifted."""
    made = network(kind)
    batches, liftable = examples(seeds), examined(made, 1, 2)
    training = Training(
        made,
        [build(made, 1, 2, seed) for seed in seeds],
        lambda networks, count: tuple(part[:, list(networks)] for part in batches(count)),
        steps,
        "eager",
        "cpu",
        liftable=liftable,
        noise=[noise(made, seed, 0) for seed in seeds],
    )
    training.advance(steps)
    return training.snapshot()


def plain_loop(kind, seed, steps=STEPS):
    """Train as anyone would, with PyTorch's own Adam; return the module."""
    module = build(network(kind), 1, 2, seed).train()
    x, y = examples([seed])(steps)
    optimiser = torch.optim.Adam([each for each in module.parameters() if each.requires_grad], lr=1e-3)
    for t in range(steps):
        optimiser.zero_grad()
        value = functional.cross_entropy(module(torch.from_numpy(x[t, 0])), torch.from_numpy(y[t, 0]))
        value.backward()
        optimiser.step()
    return module


@pytest.mark.parametrize("kind", [Plain, Normed, Odd, Branching, Counting, Loose, Nested, Frozen])
def test_training_equals_a_plain_loop(kind):
    lifted = examined(network(kind), 1, 2).reason == ""
    seeds = [0, 1, 2] if lifted else [2]
    found = last(kind, seeds)
    expected, start = plain_loop(kind, 2), build(network(kind), 1, 2, 2).state_dict()
    state = found.state(len(seeds) - 1)
    for name, value in expected.state_dict().items():
        torch.testing.assert_close(state[name], value, rtol=1e-3, atol=1e-4, msg=name)
    assert any(not torch.equal(state[name], start[name]) for name in start)
    x = torch.linspace(-3, 4, 50)[:, None]
    scored = outputs(evaluated(build(network(kind), 1, 2, 2)), state, x)
    torch.testing.assert_close(scored, expected.eval()(x), rtol=1e-3, atol=1e-3)


def test_running_statistics_are_those_of_a_plain_loop_exactly_counted():
    state, expected = last(Normed, [0, 1, 2]).state(1), plain_loop(Normed, 1).state_dict()
    assert int(state["norm.num_batches_tracked"]) == STEPS
    for name in ("norm.running_mean", "norm.running_var"):
        torch.testing.assert_close(state[name], expected[name], rtol=1e-3, atol=1e-3)
        assert not torch.allclose(state[name], torch.full_like(state[name], float(name.endswith("var"))))


@pytest.mark.parametrize("kind", [Plain, Normed, Frozen])
def test_a_lifted_module_has_the_bits_it_has_alone(kind):
    together, alone = last(kind, range(5)).state(3), last(kind, [3]).state(0)
    assert together.keys() == alone.keys()
    assert all(torch.equal(together[name], alone[name]) for name in alone)


@pytest.mark.parametrize("widths", [(5,), (7, 7), (30,), (50, 10)])
@pytest.mark.parametrize("features", [1, 2, 5])
def test_any_widths_give_a_trial_the_bits_that_it_has_alone(widths, features):
    """A module whose bits a stack would change isn't lifted, so its trials train alone anyway."""

    def layers(features, classes):
        units = [features, *widths]
        body = [each for a, b in itertools.pairwise(units) for each in (nn.Linear(a, b), nn.Tanh())]
        return nn.Sequential(*body, nn.Linear(units[-1], classes))

    made = Network(f"layers {widths}", "", layers, compiles=False)
    if examined(made, features, 2).reason:
        return

    def state(seeds, place):
        modules = [build(made, features, 2, seed) for seed in seeds]
        batches = examples(seeds, batch=64, features=features)
        return list(trained(made, modules, batches, [STEPS]))[-1].state(place)

    together, alone = state(range(5), 3), state([3], 0)
    assert all(torch.equal(together[name], alone[name]) for name in alone)


def test_frozen_parameters_do_not_move():
    state, start = last(Frozen, [0, 1]).state(1), build(network(Frozen), 1, 2, 1).state_dict()
    for name, value in start.items():
        assert torch.equal(state[name], value) is name.startswith("first")


@pytest.mark.parametrize("kind", [Noisy, Dropping])
def test_a_module_that_draws_numbers_itself_draws_the_trials_own(kind):
    torch.manual_seed(1)
    first = last(kind, [0]).state(0)
    torch.rand(100)
    before = torch.random.get_rng_state()
    again = last(kind, [0]).state(0)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    other = last(kind, [1]).state(0)
    assert not torch.equal(first["last.weight"], other["last.weight"])


def test_a_module_that_draws_numbers_itself_goes_on_drawing_from_step_to_step():
    """A shorter run is where a longer one was, though its numbers come in more than one piece."""
    made, batches = network(Noisy), examples([0], steps=130)
    states = []
    for steps, stop in ((130, [7, 70, 130]), (70, [70])):
        training = Training(
            made,
            [build(made, 1, 2, 0)],
            lambda networks, count, drawn=[0]: _next(batches(130), drawn, count),
            steps,
            "eager",
            "cpu",
            liftable=examined(made, 1, 2),
            noise=[noise(made, 0, 0)],
        )
        for step in stop:
            training.advance(step)
            torch.rand(3)
            states.append((step, training.snapshot().state(0)))
            training._drawn = None
    at = {}
    for step, state in states:
        at.setdefault(step, []).append(state)
    one, other = at[70]
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not torch.equal(at[7][0]["last.weight"], one["last.weight"])


def _next(parts, place, count):
    start, place[0] = place[0], place[0] + count
    return tuple(part[start : start + count] for part in parts)


def test_stacks_of_other_sizes_share_no_state():
    made = Network("mlp", "", Module("mlp", (("activation", "relu"), ("depth", 1), ("width", 8))))
    modules = [build(made, 1, 2, seed) for seed in range(3)]
    before = [{name: value.clone() for name, value in each.state_dict().items()} for each in modules]
    list(trained(made, modules, examples(range(3)), [STEPS]))
    for module, state in zip(modules, before, strict=True):
        assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
