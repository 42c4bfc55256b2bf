"""Runs killed for real (SIGKILL): the same command goes on to the results of one that nobody disturbed."""

import datetime
import signal
import time

import pandas as pd
import pytest
from killing import POINTS, clocks, content, die_at, expected_trials, in_child, kill_workers_at, run, running


def records(folder):
    frame = pd.read_csv(folder / "records.csv")
    return frame[frame.metric != "training_seconds"].reset_index(drop=True)


@pytest.mark.parametrize("point", POINTS)
def test_a_run_that_is_killed_goes_on_to_the_same_results(point, undisturbed, tmp_path):
    folder, said = tmp_path / "run", tmp_path / "said"

    def killed():
        POINTS[point]()
        run(folder)

    assert in_child(killed, said) == -signal.SIGKILL, said.read_text()
    stored = clocks(folder)
    assert bool(stored) == (point in list(POINTS)[-2:] or point == "in training"), "killed somewhere else"
    assert in_child(lambda: run(folder), said) == 0, said.read_text()
    assert content(folder) == content(undisturbed)
    assert {row[0] for row in content(folder)["trial"]} == expected_trials()
    assert stored.items() <= clocks(folder).items(), "what was stored was trained again"
    pd.testing.assert_frame_equal(records(folder), records(undisturbed))
    assert not list(folder.glob(".posterior-bench-*")), "left by the one that was killed"
    assert "Traceback" not in said.read_text()


def test_workers_that_are_killed_cost_time_alone(undisturbed, tmp_path):
    folder, said = tmp_path / "run", tmp_path / "said"

    def killed_with_workers():
        die_at("done")
        run(folder, jobs=2)

    assert in_child(killed_with_workers, said) == -signal.SIGKILL, said.read_text()

    def disturbed():
        killed = kill_workers_at("began", "share", "done")
        run(folder, jobs=2)
        assert len(killed) == 3

    assert in_child(disturbed, said) == 0, said.read_text()
    assert content(folder) == content(undisturbed)
    assert "Traceback" not in said.read_text()


def set_back(hours=1):
    """Let the clock of this process go back a little more each time that it is read."""
    real, read = time.time, []

    def earlier():
        read.append(1)
        return real() - hours * 3_600 * len(read)

    class Earlier(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls.fromtimestamp(earlier(), tz)

    time.time, running.datetime = earlier, Earlier


def test_neither_a_clock_set_back_nor_another_place_changes_a_result(undisturbed, tmp_path):
    folder, moved, said = tmp_path / "run", tmp_path / "elsewhere" / "run", tmp_path / "said"

    def early():
        set_back()
        run(folder)

    assert in_child(early, said) == 0, said.read_text()
    assert content(folder) == content(undisturbed)
    stored = clocks(folder)
    assert stored and min(stored.values()) >= 0
    moved.parent.mkdir()
    folder.rename(moved)
    assert in_child(lambda: run(moved), said) == 0, said.read_text()
    assert "nothing to train" in said.read_text() and clocks(moved) == stored
    assert content(moved) == content(undisturbed)
    pd.testing.assert_frame_equal(records(moved), records(undisturbed))
