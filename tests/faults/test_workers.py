"""Real worker processes with models in them that crash, hang, fork, print and exit: what is kept and told."""

import json
import os
import shutil
import sqlite3
import time
from pathlib import Path

import pytest
from command import call

MODELS = Path(__file__).with_name("bad_models.py")
SUITE = """
name = "bad"
protocol = "dataset"
batch = 64
steps = 40
budgets = [100]
seeds = 2
tasks = ["gauss-separated"]
architectures = ["lda"]
reference = ["prior"]
"""
BAD = ("Once", "Crash", "Hang", "Noisy", "Forks", "Exits", "Interrupts", "NotNumbers")
BAD += ("Closes", "Overflows", "Net")


@pytest.fixture(scope="module")
def bad(tmp_path_factory):
    """A run in which everything goes wrong at once: its folder and what it said."""
    folder = tmp_path_factory.mktemp("bad")
    shutil.copy(MODELS, folder / "m.py")
    (folder / "bad.toml").write_text(SUITE)
    models = [f"m.py:{name}" for name in BAD]
    args = ["--suite", "bad.toml", "--architecture", "lda", *models, "--jobs", "2", "--timeout", "40s"]
    done = call(*args, "--format", "json", cwd=folder, env={**os.environ, "BAD_MODELS": str(folder)})
    return folder, done


def outcomes(folder):
    """Return {architecture: {seed: (status, reason)}} of a run."""
    with sqlite3.connect(folder / "runs/bad/results.db") as db:
        rows = db.execute(
            "SELECT architecture, seed, status, reason FROM trial JOIN record ON trial = id"
            " WHERE metric = 'information_gap' AND region = 'all'"
        ).fetchall()
    db.close()
    found = {}
    for architecture, seed, *rest in rows:
        name = architecture.rpartition(":")[2]
        assert seed not in found.setdefault(name, {}), "a trial was stored twice"
        found[name][seed] = tuple(rest)
    return found


def test_every_trial_is_accounted_for_and_the_sound_ones_have_numbers(bad):
    folder, done = bad
    assert done.returncode == 3, done.stderr
    found = outcomes(folder)
    assert set(found) == {*BAD, "lda", "prior"} and all(set(each) == {0, 1} for each in found.values())
    for name in ("lda", "prior", "Once", "Noisy", "Forks", "Closes", "Net"):
        assert found[name] == {0: ("ok", ""), 1: ("ok", "")}, name
    assert (folder / "runs/bad/report/index.html").is_file()


def test_the_culprit_alone_fails_with_how_its_worker_ended(bad):
    crash = outcomes(bad[0])["Crash"]
    assert crash[0] == ("ok", "")
    assert crash[1] == (
        "failed",
        "its worker process was ended by signal 11 (SIGSEGV, a segmentation fault), 2 times",
    )
    assert "m.py:Crash: Fatal Python error: Segmentation fault" in bad[1].stderr  # and where, which helps


def test_what_hangs_is_timed_out_and_what_it_has_started_is_gone(bad):
    folder, done = bad
    assert set(outcomes(folder)["Hang"].values()) == {("timeout", "its stack took longer than 40.0 s")}
    assert "m.py:Hang timed out: its stack took longer than 40.0 s" in done.stderr
    child = int((folder / "child-of-hang").read_text())
    until = time.monotonic() + 5
    while Path(f"/proc/{child}/cmdline").exists() and Path(f"/proc/{child}/cmdline").read_bytes():
        assert time.monotonic() < until, "a child outlived its worker"
        time.sleep(0.1)


def test_exits_and_odd_outputs_are_failures_with_a_reason(bad):
    found = outcomes(bad[0])
    assert {status for status, _ in found["Exits"].values()} == {"failed"}
    assert "SystemExit: 3" in found["Exits"][0][1]
    assert "KeyboardInterrupt" in found["Interrupts"][0][1]
    assert found["NotNumbers"][0][0] == found["Overflows"][0][0] == "failed"


def test_what_models_print_is_bounded_made_plain_and_kept_out_of_the_results(bad):
    _, done = bad
    json.loads(done.stdout)
    assert "noise" not in done.stdout
    assert "m.py:Noisy: 0 \ufffd[31mnoise" in done.stderr
    assert "m.py:Noisy printed 1," in done.stderr and "bytes more" in done.stderr
    assert "\x1b[31m" not in done.stderr
    assert len(done.stderr) < 40_000
    assert "Traceback" not in done.stderr


def test_the_same_command_tries_again_what_the_machine_failed_and_only_that(bad):
    folder, _ = bad
    before = outcomes(folder)
    args = ["--suite", "bad.toml", "--architecture", "lda", "m.py:Once", "m.py:Crash", "m.py:NotNumbers"]
    done = call(*args, "--dry-run", cwd=folder)
    assert "bad: 10 trials, 9 there already" in done.stdout, done.stdout + done.stderr
    assert "m.py:Crash: 1 trial" in done.stdout
    assert outcomes(folder) == before
