"""What all tests share: a cache of their own, so that none reads or leaves files in the user's."""

import os
import tempfile

import pytest


@pytest.fixture(scope="session", autouse=True)
def own_cache():
    with tempfile.TemporaryDirectory() as folder:
        os.environ["POSTERIOR_BENCH_CACHE"] = folder
        yield folder
    del os.environ["POSTERIOR_BENCH_CACHE"]
