"""Somebody's files edited while a run is under way: what was planned is what runs."""

import os
import sqlite3
import sys
from dataclasses import replace

import pytest
from command import call

from benchmarks import shipping
from runner import plan
from runner.execution.local import processes
from runner.stacks import Stack
from suites.suite import load, narrow

MODEL = '''
import os
import signal
from pathlib import Path

import numpy as np

from neighbour_of_models import HALF

OWN = 0.5
FOLDER = Path(os.environ["EDITED_MODELS"])
TOTAL = float(Path(__file__).with_name("total.csv").read_text())


class Model:
    """Edits every file in its folder and has its worker replaced, once; then gives constant shares."""

    def fit(self, x, y):
        if not (FOLDER / "edited").exists():
            for path in FOLDER.rglob("*.py"):
                path.write_text(path.read_text().replace(" = 0.5", " = 0.9"))
            (FOLDER / "edited").touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def predict_proba(self, x):
        share = (OWN + HALF) / 2
        return np.tile([share, TOTAL - share], (len(x), 1))
'''
COIN = """
import numpy as np

MEAN = 0.5

class Coin:
    name, version, features, classes = "edited-coin", 1, 1, 2

    def sample(self, n, rng):
        y = rng.integers(2, size=n)
        return MEAN * y[:, None] + rng.standard_normal((n, 1)), y

    def log_joint(self, x):
        return -0.5 * (x - MEAN * np.arange(2)) ** 2 - 0.5 * np.log(8 * np.pi)
"""
SUITE = """
name = "edited"
protocol = "dataset"
batch = 64
budgets = [100]
seeds = 1
tasks = ["coin.py:Coin"]
architectures = ["lda"]
reference = ["prior"]
"""
MODELS = ("first.py:Model", "second.py:Model", "package_of_models.third:Model", "fourth-model")


@pytest.fixture
def folder(tmp_path):
    """A task by file, and models by file, by module and by entry point, with a neighbour and data."""
    package, info = tmp_path / "package_of_models", tmp_path / "fourth-1.0.dist-info"
    package.mkdir()
    info.mkdir()
    for path in ("first.py", "second.py", "fourth_of_models.py", "package_of_models/third.py"):
        (tmp_path / path).write_text(MODEL)
        (tmp_path / path).with_name("total.csv").write_text("1.0\n")
    (package / "__init__.py").write_text("")
    (tmp_path / "coin.py").write_text(COIN)
    (tmp_path / "neighbour_of_models.py").write_text("HALF = 0.5\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fourth\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[posterior_bench.architectures]\nfourth-model = fourth_of_models:Model\n"
    )
    (tmp_path / "edited.toml").write_text(SUITE)
    return tmp_path


def test_editing_files_in_mid_run_changes_nothing_of_that_run(folder):
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    env = {**os.environ, "PYTHONPATH": path, "EDITED_MODELS": str(folder)}
    args = ["--suite", "edited.toml", "--architecture", *MODELS, "--jobs", "1", "--format", "none"]
    done = call(*args, cwd=folder, env=env)
    assert done.returncode == 0, done.stderr
    for name in ("first.py", "second.py", "fourth_of_models.py", "package_of_models/third.py"):
        assert "OWN = 0.9" in (folder / name).read_text()
    with sqlite3.connect(folder / "runs/edited/results.db") as db:
        found = db.execute(
            "SELECT architecture, status, reason, value FROM trial JOIN record ON trial = id"
            " WHERE metric = 'information_gap' AND region = 'all'"
        ).fetchall()
    db.close()
    gaps = {name: (status, reason, value) for name, status, reason, value in found}
    assert gaps == {name: ("ok", "", pytest.approx(1.0)) for name in (*MODELS, "prior")}


def test_a_task_that_was_planned_with_another_law_fails_and_is_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "coin_to_edit.py").write_text(COIN)
    name = f"{tmp_path / 'coin_to_edit.py'}:Coin"
    suite = narrow(load("smoke"), tasks=[name], architectures=["oracle"], seeds=1)
    trials = [trial for trial in plan.plan(suite, "eager") if trial.architecture == "oracle"]
    stack = Stack(tuple(trials), "stream", 64, None, 20, "none", "cpu", 0, 1.0)
    held = shipping.planned([name], [])
    other = replace(
        held, files=tuple((path, text.replace(b" = 0.5", b" = 0.9")) for path, text in held.files)
    )
    with processes(1, None, lambda *_: None, print, other) as executor:
        executor.submit(0, stack)
        while not (ended := executor.ended(1.0)):
            pass
    records = ended[0][1].results[0].records
    assert records and all(each.status == "failed" and each.again for each in records)
    assert "has its file changed since the run began?" in records[0].reason and name in records[0].reason


def test_what_is_sent_to_a_cluster_is_what_was_planned(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    path = tmp_path / "coin_to_send.py"
    path.write_text(COIN)
    name = f"{path}:Coin"
    planned = shipping.planned([name], [])
    path.write_text(COIN.replace(" = 0.5", " = 0.9"))
    assert b" = 0.9" in shipping.packed([name], []).files[0][1]
    assert shipping.packed([name], [], planned) == planned


def test_a_file_that_is_edited_while_a_run_is_planned_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    path = tmp_path / "coin_while_planned.py"
    path.write_text(COIN)
    held = shipping.planned([f"{path}:Coin"], [])
    shipping.check(held)
    path.write_text(COIN + "\n")
    with pytest.raises(shipping.Edited, match=r"coin_while_planned\.py: expected it to stay as it is"):
        shipping.check(held)
    path.unlink()
    with pytest.raises(shipping.Edited, match="found it edited"):
        shipping.check(held)
