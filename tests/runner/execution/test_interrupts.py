"""Ctrl-C, once and twice, in processes of their own."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BEGIN = """
import os, signal, sys, time
from runner import interrupts
interrupts.install()
def press(): os.kill(os.getpid(), signal.SIGINT); time.sleep(0.05)
"""


def run(script):
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        # A shell that runs the tests in the background has Ctrl-C ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    return done.returncode, done.stdout.split(), done.stderr


def test_one_is_raised_at_once_where_nothing_is_held():
    code, said, stderr = run("try: press()\nexcept KeyboardInterrupt: print('raised')")
    assert (code, said) == (0, ["raised"])
    assert "once more stops at once" in stderr


def test_one_within_a_held_block_is_raised_at_its_end_and_once():
    code, said, _ = run(
        """
try:
    with interrupts.held():
        press()
        print('whole')
except KeyboardInterrupt:
    print('raised')
with interrupts.held():
    with interrupts.released():
        print('again')
"""
    )
    assert (code, said) == (0, ["whole", "raised", "again"])


@pytest.mark.parametrize("place", ["before", "in"])
def test_one_is_raised_where_a_held_block_lets_it(place):
    before, within = ("press()", "") if place == "before" else ("", "press()")
    code, said, _ = run(
        f"""
try:
    with interrupts.held():
        {before}
        try:
            with interrupts.released():
                {within}
                print('not here')
        finally:
            print('held again')
            assert interrupts._held
except KeyboardInterrupt:
    print('raised')
"""
    )
    assert code == 0
    assert said == ["held", "again", "raised"]


def test_two_end_the_process_whatever_it_holds():
    code, said, _ = run("with interrupts.held():\n    press()\n    press()\n    print('not here')")
    assert (code, said) == (130, [])


def test_an_error_in_a_held_block_isnt_hidden_by_an_interrupt():
    code, _, stderr = run("with interrupts.held():\n    press()\n    raise ValueError('mine')")
    assert code == 1 and "ValueError: mine" in stderr and "KeyboardInterrupt" not in stderr
