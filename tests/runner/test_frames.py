"""From a results file to frames, and on to pages."""

import json
from pathlib import Path

import numpy as np
import pytest
from command import SMOKE, call
from pages import page_text

from reports.render import terminal
from runner.frames import results
from runner.store import FILE, Store


@pytest.fixture(scope="module")
def without_k(tmp_path_factory):
    """The folder of a run whose only task names no basis for its log-odds and has no crossings."""
    folder = tmp_path_factory.mktemp("without_k")
    given = ("--quick", "--task", "xor-2d", "--architecture", "linear", "--seeds", "1")
    return call(*SMOKE, *given, cwd=folder), Path(folder) / "runs" / "smoke-quick"


def test_a_grid_in_which_no_task_has_a_basis_is_reported(without_k):
    done, folder = without_k
    assert done.returncode == 0, done.stderr
    assert "linear" in done.stdout
    assert (folder / "report" / "index.html").is_file()


def test_numbers_that_no_task_of_a_grid_has_are_nan(without_k):
    _, folder = without_k
    with Store(folder / FILE) as store:
        found = results(store, json.loads((folder / "manifest.json").read_text()))
    numbers = found.tasks.loc["xor-2d", ["crossings", "parameters", "low", "high"]]
    assert np.isnan(numbers.astype(float)).all()
    assert (found.tasks[list(numbers.index)].dtypes == np.float64).all()
    assert "linear" in terminal(found)
    assert "xor-2d" in page_text(found)
