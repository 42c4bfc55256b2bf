"""What a run stores about its grid, so that its pages need neither registry nor torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks import facts, registry, verification
from benchmarks.architecture import Arguments, Estimator, Module, Network, Recipe
from benchmarks.architectures.estimators import ScikitLearn
from benchmarks.architectures.recipes import limit
from benchmarks.evaluation import Evaluation
from benchmarks.identity import qualified_name
from benchmarks.shape import crossings
from benchmarks.task import Task, conditional_parameters
from runner import plan
from runner.commands.listing import HEADINGS
from runner.pictures import drawing
from runner.plan import Trial
from runner.scoring import evaluation_of, representatives_of
from runner.store import Store, TaskDescription
from suites.suite import Suite

Facts = Iterator[tuple[str, str]]  # label and text, in the order to show
OPTIMISERS = {"adam": "Adam", "sgd": "stochastic gradient descent"}


def describe(store: Store, suite: Suite, trials: list[Trial]) -> None:
    """Store what the pages say about the grid, its tasks and its architectures."""
    tasks = {}
    for name in suite.tasks:
        evaluation, (chosen, weights) = evaluation_of(name), representatives_of(name)
        exact = evaluation.log_posterior[chosen]
        tasks[name] = TaskDescription(of_task(name), drawing(name), weights, exact)
    architectures = {}
    rows = plan.learned_rows(suite)
    for name in [*rows, *suite.reference]:
        architectures[name] = of_architecture(name, suite)
    shown = suite.model_dump(exclude={"quick"}) | {"architectures": rows}
    # By which name a trial goes is this grid's affair: the same trial may have had another one before.
    named = {row.id: [row.task, row.architecture] for trial in trials for row in trial.rows}
    grid = {"suite": shown, "trials": named}
    store.describe(grid, tasks, architectures)


def of_task(name: str) -> dict[str, Any]:
    """Return what pages say of a registered task, as plain data; entropies in nats."""
    task, evaluation = registry.task(name), evaluation_of(name)
    line = task.features == 1
    low, high = evaluation.window[0].tolist() if line and evaluation.window is not None else (None, None)
    # The k/2N law is about training data that follow the test law.
    shifted = getattr(task, "train_priors", None) is not None
    return {
        "description": getattr(task, "description", ""),
        "features": task.features,
        "classes": task.classes,
        "entropy": evaluation.entropy,
        "bayes_error": evaluation.bayes_error,
        "information": evaluation.information,
        "crossings": len(crossings(evaluation, evaluation.log_posterior).x) if line else None,
        "parameters": None if shifted else conditional_parameters(task),
        "low": low,
        "high": high,
        "method": evaluation.method,
        "error": evaluation.error,
        **_stated(task, evaluation),
        "checks": [f"{check}: {asks}" for check, asks in verification.applicable(task).items()],
        "known": list(_known(name)),
    }


def _stated(task: Task, evaluation: Evaluation) -> dict[str, Any]:
    """Return a task's version and priors, those of its evaluation where it states none."""
    stated = getattr(task, "priors", None)
    priors = np.exp(evaluation.log_prior) if stated is None else np.asarray(stated)
    return {"version": task.version, "priors": [float(prior) for prior in priors]}


def _known(name: str) -> Iterator[str]:
    """Yield what the committed table says of a task, in lines; nothing where it is of another version."""
    row = facts.committed().get(name)
    if row is None or row["version"] != str(registry.task(name).version):
        return
    for key in facts.NUMBERS:
        unit = "" if key == "bayes_error" else " nats"
        value, error = float(row[key]), float(row[f"{key}_error"])
        off = f"{error:.1g}{unit}" if error > 0 else "rounding"
        yield (
            f"{HEADINGS[key]} {value:.6g}{unit}, integration error {off}, by {row['evaluation']}"
            f" (benchmarks/facts.csv, version {row['version']} of the task)"
        )


def of_architecture(row: str, suite: Suite) -> dict[str, Any]:
    """Return what an architecture, or its row corrected for the test law's priors, is in a suite."""
    name = row.removesuffix(plan.CORRECTED)
    architecture = registry.architecture(name)
    base, recipes = registry.split(name)
    twin = row != name
    recipe = architecture.recipe if isinstance(architecture, Network) else None
    calibration = getattr(recipe or architecture, "calibration", None)
    told: list[tuple[str, str]] = []
    if isinstance(architecture, Network):
        told = [*_network(architecture, suite)]
    elif isinstance(architecture, Estimator):
        told = [*_estimator(architecture)]
    if twin:
        told.append(("correction", "outputs times test prior / training prior, normalised"))
    return {
        "description": architecture.description
        + (", corrected for the test law's class priors" if twin else ""),
        "kind": architecture.kind,
        "family": architecture.family,
        "base": base,
        "recipes": [*recipes, *([plan.CORRECTED.lstrip("+")] if twin else [])],
        "learning_rate": recipe.learning_rate if recipe else None,
        "batch": (recipe.batch or suite.batch) if recipe else None,
        "calibration": calibration or "",
        "soft_labels": bool(recipe and recipe.soft_labels),
        "version": architecture.version,
        "facts": told,
        "limit": limit(architecture),
    }


def _network(network: Network, suite: Suite) -> Facts:
    recipe = network.recipe
    if isinstance(network.build, Module):
        yield "network", _called(network.build.name, network.build.arguments)
    else:
        yield "network", qualified_name(network.build)
    yield "loss", recipe.loss + (f", gamma {recipe.gamma:g}" if recipe.loss == "focal" else "")
    yield "targets", ", ".join(_targets(recipe))
    if recipe.optimiser == "adam":
        tuned = f"betas {recipe.betas[0]:g} and {recipe.betas[1]:g}, epsilon {recipe.epsilon:g}"
    else:
        tuned = f"momentum {recipe.momentum:g}"
    yield "optimiser", f"{OPTIMISERS[recipe.optimiser]}, {tuned}"
    yield "learning rate", f"{recipe.learning_rate:g}"
    cosine = (
        f"cosine down to 0 over {suite.most_steps:,} steps" if recipe.schedule == "cosine" else "constant"
    )
    yield "schedule", cosine
    own = f"{recipe.batch:,} examples" if recipe.batch else f"{suite.batch:,} examples, the suite's"
    yield "batch", own
    yield "training", _training(recipe, suite)
    yield from _extras(recipe)


def _targets(recipe: Recipe) -> Iterator[str]:
    yield "exact posteriors" if recipe.soft_labels else "labels"
    if recipe.mixup:
        yield f"mixup with Beta({recipe.mixup:g}, {recipe.mixup:g})"
    if recipe.smoothing:
        yield f"smoothed by {recipe.smoothing:g}"


def _training(recipe: Recipe, suite: Suite) -> str:
    if suite.protocol == "dataset":
        stop = " or until the held-out loss no longer falls" if recipe.schedule == "constant" else ""
        return f"up to {suite.most_steps:,} steps{stop}; the state with the least held-out loss is scored"
    if suite.pool:
        return f"mini-batches from {suite.pool:,} examples, reshuffled at each pass"
    return "each example is seen once"


def _extras(recipe: Recipe) -> Facts:
    """Yield what a recipe has that the default hasn't."""
    if recipe.weight_decay:
        yield "weight decay", f"{recipe.weight_decay:g}, decoupled"
    if recipe.dropout:
        yield "dropout", f"{recipe.dropout:g} of the units behind each activation"
    if recipe.samples:
        yield "Monte Carlo dropout", f"mean probability of {recipe.samples} thinned networks"
    if recipe.averaging is not None:
        yield "averaging", f"exponential moving average of the weights, decay {recipe.averaging:g}"
    if recipe.members > 1:
        yield "ensemble", f"mean probability of {recipe.members} networks"
    if recipe.calibration:
        yield "calibration", f"{recipe.calibration}, fitted to held-out examples"


def _estimator(estimator: Estimator) -> Facts:
    build = estimator.build
    if isinstance(build, ScikitLearn):
        ours = "" if "." in build.name else "benchmarks.architectures.scikit."
        yield "class", f"{ours or 'sklearn.'}{build.name}"
        yield "parameters", _called("", build.arguments) or "defaults"
        if build.degree is not None:
            yield "inputs", f"all monomials up to degree {build.degree}"
        if build.scaled:
            yield "scaling", "inputs are standardised"
    else:
        yield "class", qualified_name(build)
    if estimator.calibration:
        yield "calibration", f"{estimator.calibration}, cross-validated"
    if estimator.max_budget is not None:
        yield "most examples", f"{estimator.max_budget:,}"


def _called(name: str, arguments: Arguments) -> str:
    """Return a name with keyword arguments, as in "mlp: depth 2, width 64"."""
    values = ", ".join(f"{key} {value}" for key, value in arguments)
    return ": ".join(part for part in (name, values) if part)
