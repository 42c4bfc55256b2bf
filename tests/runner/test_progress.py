"""How far a run says it is: a bar on a terminal, plain lines elsewhere."""

import re

import pytest

from runner import progress
from runner.plan import Trial
from runner.stacks import Stack

CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def stack(name, cost):
    trials = tuple(Trial("gauss-nested", name, seed, f"{name}-{seed}", "{}", (640,)) for seed in range(2))
    return Stack(trials, "stream", 64, None, 10, "eager", "cpu", 1, cost)


STACKS = [stack("linear", 1.0), stack("mlp-8", 3.0)]


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch):
    """Rich asks these what it writes to, and they may be set where tests run."""
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when a test says so."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_bar_counts_stacks_and_network_steps(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes any stream for a terminal then
    monkeypatch.setenv("COLUMNS", "200")
    with progress.meter(STACKS) as meter:
        meter.finished(0, "linear: done [so far]", last=True)
        meter.advance(1, 0.5)
        meter.finished(1, "mlp-8: half of it", last=False)
    text = CODES.sub("", capsys.readouterr().err)
    assert "  linear: done [so far]\n" in text and "  mlp-8: half of it\n" in text
    last = text.strip().splitlines()[-1]
    # One stack of cost 1 and half of one of cost 3 are 2.5 of 4; each has two networks of ten steps.
    assert last.startswith("1/2 stacks") and " 62% " in last and "30 of 40 network-steps" in last


def test_elsewhere_a_stack_is_a_line_and_silence_lasts_half_a_minute(clock, capsys):
    with progress.meter(STACKS) as meter:
        clock[0] = 12
        meter.finished(0, "linear: done", last=True)
        meter.advance(1, 0.2)
        clock[0] = 12 + progress.QUIET_SECONDS
        meter.advance(1, 0.3)
        meter.advance(1, 0.1)
        clock[0] += 1
        meter.finished(1, "mlp-8: done", last=True)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "[1/2] linear: done, 12 s after the start",
        "62% of the work done, 42 s after the start",
        "[2/2] mlp-8: done, 43 s after the start",
    ]


def test_a_stack_that_is_told_of_twice_counts_once(clock, capsys):
    with progress.meter(STACKS) as meter:
        for _ in range(3):
            meter.advance(0, 0.9)
        clock[0] = progress.QUIET_SECONDS
        meter.advance(0, 0.9)
    assert capsys.readouterr().err == "25% of the work done, 30 s after the start\n"
