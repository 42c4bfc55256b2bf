"""A plan of a million trials, in a process of its own."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, time
from benchmarks import registry
from runner import plan
from runner.training.compute import work
from runner.training.modules import parameter_count
from runner.stacks import stacked
from suites.suite import load

names = [*load("gaussian1d").tasks, *load("mixtures").tasks, *load("shapes").tasks, *registry.TASKS]
tasks = list(dict.fromkeys(names))[:20]
architectures = [f"mlp(width={width}, depth=2)" for width in range(65, 115)]
suite = load("gaussian1d").model_copy(
    update={"tasks": tasks, "architectures": architectures, "reference": [], "seeds": 20_000 // len(tasks)}
)
for task in tasks:
    registry.task(task)
before, clock = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
trials = plan.plan(suite, "compiled")
stacks = stacked(suite, plan.missing(trials, {}), "compiled", "cpu", 1_000, parameter_count, work)
took = time.process_time() - clock
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
assert sum(len(stack.trials) for stack in stacks) == len(trials) > 990_000
print(took, memory / 1024)
"""


@pytest.mark.long
def test_a_million_trials_are_planned_in_ten_seconds_and_a_gibibyte():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    seconds, mebibytes = map(float, done.stdout.split())
    print(f"{seconds:.1f} s, {mebibytes:.0f} MiB")
    assert seconds < 10
    assert mebibytes < 1_024
