"""`runner verify`: exit codes, tables, JSON, processes of its own, and no torch."""

import json
import sys

import pytest
from command import call

from benchmarks.verification import CHECKS

OWN = '''
import os
import numpy as np
from benchmarks import registry


class Mine:
    """gauss-nested under another name, with something wrong."""

    version = features = 1
    classes = 2

    def __init__(self, name):
        vars(self)["name"] = name
        vars(self)["task"] = registry.task("gauss-nested")

    def __setattr__(self, name, value):
        raise AttributeError(name)

    def sample(self, n, rng):
        if self.name == "deadly" and n > 4096:
            os._exit(1)
        if self.name == "deadly-at-once":
            os._exit(1)
        if self.name == "hashed":
            rng = np.random.default_rng([abs(hash("a word")), int(rng.integers(2**32))])
        if self.name == "raising":
            raise RuntimeError("no\\ndata")
        return self.task.sample(n, rng)

    def log_joint(self, x):
        return self.task.log_joint(x) + (np.log(1.02) if self.name == "heavy" else 0)


fine, heavy, hashed, raising, deadly = map(Mine, ("fine", "heavy", "hashed", "raising", "deadly"))
deadly_at_once = Mine("deadly-at-once")
'''


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    return tmp_path


def test_a_task_without_fault_is_shown_check_by_check(folder):
    out = call("verify", "--task", "gauss-nested", cwd=folder)
    assert out.returncode == 0, out.stdout + out.stderr
    assert out.stderr == ""
    for check in CHECKS:
        assert f"\n{check} " in out.stdout
    assert "500,000  a CDF off by 0." in out.stdout
    assert "1 task, 13 checks: all passed" in out.stdout
    assert max(map(len, out.stdout.splitlines())) <= 100


def test_many_tasks_are_a_line_each_and_their_faults_in_full(folder):
    own = [f"own.py:{name}" for name in ("fine", "heavy", "hashed", "raising")]
    out = call("verify", "--task", "overlap-1d", *own, cwd=folder)
    assert out.returncode == 1, out.stderr
    assert out.stderr == ""
    lines = out.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    rows = {line.split()[0]: line for line in lines[2:7]}
    assert list(rows) == ["overlap-1d", "fine", "heavy", "hashed", "raising"]
    assert [name for name, line in rows.items() if "FAILED" in line] == ["heavy", "hashed", "raising"]
    assert "12/12" in rows["fine"] and "11/12" in rows["heavy"]
    assert [line for line in lines if line.startswith("FAILED")] == [
        "FAILED heavy: normalisation",
        "FAILED hashed: digest",
        "FAILED raising: contract",
    ]
    assert "found: 1.020000000 by quadrature" in out.stdout
    assert "found: RuntimeError: no data" in out.stdout
    assert "expected: 1 to within 1e-06" in out.stdout


def test_rows_are_json_on_request(folder):
    out = call("verify", "--json", "--task", "own.py:heavy", "gauss-nested", cwd=folder)
    rows = json.loads(out.stdout)
    assert out.returncode == 1
    assert [(row["task"], row["check"]) for row in rows] == [
        (task, check) for task in ("heavy", "gauss-nested") for check in CHECKS
    ]
    assert set(rows[0]) == {"task", "check", "status", "found", "expected", "n", "detects", "p"}
    assert [(row["task"], row["check"]) for row in rows if row["status"] == "failed"] == [
        ("heavy", "normalisation")
    ]


def test_a_task_that_kills_its_process_is_named_and_its_neighbours_are_verified(folder):
    own = [f"own.py:{name}" for name in ("deadly", "deadly_at_once", "fine")]
    rows = json.loads(call("verify", "--json", "--task", *own, cwd=folder).stdout)
    failed = {(row["task"], row["check"], row["found"]) for row in rows if row["status"] == "failed"}
    words = "the process died, killed perhaps for memory"
    assert failed == {("deadly", "contract", words), ("deadly-at-once", "contract", words)}
    assert sum(row["task"] == "fine" for row in rows) == len(CHECKS)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--task", "gauss-nest"], "unknown task 'gauss-nest'; did you mean gauss-nested"),
        (["--task", "none.py:task"], "none.py"),
        (["--task", "gauss-nested+label-noise(2)"], "label-noise"),
        (["--tasks", "gauss-nested"], "No such option"),
        (["gauss-nested"], "unexpected extra argument"),
    ],
)
def test_a_wrong_call_is_one_clear_line(args, words, tmp_path):
    out = call("verify", *args, cwd=tmp_path)
    assert out.returncode == 2
    assert words in out.stderr
    assert "Traceback" not in out.stderr


def test_torch_stays_out(tmp_path):
    """Neither the command nor its workers import torch: a module of that name in front would say so."""
    (tmp_path / "torch.py").write_text("raise SystemExit('torch was imported')")
    probe = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from runner.cli import main; main()"
    out = call("-c", probe, "verify", "--task", "gauss-nested", cwd=tmp_path, command=[sys.executable])
    assert out.returncode == 0, out.stdout + out.stderr
