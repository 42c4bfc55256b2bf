"""Anybody's own architectures: what can be named, what is said of what can't, and what ids hang on."""

import functools
import json
import random
import sys

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis as QDA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from benchmarks import plug_ins, registry
from benchmarks.architecture import Estimator, FitFailed, Network, Recipe, parameters
from benchmarks.architectures import scikit
from benchmarks.errors import UnknownName, in_one_line
from benchmarks.plug_ins import ArchitectureError
from runner import plan
from runner.training.modules import build
from suites.suite import SuiteError, load, narrow

OWN = '''
"""Somebody's file."""
import numpy as np
from torch import nn
from sklearn.linear_model import LogisticRegression

from benchmarks.architecture import Estimator as OurEstimator, Network as OurNetwork, Recipe


class Net(nn.Module):
    """A net of one's own. With more to say."""

    def __init__(self, features, classes, width=4, activation="relu"):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(features, width), nn.ReLU(), nn.Linear(width, classes))

    def forward(self, x):
        return self.layers(x)


class WithoutArguments(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 2)


def make(features, classes):
    return nn.Linear(features, classes)


class Shares:
    """Class shares, whatever x is."""

    def __init__(self, prior=1.0):
        self.prior = prior

    def fit(self, x, y):
        self.counts = self.prior + np.bincount(y, minlength=2)

    def predict_proba(self, x):
        return np.tile(self.counts / self.counts.sum(), (len(x), 1))


shares, Scikit, scikit = Shares(2.0), LogisticRegression, LogisticRegression(C=3.0)
instance, number, text = Net(1, 2), 3, "Net"
network = OurNetwork("theirs", "a network as data", make, Recipe(learning_rate=0.02), version=3)
estimator = OurEstimator("theirs too", "an estimator as data", lambda seed: Shares(), max_budget=50)


def deferred(): return network
def deferred_estimator(prior=1.0): return Shares(prior)
def of_one(x): return nn.Linear(x, x)
def of_three(a, b, c): return nn.Linear(a, b)
def fails(): raise ValueError("no\\nnet")
def nothing(): return None
'''


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own nets+(1).py"
    path.write_text(OWN)
    return path


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed distribution with entry points, and a module of its own name."""
    name = f"their_package_{tmp_path.name.replace('-', '_')}"
    info = tmp_path / "their_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[posterior_bench.architectures]\ntheir-net = {name}:Net\ntheir-shares = {name}:Shares\n"
        f"their-network = {name}:network\ntheir-lost = {name}:lost\ntheir-number = {name}:number\n"
        f"[posterior_bench.tasks]\ntheir-coin = {name}:Coin\nother-coin = {name}:Coin\n"
        "their-lost-coin = nowhere_at_all:Coin\n"
    )
    coin = (
        "\n\nclass Coin:\n    name, version, features, classes = 'their-coin', 1, 1, 2\n"
        "    def sample(self, n, rng):\n        y = rng.integers(2, size=n)\n"
        "        return y[:, None] + rng.standard_normal((n, 1)), y\n"
        "    def log_joint(self, x):\n"
        "        return -0.5 * (x - np.arange(2)) ** 2 - 0.5 * np.log(2 * np.pi) + np.log(0.5)\n"
    )
    (tmp_path / f"{name}.py").write_text(OWN + coin)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield name
    registry._composed.cache_clear()
    registry._transformed.cache_clear()


# --- what can be named --------------------------------------------------------------------------------------


def test_a_module_class_builds_a_network_for_each_task(own):
    found = registry.architecture(f"{own}:Net")
    assert isinstance(found, Network)
    assert (found.name, found.description, found.family) == (
        "Net",
        "A net of one's own. With more to say",
        "own",
    )
    assert found.recipe == Recipe() and not found.compiles
    for features, classes in ((1, 2), (5, 3)):
        assert found.build(features, classes)(torch.zeros(4, features)).shape == (4, classes)
    assert registry.architecture(f"{own}:Net") is found


def test_keyword_arguments_are_part_of_the_name(own):
    found = registry.architecture(f"{own}:Net( width = 9 )")
    assert found.name == "Net(width=9)"
    assert found.build(2, 3).layers[0].out_features == 9
    assert (
        registry.architecture(f"{own}:Net(activation=tanh, width=9)").build(2, 3).layers[2].in_features == 9
    )


def test_a_function_of_features_and_classes_builds_a_network(own):
    found = registry.architecture(f"{own}:make")
    assert isinstance(found, Network) and found.name == "make" and found.description == "own network make"
    assert isinstance(found.build(3, 2), nn.Linear)


def test_recipes_go_behind_a_plug_in(own):
    found = registry.architecture(f"{own}:Net(width=9)+focal(2)+lr(0.01)")
    assert found.name == "Net(width=9)+focal(2)+lr(0.01)"
    assert (found.recipe.loss, found.recipe.learning_rate) == ("focal", 0.01)
    assert found.build(2, 3).layers[0].out_features == 9
    calibrated = registry.architecture(f"{own}:Shares+isotonic")
    assert (calibrated.name, calibrated.calibration) == ("Shares+isotonic", "isotonic")
    assert registry.split(f"{own}:Net+focal(2)") == (f"{own}:Net", ["focal(2)"])


@pytest.mark.parametrize(
    ("attribute", "share"),
    [
        ("Shares", 3 / 5),
        ("shares", 4 / 7),
        ("Shares(prior=0.5)", 2.5 / 4),
        ("deferred_estimator(prior=2)", 4 / 7),
    ],
)
def test_anything_with_fit_and_predict_proba_is_an_estimator(own, attribute, share):
    found = registry.architecture(f"{own}:{attribute}")
    assert isinstance(found, Estimator)
    x, y = np.zeros((3, 1)), np.array([0, 1, 0])
    predict = scikit.fit(found, 0, x, y, 2)
    np.testing.assert_allclose(np.exp(predict(np.zeros((2, 1))))[:, 0], share)


@pytest.mark.parametrize(("attribute", "penalty"), [("Scikit", 1.0), ("scikit", 3.0), ("Scikit(C=0.1)", 0.1)])
def test_scikit_learns_classes_and_instances_will_do(own, attribute, penalty):
    found = registry.architecture(f"{own}:{attribute}")
    assert isinstance(found, Estimator)
    one, other = found.build(3), found.build(4)
    assert one is not other and (one.C, one.random_state, other.random_state) == (penalty, 3, 4)


def test_our_own_dataclasses_and_functions_that_return_one_will_do(own):
    network = registry.architecture(f"{own}:network")
    assert (network.name, network.version, network.recipe.learning_rate) == ("theirs", 3, 0.02)
    assert registry.architecture(f"{own}:deferred") == network
    assert registry.architecture(f"{own}:network+lr(0.5)").recipe.learning_rate == 0.5
    estimator = registry.architecture(f"{own}:estimator")
    assert (estimator.name, estimator.max_budget) == ("theirs too", 50)


def test_a_module_on_the_path_will_do(package):
    assert registry.architecture(f"{package}:Net(width=9)").build(2, 3).layers[0].out_features == 9
    assert isinstance(registry.architecture("sklearn.naive_bayes:GaussianNB"), Estimator)
    assert (
        registry.architecture("sklearn.naive_bayes:GaussianNB(var_smoothing=0.5)").build(0).var_smoothing
        == 0.5
    )


def test_installed_packages_offer_architectures_and_tasks_by_entry_points(package):
    found = registry.architecture("their-net(width=9)+focal(2)")
    assert found.name == "their-net(width=9)+focal(2)"
    assert found.build(2, 3).layers[0].out_features == 9
    assert isinstance(registry.architecture("their-shares"), Estimator)
    assert registry.architecture("their-network").name == "their-network"
    assert registry.task("their-coin").name == "their-coin"
    assert registry.task("their-coin+label-noise(0.1)").features == 1
    assert narrow(load("smoke"), tasks=["other-coin"]).tasks == ["other-coin"]  # whatever its task's name
    suite = narrow(load("smoke"), tasks=["their-coin"], architectures=["their-net"])
    (trial, *_) = plan.plan(suite, "eager")
    assert '"source":' in trial.spec and '"fingerprint":' in trial.spec
    assert registry.source("their-net") == registry.source(f"{package}:Net") != ""


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("their-lost", UnknownName, "expected an entry point that can be loaded"),
        ("their-nett", UnknownName, "unknown architecture 'their-nett'; did you mean their-net"),
        ("their-number", ArchitectureError, "found int"),
        ("their-net(9)", ValueError, "expected arguments by name, as in their-net(width=128), found '9'"),
    ],
)
def test_what_is_wrong_with_an_entry_point_is_said(package, name, error, words):
    with pytest.raises(error) as raised:
        registry.architecture(name)
    assert words in str(raised.value) and "\n" not in str(raised.value)


def test_what_is_wrong_with_a_tasks_entry_point_is_said(package):
    with pytest.raises(
        UnknownName, match=r"their-lost-coin: expected an entry point that can be loaded \(now"
    ):
        registry.task("their-lost-coin")
    with pytest.raises(UnknownName, match="unknown task 'their-con'; did you mean their-coin"):
        registry.task("their-con")


# --- what can't ---------------------------------------------------------------------------------------------

EXPECTED = (
    "expected a torch module class or a function that takes (features, classes), a scikit-learn style class"
)


@pytest.mark.parametrize(
    ("attribute", "error", "words"),
    [
        ("instance", ArchitectureError, "found an instance of Net; each trial starts from fresh weights"),
        ("number", ArchitectureError, f"{EXPECTED} or instance, or a Network or Estimator of"),
        ("number", ArchitectureError, "found int"),
        ("text", ArchitectureError, "found str"),
        ("nothing", ArchitectureError, "found NoneType"),
        ("of_one", ArchitectureError, "found one that takes (x)"),
        ("of_three", ArchitectureError, "found one that takes (a, b, c)"),
        ("WithoutArguments", ArchitectureError, "found one that takes ()"),
        (
            "Net(widht=3)",
            ArchitectureError,
            "found one that takes (features, classes, width=4, activation='relu')",
        ),
        ("Net(features=3)", ArchitectureError, "with features"),
        (
            "fails",
            ArchitectureError,
            "expected a call to return an architecture, found ValueError: no net (own",
        ),
        ("Shares(priro=2)", ArchitectureError, "expected a call to return an architecture, found TypeError"),
        ("network(width=3)", ArchitectureError, "expected no arguments, found width"),
        ("Net(8)", ValueError, "expected arguments by name, as in Net(width=128), found '8'"),
        ("Nett", UnknownName, "to have 'Nett', found none; did you mean Net"),
        ("Net(width=8", ValueError, "expected a ')' behind"),
        ("", UnknownName, "expected file.py:attr or pkg.module:attr"),
    ],
)
def test_what_is_wrong_with_an_attribute_is_said_in_a_line(own, attribute, error, words):
    with pytest.raises(error) as raised:
        registry.architecture(f"{own}:{attribute}")
    message = str(raised.value)
    assert words in message and "\n" not in message
    with pytest.raises(SuiteError):  # and by a suite, which is a wrong call
        narrow(load("smoke"), architectures=[f"{own}:{attribute}"])


@pytest.mark.parametrize("name", ["builtins:dict", "math:hypot"])
def test_what_tells_no_signature_is_told_apart_too(name):
    with pytest.raises(ArchitectureError, match="found one that takes"):
        registry.architecture(name)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("x = (", "SyntaxError"),
        ("import torch\n\nraise ValueError('not\\ntoday')", "ValueError: not today (broken.py, line 3)"),
        ("import no_such_module", "No module named 'no_such_module'"),
        ("import sys\nsys.exit(3)", "SystemExit"),
    ],
)
def test_a_file_that_does_not_load_is_named_with_the_reason(tmp_path, content, words):
    path = tmp_path / "broken.py"
    path.write_text(content)
    with pytest.raises(UnknownName) as raised:
        registry.architecture(f"{path}:Net")
    assert words in str(raised.value) and str(path) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not [name for name in sys.modules if name.startswith("plugged_in_broken")]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere.py:Net", "expected a Python file 'nowhere.py', found FileNotFoundError"),
        (
            "nowhere.nets:Net",
            "expected a module that can be imported 'nowhere.nets', found ModuleNotFoundError",
        ),
        ("my_net.py", "expected file.py:attr, such as my_net.py:Net, found no attr"),
        ("my_net.py+focal(2)", "expected file.py:attr, such as my_net.py:Net, found no attr"),
    ],
)
def test_a_name_that_leads_nowhere_says_where_it_broke_off(name, words):
    with pytest.raises(UnknownName) as raised:
        registry.architecture(name)
    assert words in str(raised.value)


def test_an_estimator_whose_class_needs_arguments_fails_when_it_is_built(tmp_path):
    path = tmp_path / "needy.py"
    path.write_text(
        "class Needy:\n    def __init__(self, k): pass\n    def fit(self, x, y): pass\n"
        "    def predict_proba(self, x): return x\n"
    )
    found = registry.architecture(f"{path}:Needy")
    with pytest.raises(FitFailed, match="build raised TypeError"):
        scikit.fit(found, 0, np.zeros((2, 1)), np.array([0, 1]), 2)


# --- ids ----------------------------------------------------------------------------------------------------


def ids(*names, suite="smoke"):
    registry._composed.cache_clear()
    found = narrow(load(suite), architectures=names, tasks=["gauss-nested"], seeds=1)
    return [trial.id for trial in plan.plan(found, "eager") if trial.architecture in names]


@pytest.mark.parametrize("attribute", ["Net", "Net(width=9)", "make+focal(2)", "network", "deferred"])
def test_a_trials_id_changes_with_the_file_and_not_with_its_folder(own, tmp_path, attribute):
    name = f"{own}:{attribute}"
    first = ids(name)
    assert ids(name) == first
    (tmp_path / "elsewhere").mkdir()
    moved = tmp_path / "elsewhere" / own.name
    moved.write_text(OWN)
    assert ids(f"{moved}:{attribute}") == first
    own.write_text(OWN + "\n# changed\n")
    assert ids(name) != first


@pytest.mark.parametrize(
    "attribute", ["Shares", "shares", "Scikit", "scikit", "estimator", "deferred_estimator"]
)
def test_an_estimators_id_changes_with_the_file_and_not_with_its_folder(own, tmp_path, attribute):
    first = ids(f"{own}:{attribute}", suite="gaussian1d-dataset")
    (tmp_path / "elsewhere").mkdir()
    moved = tmp_path / "elsewhere" / own.name
    moved.write_text(OWN)
    assert ids(f"{moved}:{attribute}", suite="gaussian1d-dataset") == first
    own.write_text(OWN.replace("whatever x is", "whatever"))
    assert ids(f"{own}:{attribute}", suite="gaussian1d-dataset") != first


def test_ids_differ_by_arguments_and_recipes_and_not_by_spelling(own):
    names = ["Net", "Net(width=9)", "Net(width=8)", "Net+focal(2)", "Net+focal(3)", "make"]
    found = [ids(f"{own}:{name}") for name in names]
    assert len({str(each) for each in found}) == len(names)
    written = narrow(load("smoke"), architectures=[f"{own}:Net( width = 9 )"]).architectures
    assert written == [f"{own}:Net(width=9)"]
    assert ids(*written) == found[1]


def test_what_an_architecture_is_holds_no_path_and_no_address(own):
    for name in ("Net", "make", "network", "shares", "scikit", "estimator"):
        text = str(parameters(registry.architecture(f"{own}:{name}")))
        assert str(own.parent) not in text and "0x" not in text, text
        assert plug_ins.FILE_MODULE not in text.replace("plugged_in'", ""), text


def test_our_own_architectures_have_no_source():
    for name in ("mlp-64x64", "mlp(width=9)+focal(2)", "lda", "svc+isotonic", "lda(solver=lsqr)", "prior"):
        assert registry.source(name) == ""


def test_a_partial_function_is_told_by_its_arguments():
    def build(features, classes, width):
        return nn.Linear(features, classes)

    specs = [parameters(Network("n", "", functools.partial(build, width=width))) for width in (3, 4)]
    assert specs[0] != specs[1]
    assert json.loads(json.dumps(specs[0]))["build"]["keywords"] == {"width": 3}


def test_an_id_knows_the_files_that_a_file_imports(tmp_path):
    (tmp_path / "scale_of_mine.py").write_text("SCALE = 1.0\n")
    (tmp_path / "net_of_mine.py").write_text(
        "from torch import nn\nfrom scale_of_mine import SCALE\n\n\n"
        "class Net(nn.Linear):\n    def forward(self, x):\n        return SCALE * super().forward(x)\n"
    )
    name = f"{tmp_path / 'net_of_mine.py'}:Net"
    assert registry.architecture(name).build(1, 2)(torch.ones(1, 1)).shape == (1, 2)
    before = registry.source(name)
    (tmp_path / "scale_of_mine.py").write_text("SCALE = 50.0\n")
    assert registry.source(name) != before


def test_the_shared_generators_of_somebodys_code_are_seeded_and_left_as_they_were():
    def make(features, classes):
        module = nn.Linear(features, classes)
        module.weight.data.fill_(np.random.rand() + random.random())
        return module

    class Guess:
        def fit(self, x, y):
            self.q = np.random.rand()

        def predict_proba(self, x):
            return np.tile([self.q, 1 - self.q], (len(x), 1))

    state = np.random.get_state()[1].copy(), random.getstate()
    weights = [float(build(Network("n", "", make), 1, 2, seed).weight[0, 0].detach()) for seed in (0, 0, 1)]
    x, y = np.zeros((4, 1)), np.array([0, 1, 0, 1])
    q = [scikit.fit(Estimator("e", "", lambda _: Guess()), seed, x, y, 2)(x)[0, 0] for seed in (0, 0, 1)]
    for first, again, other in (weights, q):
        assert first == again != other
    assert (np.random.get_state()[1] == state[0]).all() and random.getstate() == state[1]


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({"schedule": "cosin"}, "expected schedule to be one of constant, cosine, found 'cosin'"),
        ({"betas": [0.9, 0.99]}, "expected betas to be two numbers from 0 to below 1, found [0.9, 0.99]"),
        ({"members": 33}, "expected at most 32 members, found 33"),
    ],
)
def test_the_recipe_of_somebodys_network_is_checked(recipe, words):
    network = Network("n", "", nn.Linear, Recipe(**recipe))
    with pytest.raises(ArchitectureError) as raised:
        plug_ins.as_architecture("net.py:n", network, {})
    assert words in str(raised.value)


def test_settings_of_an_instance_hold_no_address(own):
    found = make_pipeline(FunctionTransformer(np.sign), LogisticRegression(C=2.0))
    said = parameters(scikit.as_estimator("e", found))["build"]
    assert "0x" not in said and "C=2.0" in said and "sign" in said
    weights = [scikit.as_estimator("e", QDA(priors=np.full(2000, value))) for value in (0.1, 0.2)]
    assert parameters(weights[0]) != parameters(weights[1])


def test_a_class_that_scikit_learn_cannot_clone_is_calibrated_too(own):
    plain, calibrated = (registry.architecture(f"{own}:Shares{method}") for method in ("", "+sigmoid"))
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((60, 1)), np.arange(60) % 2
    for estimator in (plain, calibrated):
        q = np.exp(scikit.fit(estimator, 0, x, y, 2)(x))
        np.testing.assert_allclose(q, 0.5, atol=0.05)


def test_reasons_hold_no_address_and_no_name_of_ours():
    error = TypeError("Cannot clone <plugged_in_est_5411b1c4919e.GMM object at 0x7f89ab12>")
    assert in_one_line(error) == "TypeError: Cannot clone <GMM object>"
