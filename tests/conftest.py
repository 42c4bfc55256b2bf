"""What all tests share: one thread, as runs have, a cache of their own instead of the user's, one browser."""

import os

import pytest
from chromium import launched

from reports import aside

# Before anything imports torch: with several threads a product is cut in other places, and rounds otherwise.
for each in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[each] = "1"


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """An empty cache, one for all processes that test side by side: compiling takes ten seconds a program."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"
    folder.mkdir(exist_ok=True)
    os.environ["POSTERIOR_BENCH_CACHE"] = str(folder)
    yield folder
    del os.environ["POSTERIOR_BENCH_CACHE"]


@pytest.fixture(scope="session", autouse=True)
def drawn_here():
    """Commands called within a test draw in its process: another one would stay for later tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aside, "_cores", lambda: 1)
        yield


@pytest.fixture(scope="session")
def browser():
    """The one browser of this process: a second beside it would find Playwright's event loop running."""
    with launched() as chromium:
        yield chromium
