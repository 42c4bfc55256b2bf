"""Names and what they lead to: registered, transformed and plugged-in tasks; what is said of wrong names."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import registry
from benchmarks.identity import parameters
from benchmarks.registry import UnknownName
from benchmarks.task import Task, TaskError, training_data
from runner.cli import _spread
from suites.suite import SuiteError, load, narrow, read

ROOT = Path(__file__).resolve().parents[2]
OWN = '''
from __future__ import annotations
from dataclasses import dataclass
import numpy as np
from benchmarks.tasks.mixture import Mixture

@dataclass(frozen=True)
class Coin:
    """One input that is the class."""
    scale: float = 1.0
    name: str = "coin"
    version: int = 1
    features = 1
    classes = 2
    priors = (0.5, 0.5)

    def sample(self, n, rng):
        y = rng.integers(2, size=n)
        return self.scale * y[:, None] + rng.standard_normal((n, 1)), y

    def log_joint(self, x):
        return -0.5 * (x - self.scale * np.arange(2)) ** 2 - 0.5 * np.log(2 * np.pi) + np.log(0.5)

coin = Coin(2.0)
number = 3

def make(): return Coin(3.0)
def needy(scale): return Coin(scale)
def odd():
    return Mixture(name="odd", description="", priors=[1, 0], labels=[0, 1], means=[[0], [1]],
                   covariances=[[[1]], [[1]]])
def fails(): raise ValueError("no\\ncoin")

class Half:
    name = "half"; version = 1; features = 1

class One(Coin):
    classes = 1
'''
LINE = next(i for i, line in enumerate(OWN.splitlines(), 1) if "return Mixture" in line)


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own tasks+(1).py"
    path.write_text(OWN)
    return path


@pytest.mark.parametrize("name", registry.TASKS)
def test_every_registered_task_is_found_under_its_own_name(name):
    found = registry.task(name)
    assert found.name == name
    assert isinstance(found, Task)
    assert registry.task(name) is found


def test_a_transformed_task_is_made_once():
    name = "gauss-nested+nuisance(2)+label-noise(0.1)"
    assert registry.task(name) is registry.task(name)
    assert registry.task(name).name == name
    assert registry.task(name).task.task is registry.task("gauss-nested")


@pytest.mark.parametrize(("attribute", "scale"), [("coin", 2.0), ("Coin", 1.0), ("make", 3.0)])
def test_a_file_gives_a_task_or_what_makes_one(own, attribute, scale):
    task = registry.task(f"{own}:{attribute}")
    assert task.scale == scale
    assert registry.task(f"{own}:{attribute}") is task
    assert sum(np.exp(task.log_joint(np.array([[0.7]])))[0]) > 0
    noisy = registry.task(f"{own}:{attribute}+label-noise(0.2)")
    assert noisy.task is task
    assert noisy.name == "coin+label-noise(0.2)"


def test_a_file_is_loaded_once_and_its_classes_can_be_pickled(own):
    coin, made = registry.task(f"{own}:coin"), registry.task(f"{own}:make")
    assert type(coin) is type(made)
    assert pickle.loads(pickle.dumps(coin)) == coin
    names = [name for name in sys.modules if name.startswith("plugged_in_own")]
    assert type(coin).__module__ in names


def test_a_file_gives_the_same_task_in_another_process(own, tmp_path):
    code = (
        f"from benchmarks import registry, task; t = registry.task({f'{own}:coin+nuisance(1)'!r});"
        "print(type(t.task).__module__, task.training_data(t, 3, 5)[0].tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    task = registry.task(f"{own}:coin+nuisance(1)")
    assert done.stdout.strip() == f"{type(task.task).__module__} {training_data(task, 3, 5)[0].tolist()}"


def test_a_module_on_the_path_will_do(tmp_path, monkeypatch):
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "coins.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert registry.task("my_package.coins:coin").scale == 2.0


def test_what_a_transformed_task_is_names_all_that_it_is_made_of(own):
    found = parameters(registry.task(f"{own}:coin+nuisance(2)"))
    assert found == {
        "class": "NuisanceDimensions",
        "name": "coin+nuisance(2)",
        "version": 1,
        "task": {"class": "Coin", "name": "coin", "version": 1, "scale": 2.0},
        "count": 2,
    }


@pytest.mark.parametrize(
    ("attribute", "error", "words"),
    [
        ("cion", UnknownName, "to have 'cion', found none; did you mean coin"),
        ("", UnknownName, "expected file.py:attr or pkg.module:attr"),
        (
            "number",
            TaskError,
            "expected a task with name, version, features, classes, sample, log_joint,"
            " found int without name, version, features, classes, sample, log_joint",
        ),
        ("Half", TaskError, "found Half without classes, sample, log_joint"),
        ("needy", TaskError, "without required arguments, found one that takes (scale)"),
        (
            "fails",
            TaskError,
            "expected a call to return a task, found ValueError: no coin (own tasks+(1).py, line",
        ),
        ("odd", TaskError, f"found [1. 0.] (sum 1.0) (own tasks+(1).py, line {LINE})"),
        ("One", TaskError, "expected classes to be an int from 2, found 1"),
    ],
)
def test_what_is_wrong_with_an_attribute_is_said_in_a_line(own, attribute, error, words):
    with pytest.raises(error) as raised:
        registry.task(f"{own}:{attribute}")
    assert words in str(raised.value)
    assert f"{own}:{attribute}" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("x = (", "SyntaxError"),
        ("import numpy\n1 / 0", "ZeroDivisionError: division by zero (broken.py, line 2)"),
        ("import no_such_module", "No module named 'no_such_module'"),
    ],
)
def test_a_file_that_does_not_load_is_named_with_the_reason(tmp_path, content, words):
    path = tmp_path / "broken.py"
    path.write_text(content)
    with pytest.raises(UnknownName) as raised:
        registry.task(f"{path}:coin")
    assert words in str(raised.value)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not [name for name in sys.modules if name.startswith("plugged_in_broken")]


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("gaus-nested", UnknownName, "unknown task 'gaus-nested'; did you mean gauss-nested"),
        ("gaus-nested+nuisance(1)", UnknownName, "unknown task 'gaus-nested'; did you mean gauss-nested"),
        ("nowhere.py:coin", UnknownName, "expected a Python file 'nowhere.py', found FileNotFoundError"),
        (
            "nowhere.tasks:coin",
            UnknownName,
            "expected a module that can be imported 'nowhere.tasks', found Mod",
        ),
        ("math:pi", TaskError, "task math:pi: expected a task with name"),
        ("gauss-nested+", TaskError, "task 'gauss-nested+': expected a transform behind '+', found ''"),
    ],
)
def test_a_name_that_leads_nowhere_says_where_it_broke_off(name, error, words):
    with pytest.raises(error) as raised:
        registry.task(name)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


# --- suites and the command line ---------------------------------------------------------------------------

BAD = "gauss-nested+label-nose(0.1)"


def test_a_suite_with_a_wrong_transform_is_a_suite_error_of_one_line(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        f'name = "mine"\nprotocol = "stream"\nbatch = 64\nbudgets = [64]\nseeds = 1\ntasks = ["{BAD}"]\n'
        'architectures = ["linear"]\n'
    )
    for broken in (lambda: read(path), lambda: narrow(load("smoke"), tasks=[BAD])):
        with pytest.raises(SuiteError) as raised:
            broken()
        assert "did you mean label-noise" in str(raised.value)
        assert "\n" not in str(raised.value)


def test_a_suite_takes_transformed_and_plugged_in_tasks(own):
    names = ["gauss-nested+label-noise(0.1)", f"{own}:coin+nuisance(3)"]
    assert narrow(load("smoke"), tasks=names).tasks == names


def test_transforms_pass_the_command_line_as_they_are():
    names = ["xor-2d+label-noise(0.1)", "a+linear-map(-1, 0, 0, 1)", "file.py:attr+prior-shift(0.9,0.1)"]
    assert _spread(["--task", *names, "--quick"]) == [
        *("--task", names[0], "--task", names[1], "--task", names[2]),
        "--quick",
    ]


def test_a_file_without_an_attribute_says_how_to_name_one():
    with pytest.raises(registry.UnknownName, match=r"expected file\.py:attr, such as my_task\.py:task"):
        registry.task("my_task.py")
