"""What a run stores about its grid, so that its pages need neither registry nor torch."""

from __future__ import annotations

from runner import about, plan
from runner.pictures import drawing
from runner.plan import Trial
from runner.records import evaluation_of, representatives_of
from runner.scoring import task_summary
from runner.store import Store, TaskDescription
from suites.suite import Suite


def describe(store: Store, suite: Suite, trials: list[Trial]) -> None:
    """Store what the pages say about the grid, its tasks and its architectures."""
    tasks = {}
    for name in suite.tasks:
        evaluation, (chosen, weights) = evaluation_of(name), representatives_of(name)
        exact = evaluation.log_posterior[chosen]
        tasks[name] = TaskDescription(task_summary(name) | about.of_task(name), drawing(name), weights, exact)
    architectures = {}
    rows = plan.learned_rows(suite)
    for name in [*rows, *suite.reference]:
        architectures[name] = about.of_architecture(name, suite)
    shown = suite.model_dump(exclude={"quick"}) | {"architectures": rows}
    # By which name a trial goes is this grid's affair: the same trial may have had another one before.
    named = {row.id: [row.task, row.architecture] for trial in trials for row in trial.rows}
    grid = {"suite": shown, "trials": named}
    store.describe(grid, tasks, architectures)
