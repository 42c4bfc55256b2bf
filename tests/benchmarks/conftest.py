"""The evaluations of the three cases on a line, for tests of what is measured on them."""

import pytest

from benchmarks import registry
from benchmarks.evaluation import evaluate

CASES = ["gauss-separated", "gauss-nested", "gauss-sparse-tail"]


@pytest.fixture(scope="session", params=CASES)
def evaluation(request):
    return evaluate(registry.task(request.param))


@pytest.fixture(scope="session")
def nested():
    return evaluate(registry.task("gauss-nested"))
