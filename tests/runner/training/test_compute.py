"""What a step computes, against counts by hand."""

import math

import pytest
import torch
from torch import nn

from benchmarks import registry
from benchmarks.architecture import Network, Recipe
from runner import plan
from runner.commands import listing
from runner.run_stack import run_stack
from runner.stacks import stacked
from runner.training.compute import counted_step, work
from runner.training.modules import parameter_count
from suites.suite import load, narrow

BATCH = 64
LOSS = 4  # elements a logit: log-softmax, negative log-likelihood, and both backward
ADAM = 7  # operations a weight: lerp; mul, addcmul; sqrt, div, add; addcdiv


def of(name, features=1, classes=2, batch=BATCH):
    return work(registry.architecture(name), features, classes, batch)


def step_of(module, features, classes, batch, **recipe):
    return counted_step(module, Recipe(**recipe), features, classes, batch)


def test_a_linear_step_is_two_products_the_loss_and_adam():
    found = of("linear", features=3, classes=5, batch=10)
    assert found.products == 2 * 10 * 3 * 5  # forward, and the weights' gradient; none of the inputs'
    assert found.elementwise == LOSS * 10 * 5 + 10 * 5 + ADAM * (
        3 * 5 + 5
    )  # and the sum of the bias' gradient
    assert found.multiply_adds == found.products + found.elementwise


def test_a_perceptrons_step_is_three_products_a_layer_but_for_the_first():
    found = of("mlp-16x16", features=3, classes=4)
    layers = [(3, 16), (16, 16), (16, 4)]
    sizes = [math.prod(layer) for layer in layers]
    assert found.products == BATCH * (3 * sum(sizes) - sizes[0])
    units = BATCH * (16 + 16)
    weights = sum(sizes) + 16 + 16 + 4
    relu = 2 * units  # forward and backward
    assert found.elementwise == relu + units + BATCH * 4 * (1 + LOSS) + ADAM * weights


def test_radial_units_count_element_by_element():
    features, classes, units = 8, 2, 32
    found = of("rbf-32", features=features)
    assert found.products == 3 * BATCH * units * classes  # the only layer, and its inputs are units
    # Differences, squares, sums; backward the square's three (a power, two products), a sign, a sum.
    pairs = (3 + 5) * BATCH * units * features
    # Two products and exp; backward exp's product, two of a product with a sum, and the factor's.
    cells = (3 + 5) * BATCH * units
    widths = (2 + 2) * units
    weights = ADAM * (units * (features + 1) + (units + 1) * classes)
    assert found.elementwise == pairs + cells + widths + BATCH * classes * (1 + LOSS) + weights


def test_elementwise_work_is_exact_where_it_is_simple():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(2))

        def forward(self, x):
            return torch.exp(x * self.scale).t().contiguous().t().clone()[:, [0, 1]].reshape(-1, 2)

    found = step_of(Scaled(), 2, 2, 10)
    # Product and exp; backward the index' sum, exp, the product, and the sum over the batch.
    assert found.elementwise == (2 + 4) * 20 + LOSS * 20 + ADAM * 2
    assert found.products == 0


def test_a_convolution_counts_its_windows():
    class Small(nn.Module):
        def __init__(self):
            super().__init__()
            self.filter = nn.Conv2d(1, 4, 3)
            self.out = nn.Linear(4 * 6 * 6, 3)

        def forward(self, x):
            return self.out(self.filter(x.reshape(-1, 1, 8, 8)).flatten(1))

    windows, batch = 4 * 6 * 6 * 9, 5
    # Of the first layer forward and the weights' gradient, of the second also the inputs'.
    assert step_of(Small(), 64, 3, batch).products == batch * (2 * windows + 3 * 144 * 3)


def test_attention_shows_its_products():
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, x):
            x = (self.scale * x).reshape(-1, 1, 6, 4)
            return nn.functional.scaled_dot_product_attention(x, x, x).flatten(1)

    # q k', and that times v; each with the gradients of both factors.
    assert step_of(Attention(), 24, 24, 10).products == 10 * 3 * (6 * 6 * 4 + 6 * 6 * 4)


def test_recurrent_layers_show_their_products():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.LSTM(2, 3, batch_first=True)

        def forward(self, x):
            return self.layer(x.reshape(-1, 5, 2))[0][:, -1]

    forward = 10 * 5 * (4 * 3 * 2 + 4 * 3 * 3)
    assert 2 * forward < step_of(Recurrent(), 10, 3, 10).products <= 3 * forward


@pytest.mark.parametrize(
    ("recipe", "operations"),
    [
        ({"optimiser": "sgd"}, 1),
        ({"optimiser": "sgd", "momentum": 0.9}, 3),
        ({"optimiser": "sgd", "momentum": 0.9, "weight_decay": 0.1}, 4),
        ({}, ADAM),
        ({"weight_decay": 0.1}, ADAM + 1),
        ({"averaging": 0.99}, ADAM + 1),
    ],
)
def test_updates_count_operations_a_weight(recipe, operations):
    found = step_of(nn.Linear(3, 5), 3, 5, 10, **recipe)
    assert found.elementwise == LOSS * 50 + 50 + operations * 20


def test_dropout_multiplies_forward_and_backward():
    plain, dropped = of("mlp-64x64"), of("mlp-64x64+dropout(0.5)")
    assert dropped.products == plain.products
    assert dropped.elementwise - plain.elementwise == 2 * BATCH * (64 + 64)


@pytest.mark.parametrize(
    "name", [name for name, each in registry.ARCHITECTURES.items() if isinstance(each, Network)]
)
def test_every_network_counts_at_least_its_weights_and_no_mode_is_left_on(name):
    network = registry.architecture(name)
    parameters = parameter_count(network, 4, 3)
    found = work(network, 4, 3, BATCH)
    assert (found.multiply_adds > ADAM * parameters) == (parameters > 0)
    assert torch.backends.mkldnn.enabled


def test_what_cannot_be_built_or_run_counts_nothing_and_leaves_randomness_alone():
    before = torch.random.get_rng_state()
    assert work(Network("own", "", lambda features, classes: 1 / 0), 1, 2, 8).multiply_adds == 0
    assert work(Network("own", "", lambda features, classes: nn.Linear(7, 2)), 1, 2, 8).multiply_adds == 0
    of("cnn-16", features=64)
    assert torch.equal(before, torch.random.get_rng_state())


# --- where it goes -----------------------------------------------------------------------------------------


def test_records_have_the_multiply_adds_of_all_members_on_the_recipes_own_batch():
    names = ["mlp-16x16+ensemble(3)+batch(16)", "qda"]
    suite = narrow(
        load("gaussian1d-dataset"), architectures=names, tasks=["gauss-nested"], budgets=[100], seeds=1
    )
    suite = suite.model_copy(update={"steps": 20, "reference": []})
    trials = plan.plan(suite, "eager")
    found = {}
    for count in (work, None):
        for stack in stacked(suite, trials, "eager", "cpu", 1, parameter_count, count):
            (result,) = run_stack(stack, lambda _: None)
            values = [each.value for each in result.records if each.metric == "multiply_adds"]
            found[stack.architecture, count is None] = values
    assert found["mlp-16x16+ensemble(3)+batch(16)", False] == [3 * of("mlp-16x16", batch=16).multiply_adds]
    assert found["qda", False] == [] and found["mlp-16x16+ensemble(3)+batch(16)", True] == []


def test_the_list_of_architectures_has_them():
    rows = {row["name"]: row for row in listing.architectures("gauss-nested")}
    assert rows["mlp-64x64"]["multiply_adds"] == of("mlp-64x64").multiply_adds
    assert rows["qda"]["multiply_adds"] is None and rows["cnn-16"]["multiply_adds"] is None
    assert "multiply-adds a step" in listing.table(list(rows.values()), None).splitlines()[0]
