"""The workers of a Dask cluster, each handed one stack at a time.

The coordinator keeps the order: it hands each worker one stack at a time, the next one when that has come
back. Left to Dask, stacks would pile up on the workers that are there at the start, and could not go to those
that join later without going to those that are refused.
"""

from __future__ import annotations

import functools
import pickle
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks import shipping
from benchmarks.shipping import NOTHING, Shipped
from reports.numbers import seconds as in_words
from runner.execution import cluster_worker
from runner.execution.cluster_worker import QUESTIONS, Call, Unfit
from runner.execution.inbox import Inbox
from runner.executors import Died, Done, Ending, Progress, Tell, TimedOut, WorkersFail
from runner.stacks import Stack

BACK_SECONDS = 60.0  # in which a worker that has gone may be started again by its nanny
LOOK_SECONDS = 0.5  # between looks at which workers there are
SILENT_SECONDS = 30.0  # that workers may take to say what is installed there, before it is said that they do
FETCH_SECONDS = 120.0  # that an answer may be on its way from a worker
LOSSES = 2  # workers that a stack may lose before it is suspected: machines of a cluster come and go
GONE = (
    "the scheduler has gone, or has dropped what it was given; the finished trials are kept, and the same"
    " command goes on from there"
)
USELESS = "expected a worker that can be used, found none"


class ClusterError(WorkersFail):
    """A Dask cluster can't be used; the message says what was expected and found."""


@dataclass
class _Worker:
    """A worker of the cluster: what it is at, since when, and whether it is one of ours.

    asked: when it was first asked; answered: since when there is an answer that is still to be fetched.
    """

    asked: float = field(default_factory=time.monotonic)
    doing: Future[Any] | None = None
    ticket: int | None = None
    key: str = ""
    since: float | None = None
    answered: float | None = None
    fit: bool | None = None  # None until it has said what is installed there


class ClusterExecutor:
    """Runs stacks on the workers of a cluster that have the coordinator's versions, an Executor."""

    def __init__(
        self,
        client: Any,
        address: str,
        timeout: float | None,
        progress: Progress,
        tell: Tell,
        planned: Shipped = NOTHING,
    ) -> None:
        self._client, self._address, self._timeout = client, address, timeout
        self._progress, self._tell = progress, tell
        self._futures: Any = client.get_executor(pure=False)  # a concurrent.futures.Executor of its own kind
        self._expected = cluster_worker.installed()
        self._shipped = functools.cache(functools.partial(shipping.packed, planned=planned))
        self._topic = f"posterior-bench-{uuid.uuid4().hex}"
        self._workers: dict[str, _Worker] = {}
        self._waiting: deque[int] = deque()
        self._calls: dict[int, Call] = {}
        self._lost: Counter[int] = Counter()
        self._inbox = Inbox()  # of the caller's thread
        self._endings: list[tuple[int, Ending]] = []
        self._over = ""  # why no stack can be run any more
        # Answers come on a thread of Dask's, which hands out what is next: a commit keeps no worker waiting.
        self._lock = threading.RLock()
        self._looked = float("-inf")
        self._busy = float("-inf")  # when there last was a worker that could be used
        self._waits_for = ""  # what was last said that nobody can work for want of
        self._left = self._leaving = False
        client.subscribe_topic(self._topic, self._hear)

    def submit(self, ticket: int, stack: Stack) -> None:
        """Queue a stack; folders of this machine stay here, where no other can read them."""
        shipped = self._shipped(tuple(sorted({trial.task for trial in stack.trials})), (stack.architecture,))
        sent = replace(stack, shared="", checkpoints="")
        with self._lock:
            self._calls[ticket] = Call(cluster_worker.run, (sent, shipped, self._topic))
            self._waiting.append(ticket)
            self._hand_out()

    def ended(self, seconds: float) -> list[tuple[int, Ending]]:
        """Return what has ended, after so many seconds at most.

        Raises ClusterError where the scheduler has gone, or every worker there is was refused: once all that
        ended before was returned.
        """
        end = time.monotonic() + seconds
        while True:
            if seconds and time.monotonic() >= self._looked + LOOK_SECONDS:  # else the run is being ended
                self._look()
            self._inbox.make_calls(min(end, self._looked + LOOK_SECONDS) - time.monotonic())
            if seconds and self._over and not self._endings:
                raise ClusterError(f"--dask {self._address}: {self._over}")
            if self._endings or time.monotonic() >= end:
                found = self._endings.copy()
                self._endings.clear()
                return found

    def cancel(self) -> None:
        """Cancel what is on the cluster."""
        with self._lock:
            self._leaving = True
        if self._client.status == "running":
            self._futures.shutdown(wait=False)

    # --- on the caller's thread ---

    def _look(self) -> None:
        """See which workers there are, what they lost, and whose time is over."""
        self._looked = time.monotonic()
        try:
            if self._client.status != "running":
                raise ConnectionError
            present = set(self._client.nthreads())
        except (OSError, RuntimeError, TimeoutError):
            self._inbox.leave(self._give_up, GONE)
            return
        with self._lock:
            for address in self._workers.keys() - present:
                self._lose(address)
            for address in sorted(present - self._workers.keys()):
                self._ask(address)
            self._look_at_answers()
            self._look_at_clock()
            self._hand_out()
            self._look_at_workers()
        self._looked = time.monotonic()

    def _give_up(self, why: str) -> None:
        self._over = why

    def _look_at_workers(self) -> None:
        """Say what is waited for where nobody can work, and give up where everybody was refused."""
        now, patience, waits_for = time.monotonic(), BACK_SECONDS if self._left else 0.0, ""
        fit = {worker.fit for worker in self._workers.values()}
        asked = [worker.asked for worker in self._workers.values() if worker.fit is None]
        if fit - {False}:
            self._busy = now
            if True not in fit and now >= max(asked) + SILENT_SECONDS:
                waits_for = f"no worker at {self._address} has answered yet: waiting for one that is free"
        elif fit and now >= self._busy + patience:
            self._inbox.leave(self._give_up, USELESS)  # once it was said why each is left out
        else:
            waits_for = (
                f"no worker at {self._address}: waiting for one;"
                f" dask worker {self._address} --nthreads 1 starts one"
            )
        if waits_for not in ("", self._waits_for):
            self._inbox.leave(self._tell, waits_for)
        self._waits_for = waits_for

    def _look_at_answers(self) -> None:
        """Give up answers that don't arrive: what fails on their way, Dask tells nobody."""
        for address, worker in list(self._workers.items()):
            state = self._client.futures.get(worker.key)
            if worker.doing is None or (state is not None and state.status in ("pending", "lost")):
                worker.answered = None
            elif worker.answered is None:
                worker.answered = time.monotonic()
            elif time.monotonic() >= worker.answered + FETCH_SECONDS:
                self._lose(address, "sent what can't be fetched")

    def _look_at_clock(self) -> None:
        if self._timeout is None:
            return
        for address, worker in list(self._workers.items()):
            if worker.since is not None and time.monotonic() > worker.since + self._timeout:
                self._end(worker.ticket, TimedOut(f"its stack took longer than {in_words(self._timeout)}"))
                self._drop(address)
                threading.Thread(target=self._restart, args=(address,), daemon=True).start()

    def _restart(self, address: str) -> None:
        """Restart a worker that is busy with what nobody waits for; one without a nanny is asked again."""
        try:
            self._client.restart_workers([address], timeout=30)
        except ValueError:
            self._inbox.leave(
                self._tell,
                f"worker {address} has no nanny that could restart it: it gets no stack until the one that"
                " timed out ends",
            )
        except Exception:  # it is on its way, or the next look will miss it
            pass

    # --- on either thread, with the lock held ---

    def _end(self, ticket: int | None, ending: Ending) -> None:
        assert ticket is not None
        del self._calls[ticket]
        self._lost.pop(ticket, None)
        self._inbox.leave(self._endings.append, (ticket, ending))

    def _hand_out(self) -> None:
        """Give a stack to each worker that is free."""
        if not self._waiting or self._leaving or self._client.status != "running":
            return
        for address, worker in self._workers.items():
            if worker.fit and worker.doing is None:
                ticket = self._waiting.popleft()
                worker.ticket = ticket
                self._send(address, worker, self._calls[ticket], self._came_back)
                if not self._waiting:
                    return

    def _ask(self, address: str, question: int = 0) -> None:
        """Ask a new worker one question after the other: whether we are there, and what is installed."""
        worker = self._workers.setdefault(address, _Worker())
        self._send(address, worker, QUESTIONS[question], functools.partial(self._replied, question))

    def _send(
        self, address: str, worker: _Worker, call: Call, then: Callable[[str, Future[Any]], None]
    ) -> None:
        from distributed.protocol.pickle import loads  # not pickle.loads: Dask wants a frame in a traceback

        worker.key = f"posterior-bench-{uuid.uuid4().hex}"
        worker.doing = self._futures.submit(loads, pickle.dumps(call), workers=[address], key=worker.key)
        worker.doing.add_done_callback(functools.partial(self._answered, address, then))

    def _lose(self, address: str, how: str = "has gone") -> None:
        """Let the stack of a worker that has gone run elsewhere, unless it may be what ended the worker."""
        ticket = self._drop(address)
        if ticket is None:
            return
        self._lost[ticket] += 1
        if self._lost[ticket] < LOSSES:
            self._waiting.appendleft(ticket)
            self._inbox.leave(self._tell, f"worker {address} {how}; its stack runs elsewhere")
        else:
            self._end(
                ticket, Died(f"{LOSSES} workers in succession went while they ran it, the last {address}")
            )

    def _drop(self, address: str) -> int | None:
        """Forget a worker and return what it was at."""
        worker = self._workers.pop(address)
        self._left |= worker.fit is not False
        if worker.doing is not None:
            # It waits for Dask's thread, which may be waiting for our lock.
            self._inbox.leave(worker.doing.cancel)
        return worker.ticket

    # --- on Dask's thread ---

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        """Take in a worker's message; its stack's time begins with the first."""
        _, message = event
        with self._lock:
            worker = self._workers.get(message["worker"])
            if worker is not None and worker.key == message["key"]:
                worker.since = worker.since or time.monotonic()
                self._inbox.leave(self._progress, worker.ticket, message["share"])

    def _answered(self, address: str, then: Callable[[str, Future[Any]], None], future: Future[Any]) -> None:
        """Take in what a worker answers to a call, unless nobody waits for it any more."""
        with self._lock:
            worker = self._workers.get(address)
            if self._leaving or worker is None or worker.doing is not future:
                return
            if future.cancelled():
                self._inbox.leave(self._give_up, GONE)
                return
            worker.doing = None
            then(address, future)
            worker.ticket = worker.since = None
            self._hand_out()

    def _replied(self, question: int, address: str, future: Future[Any]) -> None:
        if future.exception() is not None or not future.result():
            version = self._expected["posterior-bench"]
            self._refuse(
                address, f"expected posterior-bench {version}, as here, found none that can be imported"
            )
        elif question + 1 < len(QUESTIONS):
            self._ask(address, question + 1)
        else:
            self._introduced(address, future)

    def _introduced(self, address: str, future: Future[Any]) -> None:
        worker = self._workers[address]
        found, threads = future.result()
        if differing := cluster_worker.differing(self._expected, found):
            self._refuse(address, differing)
            return
        worker.fit = True
        if threads > 1:
            self._inbox.leave(
                self._tell,
                f"worker {address} has {threads} threads and runs one stack at a time;"
                " start it with --nthreads 1, and one for each core",
            )

    def _refuse(self, address: str, why: str) -> None:
        self._workers[address].fit = False
        self._inbox.leave(self._tell, f"worker {address} is left out: {why}")

    def _came_back(self, address: str, future: Future[Any]) -> None:
        from distributed import KilledWorker

        ticket, error = self._workers[address].ticket, future.exception()
        assert ticket is not None
        if error is None and future.result() is not None:
            self._end(ticket, Done(*future.result()))
        elif error is None:  # dropped by somebody else
            self._waiting.appendleft(ticket)
        elif isinstance(error, Unfit):
            self._refuse(address, str(error))
            self._waiting.appendleft(ticket)
        elif isinstance(error, KilledWorker):
            self._lose(address)
        else:
            self._end(ticket, Died(_words(error)))


def _words(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
