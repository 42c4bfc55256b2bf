"""What all tests share: one thread, as runs have, and a cache of their own instead of the user's."""

import os
import tempfile

import pytest

# Before anything imports torch: with several threads a product is cut in other places, and rounds otherwise.
for each in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[each] = "1"


@pytest.fixture(scope="session", autouse=True)
def own_cache():
    with tempfile.TemporaryDirectory() as folder:
        os.environ["POSTERIOR_BENCH_CACHE"] = folder
        yield folder
    del os.environ["POSTERIOR_BENCH_CACHE"]
