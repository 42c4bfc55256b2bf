"""The command, end to end: what it leaves behind, what it says, and how it ends."""

import json
import shutil
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import RUNNER, SMOKE, call
from results_file import edit


def records(folder):
    frame = pd.read_csv(folder / "records.csv")
    order = ["task", "architecture", "seed", "budget", "metric", "region"]
    measured = frame[(frame.metric != "training_seconds")].sort_values(order, kind="stable")
    return measured.reset_index(drop=True)


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    folder = tmp_path_factory.mktemp("smoke")
    done = call(*SMOKE, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done


def test_a_run_leaves_what_it_promises(smoke):
    folder, done = smoke
    run = folder / "runs" / "smoke"
    for name in (
        "results.db",
        "records.csv",
        "leaderboard.csv",
        "leaderboard.md",
        "manifest.json",
        "report/index.html",
    ):
        assert (run / name).stat().st_size > 0, name
    assert "mlp-16x16" in done.stdout
    assert "report: runs/smoke/report/index.html" in done.stderr
    assert len(max(done.stdout.splitlines(), key=len)) <= 80
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["command"] == "runner --suite smoke --jobs 1"
    assert {"versions", "machine", "commit", "wall_seconds"} <= set(manifest)


def test_records_have_the_promised_columns_and_numbers(smoke):
    frame = pd.read_csv(smoke[0] / "runs" / "smoke" / "records.csv")
    assert list(frame.columns) == [
        "task",
        "architecture",
        "seed",
        "budget",
        "metric",
        "region",
        "value",
        "error",
        "status",
        "reason",
    ]
    assert frame.value.dtype == np.float64
    assert set(frame.status) <= {"ok", "failed", "timeout", "skipped", "censored"}
    measured = frame[frame.seed.notna()]
    assert not measured.duplicated(["task", "architecture", "seed", "budget", "metric", "region"]).any()
    assert len(measured[measured.metric == "information_gap"]) == 2 * 5 * 5 * 2
    value = measured.set_index(["architecture", "metric"]).value
    assert (value["oracle", "expected_kl"] == 0).all()
    assert (value["prior", "information_gap"] == 1.0).all()
    assert set(frame.region) >= {"all", "sparse99", "sparse95", "sparse99-uniform", "stratum-1", "stratum-10"}
    assert {"budget_to_target", "efficiency", "distinct_examples", "parameters", "training_seconds"} <= set(
        frame.metric
    )


def test_the_same_command_again_trains_nothing_and_says_so(smoke):
    folder, _ = smoke
    before = (folder / "runs/smoke/records.csv").read_bytes()
    again = call(*SMOKE, cwd=folder)
    assert again.returncode == 0
    assert "all 50 trials are there already; nothing to train" in again.stderr
    assert (folder / "runs/smoke/records.csv").read_bytes() == before


def test_fewer_budgets_and_seeds_find_what_is_there(smoke):
    folder, _ = smoke
    fewer = call(*SMOKE, "--budget", "640", "--seeds", "2", cwd=folder)
    assert "all 20 trials are there already" in fewer.stderr
    assert set(pd.read_csv(folder / "runs/smoke/records.csv").budget.dropna()) == {640}
    assert call(*SMOKE, cwd=folder).returncode == 0  # and the whole grid is still there


@pytest.mark.long
def test_one_process_and_two_give_the_same_numbers(smoke, tmp_path):
    two = call("--suite", "smoke", "--jobs", "2", cwd=tmp_path)
    assert two.returncode == 0, two.stderr
    pd.testing.assert_frame_equal(
        records(smoke[0] / "runs/smoke"), records(tmp_path / "runs/smoke"), check_exact=True
    )


@pytest.mark.long
def test_a_longer_budget_later_gives_what_it_gives_at_once(smoke, tmp_path):
    options = [*SMOKE, "--architecture", "linear", "--seeds", "1", "--task", "gauss-nested"]
    assert call(*options, "--budget", "640", cwd=tmp_path).returncode == 0
    later = call(*options, "--budget", "640", "1280", cwd=tmp_path)
    assert "training 4 trials" in later.stderr
    found, whole = records(tmp_path / "runs/smoke"), records(smoke[0] / "runs/smoke")
    mine = whole[(whole.architecture == "linear") & (whole.seed == 0) & (whole.task == "gauss-nested")]
    theirs = found[(found.architecture == "linear") & (found.seed == 0)]
    pd.testing.assert_frame_equal(
        mine.reset_index(drop=True), theirs.reset_index(drop=True), check_exact=True
    )


def test_another_budget_later_leaves_what_is_there(smoke, tmp_path):
    shutil.copytree(smoke[0] / "runs" / "smoke", tmp_path / "runs" / "smoke")
    before = records(tmp_path / "runs/smoke")
    other = call(*SMOKE, "--budget", "960", "--architecture", "linear", cwd=tmp_path)
    assert "note: the tables and the page show this grid; 10 other trials" in other.stderr
    assert set(records(tmp_path / "runs/smoke").budget.dropna()) == {960}
    again = call(*SMOKE, cwd=tmp_path)
    assert "all 50 trials are there already" in again.stderr
    pd.testing.assert_frame_equal(records(tmp_path / "runs/smoke"), before, check_exact=True)


def test_a_manifest_tells_the_command_behind_its_tables_and_all_the_time_spent(smoke, tmp_path):
    shutil.copytree(smoke[0] / "runs" / "smoke", tmp_path / "runs" / "smoke")
    path = tmp_path / "runs/smoke/manifest.json"
    spent = json.loads(path.read_text())["wall_seconds"]
    assert spent > 0
    assert call(*SMOKE, "--seeds", "2", cwd=tmp_path).returncode == 0
    narrowed = json.loads(path.read_text())
    assert (narrowed["command"], narrowed["wall_seconds"]) == (
        "runner --suite smoke --jobs 1 --seeds 2",
        spent,
    )


def test_pages_are_not_written_over_another_run(smoke, tmp_path):
    run = smoke[0] / "runs" / "smoke"
    shutil.copytree(run, tmp_path / "other")
    out = call("report", str(run), "--output", "other", cwd=tmp_path)
    assert out.returncode == 2
    assert "folder other: expected one without a run of its own" in out.stderr


def test_pages_can_be_made_again_without_training(smoke, tmp_path):
    folder, _ = smoke
    made = call("report", "runs/smoke", "--output", str(tmp_path / "again"), cwd=folder)
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "again/records.csv").read_bytes() == (folder / "runs/smoke/records.csv").read_bytes()
    assert (tmp_path / "again/report/index.html").is_file()


def test_fresh_starts_over_and_keeps_the_old_results(tmp_path):
    options = [*SMOKE, "--quick", "--architecture", "linear", "--task", "gauss-nested"]
    assert call(*options, cwd=tmp_path).returncode == 0
    again = call(*options, "--fresh", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    run = tmp_path / "runs/smoke-quick"
    assert f"the earlier results are kept in {Path('runs/smoke-quick/results.old-1.db')}" in again.stderr
    assert "training 8 trials" in again.stderr
    assert sqlite3.connect(run / "results.old-1.db").execute("SELECT COUNT(*) FROM trial").fetchone() == (8,)


def test_a_change_of_environment_within_a_folder_is_announced(smoke, tmp_path):
    run = tmp_path / "runs" / "smoke"
    shutil.copytree(smoke[0] / "runs" / "smoke", run)
    edit(
        run / "results.db",
        "UPDATE environment SET description = replace(description, '2.13.0', '2.9.1')",
        "DELETE FROM record WHERE trial = (SELECT id FROM trial WHERE architecture = 'linear')",
    )
    out = call(*SMOKE, cwd=tmp_path)
    assert "note: runs/smoke/results.db holds trials with different torch version: 2.9.1" in out.stderr


def test_a_manifest_that_cannot_be_read_is_one_clear_line(smoke, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(smoke[0] / "runs" / "smoke", run)
    (run / "manifest.json").write_text("{")
    out = call("report", "run", cwd=tmp_path)
    assert (out.returncode, out.stderr.count("\n")) == (2, 1)
    assert "error: file run/manifest.json: expected JSON" in out.stderr


def test_json_on_standard_output_is_json_alone(smoke):
    out = call(*SMOKE, "--format", "json", cwd=smoke[0])
    rows = json.loads(out.stdout)
    assert rows
    assert call(*SMOKE, "--format", "none", cwd=smoke[0]).stdout == ""


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(tmp_path):
    out = call(*SMOKE, "--dry-run", cwd=tmp_path)
    assert out.returncode == 0
    assert out.stdout.startswith("smoke: 50 trials, 0 there already, in runs/smoke\n")
    assert "seeds: 5; budgets: 640, 1280" in out.stdout
    assert "mlp-16x16: 10 trials, 10 networks, 20 steps, eager, about " in out.stdout
    assert "smoke: 50 trials in 5 stacks, expected to take about " in out.stdout
    assert not list(tmp_path.iterdir())


# --- two at once, and stopping ----------------------------------------------------------------------------


@pytest.fixture
def start_long_run(tmp_path):
    """Start runs with seconds of work left when their longest stack is stored; each is killed after."""
    started = []

    def start(jobs):
        args = ["--suite", "smoke", "--jobs", jobs, "--budget", "640", "320000", "--seeds", "1"]
        process = subprocess.Popen(
            [*RUNNER, *args],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # A shell that runs the tests in the background has Ctrl-C ignored, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
        started.append(process)
        seen = []
        for line in iter(process.stderr.readline, ""):
            seen.append(line)
            if line.startswith("[1/"):
                return process, args
        raise AssertionError(seen)

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_second_run_on_one_folder_says_so_and_stops(tmp_path, start_long_run):
    _, args = start_long_run("1")
    second = call(*args, cwd=tmp_path)
    assert second.returncode == 2
    assert "folder runs/smoke: another run is using it" in second.stderr


def workers(parent):
    """Return the process ids of a run's workers, as the system lists them."""
    children = Path(f"/proc/{parent}/task/{parent}/children")
    found = [int(pid) for pid in children.read_text().split()]
    return [pid for pid in found if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find the workers")
@pytest.mark.parametrize("sent", [pytest.param(signal.SIGTERM, marks=pytest.mark.long), signal.SIGKILL])
def test_workers_end_with_the_main_process(tmp_path, start_long_run, sent):
    process, _ = start_long_run("2")
    children = workers(process.pid)
    assert children
    process.send_signal(sent)
    process.communicate(timeout=30)
    assert process.returncode == (130 if sent == signal.SIGTERM else -signal.SIGKILL)
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in children):
        assert time.monotonic() < deadline, "a worker outlived its parent"
        time.sleep(0.1)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(tmp_path, start_long_run, jobs):
    process, _ = start_long_run(jobs)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "finished trials are kept in runs/smoke/results.db; the same command goes on from there" in stderr
    assert "Traceback" not in stderr
    db = sqlite3.connect(tmp_path / "runs/smoke/results.db")
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert db.execute("SELECT COUNT(*) FROM trial").fetchone()[0] > 0
