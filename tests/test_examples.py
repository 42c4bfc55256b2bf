"""The examples run as their README says, and their estimator and task are what they claim."""

import importlib.util
import json
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import call

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
COMMANDS = re.findall(r"\| `runner (.*)` \|", (EXAMPLES / "README.md").read_text())


def loaded(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def words(command):
    return [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', command)]


def test_the_readme_has_a_command_for_each_example():
    files = sorted(path.name for path in EXAMPLES.glob("*.py"))
    assert files == ["my_estimator.py", "my_network.py", "my_task.py"]
    assert [name for name in files if any(name in command for command in COMMANDS)] == files


@pytest.mark.parametrize("command", COMMANDS)
def test_an_example_runs_as_its_readme_says(command, tmp_path):
    output = tmp_path / "run"
    options = ["--seeds", "1", "--jobs", "1", "--format", "none", "--output", str(output)]
    done = call(*words(command), *options, cwd=EXAMPLES, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    frame = pd.read_csv(output / "records.csv").query("metric == 'expected_kl' and region == 'all'")
    own = next(word for word in words(command) if "my_" in word)
    column = "task" if "my_task" in own else "architecture"
    assert own in set(frame[column])
    assert (frame.status == "ok").all() and np.isfinite(frame.value).all()
    assert (output / "report/index.html").is_file()


def test_the_example_task_passes_its_checks(tmp_path):
    name = f"{EXAMPLES / 'my_task.py'}:Exponential"
    done = call("verify", "--task", name, "--json", cwd=tmp_path, env=ENVIRONMENT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not [row for row in json.loads(done.stdout) if row["status"] == "failed"]


def test_the_example_estimator_counts():
    module = loaded("my_estimator")
    x, y = np.arange(8.0)[:, None], np.array([0, 0, 0, 1, 0, 1, 1, 1])
    found = module.Histogram(bins=2).fit(x, y).predict_proba(np.array([[-5.0], [1.0], [6.0], [99.0]]))
    np.testing.assert_allclose(found[:, 1], [2 / 6, 2 / 6, 4 / 6, 4 / 6])


def test_the_examples_import_nothing_of_ours():
    for path in EXAMPLES.glob("*.py"):
        imports = re.findall(r"^(?:from|import) (\w+)", path.read_text(), flags=re.M)
        assert set(imports) <= {"dataclasses", "numpy", "torch"}, path


# --- wrong calls --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (
            ["--suite", "smoke", "--architecture", "lda"],
            "lda is an estimator, which needs a suite with protocol d",
        ),
        (
            ["--suite", "smoke", "--architecture", "mlp-8+temperature"],
            "mlp-8+temperature has temperature calibration, which needs a suite with protocol dataset",
        ),
        (["--suite", "smoke", "--architecture", "my_estimator.py:Histogram"], "is an estimator, which needs"),
        (
            ["--suite", "smoke", "--architecture", "mlp-8+cosine"],
            "has a cosine schedule, which needs a suite",
        ),
        (["--suite", "smoke", "--architecture", "my_network.py:Nett"], "found none; did you mean Net"),
        (["--suite", "smoke", "--architecture", "mlp-8+focl(2)"], "did you mean focal?"),
        (["--suite", "smoke", "--task", "my_task.py"], "expected file.py:attr, such as my_task.py:task"),
    ],
)
def test_a_wrong_call_is_one_clear_line(args, words, tmp_path):
    for path in EXAMPLES.glob("*.py"):
        (tmp_path / path.name).write_text(path.read_text())
    before = sorted(tmp_path.iterdir())
    done = call(*args, cwd=tmp_path, env=ENVIRONMENT)
    assert done.returncode == 2
    assert words in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert [path for path in sorted(tmp_path.iterdir()) if path.name != "__pycache__"] == before


@pytest.mark.long
def test_a_failing_network_beside_others_is_exit_code_3(tmp_path):
    (tmp_path / "bad.py").write_text(
        "from torch import nn\n\n\nclass Wide(nn.Linear):\n    def __init__(self, features, classes):\n"
        "        super().__init__(features, classes + 1)\n\n\nclass Raising(nn.Linear):\n"
        "    def forward(self, x):\n        raise ArithmeticError('no logits')\n"
    )
    names = ["linear", "bad.py:Wide", "bad.py:Raising"]
    args = ["--suite", "smoke", "--quick", "--jobs", "1", "--format", "none", "--architecture", *names]
    done = call(*args, cwd=tmp_path, env=ENVIRONMENT)
    assert done.returncode == 3, done.stderr
    frame = pd.read_csv(tmp_path / "runs/smoke-quick/records.csv").query("metric == 'information_gap'")
    status = frame.groupby("architecture").status.agg(set)
    assert status[names].tolist() == [{"ok"}, {"failed"}, {"failed"}]
    reasons = frame.groupby("architecture").reason.agg(set)
    assert reasons["bad.py:Wide"] == {"expected logits (8, 2) at x (8, 1), found (8, 3)"}
    assert reasons["bad.py:Raising"] == {"the network raised ArithmeticError: no logits (bad.py, line 11)"}
