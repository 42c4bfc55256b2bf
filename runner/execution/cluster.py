"""Connects to an existing Dask cluster, through whose concurrent.futures interface stacks run there."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from typing import Any

from benchmarks.shipping import NOTHING, Shipped
from runner.execution.cluster_executor import ClusterError, ClusterExecutor
from runner.executors import Executor, Progress, Tell

CONNECT_SECONDS = 10.0
CLOSE_SECONDS = 2.0
LOGGERS = (
    "distributed",
    "distributed.client",
    "tornado",
    "tornado.application",
    "asyncio",
    "concurrent.futures",
)


@contextlib.contextmanager
def connected(
    address: str, timeout: float | None, progress: Progress, tell: Tell, planned: Shipped = NOTHING
) -> Iterator[Executor]:
    """An executor on the Dask cluster whose scheduler is at an address, such as tcp://10.0.0.1:8786.

    timeout: seconds that a stack may take on its worker; planned: somebody's files as they were when the ids
    were made, which are sent as such. When the block is left, what was submitted is cancelled and the cluster
    stays. Raises ClusterError.
    """
    with _quiet():
        client = _client(address)
        executor = ClusterExecutor(client, address, timeout, progress, tell, planned)
        try:
            yield executor
        finally:
            with contextlib.suppress(Exception):  # where the connection is gone, so is all that was submitted
                executor.cancel()
                client.close(timeout=CLOSE_SECONDS)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Leave it to us to say what is wrong: Dask logs it too, at length."""
    with contextlib.suppress(ImportError):
        import distributed  # noqa: F401 (which sets levels of its own, once)
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _client(address: str) -> Any:
    try:
        from distributed import Client
        from distributed.comm.addressing import resolve_address
    except ImportError:
        raise ClusterError(
            "--dask: expected the package distributed, found none; pip install 'posterior-bench[dask]'"
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other versions, which are ours to judge
            resolve_address(address)  # a client that never began can't be closed without a traceback
            return Client(  # type: ignore[no-untyped-call]
                address, timeout=CONNECT_SECONDS, set_as_default=False, name="posterior-bench"
            )
    except (OSError, ValueError, TypeError) as error:
        words = " ".join(str(error).split())
        raise ClusterError(f"--dask {address}: expected a Dask scheduler there, found: {words}") from None


def size(address: str) -> int:
    """Return how many workers a cluster has, at least one; raises ClusterError."""
    with _quiet():
        client = _client(address)
        try:
            return max(1, len(client.nthreads()))
        finally:
            client.close(timeout=CLOSE_SECONDS)
