"""Stacks on a real Dask cluster, with what can go wrong there."""

import pickle
import re
import subprocess
import sys
import time
from dataclasses import replace
from importlib import metadata

import numpy as np
import pytest
from dask_cluster import HOME, Cluster, with_home

from benchmarks import registry, shipping
from runner import local, plan, stacks
from runner.cluster import ClusterError, connected
from runner.executors import Done
from runner.modules import parameter_count
from suites.suite import load, narrow

PATIENCE = 60


def ignore(ticket, share):
    pass


@pytest.fixture(scope="module")
def crew(tmp_path_factory):
    """A scheduler and three workers, for tests that leave them as they are."""
    with Cluster(tmp_path_factory.mktemp("cluster")) as found:
        for _ in range(3):
            found.start_worker()
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
    """Go on until something holds."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline
        assert not executor.ended(0.1)


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
    return {ticket: Done(*local.work(stack, lambda _: None)) for ticket, stack in enumerate(todo)}


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
    yield tmp_path
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
version = metadata.version
metadata.version = lambda name: "1.2.3" if name == "scipy" else version(name)
"""
ENGINE = """
from runner import local, plan, stacks
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
    told = []
    with (
        pytest.raises(ClusterError, match="expected a worker that can be used, found none"),
        connected(empty.address, None, ignore, told.append) as executor,
    ):
        until(lambda: len([line for line in told if "left out" in line]) == 3, executor)
        executor.ended(2)
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


def test_no_scheduler_is_one_clear_line():
    with (
        pytest.raises(ClusterError, match="--dask tcp://127[.]0[.]0[.]1:9: expected a Dask scheduler there"),
        connected("tcp://127.0.0.1:9", None, ignore, print),
    ):
        pass
    with (
        pytest.raises(ClusterError, match="expected a Dask scheduler there"),
        connected("x://", None, ignore, print),
    ):
        pass
