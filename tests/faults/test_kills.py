"""Runs killed for real (SIGKILL): the same command goes on to the results of one that nobody disturbed."""

import signal

import pandas as pd
import pytest
from killing import POINTS, clocks, content, expected_trials, in_child, kill_workers_at, run


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    assert in_child(lambda: run(folder / "run"), folder / "said") == 0, (folder / "said").read_text()
    return folder / "run"


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
    assert not list(folder.glob("examples-*")), "left by the one that was killed"
    assert "Traceback" not in said.read_text()


def test_workers_that_are_killed_cost_time_alone(undisturbed, tmp_path):
    folder, said = tmp_path / "run", tmp_path / "said"

    def disturbed():
        killed = kill_workers_at("began", "share", "done")
        run(folder, jobs=2)
        assert len(killed) == 3

    assert in_child(disturbed, said) == 0, said.read_text()
    assert content(folder) == content(undisturbed)
    assert "Traceback" not in said.read_text()
