"""Programs: places that give the same bits, and libraries that are kept, shared and mended."""

import os
import time

import numpy as np
import pytest
import torch
from training import trained

from benchmarks import registry
from benchmarks.architecture import Network
from benchmarks.architectures.networks import NETWORKS
from runner import plan, run_stack, stacks
from runner.training import program
from runner.training.modules import build
from suites.suite import load, narrow

pytestmark = pytest.mark.skipif(
    not plan.compiler_present(), reason="needs a C++ compiler and Python's headers"
)
COMPILED = load("gaussian1d").architectures
EACH_SIZE = "mlp-64x64", "mlp-256x256"  # programs of 15 and 5 places


def repeated(count, networks, batch, classes=2):
    """Return batches() in which all networks see the same examples."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count, 1, batch, 1)).astype(np.float32)
    y = rng.integers(classes, size=(count, 1, batch))
    return lambda _: (np.repeat(x, networks, axis=1), np.repeat(y, networks, axis=1))


def final(network, networks, batch=64, steps=20):
    """Return what copies of one network are after some steps on the same examples."""
    modules = [build(network, 1, 2, 0) for _ in range(networks)]
    return list(trained(network, modules, repeated(steps, networks, batch), [steps], "compiled"))[-1]


@pytest.mark.parametrize("batch", [64, pytest.param(50, marks=pytest.mark.long)])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in EACH_SIZE else pytest.mark.long) for name in COMPILED]
)
def test_every_place_of_a_program_gives_the_same_bits(name, batch):
    parameters = sum(weight.numel() for weight in build(NETWORKS[name], 1, 2, 0).parameters())
    size = stacks.places(parameters)
    found = final(NETWORKS[name], size + 1, batch)
    for weight in found.weights.values():
        assert len(weight) == size + 1
        assert torch.isfinite(weight).all()
        assert all(torch.equal(weight[0], each) for each in weight)


@pytest.fixture
def compiled(monkeypatch, tmp_path):
    """An empty cache, and a list of the libraries that were compiled."""
    monkeypatch.setenv("POSTERIOR_BENCH_CACHE", str(tmp_path))
    made, inner = [], program._compile

    def counted(graph, inputs, path):
        made.append(path.name)
        return inner(graph, inputs, path)

    monkeypatch.setattr(program, "_compile", counted)
    return made


def weights(network):
    return final(network, 2, steps=3).weights


def test_a_library_is_compiled_once_and_a_damaged_one_again(compiled, tmp_path):
    network = NETWORKS["linear"]
    first, second = weights(network), weights(network)
    assert len(compiled) == 1
    (kept,) = (tmp_path / "programs").glob("*.pt2")
    kept.write_bytes(kept.read_bytes()[:1000])
    third = weights(network)
    assert len(compiled) == 2
    for name, weight in first.items():
        assert torch.equal(weight, second[name])
        assert torch.equal(weight, third[name])


def test_a_folder_that_cannot_be_written_costs_time_and_nothing_else(compiled, tmp_path):
    (tmp_path / "programs").write_text("in the way", encoding="utf-8")
    assert all(torch.isfinite(weight).all() for weight in weights(NETWORKS["linear"]).values())
    assert len(compiled) == 1


@pytest.mark.long
def test_a_folder_that_others_can_write_to_is_left_alone(compiled, tmp_path):
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs").chmod(0o777)
    weights(NETWORKS["linear"])
    assert len(compiled) == 1
    assert not list((tmp_path / "programs").iterdir())


@pytest.mark.long
def test_what_a_killed_compilation_left_is_removed_after_an_hour(compiled, tmp_path):
    weights(NETWORKS["linear"])
    for name, age in (("tmpold", 4_000), ("tmpnew", 60)):
        (tmp_path / "programs" / name).mkdir()
        os.utime(tmp_path / "programs" / name, (time.time() - age,) * 2)
    weights(NETWORKS["poly2"])
    assert [each.name for each in (tmp_path / "programs").glob("tmp*")] == ["tmpnew"]


@pytest.mark.long
def test_learning_rates_and_ensembles_share_a_program_and_losses_do_not(compiled):
    for name in ("linear", "linear+lr(0.01)", "linear+ensemble(3)"):
        weights(registry.architecture(name))
    assert len(compiled) == 1
    weights(registry.architecture("linear+focal(2)"))
    assert len(compiled) == 2


def test_a_compiler_that_fails_is_told_once_and_every_trial_says_so(monkeypatch, tmp_path):
    """Not halved down to single trials, each of which would try again."""
    monkeypatch.setenv("POSTERIOR_BENCH_CACHE", str(tmp_path))
    tries = []

    def failing(*_, **__):
        tries.append(1)
        raise RuntimeError("cc1plus: out of\nmemory")

    monkeypatch.setattr("torch._inductor.aoti_compile_and_package", failing)
    suite = narrow(load("gaussian1d"), architectures=["linear"], seeds=2, budgets=[640])
    suite = suite.model_copy(update={"reference": []})
    (stack,) = stacks.stacked(suite, plan.plan(suite, "compiled"), "compiled", "cpu", 1, lambda *_: 4)
    found = run_stack.run_stack(stack, lambda _: None)
    assert len(tries) == 1 and len(found) == 6
    for result in found:
        (record,) = result.records
        assert record.status == "failed" and record.again
        assert record.reason.startswith("the training step can't be compiled by ")
        assert "out of memory" in record.reason


class Scaled(torch.nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.inner, self.factor = torch.nn.Linear(1, 2), factor

    def forward(self, x):
        return self.factor * self.inner(x)


@pytest.mark.long
def test_networks_of_somebody_elses_code_are_told_apart_by_what_they_compute(compiled):
    def own(factor):
        return Network("own", "", lambda features, classes: Scaled(factor))

    weights(own(1.0))
    weights(own(1.0))
    assert len(compiled) == 1
    weights(own(2.0))
    assert len(set(compiled)) == 2


def test_thin_products_are_the_products():
    generator = torch.Generator().manual_seed(0)
    for rows, inner, columns in ((7, 1, 5), (7, 4, 5), (7, 9, 1), (1, 3, 2)):
        a = torch.randn(3, rows, inner, generator=generator, dtype=torch.float64)
        b = torch.randn(3, inner, columns, generator=generator, dtype=torch.float64)
        torch.testing.assert_close(program._bmm(a, b), a @ b)
    assert program._bmm(torch.ones(1, 9, 9), torch.ones(1, 9, 9)) is NotImplemented
