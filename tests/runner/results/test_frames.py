"""From a results file to frames, and on to pages."""

import json
from pathlib import Path

import numpy as np
import pytest
from command import SMOKE, call
from pages import page_text

from reports.render import terminal
from runner.results.frames import results
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


def test_a_plane_has_a_picture_with_outputs_on_its_grid(without_k):
    _, folder = without_k
    with Store(folder / FILE) as store:
        found = results(store, {})
    picture = found.pictures["xor-2d"]
    budget = found.suite["budgets"][-1]
    outputs = picture.outputs["linear", budget]
    assert (outputs.shape, outputs.dtype) == ((1, 1600, 2), np.float32)
    np.testing.assert_allclose(outputs.sum(axis=2), 1, atol=2e-3)
    # The exact posterior stands among the rows, to float16's precision in log q.
    np.testing.assert_allclose(picture.outputs["oracle", budget][0], picture.posterior, atol=3e-4)
    assert found.tasks.loc["xor-2d", "priors"] == [0.5, 0.5]
    assert found.tasks.loc["xor-2d", "checks"][0].startswith("contract: ")
    assert ["batch", "64 examples, the suite's"] in found.architectures.loc["linear", "facts"]
