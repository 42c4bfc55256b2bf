"""How fast a core of this machine is, from which the cost of stacks is told before anything has run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks import registry
from benchmarks.architecture import Network

if TYPE_CHECKING:
    from runner.cost import Work

WIDE = 30  # networks of a stack that shows how fast eager steps pass over memory
SPEND = 0.25  # seconds for each speed that a calibration measures, at most


@dataclass(frozen=True)
class Speeds:
    """How fast a core is.

    products: multiply-adds a second in batched matrix products; fused and eager: elements a second in
    elementwise passes, in the cache of the processor and as an eager step makes them; operation: seconds
    that any operation of an eager step takes; example: {task: seconds to draw one}.
    """

    products: float = 4e10
    fused: float = 6e9
    eager: float = 4e8
    operation: float = 15e-6
    example: Mapping[str, float] = field(default_factory=dict)


TYPICAL = Speeds()  # a server's core of 2022: right to a factor of two, which is enough to order stacks


def calibrated(tasks: Iterable[str]) -> Speeds:
    """Return the speeds of a core of this machine, from about a second of measuring."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        a, b = torch.randn(2, 32, 64, 64).unbind()
        products = a.shape[0] * 64**3 / _fastest(lambda: torch.bmm(a, b))
        fused = a.numel() / _fastest(lambda: torch.addcmul(a, a, b))
        step, small = _eager_step("mlp-16x16", 4)
        wide_step, wide = _eager_step("mlp-64x64", WIDE)
    finally:
        torch.set_num_threads(before)
    operation = step / small.operations
    rest = wide_step - wide.operations * operation - WIDE * wide.products / products
    eager = WIDE * wide.elementwise / max(rest, 0.1 * wide_step)
    return Speeds(products, fused, eager, operation, {task: _drawn(task) for task in tasks})


def _fastest(run: Callable[[], Any], spend: float = SPEND) -> float:
    """Return the fewest seconds that a call takes: what others do on the machine only adds to them."""
    run()
    found: list[float] = []
    end = time.perf_counter() + spend
    while not found or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return min(found)


def _drawn(task: str, count: int = 4_096) -> float:
    """Return the seconds that an example takes to draw."""
    import numpy as np

    law = registry.task(task)
    draw = getattr(law, "sample_train", law.sample)
    return _fastest(lambda: draw(count, np.random.default_rng(0)), spend=0.0) / count


def _eager_step(name: str, networks: int, spend: float = SPEND) -> tuple[float, Work]:
    """Return the fewest seconds that an eager step of so many networks takes, and the work of one of them."""
    import numpy as np

    from runner.engine import Training
    from runner.training.compute import work
    from runner.training.modules import build

    network = registry.architecture(name)
    assert isinstance(network, Network)
    x = np.zeros((64, networks, 64, 1), dtype=np.float32)
    labels = np.zeros(x.shape[:3], dtype=np.int64)
    modules = [build(network, 1, 2, seed) for seed in range(networks)]
    training = Training(
        network, modules, lambda _, count: (x[:count], labels[:count]), 10_000, "eager", "cpu"
    )
    training.advance(1)
    found: list[float] = []
    end, before = time.perf_counter() + spend, 0.0
    for step in range(4, 10_000, 3):
        training.advance(step)
        now = training.snapshot().seconds
        found.append((now - before) * networks / 3)
        before = now
        if time.perf_counter() > end:
            break
    return min(found), work(network, 1, 2, 64)
