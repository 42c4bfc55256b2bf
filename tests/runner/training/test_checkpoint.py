"""Checkpoints: a stack that was cut short goes on and has the bits that it has undisturbed."""

import contextlib
import dataclasses
import json
import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from torch import nn

from benchmarks import registry
from benchmarks.architecture import Estimator, Network, Recipe
from runner import plan, provenance
from runner import run as running
from runner.records import Record, Rows
from runner.run_stack import run_stack
from runner.stacks import stacked
from runner.training import checkpoint
from runner.training.checkpoint import Checkpoint
from runner.training.data import Examples
from runner.training.saved_results import check, restore, to_save
from suites.suite import load, narrow


class Killed(BaseException):
    """Stands for the end of the process."""


class Overflowing(nn.Module):
    """Overflows in some seeds, after a while in others."""

    def __init__(self, features, classes):
        super().__init__()
        self.layer = nn.Linear(features, classes)
        fate = torch.rand(1)
        self.scale = nn.Parameter(torch.where(fate < 0.3, 1e38, 1.0))
        self.register_buffer("left", torch.where(fate > 0.7, 100.0, 1e9))
        self.register_buffer("passed", torch.zeros(()))

    def forward(self, x):
        if self.training:
            self.passed.add_(1)
        return self.layer(x) * self.scale.square() * torch.where(self.passed > self.left, torch.inf, 1.0)


class Branching(nn.Module):
    """Can't be lifted, draws random numbers itself, and has buffers that move."""

    def __init__(self, features, classes):
        super().__init__()
        self.layer, self.norm = nn.Linear(features, 8), nn.BatchNorm1d(8)
        self.last = nn.Linear(8, classes)

    def forward(self, x):
        h = self.norm(self.layer(x if x.mean() > -100 else -x))
        return self.last(nn.functional.dropout(torch.relu(h), 0.2, self.training))


class Counting(nn.Linear):
    """Learns by a counter in plain Python, which no checkpoint has."""

    calls = 0

    def forward(self, x):
        self.calls = self.calls + self.training
        return super().forward(x) * (1 + 1 / (1 + self.calls))


def normed(features, classes):
    return nn.Sequential(nn.Linear(features, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, classes))


OWN = {
    "overflowing": Network("overflowing", "", Overflowing, compiles=False),
    "branching": Network("branching", "", Branching, Recipe(mixup=0.3), compiles=False),
    "counting": Network("counting", "", Counting, compiles=False),
    "normed": Network("normed", "", normed, Recipe(averaging=0.9), compiles=False),
}
STREAM = [640, 5_760, 12_800]  # 10, 90 and 200 steps: none is a multiple of a chunk's 64


@pytest.fixture(autouse=True)
def always(monkeypatch):
    """Write a checkpoint at each occasion, and know the networks of this file."""
    monkeypatch.setattr(checkpoint, "EVERY", 0.0)
    for name, network in OWN.items():
        monkeypatch.setitem(registry.ARCHITECTURES, name, network)


def stack_of(name, suite="smoke", tasks=("gauss-nested",), mode="eager", budgets=STREAM, seeds=2, **changes):
    found = narrow(load(suite), architectures=[name], tasks=tasks, budgets=budgets, seeds=seeds)
    found = found.model_copy(update={"reference": [], **changes})
    trials = plan.plan(found, mode)
    return dataclasses.replace(stacked(found, trials, mode, "cpu", 1, lambda *_: 7)[0], trials=tuple(trials))


def numbers(results):
    """Return all that results hold but times, to the bit."""
    return [
        (
            result.trial.id,
            result.note,
            [
                (r.budget, r.metric, r.region, np.float64([r.value, r.error]).tobytes(), r.status, r.reason)
                for r in result.records
                if r.metric != "training_seconds"
            ],
            [{b: (x.dtype, x.tobytes()) for b, x in e.items()} for e in (result.curves, result.predictions)],
        )
        for result in results
    ]


def run(stack, folder="", progress=lambda _: None):
    return run_stack(dataclasses.replace(stack, checkpoints=str(folder)), progress)


@pytest.fixture
def killing(monkeypatch):
    """kill(n) ends what trains behind the n-th checkpoint that is written from then on.

    The first has to be what the last was: what goes on from a checkpoint is all that was in it.
    """
    left, last, replace = [], [], checkpoint._replace

    def replace_and_die(path, content):
        replace(path, content)
        (digest,) = re.findall(rb'"digest":"(\w+)"', content)
        assert last in ([], [digest])
        last.clear()
        if left:
            left[0] -= 1
            if left[0] == 0:
                left.clear()
                last.append(digest)
                raise Killed

    monkeypatch.setattr(checkpoint, "_replace", replace_and_die)
    return left.append


def killed_again_and_again(stack, folder, kill, writes):
    """Return the results of a stack that is killed behind every so many checkpoints, and how often it was."""
    times = 0
    while True:
        kill(writes)
        try:
            return run(stack, folder), times
        except Killed:
            times += 1
            assert times < 100


# --- the same bits ------------------------------------------------------------------------------------------

STREAMS = {
    "momentum, decay, smoothing": ("mlp-16x16+sgd+weight-decay(0.1)+label-smoothing", {}),
    "pool, twins": ("linear", {"pool": 1_000, "tasks": ("gauss-nested+prior-shift(0.9,0.1)",)}),
    "Monte Carlo dropout, mixup, average, ensemble": (
        "mlp-16x16+mc-dropout(0.3, 2)+mixup(0.2)+ema(0.9)+ensemble(2)",
        {},
    ),
    "batch norm": ("normed", {"tasks": ("xor-2d",)}),
    "divergence": ("overflowing", {"seeds": 6}),
}


@pytest.mark.parametrize("case", STREAMS)
def test_a_stream_goes_on_to_the_same_bits(case, tmp_path, killing):
    name, changes = STREAMS[case]
    stack = stack_of(name, **changes)
    expected = run(stack)
    found, times = killed_again_and_again(stack, tmp_path, killing, 2)
    assert numbers(found) == numbers(expected)
    assert times == 3  # at 64, 128 and 192 of 200 steps
    if case == "divergence":
        reasons = {r.reason for result in found for r in result.records}
        assert {"loss not finite at step 1", "loss not finite at step 101"} <= reasons


def test_networks_that_train_one_after_the_other_go_on_to_the_same_bits(tmp_path, killing):
    """Those that wait for the others stand in the middle of a chunk, which is drawn again."""
    stack = stack_of("branching")
    expected = run(stack)
    assert expected[0].note.startswith("branching trains one network at a time")
    found, times = killed_again_and_again(stack, tmp_path, killing, 3)
    assert numbers(found) == numbers(expected)
    assert times >= 3


SETS = {
    "some stop early and leave the stack": ("mlp-64+lr(0.02)", {"budgets": (20, 3_000), "steps": 600}, 3),
    "some stop early and stay": ("mlp-64+lr(0.02)", {"budgets": (20, 3_000, 3_500), "steps": 640}, 3),
    "dropout, mixup, ensemble, calibration": (
        "mlp-16x16+dropout(0.3)+mixup(0.2)+ensemble(2)+temperature",
        {"budgets": (50, 300), "steps": 200},
        2,
    ),
    "one after the other": ("branching", {"budgets": (50, 300), "steps": 150}, 2),
}


@pytest.mark.parametrize("case", SETS)
def test_fixed_training_sets_go_on_to_the_same_bits(case, tmp_path, killing):
    name, changes, writes = SETS[case]
    stack = stack_of(name, "gaussian1d-dataset", seeds=2, **changes)
    expected = run(stack)
    found, times = killed_again_and_again(stack, tmp_path, killing, writes)
    assert numbers(found) == numbers(expected)
    assert times >= 3


@pytest.mark.long
@pytest.mark.skipif(not plan.compiler_present(), reason="needs a C++ compiler and Python's headers")
def test_compiled_programs_go_on_to_the_same_bits(tmp_path, killing):
    stack = stack_of("linear", "gaussian1d", mode="compiled")
    found, times = killed_again_and_again(stack, tmp_path, killing, 2)
    assert times == 3 and numbers(found) == numbers(run(stack))


def test_what_is_done_is_not_done_again(tmp_path, killing, monkeypatch):
    stack = stack_of("linear")
    killing(3)
    with pytest.raises(Killed):
        run(stack, tmp_path)
    taken, take, shares = [], Examples.take, []
    monkeypatch.setattr(Examples, "take", lambda self, n: (taken.append(n), take(self, n))[1])
    run(stack, tmp_path, shares.append)
    assert taken == [64] * 2 + [8] * 2
    assert shares[0] == pytest.approx(128 / 200) and sum(shares) == pytest.approx(1)


class Majority:
    def fit(self, x, y):
        FITS.append(len(y))
        self.share = np.bincount(y, minlength=2) / len(y)
        return self

    def predict_proba(self, x):
        return np.tile(self.share, (len(x), 1))


FITS = []


def test_fits_that_are_done_are_not_done_again(tmp_path, killing, monkeypatch):
    monkeypatch.setitem(registry.ARCHITECTURES, "majority", Estimator("majority", "", lambda _: Majority()))
    stack = stack_of("majority", "gaussian1d-dataset", budgets=[50, 100])
    expected = run(stack)
    FITS.clear()
    found, times = killed_again_and_again(stack, tmp_path, killing, 2)
    assert numbers(found) == numbers(expected)
    assert times == 3 and FITS == [50, 100] * 2


def test_a_killed_process_goes_on_to_the_same_bits(tmp_path):
    """SIGKILL at whatever it is at."""
    driver = """
import sys
from runner.training import checkpoint
from runner.run_stack import run_stack
sys.path.insert(0, sys.argv[2])
import test_checkpoint as tests
checkpoint.EVERY = 0.0
tests.torch.set_num_threads(1)
tests.run(tests.long_stack(), sys.argv[1], lambda _: print("on", flush=True))
"""
    here = Path(__file__).parent
    path = os.pathsep.join([str(here.parents[2]), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-c", driver, str(tmp_path), str(here)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    for _ in range(4):
        assert process.stdout.readline() == b"on\n"
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    shares = []
    found = run(long_stack(), tmp_path, shares.append)
    assert shares[0] >= 2 * 64 / 500
    assert numbers(found) == numbers(run(long_stack()))


def long_stack():
    return stack_of("mlp-16x16+dropout(0.1)", budgets=[32_000])


# --- files that don't fit -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cut_once(tmp_path_factory):
    """A stack, its file after three checkpoints, when one budget of two is done, and what it gives."""
    folder, replace, written = tmp_path_factory.mktemp("cut"), checkpoint._replace, []

    def replace_and_die(path, content):
        replace(path, content)
        written.append(content)
        if len(written) == 3:
            raise Killed

    stack = stack_of("linear", budgets=[640, 9_600])
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(checkpoint, "EVERY", 0.0)
        patch.setattr(checkpoint, "_replace", replace_and_die)
        run(stack, folder)
    (file,) = folder.iterdir()
    return stack, file, numbers(run(stack))


@pytest.fixture
def cut_short(cut_once, tmp_path, monkeypatch):
    """The same with a file of the test's own, which is written once."""
    monkeypatch.setattr(checkpoint, "EVERY", 60.0)
    stack, file, expected = cut_once
    return stack, Path(shutil.copy(file, tmp_path)), expected


def said_of(stack, file, expected):
    """Run a stack with a file that doesn't fit, and return what is said; its results have to be whole."""
    found = run(stack, file.parent)
    (said,) = {result.note for result in found if result.note}
    assert [(i, *rest) for i, _, *rest in numbers(found)] == [(i, *rest) for i, _, *rest in expected]
    assert "\n" not in said and str(file) in said and "trains from the start" in said
    return said


def flipped(content, at):
    return content[:at] + bytes([content[at] ^ 16]) + content[at + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-100],
        lambda content: content[:100],
        lambda content: b"",
        lambda content: os.urandom(5_000),
        lambda content: b"\xff" * 8 + content[8:],
        lambda content: flipped(content, len(content) - 1),
        lambda content: flipped(content, len(content) // 2),
        lambda content: flipped(content, content.index(b'\\"step\\": 128') + 10),
        lambda content: content.replace(b'\\"step\\": 128', b'\\"step\\": 064'),
        lambda content: content.replace(b'"F32"', b'"I32"', 1),
    ],
)
def test_a_damaged_file_is_left_out(cut_short, damage):
    stack, file, expected = cut_short
    damaged = damage(file.read_bytes())
    assert damaged != file.read_bytes()
    file.write_bytes(damaged)
    said_of(stack, file, expected)


def forged(file, change):
    """Change arrays and state of a file as somebody would who knows how a file is made."""
    with safe_open(file, framework="numpy") as opened:
        about = opened.metadata()
    arrays, state = load_file(file), json.loads(about["state"])
    change(arrays, state)
    about["state"] = json.dumps(state)
    about.pop("digest")
    save_file(arrays, file, about | {"digest": checkpoint._digest(about, arrays)})


def part_of(state, **changes):
    state["parts"][0].update(changes)


FORGERIES = {
    "a missing array": lambda arrays, state: arrays.pop("0/0/weights/weight"),
    "one too many": lambda arrays, state: arrays.update(more=np.zeros(3)),
    "another shape": lambda arrays, state: arrays.update({"0/0/weights/bias": np.zeros((2, 3), np.float32)}),
    "another type": lambda arrays, state: arrays.update({"0/0/weights/bias": np.zeros((2, 2))}),
    "a step beyond the end": lambda arrays, state: part_of(state, step=151),
    "no network": lambda arrays, state: part_of(state, networks=[]),
    "a network twice": lambda arrays, state: part_of(state, networks=[0, 0]),
    "another part": lambda arrays, state: part_of(state, number=7),
    "a part before the first": lambda arrays, state: part_of(state, number=-1),
    "finished": lambda arrays, state: part_of(state, finished=True),
    "another generator": lambda arrays, state: part_of(
        state, generators=[{"bit_generator": "os.system"}] * 4
    ),
    "too few generators": lambda arrays, state: part_of(state, generators=[]),
    "no parts": lambda arrays, state: state.pop("parts"),
    "a budget of others": lambda arrays, state: arrays["results/budget"].fill(7),
    "a trial of others": lambda arrays, state: arrays["results/result"].fill(9),
    "words of others": lambda arrays, state: arrays["results/words"].fill(-1),
    "a longer column": lambda arrays, state: arrays.update({"results/value": np.zeros(9_999)}),
    "a larger curve": lambda arrays, state: arrays.update(
        {"results/curve/0/640": np.zeros((10**6, 2), "f4")}
    ),
    "notes of others": lambda arrays, state: state["results"].update(notes=[]),
    "words that are none": lambda arrays, state: state["results"].update(words=[[{}, [], 1, 2, 3]]),
}


@pytest.mark.parametrize("case", FORGERIES)
def test_a_file_that_was_tampered_with_is_left_out(cut_short, case):
    stack, file, expected = cut_short
    forged(file, lambda arrays, state: None)
    assert numbers(run(stack, file.parent)) == expected  # the forger knows how
    forged(file, FORGERIES[case])
    said_of(stack, file, expected)


def test_a_file_of_another_stack_or_from_elsewhere_is_left_out(cut_short, monkeypatch):
    stack, file, expected = cut_short
    there = provenance.environment("cpu") | {"torch version": "1.0"}
    monkeypatch.setattr(provenance, "environment", lambda device: there)
    assert "expected one made with torch version 1.0, found 2" in said_of(stack, file, expected)
    monkeypatch.undo()
    other = dataclasses.replace(stack, trials=stack.trials[::-1])
    file.replace(checkpoint._path(dataclasses.replace(other, checkpoints=str(file.parent))))
    (there,) = file.parent.iterdir()
    assert "expected one of this stack" in said_of(other, there, numbers(run(other)))


# --- folders that can't be written --------------------------------------------------------------------------


def warned(stack, folder, expected):
    found = run(stack, folder)
    (said,) = {result.note for result in found if result.note}
    assert [(i, *rest) for i, _, *rest in numbers(found)] == [(i, *rest) for i, _, *rest in expected]
    assert said.startswith(f"{folder}: expected to write checkpoints to it, found: ")
    return said


def test_training_goes_on_where_a_checkpoint_cannot_be_written(tmp_path):
    stack = stack_of("linear", seeds=2)
    expected = numbers(run(stack))
    assert "No such file or directory" in warned(stack, tmp_path / "nowhere", expected)
    (tmp_path / "file").touch()
    assert "Not a directory" in warned(stack, tmp_path / "file", expected)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        assert "File too large" in warned(stack, tmp_path, expected)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_module_with_a_state_of_its_own_starts_anew_and_is_said_to(tmp_path):
    stack = stack_of("counting", seeds=1)
    expected, progress = numbers(run(stack)), []

    def killed(share):
        progress.append(share)
        if len(progress) > 3:
            raise Killed

    with pytest.raises(Killed):
        run(stack, tmp_path, killed)
    (found,) = run(stack, tmp_path)
    assert "a state beside parameters and buffers, calls; what is killed would" in found.note
    assert numbers([found])[0][2:] == expected[0][2:]


def test_a_checkpoint_is_written_once_a_minute_and_whole_or_not_at_all(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "EVERY", 60.0)
    now = [1_000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    made = Checkpoint(dataclasses.replace(stack_of("linear"), checkpoints=str(tmp_path)))
    written = []

    def content():
        written.append(now[0])
        return {"at": now[0]}, {"x": np.arange(3)}

    for now[0] in (1_059.0, 1_060.0, 1_061.0, 1_119.0, 1_121.0):
        made.write(content)
    assert written == [1_060.0, 1_121.0]
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    now[0] = 1_200.0
    made.write(content)
    saved = made.read()
    assert saved.state == {"at": 1_121.0} and saved.arrays()["x"].tolist() == [0, 1, 2]
    assert [path.suffix for path in tmp_path.iterdir()] == [".safetensors"]
    assert "No space left on device" in made.said[0]


# --- results that aren't complete ---------------------------------------------------------------------------


def test_odd_numbers_and_words_survive():
    rows = Rows.of(stack_of("linear", tasks=("gauss-nested+prior-shift(0.9,0.1)",), seeds=1).trials[0])
    odd = [np.nan, np.inf, -np.inf, -0.0, 5e-324, 1 / 3, 7]
    for result in rows.all:
        result.records = [
            Record(640, f"m{i}", "all", v, -v, "ok", 'é"\n', bool(i % 2)) for i, v in enumerate(odd)
        ]
        result.curves = {640: np.array([[np.nan, -np.inf]], dtype=np.float16)}
        result.note = "noted"
    state, arrays = to_save(rows.all)
    back = Rows.of(rows.own.trial)
    state = json.loads(json.dumps(state))
    check(state, {name: (str(x.dtype), x.shape) for name, x in arrays.items()}, back.all)
    restore(state, arrays, back.all)
    assert numbers(back.all) == numbers(rows.all)
    assert [r.again for r in back.own.records] == [r.again for r in rows.own.records]


# --- a run --------------------------------------------------------------------------------------------------


def test_a_run_goes_on_with_the_stacks_that_it_had_and_leaves_no_checkpoint(tmp_path, killing, monkeypatch):
    monkeypatch.setattr(running, "report", lambda *_: (None, None))  # pages take longer than all else
    monkeypatch.setattr(running, "_failed", lambda _: 0)
    suite = narrow(load("smoke"), architectures=["mlp-16x16"], budgets=STREAM)
    suite = suite.model_copy(update={"reference": []})
    folder = tmp_path / "run"
    options = running.Options("eager", "cpu", 1, folder)
    killing(3)
    with pytest.raises(Killed):
        running.run(suite, options)
    assert len(list((folder / "checkpoints").iterdir())) == 1
    todo = plan.plan(suite, "eager")
    ten = {trial.id for trial in todo}
    (stack,) = running.stacks_of(suite, todo, dataclasses.replace(options, jobs=2))
    assert {trial.id for trial in stack.trials} == ten  # two workers would have had five each
    half = running.stacks_of(suite, todo[:5], dataclasses.replace(options, jobs=2))
    assert sorted(len(stack.trials) for stack in half) == [2, 3]  # not all of them are to do
    running.run(suite, options)
    assert not (folder / "checkpoints").exists()
    running.run(suite, dataclasses.replace(options, folder=tmp_path / "other"))
    rows = [stored(each / "results.db") for each in (folder, tmp_path / "other")]
    assert rows[0] == rows[1] and len({row[0] for row in rows[0]}) == 10


def stored(path):
    query = "SELECT * FROM record WHERE metric != 'training_seconds' ORDER BY trial, budget, metric, region"
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


def test_what_nobody_goes_on_from_is_removed(cut_short):
    stack, file, _ = cut_short
    folder = file.parent
    done = {trial.id: set(trial.budgets) for trial in stack.trials}
    garbage, new = f"{'0' * 32}.safetensors", f"{'1' * 32}-a.part"
    (folder / garbage).write_bytes(b"garbage")
    mine = {"my-model.safetensors", "notes.part"}  # which somebody put there
    old = {f"{'2' * 32}-b.part": 4_000, f"{'3' * 32}.safetensors": 8 * 86_400}
    for name, age in {**old, new: 60, **dict.fromkeys(mine, 9 * 86_400)}.items():
        (folder / name).touch()
        os.utime(folder / name, (time.time() - age,) * 2)
    checkpoint.prepare(folder, {each: {640} for each in done}, fresh=False)
    assert {path.name for path in folder.iterdir()} == {file.name, garbage, new, *mine}
    assert checkpoint.found(folder, "cpu") == [tuple(done)]
    checkpoint.prepare(folder, dict([done.popitem()]), fresh=False)
    assert {path.name for path in folder.iterdir()} == {garbage, new, *mine}
    checkpoint.prepare(folder, {}, fresh=True)
    assert {path.name for path in folder.iterdir()} == {new, *mine}
    checkpoint.prepare(folder / "nowhere" / "at all", {}, fresh=True)


def test_the_checkpoints_of_halves_go_with_the_stacks(tmp_path):
    stack = dataclasses.replace(stack_of("linear", seeds=5), checkpoints=str(tmp_path))
    parts = [stack, stack.halves[1], stack.halves[1].halves[0]]
    for part in parts:
        Checkpoint(part).write(lambda: ({}, {}))
    assert len(list(tmp_path.iterdir())) == 3
    checkpoint.remove(stack)
    assert not list(tmp_path.iterdir())
