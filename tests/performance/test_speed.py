"""What a run takes beside training, and its memory."""

import dataclasses
import time
from types import SimpleNamespace

import memory
import pandas as pd
import pytest
from command import RUNNER

from benchmarks import registry
from runner import engine, plan
from runner.training.data import Examples
from suites.suite import load, narrow

pytestmark = pytest.mark.skipif(
    not plan.compiler_present(), reason="needs a C++ compiler and Python's headers"
)


# Of a run, that may be anything but training: the aim, and what is kept. Reports alone take 4 %.
AIM, SHARE = 0.05, 0.15


def timed(monkeypatch, spent, owner, name, key):
    """Let owner.name add the seconds that it takes to spent[key]."""
    inner = getattr(owner, name)

    def outer(*args, **options):
        start = time.perf_counter()
        try:
            return inner(*args, **options)
        finally:
            spent[key] = spent.get(key, 0) + time.perf_counter() - start

    monkeypatch.setattr(owner, name, outer)


def share_of_a_run(benchmark, suite, options, spent, what):
    """Run a suite once and return which share of its time was spent as `timed` saw it."""
    from runner import run as running

    benchmark.pedantic(lambda: running.run(suite, options), rounds=1)
    whole = benchmark.stats.stats.total
    share = sum(spent.values()) / whole
    benchmark.extra_info.update(share=share, whole=whole, **spent)
    parts = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in spent.items())
    print(f"\n{what}, one process: {whole:.0f} s, of which {parts}: {share:.1%}")
    return share


def test_everything_but_training_is_a_small_share_of_a_full_run(benchmark, figure, tmp_path, monkeypatch):
    """All of a full gaussian1d in one process that neither trains nor fits, programs compiled before.

    Training is what the networks' training seconds add up to, and the fits of oracle-mle; the rest is the
    whole but for that, whatever it is. What is known of the rest is said beside it.
    """
    from runner import run as running
    from runner import scoring
    from runner.store import Store
    from runner.training import predictor

    suite, spent = load("gaussian1d"), {}
    warm = narrow(suite, budgets=[640], seeds=1).model_copy(update={"reference": []})
    running.run(warm, running.Options("compiled", "cpu", 1, tmp_path / "warm"))

    fitted = registry.architecture("oracle-mle")
    fits = SimpleNamespace(fit=fitted.fit)
    timed(monkeypatch, spent, fits, "fit", "fitting")
    monkeypatch.setitem(registry.ARCHITECTURES, "oracle-mle", dataclasses.replace(fitted, fit=fits.fit))
    timed(monkeypatch, spent, engine.Training, "_load", "sampling")
    timed(monkeypatch, spent, Examples, "seen", "sampling")
    timed(monkeypatch, spent, scoring, "evaluate", "posteriors")
    timed(monkeypatch, spent, predictor.Predictor, "log_q", "evaluation")
    timed(monkeypatch, spent, scoring, "_score", "scoring")
    timed(monkeypatch, spent, Store, "add", "storing")
    timed(monkeypatch, spent, running, "report", "report")
    options = running.Options("compiled", "cpu", 1, tmp_path / "run")
    benchmark.pedantic(lambda: running.run(suite, options), rounds=1)
    found = pd.read_csv(tmp_path / "run" / "records.csv")
    last = found[(found["metric"] == "training_seconds") & (found["budget"] == max(suite.budgets))]
    whole = benchmark.stats.stats.total
    share = 1 - (last["value"].sum() + spent.pop("fitting")) / whole
    parts = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in spent.items())
    figure(
        "everything but training, full gaussian1d", share, 0.05, at_most=True, note=f"{whole:.0f} s; {parts}"
    )
    assert share <= SHARE


def test_sampling_and_exact_posteriors_are_a_small_share_in_many_dimensions(benchmark, tmp_path, monkeypatch):
    """Drawing examples and exact posteriors on gauss-full-d32, all networks of `dimensions`, one process."""
    from runner import run as running
    from runner import scoring

    spent = {}
    timed(monkeypatch, spent, Examples, "take", "sampling")
    timed(monkeypatch, spent, scoring, "evaluate", "posteriors")
    suite = narrow(load("dimensions"), tasks=["gauss-full-d32"])
    suite = suite.model_copy(update={"reference": ["oracle", "prior"]})
    options = running.Options("eager", "cpu", 1, tmp_path / "run")
    assert share_of_a_run(benchmark, suite, options, spent, "gauss-full-d32") < 0.15


def test_a_worker_stays_small(benchmark, figure, tmp_path):
    """Peak memory of the largest worker on the largest network of gaussian1d."""
    command = [*RUNNER, "--suite", "gaussian1d", "--jobs", "2"]
    narrow = ["--architecture", "mlp-256x256", "mlp-deep", "--budget", "64000", "--format", "none"]
    taken = benchmark.pedantic(memory.run, args=([*command, *narrow],), kwargs={"cwd": tmp_path}, rounds=1)
    peak = max(taken.main, taken.worker) / 1024
    figure("largest process of mlp-256x256 and mlp-deep", peak, 1.5, at_most=True, unit=" GiB")
    assert peak < 1.5
