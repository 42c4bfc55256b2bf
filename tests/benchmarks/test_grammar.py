"""How names are read: their one spelling, what each part becomes, and what is said of a wrong one."""

import numpy as np
import pytest
import torch

from benchmarks import grammar, registry
from benchmarks.architecture import Estimator, Network, parameters
from benchmarks.architectures.networks import FAMILIES, NETWORKS
from benchmarks.architectures.recipes import AROUND_ESTIMATORS, RECIPES
from benchmarks.errors import UnknownName
from benchmarks.grammar import GrammarError
from runner import plan
from runner.plan import PlanError
from suites.suite import load, narrow

BASE = "mlp-64x64"
WRONG = [
    (f"{BASE}+focl(2)", "'focl(2)': expected a recipe for a network behind '+'; did you mean focal?"),
    (f"{BASE}+zzz", "expected a recipe for a network behind '+'; known: squared-error, squared-error-linear"),
    (f"{BASE}+", "architecture '': expected a recipe for a network behind '+'"),
    (f"{BASE}+lr", "'lr': expected lr(LEARNING_RATE), found no learning_rate"),
    (f"{BASE}+batch()", "expected batch(BATCH), found no batch"),
    (f"{BASE}+lr(1, 2)", "'lr(1, 2)': expected learning_rate, found 2 values"),
    (f"{BASE}+soft-labels(1)", "'soft-labels(1)': expected no arguments, found 1 values"),
    (f"{BASE}+focal(high)", "'focal(high)': expected gamma to be a number, found 'high'"),
    (f"{BASE}+batch(1.5)", "'batch(1.5)': expected batch to be a whole number, found '1.5'"),
    (f"{BASE}+focal(gama=3)", "unknown argument 'gama'; did you mean gamma?"),
    (f"{BASE}+focal(2, gamma=3)", "expected gamma once, found it twice"),
    (f"{BASE}+mc-dropout(dropout=0.1, 20)", "expected KEY=VALUE behind dropout=..., found '20'"),
    (f"{BASE}+lr(0)", "'lr(0)': expected learning_rate above 0, found 0.0"),
    (f"{BASE}+lr(-1)", "expected learning_rate above 0, found -1.0"),
    (f"{BASE}+lr(nan)", "expected learning_rate above 0, found nan"),
    (f"{BASE}+lr(inf)", "expected learning_rate above 0, found inf"),
    (f"{BASE}+batch(0)", "expected batch above 0, found 0"),
    (f"{BASE}+ensemble(0)", "expected members above 0, found 0"),
    (f"{BASE}+focal(-1)", "expected gamma from 0, found -1.0"),
    (f"{BASE}+mixup(inf)", "expected mixup from 0, found inf"),
    (f"{BASE}+weight-decay(nan)", "expected weight_decay from 0, found nan"),
    (f"{BASE}+dropout(1)", "'dropout(1)': expected dropout from 0 to below 1, found 1.0"),
    (f"{BASE}+label-smoothing(1.5)", "expected smoothing from 0 to below 1, found 1.5"),
    (f"{BASE}+sgd(1)", "expected momentum from 0 to below 1, found 1.0"),
    (f"{BASE}+ema(1)", "expected averaging from 0 to below 1, found 1.0"),
    (f"{BASE}+mc-dropout(0)", "expected dropout above 0 beside samples, found 0"),
    (f"{BASE}+focal(2", f"'{BASE}+focal(2': expected a ')' behind 'focal(2', found the end"),
    (f"{BASE}+focal(2))", "expected balanced parentheses, found a ')' too many in 'focal(2))'"),
    (f"{BASE}+focal((2))", "expected balanced parentheses, found a '(' too many in 'focal(('"),
    (f"{BASE}+focal(2)x", "'focal(2)x': expected NAME or NAME(ARGUMENTS), found more behind it"),
    (f"{BASE}+sigmoid", "expected a recipe for a network behind '+'"),
    (f"{BASE}(width=3)", f"expected no arguments behind {BASE}"),
    ("prior+focal(2)", "'prior+focal(2)': expected no recipe behind prior, found focal(2)"),
    ("oracle-mle+sigmoid", "expected no recipe behind oracle-mle, found sigmoid"),
    ("lda+focal(2)", "'focal(2)': expected a recipe for an estimator behind '+'; known: sigmoid, isot"),
    ("lda+sigmod", "expected a recipe for an estimator behind '+'; did you mean sigmoid?"),
    ("lda+isotonic(3)", "'isotonic(3)': expected no arguments, found 1 values"),
    ("lda+sigmoid+isotonic", "lda+sigmoid is calibrated already, by sigmoid"),
    ("lda(3)", "architecture 'lda(3)': expected arguments by name, as in lda(width=128), found '3'"),
    ("k-nearest-neighbours(factr=2)", "SquareRootNeighbours has no argument 'factr'; did you mean factor?"),
    ("mlp(widht=3)", "architecture 'mlp(widht=3)': unknown argument 'widht'; did you mean width"),
    ("mlp(zzz=3)", "unknown argument 'zzz'; known: width, depth, activation"),
    ("mlp(width=3, width=4)", "expected each argument once, found 'width' twice"),
    ("mlp(3, width=4)", "expected width once, found it twice"),
    ("mlp(width=wide)", "expected width to be a whole number, found 'wide'"),
    ("mlp(64, 2, tanh, 4)", "expected width, depth, activation, found 4 values"),
    ("mlp(width=0)", "architecture 'mlp(width=0)': width: expected a whole number of at least 1, found 0"),
    ("linear(3)", "'linear(3)': expected no arguments, found 1 values"),
    ("transformer(heads=3)", "heads: expected a divisor of the width 16, found 3"),
]


@pytest.mark.parametrize(("name", "words"), WRONG, ids=[name for name, _ in WRONG])
def test_a_wrong_name_says_what_was_expected_and_found_in_a_line(name, words):
    with pytest.raises(GrammarError) as raised:
        registry.architecture(name)
    message = str(raised.value)
    assert words in message
    assert message.startswith("architecture '") and message.count("architecture") == 1
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mlp-64x65", "unknown architecture 'mlp-64x65'; did you mean mlp-64x64"),
        ("mlp-64x65+focal(2)", "unknown architecture 'mlp-64x65'; did you mean mlp-64x64"),
        ("mpl(width=3)", "unknown architecture 'mpl'; did you mean mlp"),
        ("svc", "unknown architecture 'svc'; did you mean svc-platt"),
    ],
)
def test_an_unknown_name_says_what_it_might_have_meant(name, words):
    with pytest.raises(UnknownName) as raised:
        registry.architecture(name)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("mlp(width=128,depth=3)", "mlp(width=128, depth=3)"),
        ("mlp( width = 128 , depth = 3 )", "mlp(width=128, depth=3)"),
        (" mlp (width=128, depth=3,) ", "mlp(width=128, depth=3)"),
        ("mlp-64x64 + focal( 2 ) + lr(0.01)", "mlp-64x64+focal(2)+lr(0.01)"),
        ("mlp-64x64+mc-dropout(0.1,20)", "mlp-64x64+mc-dropout(0.1, 20)"),
        ("mlp()", "mlp"),
        ("mlp-64x64+focal()", "mlp-64x64+focal"),
        ("my net+(1).py:Net( width = 8 )+focal(2)", "my net+(1).py:Net(width=8)+focal(2)"),
        ("svc+isotonic", "svc+isotonic"),
    ],
)
def test_a_name_has_one_spelling(written, name):
    assert registry.spelled(written) == name
    assert registry.spelled(name) == name
    if ":" not in name:
        assert registry.architecture(written) == registry.architecture(name)


def test_one_network_has_one_identity_however_it_is_written():
    for ways in (
        ("mlp-64x64", "mlp", "mlp()", "mlp(64)", "mlp(width=64, depth=2)", "mlp(depth=2, width=64)"),
        ("mlp-64x64+focal", "mlp-64x64+focal(2.0)", "mlp+focal(gamma=2)"),
        ("mlp(width=12)", "mlp(12, 2, relu)"),
    ):
        assert len({registry.architecture(way).name for way in ways}) == 1
        assert len({str(parameters(registry.architecture(way))) for way in ways}) == 1
    with pytest.raises(PlanError, match=r"found mlp-64x64 and mlp\(width=64\), which are the same"):
        plan.plan(narrow(load("smoke"), architectures=["mlp-64x64", "mlp(width=64)"]), "eager")


def test_a_name_is_made_once():
    assert registry.architecture("mlp(width=9)+focal(2)") is registry.architecture("mlp(width=9)+focal(2)")


@pytest.mark.parametrize(
    ("family", "twin"),
    [
        ("mlp(width=64, depth=2)", "mlp-64x64"),
        ("mlp(64, 2)", "mlp-64x64"),
        ("mlp", "mlp-64x64"),
        ("mlp(64, activation=tanh)", "mlp-64x64-tanh"),
        ("polynomial(degree=5)", "poly5"),
        ("rbf(units=128)", "rbf-128"),
        ("resnet(blocks=8)", "resnet-64-depth8"),
        ("swiglu(width=64)", "swiglu-64"),
        ("fourier(frequencies=32, width=64)", "fourier-64"),
        ("learned-fourier", "learned-fourier-64"),
        ("maxout", "maxout-64"),
        ("gaussian-mixture(4)", "gaussian-mixture-4"),
        ("transformer", "transformer-16"),
        ("cnn", "cnn-16"),
        ("cnn-resnet", "cnn-resnet-16"),
    ],
)
def test_a_family_builds_the_same_module_as_its_registered_twin(family, twin):
    one, other = registry.architecture(family), NETWORKS[twin]
    assert one.build == other.build and one.recipe == other.recipe
    features = 64 if "cnn" in family else 2
    states = []
    for network in (one, other):
        torch.manual_seed(0)
        states.append(network.build(features, 3).state_dict())
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_every_family_and_recipe_can_be_written_as_its_usage_says():
    for name in FAMILIES:
        assert registry.architecture(name).recipe == NETWORKS["linear"].recipe
    for name, ingredient in RECIPES.items():
        usage = ingredient.usage(name).replace("LEARNING_RATE", "0.1").replace("BATCH", "32")
        found = registry.architecture(f"linear+{usage}")
        assert isinstance(found, Network) and found.recipe != NETWORKS["linear"].recipe
        first, *rest = ingredient.description.split("; ")
        assert first in found.description
        assert all(clause in found.description for clause in rest if "limit is" in clause)
    for name in AROUND_ESTIMATORS:
        found = registry.architecture(f"qda+{name}")
        assert isinstance(found, Estimator) and found.calibration == name


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("focal", {"loss": "focal", "gamma": 2.0}),
        ("focal(3)", {"loss": "focal", "gamma": 3.0}),
        ("mc-dropout(samples=5)", {"dropout": 0.1, "samples": 5}),
        ("mc-dropout(0.3, 7)", {"dropout": 0.3, "samples": 7}),
        ("lr(1e-2)", {"learning_rate": 0.01}),
        ("batch(32)", {"batch": 32}),
        ("ensemble", {"members": 5}),
        ("sgd(0)", {"optimiser": "sgd", "learning_rate": 0.05, "momentum": 0.0}),
        ("vector", {"calibration": "vector"}),
    ],
)
def test_a_recipe_changes_what_it_says_and_nothing_else(name, changed):
    plain, found = (vars(registry.architecture(each).recipe) for each in (BASE, f"{BASE}+{name}"))
    assert {key: value for key, value in found.items() if value != plain[key]} == {
        key: value for key, value in changed.items() if value != plain[key]
    }
    assert registry.architecture(f"{BASE}+{name}").build == registry.architecture(BASE).build


def test_the_order_of_recipes_does_not_matter():
    def recipe(parts):
        return registry.architecture(f"{BASE}+{parts}").recipe

    assert recipe("focal(3)+batch(32)") == recipe("batch(32)+focal(3)")
    assert recipe("ensemble(2)+temperature+mixup(0.4)") == recipe("mixup(0.4)+temperature+ensemble(2)")
    assert recipe("sgd+lr(0.2)").learning_rate == 0.2
    assert recipe("lr(0.2)+sgd").learning_rate == 0.2
    assert recipe("sgd").learning_rate == 0.05


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ("focal(2)+squared-error", "'squared-error': sets loss, which focal(2) sets too"),
        ("lr(0.1)+lr(0.2)", "'lr(0.2)': sets learning_rate, which lr(0.1) sets too"),
        ("temperature+isotonic", "'isotonic': sets calibration, which temperature sets too"),
    ],
)
def test_two_recipes_that_set_the_same_are_refused(parts, words):
    with pytest.raises(GrammarError) as raised:
        registry.architecture(f"{BASE}+{parts}")
    assert words in str(raised.value)


def test_calibration_behind_an_estimator_is_that_of_its_registered_twin():
    for name in ("random-forest+isotonic", "gaussian-naive-bayes+sigmoid"):
        base, method = name.split("+")
        written = registry.architecture(f"{base}()+{method}")
        twin = registry.architecture(name)
        assert (written.calibration, written.build) == (twin.calibration, twin.build)
        assert written.max_budget == twin.max_budget
    assert registry.architecture("gaussian-process+sigmoid").max_budget == 256


def test_parts_are_split_at_plus_signs_outside_of_parentheses_and_paths():
    assert grammar.split("task", "xor-2d+nuisance(6)+label-noise(0.1)") == (
        "xor-2d",
        ["nuisance(6)", "label-noise(0.1)"],
    )
    assert grammar.split("task", "a+linear-map(1e+3, 2)") == ("a", ["linear-map(1e+3, 2)"])
    assert grammar.split("task", "my+(1)/own.py:attr+x") == ("my+(1)/own.py:attr", ["x"])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-3", -3),
        ("3.5", 3.5),
        ("1e-3", 1e-3),
        ("true", True),
        ("False", False),
        ("none", None),
        ("tanh", "tanh"),
        ("inf", np.inf),
    ],
)
def test_a_word_is_what_it_says_on_its_face(text, value):
    assert grammar.literal(text) == value
    assert type(grammar.literal(text)) is type(value)


@pytest.mark.parametrize(
    ("text", "wanted", "value"),
    [("3", int, 3), ("3", float, 3.0), ("True", bool, True), ("word", str, "word")],
)
def test_a_value_is_of_the_type_that_is_wanted(text, wanted, value):
    found = grammar.value("architecture", grammar.Call("x", [text], {}), "key", text, wanted)
    assert found == value and type(found) is wanted
    if wanted is bool:
        with pytest.raises(GrammarError, match="expected key to be true or false, found 'yes'"):
            grammar.value("architecture", grammar.Call("x", ["yes"], {}), "key", "yes", bool)
