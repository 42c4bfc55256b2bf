"""Stacks on a real Dask cluster, with what can go wrong there."""

import ast
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from importlib import metadata
from itertools import pairwise

import numpy as np
import pytest
from dask_cluster import HOME, Cluster, end, with_home
from distributed import Client

from benchmarks import registry, shipping
from runner import plan, stacks
from runner.execution import cluster_executor as executors
from runner.execution.cluster import connected, size
from runner.execution.cluster_executor import ClusterError
from runner.execution.one_stack import on_one_thread
from runner.executors import Died, Done, TimedOut
from runner.store import FILE, Store
from runner.training.modules import parameter_count
from suites.suite import load, narrow

PATIENCE = 120


def ignore(ticket, share):
    pass


@pytest.fixture(scope="module")
def crew(tmp_path_factory):
    """A scheduler and three workers, for tests that leave them as they are."""
    with Cluster(tmp_path_factory.mktemp("cluster")) as found:
        for _ in range(3):
            found.start_worker()
        found.wait_for_workers(3)
        yield found


@pytest.fixture
def empty(tmp_path):
    """A scheduler without workers."""
    with Cluster(tmp_path) as found:
        yield found


def planned(suite="smoke", *, reference=(), **grid):
    """Return stacks of a suite, narrowed."""
    narrowed = narrow(load(suite), **{"seeds": 2, **grid}).model_copy(update={"reference": list(reference)})
    return stacks.stacked(narrowed, plan.plan(narrowed, "eager"), "eager", "cpu", 4, parameter_count)


def estimators(*architectures, task="gauss-nested", seeds=2):
    """Return stacks of small fits."""
    return planned(
        "gaussian1d-dataset", tasks=[task], architectures=architectures, budgets=[100], seeds=seeds
    )


def finished(executor, todo, said=()):
    """Return {ticket: how it ended} of all stacks."""
    for ticket, stack in enumerate(todo):
        executor.submit(ticket, stack)
    return awaited(executor, len(todo), said)


def awaited(executor, count, said=()):
    found, deadline = {}, time.monotonic() + PATIENCE
    while len(found) < count:
        assert time.monotonic() < deadline, f"waited for {count}, found {sorted(found)}; was told {said}"
        found |= dict(executor.ended(0.2))
    return found


def until(what, executor):
    """Go on until something holds, and return {ticket: how it ended} of what has ended meanwhile."""
    found, deadline = {}, time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline
        found |= dict(executor.ended(0.1))
    return found


def unheard(what, process=None):
    """Wait until something holds, while no executor is asked and a process, if any, goes on."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None
        time.sleep(0.1)


def numbers(results):
    """Return all that results say but how long it took."""
    return [
        (
            result.trial,
            [
                (each.budget, each.metric, each.region, repr(each.value), repr(each.error), each.status,
                 each.reason)
                for each in result.records
                if each.metric != "training_seconds"
            ],
            *({budget: log_q.tobytes() for budget, log_q in kept.items()}
              for kept in (result.curves, result.predictions)),
        )
        for result in results
    ]  # fmt: skip


def in_this_process(todo):
    return {ticket: Done(*on_one_thread(stack, lambda _: None)) for ticket, stack in enumerate(todo)}


def same(found, expected):
    assert found.keys() == expected.keys()
    for ticket, ending in found.items():
        assert numbers(ending.results) == numbers(expected[ticket].results)


def test_results_equal_those_of_this_process_to_the_bit(crew):
    todo, shares = planned(reference=["oracle", "oracle-mle"], budgets=[640]), []
    assert len(todo) > 3
    with connected(crew.address, None, lambda *share: shares.append(share), print) as executor:
        found = finished(executor, todo)
    same(found, in_this_process(todo))
    assert {ticket for ticket, _ in shares} == set(found)  # progress is told of each
    assert all(ending.environment == found[0].environment for ending in found.values())


OWN = """
from dataclasses import dataclass
import numpy as np
from sklearn.linear_model import LogisticRegression
from own_helpers.deep import OFFSET

@dataclass(frozen=True)
class Two:
    name: str = "two"
    version: int = 1
    features: int = 1
    classes: int = 2
    def sample(self, n, rng):
        y = rng.integers(2, size=n)
        return rng.normal(size=(n, 1)) + OFFSET * y[:, None], y
    def log_joint(self, x):
        means = OFFSET * np.arange(2)
        return -0.5 * (x - means) ** 2 - 0.5 * np.log(2 * np.pi) - np.log(2)

class Learner(LogisticRegression):
    def __init__(self, C=OFFSET):
        super().__init__(C=C)

class Fails(LogisticRegression):
    def fit(self, x, y):
        raise ValueError("own_code knows nothing")
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Somebody's file with a package that it imports, in a folder that no worker is in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    write_own(tmp_path, 3)
    shipping.forget_names()  # another test's files had the same
    yield tmp_path
    shipping.forget_names()
    for name in [name for name in sys.modules if name.startswith("own_helpers")]:
        del sys.modules[name]


def write_own(folder, offset):
    (folder / "own_helpers").mkdir(exist_ok=True)
    (folder / "own_helpers" / "__init__.py").write_text("")
    (folder / "own_helpers" / "deep.py").write_text(f"OFFSET = {offset}\n")
    (folder / "own_code.py").write_text(OWN)


def test_files_of_somebodys_reach_the_workers_with_all_that_they_import(crew, own):
    names = ["own_code.py:Learner", "own_code.py:Learner(C=0.5)", "own_code.py:Fails"]
    todo = estimators(*names, task="own_code.py:Two+label-noise(0.1)")
    with connected(crew.address, None, ignore, print) as executor:
        found = finished(executor, todo)
    expected = in_this_process(todo)
    same(found, expected)
    records = [each for ending in found.values() for result in ending.results for each in result.records]
    reasons = {each.reason for each in records if each.status == "failed"}
    assert reasons == {"fit raised ValueError: own_code knows nothing (own_code.py, line 26)"}
    assert any(each.status == "ok" for each in records)


def test_unpacked_files_give_way_to_those_of_the_next_run(tmp_path, own):
    old = shipping.packed(["own_code.py:Two"], [])
    assert registry.task("own_code.py:Two").log_joint(np.zeros((1, 1)))[0, 1] == pytest.approx(
        -6.112, abs=1e-3
    )
    code = """
import pickle, sys
import numpy as np
from benchmarks import registry, shipping
for each in pickle.load(open(sys.argv[1], "rb")):
    shipping.unpack(each)
    print(round(registry.task("own_code.py:Two").log_joint(np.zeros((1, 1)))[0, 1], 3))
try:
    shipping.unpack(shipping.Shipped())
    registry.task("own_code.py:Two")
except ValueError as error:
    print("gone")
"""
    new = replace(old, files=tuple((path, text.replace(b"3", b"4")) for path, text in old.files))
    (tmp_path / "shipped").write_bytes(pickle.dumps([old, new, old]))
    (elsewhere := tmp_path / "elsewhere").mkdir()
    done = [sys.executable, "-c", code, str(tmp_path / "shipped")]
    said = subprocess.run(done, cwd=elsewhere, env=with_home(), capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["-6.112", "-9.612", "-6.112", "gone"]


def test_what_is_not_a_file_has_to_be_installed_on_the_workers(crew, own, monkeypatch):
    (own / "only_here.py").write_text(OWN)
    monkeypatch.syspath_prepend(own)
    told = []
    todo = estimators("only_here:Learner")
    with (
        pytest.raises(ClusterError, match="expected a worker that can be used, found none"),
        connected(crew.address, None, ignore, told.append) as executor,
    ):
        finished(executor, todo, told)
    assert len(told) == 3
    assert all("No module named 'only_here'; what isn't a file has to be installed" in line for line in told)


VERSIONS = """
import importlib.metadata as metadata
def version(name, found=metadata.version):
    return "1.2.3" if name == "scipy" else found(name)
metadata.version = version
"""
ENGINE = """
from runner.execution import cluster_executor
from runner import plan, stacks
plan.ENGINE_VERSION = 99
"""
WITHOUT = """
import sys
sys.path[:] = [each for each in sys.path if each != {home!r}]
sys.meta_path[:] = [each for each in sys.meta_path if "editable" not in repr(each)]
"""


def test_a_worker_with_other_versions_gets_nothing(empty):
    for preload in (VERSIONS, ENGINE, WITHOUT.format(home=str(HOME))):
        empty.start_worker(preload=preload)
    empty.wait_for_workers(3)  # else the run ends as soon as those that are there are refused
    told = []
    with (
        pytest.raises(ClusterError, match="expected a worker that can be used, found none"),
        connected(empty.address, None, ignore, told.append) as executor,
    ):
        executor.ended(0.01)  # asks them
        unheard(lambda: all(worker.fit is not None for worker in executor._workers.values()))
        time.sleep(executors.LOOK_SECONDS)  # so that it is seen that nobody can work before it is told why
        until(lambda: False, executor)
    lines = sorted(line.partition(" is left out: ")[2] for line in told if "left out" in line)
    ours, scipy = metadata.version("posterior-bench"), metadata.version("scipy")
    assert lines == [
        f"expected engine of posterior-bench {plan.ENGINE_VERSION}, as here, found 99",
        f"expected posterior-bench {ours}, as here, found none that can be imported",
        f"expected scipy {scipy}, as here, found 1.2.3",
    ]
    assert all(
        re.match(r"worker tcp://127\.0\.0\.1:\d+ is left out", line) for line in told if "left" in line
    )


def test_dask_is_only_needed_where_it_is_asked_for(monkeypatch):
    for path in (HOME / "runner").glob("*.py"):
        tops = [
            node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        assert not any("distributed" in ast.unparse(node) for node in tops), path
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"pip install 'posterior-bench\[dask\]'"):
        size("tcp://127.0.0.1:9")


def test_no_scheduler_is_one_clear_line(monkeypatch):
    monkeypatch.setattr("runner.execution.cluster.CONNECT_SECONDS", 1.0)
    with (
        pytest.raises(ClusterError, match=r"--dask tcp://127[.]0[.]0[.]1:9: expected a Dask scheduler there"),
        connected("tcp://127.0.0.1:9", None, ignore, print),
    ):
        pass
    with (
        pytest.raises(ClusterError, match="expected a Dask scheduler there"),
        connected("x://", None, ignore, print),
    ):
        pass


@pytest.mark.long
def test_a_cluster_without_workers_is_waited_for_and_who_joins_late_works_too(empty):
    told = []
    with connected(empty.address, None, ignore, told.append) as executor:
        executor.submit(0, planned()[0])
        until(lambda: told, executor)
        assert told == [
            f"no worker at {empty.address}: waiting for one;"
            f" dask worker {empty.address} --nthreads 1 starts one"
        ]
        empty.start_worker()
        assert isinstance(awaited(executor, 1)[0], Done)


@pytest.mark.long
def test_workers_that_are_at_something_else_are_waited_for_and_that_is_said(empty, monkeypatch):
    monkeypatch.setattr(executors, "SILENT_SECONDS", 1.0)
    empty.start_worker()
    told = []
    with Client(empty.address, set_as_default=False) as other:
        other.wait_for_workers(1)
        others = other.submit(time.sleep, 5)
        with connected(empty.address, None, ignore, told.append) as executor:
            executor.submit(0, planned()[0])
            assert isinstance(awaited(executor, 1)[0], Done)
        assert others.done()
    assert told == [f"no worker at {empty.address} has answered yet: waiting for one that is free"]


# --- stacks that end their worker, or take for ever ------------------------------------------------------

SLOW = """
import os, time
from pathlib import Path
from sklearn.linear_model import LogisticRegression
from torch import nn

class Note:
    def __enter__(self):
        self.start = time.time()
        Path(NOTES, f"{os.getpid()}-{self.start}").touch()
    def __exit__(self, *_):
        Path(NOTES, f"{os.getpid()}-{self.start}").write_text(str(time.time()))

class Naps(LogisticRegression):
    def fit(self, x, y):
        with Note():
            time.sleep(0.5)
        return super().fit(x, y)

class Hangs(LogisticRegression):
    def fit(self, x, y):
        with Note():
            time.sleep(3600)

class Kills(LogisticRegression):
    def fit(self, x, y):
        with Note():
            os.kill(os.getpid(), 9)

class Network(nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.layer = nn.Linear(features, classes)
    def forward(self, x):
        if self.training:
            time.sleep(0.02)
        return self.layer(x)

class SlowNetwork(Network):
    def forward(self, x):
        if self.training:
            Path(NOTES, f"{os.getpid()}-0").touch()
            time.sleep(0.05)
        return self.layer(x)
"""


@pytest.fixture
def notes(tmp_path, monkeypatch):
    """A folder with slow.py, whose learners leave notes in another, returned, of which process fits when."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "notes"
    folder.mkdir()
    (tmp_path / "slow.py").write_text(f"NOTES = {str(folder)!r}\n" + SLOW)
    shipping.forget_names()  # another test's files had the same
    yield folder
    shipping.forget_names()


def process_of(note):
    return int(note.name.partition("-")[0])


@pytest.mark.long
def test_a_worker_with_threads_runs_one_stack_at_a_time_even_of_two_runs(empty, notes):
    empty.start_worker(threads=4)
    told = []
    with (
        connected(empty.address, None, ignore, told.append) as first,
        connected(empty.address, None, ignore, told.append) as second,
    ):
        for executor in (first, second):
            for ticket, stack in enumerate(estimators("slow.py:Naps", "slow.py:Naps(C=0.5)", seeds=1)):
                executor.submit(ticket, stack)
        for executor in (first, second):
            awaited(executor, 2)
    times = sorted((float(each.name.partition("-")[2]), float(each.read_text())) for each in notes.iterdir())
    assert len(times) == 4
    assert all(end <= start for (_, end), (start, _) in pairwise(times))
    assert any("has 4 threads and runs one stack at a time" in line for line in told)


@pytest.mark.long
@pytest.mark.parametrize("nanny", [False, True])
def test_a_worker_killed_in_mid_run_costs_nothing_but_time(empty, notes, nanny):
    for _ in range(2):
        empty.start_worker(nanny=nanny)
    empty.wait_for_workers(2)
    todo = planned(architectures=["slow.py:Network", "linear"], budgets=[12_800], seeds=1)
    slow = next(ticket for ticket, stack in enumerate(todo) if stack.architecture == "slow.py:Network")
    told, shares = [], []
    with connected(empty.address, None, lambda *share: shares.append(share), told.append) as executor:
        pids = executor._client.run(os.getpid)
        for ticket, stack in enumerate(todo):
            executor.submit(ticket, stack)
        found = until(lambda: any(share > 0 for ticket, share in shares if ticket == slow), executor)
        address = next(each for each, worker in executor._workers.items() if worker.ticket == slow)
        os.kill(pids[address], signal.SIGKILL)
        found |= awaited(executor, len(todo) - len(found))
    same(found, in_this_process(todo))
    assert f"worker {address} has gone; its stack runs elsewhere" in told


@pytest.mark.long
def test_a_stack_that_kills_its_workers_is_told_from_the_others(empty, notes):
    for _ in range(2):
        empty.start_worker(nanny=True)
    todo = [*estimators("slow.py:Kills", seeds=1), *planned(budgets=[640])]
    with connected(empty.address, None, ignore, print) as executor:
        found = finished(executor, todo)
    assert isinstance(found.pop(0), Died)
    assert all(isinstance(ending, Done) for ending in found.values())
    assert len(list(notes.iterdir())) == executors.LOSSES


@pytest.mark.long
@pytest.mark.parametrize("nanny", [False, True])
def test_a_stack_that_takes_too_long_is_ended_and_its_worker_restarted(empty, notes, nanny):
    empty.start_worker(nanny=nanny)
    told, todo = [], [*estimators("slow.py:Hangs", seeds=1), *estimators("slow.py:Naps", seeds=1)]
    with connected(empty.address, 8.0, ignore, told.append) as executor:
        executor.submit(0, todo[0])
        assert awaited(executor, 1) == {0: TimedOut("its stack took longer than 8.0 s")}
        executor.submit(1, todo[1])
        if nanny:
            assert isinstance(awaited(executor, 1)[1], Done)
        else:
            until(lambda: any("has no nanny that could restart it" in line for line in told), executor)


@pytest.mark.long
def test_time_in_a_queue_does_not_count(empty, notes):
    empty.start_worker()
    with connected(empty.address, 8.0, ignore, print) as executor:
        naps = estimators(*(f"slow.py:Naps(C={number})" for number in range(1, 21)), seeds=1)
        found = finished(executor, naps)
    assert all(isinstance(ending, Done) for ending in found.values())


@pytest.mark.long
def test_what_is_left_on_the_cluster_is_dropped_and_the_next_run_finds_its_workers_free(empty, notes):
    empty.start_worker()
    slow = planned(architectures=["slow.py:SlowNetwork"], budgets=[640_000], seeds=1)[0]
    with connected(empty.address, None, ignore, print) as executor:
        executor.submit(0, slow)
        until(lambda: list(notes.iterdir()), executor)
        left = time.monotonic()
    assert time.monotonic() - left < 2
    with connected(empty.address, None, ignore, print) as executor:
        assert isinstance(finished(executor, planned(budgets=[640], seeds=1)[:1])[0], Done)
    assert time.monotonic() - left < 30


def test_what_came_back_before_the_scheduler_went_is_not_lost(empty, caplog):
    empty.start_worker()
    empty.wait_for_workers(1)
    todo = estimators("lda")[:1]
    with connected(empty.address, None, ignore, print) as executor:
        executor.submit(0, todo[0])
        executor.ended(0.01)  # asks the worker
        unheard(lambda: not executor._calls)  # it is handed the stack, and brings it back
        end(empty.scheduler)
        unheard(lambda: executor._client.status != "running")
        same(dict(executor.ended(1.0)), in_this_process(todo))
        with pytest.raises(ClusterError, match="the scheduler has gone"):
            executor.ended(1.0)
        executor._client.close(timeout=1)  # as it does by itself in the end
        executor.submit(1, todo[0])
        assert executor.ended(0.0) == []  # Ctrl-C is told as such
        with pytest.raises(ClusterError, match="the scheduler has gone"):
            executor.ended(1.0)
    assert not caplog.records, "Dask says it too, at length"


def test_an_answer_that_fails_on_its_way_is_computed_again(crew, monkeypatch):
    monkeypatch.setattr(executors, "FETCH_SECONDS", 0.5)
    todo, told, failed = planned(budgets=[640]), [], []
    with connected(crew.address, None, ignore, told.append) as executor:
        fetch = executor._client._gather

        async def fail_once(futures, *rest, **options):
            (future,) = futures
            workers = list(executor._workers.values())
            if not failed and any(worker.key == future.key and worker.ticket == 0 for worker in workers):
                failed.append(future.key)
                raise OSError("the connection was reset")
            return await fetch(futures, *rest, **options)

        executor._client._gather = fail_once
        executor.submit(0, todo[0])
        same(awaited(executor, 1, told), in_this_process(todo[:1]))
    assert failed
    assert any("sent what can't be fetched; its stack runs elsewhere" in line for line in told)


# --- the whole command -----------------------------------------------------------------------------------


def started(found, folder, *arguments):
    done = [sys.executable, "-m", "runner", "--dask", found.address, "--output", str(folder), *arguments]
    return subprocess.Popen(done, cwd=folder.parent, env=with_home(), stderr=subprocess.PIPE, text=True)


def in_mid_run(found, notes):
    """Return the process of a run that trains for minutes, once it has begun to."""
    grid = ["--suite", "smoke", "--seeds", "1", "--budget", "640000", "--architecture", "slow.py:SlowNetwork"]
    process = started(found, notes.parent / "run", *grid, "--format", "none")
    unheard(lambda: list(notes.iterdir()), process)
    return process


def stored(folder):
    """Return {trial id: records but for the time they took} of a results file."""
    with Store(folder / FILE, reading=True) as store:
        query = (
            "SELECT * FROM record WHERE metric != 'training_seconds' ORDER BY trial, budget, metric, region"
        )
        return list(map(repr, store.rows(query)))


@pytest.mark.long
def test_a_command_whose_scheduler_goes_away_says_so_in_one_line(empty, notes):
    empty.start_worker()
    process = in_mid_run(empty, notes)
    end(empty.scheduler)
    said = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 2, said
    assert said.rstrip().splitlines()[-1].startswith(f"error: --dask {empty.address}: the scheduler has gone")
    assert "Traceback" not in said and "distributed" not in said


@pytest.mark.long
def test_a_coordinator_killed_and_started_again_goes_on(empty, notes):
    for _ in range(2):
        empty.start_worker()
    names = ["linear", "mlp-16x16", "slow.py:SlowNetwork"]
    grid = [
        "--suite",
        "smoke",
        "--seeds",
        "2",
        "--budget",
        "6400",
        "--architecture",
        *names,
        "--format",
        "none",
    ]
    folder = notes.parent / "run"
    first = started(empty, folder, *grid)
    unheard(lambda: (folder / FILE).is_file() and len(stored(folder)) >= 100 and list(notes.iterdir()), first)
    first.kill()
    first.wait()
    there = len(done_in(folder))
    second = started(empty, folder, *grid)
    said = second.communicate(timeout=PATIENCE)[1]
    assert second.returncode == 0, said
    assert f"{there} of " in said
    alone = subprocess.run(
        [sys.executable, "-m", "runner", *grid, "--output", str(notes.parent / "alone"), "--jobs", "1"],
        cwd=notes.parent, env=with_home(), check=True, capture_output=True,
    )  # fmt: skip
    assert alone.returncode == 0
    assert stored(folder) == stored(notes.parent / "alone")


def done_in(folder):
    with Store(folder / FILE, reading=True) as store:
        return store.done()


@pytest.mark.long
def test_a_changed_file_is_run_as_it_is_now(empty, own):
    empty.start_worker()
    grid = [
        "--suite",
        "gaussian1d-dataset",
        "--task",
        "own_code.py:Two",
        "--architecture",
        "own_code.py:Learner",
    ]
    grid += ["--seeds", "1", "--budget", "100", "--format", "none"]
    for offset in (3, 4):
        write_own(own, offset)
        process = started(empty, own / f"run-{offset}", *grid)
        said = process.communicate(timeout=PATIENCE)[1]
        assert process.returncode == 0, said
        subprocess.run(
            [sys.executable, "-m", "runner", *grid, "--output", str(own / f"alone-{offset}"), "--jobs", "1"],
            cwd=own, env=with_home(), check=True, capture_output=True,
        )  # fmt: skip
        assert stored(own / f"run-{offset}") == stored(own / f"alone-{offset}")
    assert stored(own / "run-3") != stored(own / "run-4")


@pytest.mark.long
def test_ctrl_c_ends_a_run_and_leaves_the_cluster_as_it_was(empty, notes):
    empty.start_worker()
    process = in_mid_run(empty, notes)
    asked = time.monotonic()
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 130, said
    assert time.monotonic() - asked < 15
    assert "Traceback" not in said
