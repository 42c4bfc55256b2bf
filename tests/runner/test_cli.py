"""The command line: wrong calls, lists, and whose modules it imports."""

import json
import os
import sqlite3
import sys

import pytest
from command import RUNNER, SMOKE, call, call_without_torch

# --- calls that are wrong ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--suite", "smok"], "unknown suite 'smok'; did you mean smoke"),
        ([*SMOKE, "--task", "gauss-nest"], "unknown task 'gauss-nest'; did you mean gauss-nested"),
        ([*SMOKE, "--architecture", "mlp-64x4"], "unknown architecture 'mlp-64x4'; did you mean mlp-64x64"),
        ([*SMOKE, "--budget", "100"], "expected multiples of the batch of 64 examples, found 100"),
        ([*SMOKE, "--seeds", "0"], "seeds: expected greater than 0, found 0"),
        ([*SMOKE, "--jobs", "0"], "--jobs"),
        ([*SMOKE, "--budget", "many"], "'many' is not a valid integer"),
        (["--suite", "none.toml"], "suite file none.toml: No such file"),
        ([*SMOKE, "--output", "/proc/nothing"], "folder /proc/nothing: expected one to write to"),
        (["report", "nowhere"], "folder nowhere: expected a run with results.db, found none"),
        ([], "Usage"),
    ],
)
def test_a_wrong_call_is_one_clear_line(args, words, tmp_path):
    out = call(*args, cwd=tmp_path)
    assert words in out.stderr + out.stdout
    assert "Traceback" not in out.stderr
    if args:
        assert out.returncode == 2
        assert not list(tmp_path.iterdir())


def test_a_gpu_that_is_not_there_is_a_wrong_call(tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    out = call(*SMOKE, "--device", "cuda", cwd=tmp_path)
    assert (out.returncode, "expected a GPU" in out.stderr) == (2, True)


def test_a_results_file_of_another_program_is_left_alone(tmp_path):
    run = tmp_path / "runs/smoke"
    run.mkdir(parents=True)
    sqlite3.connect(run / "results.db").execute("CREATE TABLE photos (id INTEGER)").connection.close()
    before = (run / "results.db").read_bytes()
    for extra in ([], ["--fresh"], ["--dry-run"]):
        out = call(*SMOKE, *extra, cwd=tmp_path)
        assert out.returncode == 2
        assert "found another program's" in out.stderr
    assert (run / "results.db").read_bytes() == before


# --- the import path --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "folders"),
    [(RUNNER, ["runner"]), pytest.param([sys.executable, "-m", "runner"], [], marks=pytest.mark.long)],
)
def test_a_users_own_folders_do_not_shadow_ours(tmp_path, command, folders):
    for name in ["benchmarks", "tests", "suites", "reports", *folders]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(
            "raise RuntimeError('a user\\'s own folder was imported')"
        )
    out = call("list", "suites", cwd=tmp_path, command=command)
    assert out.returncode == 0, out.stderr
    assert "gaussian1d-original" in out.stdout
    out = call("--suite", "smoke", "--quick", "--jobs", "2", cwd=tmp_path, command=command)
    assert out.returncode == 0, out.stderr


@pytest.mark.parametrize(
    "args",
    [["--help"], ["list", "tasks"], ["list", "architectures"], ["list", "suites"], ["list", "metrics"]],
)
def test_help_and_lists_answer_quickly_and_without_torch(tmp_path, args):
    out = call_without_torch(*args, cwd=tmp_path)
    assert out.returncode == 0, out.stderr
    used = []
    for _ in range(3):
        before = os.times()
        call(*args, cwd=tmp_path)
        after = os.times()
        used.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
    assert min(used) < 0.4, used


@pytest.mark.parametrize("kind", ["tasks", "architectures", "suites", "metrics"])
def test_lists_are_json_on_request(kind, tmp_path):
    rows = json.loads(call("list", kind, "--json", cwd=tmp_path).stdout)
    assert all(row["name"] for row in rows)
    names = {row["name"] for row in rows}
    expected = {
        "tasks": "gauss-nested",
        "architectures": "oracle-mle",
        "suites": "smoke",
        "metrics": "expected_kl",
    }
    assert expected[kind] in names


def test_architectures_are_listed_with_family_loss_and_limit(tmp_path):
    rows = {
        row["name"]: row for row in json.loads(call("list", "architectures", "--json", cwd=tmp_path).stdout)
    }
    assert len(rows) >= 40
    assert all(row["family"] and row["description"] for row in rows.values())
    assert rows["mlp-64x64"]["loss"] == "cross-entropy"
    text = call("list", "architectures", cwd=tmp_path).stdout
    assert "+focal(gamma=2)" in text
    assert "improper: its limit isn't the posterior" in text
    assert "mlp(width=64, depth=2, activation=relu)" in text


def test_architectures_are_listed_with_their_parameters_on_a_task(tmp_path):
    listed = call("list", "architectures", "--task", "gauss-nested", "--json", cwd=tmp_path)
    rows = {row["name"]: row for row in json.loads(listed.stdout)}
    assert rows["linear"]["parameters"] == 4
    assert rows["mlp-64x64"]["parameters"] == 64 * 2 + 64 * 65 + 2 * 65
    assert rows["cnn-16"]["parameters"] is None
    assert rows["oracle"]["parameters"] is None
    wrong = call("list", "tasks", "--task", "gauss-nested", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "--task goes with `runner list architectures`" in wrong.stderr
