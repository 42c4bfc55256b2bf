"""100,000 trials on 1,000 workers, simulated: our stacks, our order, and the measured costs of both ends.

`pytest tests/performance/test_cluster_speed.py --benchmark-only` measures what is assumed here.
"""

import numpy as np
import pytest
from simulated_cluster import simulate

from runner import plan
from runner.stacks import stacked
from runner.training.compute import work
from runner.training.modules import parameter_count
from suites.suite import load

WORKERS = 1_000
HANDING = 0.003  # seconds to pickle a stack, submit it and take in its results
LATENCY = 0.014  # seconds from there to the worker and back
COMMIT = 0.004  # seconds to store a trial of six budgets, on two busy cores


def planned(name, trials=100_000, **update):
    """Return a suite's stacks for 1,000 workers, with as many seeds as make so many trials."""
    suite = load(name).model_copy(update=update)
    cells = len(suite.tasks) * len([*suite.architectures, *suite.reference])
    suite = suite.model_copy(update={"seeds": -(-trials // cells)})
    made = stacked(suite, plan.plan(suite, "compiled"), "compiled", "cpu", WORKERS, parameter_count, work)
    assert sum(len(stack.trials) for stack in made) >= trials
    return made


def seconds(stacks):
    """Return how long stacks take: as the cost model has it, to a fifth up or down."""
    noise = np.exp(0.2 * np.random.default_rng(0).normal(size=len(stacks)))
    return [stack.cost * factor for stack, factor in zip(stacks, noise.tolist(), strict=True)]


def test_a_simulated_run_of_equal_stacks_is_what_arithmetic_says():
    stacks = planned("smoke", trials=500)[:8]
    found = simulate(stacks, [10.0] * 8, 4, handing=0.0, latency=1.0, commit=0.0)
    assert (found.trained, found.stored, found.busy) == (22.0, 22.0, pytest.approx(20 / 22))
    slow = simulate(stacks, [10.0] * 8, 8, handing=1.0, latency=0.0, commit=2.0)
    trials = sum(len(stack.trials) for stack in stacks)
    assert (slow.trained, slow.stored) == (18.0, 11.0 + 2.0 * trials)


def test_100_000_trials_keep_1_000_workers_busy():
    # Ten times the suite's largest budget: what a thousand workers are for. Their run takes ten minutes.
    stacks = planned("gaussian1d", budgets=[640, 6_400, 64_000, 640_000, 6_400_000])
    found = simulate(stacks, seconds(stacks), WORKERS, handing=HANDING, latency=LATENCY, commit=COMMIT)
    assert 300 < found.trained < 1_200
    assert found.busy >= 0.95
    # Workers wait for no commit, but those of cheap trials, which come last and many at once, take longer.
    assert found.stored < 1.3 * found.trained
