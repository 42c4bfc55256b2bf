"""A synthetic run: power laws for the gaps, sigmoids for the curves, a failed and an infinite trial."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reports.results import RECORD_COLUMNS, Picture, Results

TASKS = ("gauss-separated", "gauss-nested", "gauss-sparse-tail")
NETWORKS = ("linear", "mlp-16x16", "mlp-64x64", "resnet-64", "fourier-64")
REFERENCE = ("oracle", "prior", "oracle-mle")
BUDGETS = (640, 3_200, 32_000, 128_000, 640_000)
INFORMATION = {"gauss-separated": 0.455, "gauss-nested": 0.11, "gauss-sparse-tail": 0.30}
CROSSINGS = {"gauss-separated": 1, "gauss-nested": 2, "gauss-sparse-tail": 2}
K = {"gauss-separated": 2.0, "gauss-nested": 3.0, "gauss-sparse-tail": 3.0}
FAILED = ("fourier-64", "gauss-nested", 3)  # from 32,000 examples on
INFINITE = ("resnet-64", "gauss-sparse-tail", 2)  # at the last budget
_EXPONENT = {"linear": 0.0, "mlp-16x16": 0.45, "mlp-64x64": 0.7, "resnet-64": 0.62, "fourier-64": 0.3}


def _gap(architecture: str, task: str, budget: int, rng: np.random.Generator) -> float:
    if architecture == "oracle":
        return 0.0
    if architecture == "prior":
        return 1.0
    if architecture == "oracle-mle":
        return K[task] / (2 * budget) / INFORMATION[task] * rng.chisquare(K[task]) / K[task]
    harder = 1.0 + TASKS.index(task)
    floor = 0.05 if architecture == "linear" and task != "gauss-separated" else 1e-5
    exponent = 0.9 if architecture == "linear" and task == "gauss-separated" else _EXPONENT[architecture]
    return float(floor + 0.2 * harder * (budget / 640) ** -exponent * rng.lognormal(0, 0.25))


def _trial(task: str, architecture: str, seed: int, budget: int, rng: np.random.Generator) -> list[tuple]:
    key = (task, architecture, seed, budget)
    if (architecture, task, seed) == FAILED and budget >= 32_000:
        reason = "diverged at step 411: loss is nan"
        return [(*key, "information_gap", "all", np.nan, np.nan, "failed", reason)]
    if architecture == "oracle-mle" and budget == 640 and task == "gauss-separated":
        reason = "no maximum: the data are separable"
        return [(*key, "information_gap", "all", np.nan, np.nan, "skipped", reason)]
    gap, reason = _gap(architecture, task, budget, rng), ""
    if (architecture, task, seed) == INFINITE and budget == BUDGETS[-1]:
        gap, reason = np.inf, "divergent tail"
    kl, error = gap * INFORMATION[task], 1e-9 if architecture != "prior" else 0.0
    numbers = {
        ("information_gap", "all"): gap,
        ("expected_kl", "all"): kl,
        ("expected_kl", "sparse99"): kl * (5 + 3 * rng.random()),
        ("tv", "all"): min(np.sqrt(kl / 2) / 2, 0.9),
        ("excess_error", "all"): min(kl / 4, 0.5),
        ("excess_brier", "all"): min(kl / 2, 1.5),
        ("crossings_found", "all"): float(CROSSINGS[task] - (gap > 0.05)),
    }
    if architecture not in ("oracle", "prior"):
        numbers["distinct_examples", "all"] = float(budget)
    if architecture in NETWORKS:
        numbers["parameters", "all"] = float(100 + 4_000 * NETWORKS.index(architecture))
        numbers["multiply_adds", "all"] = float(1_000 * (1 + NETWORKS.index(architecture)) ** 2)
        numbers["training_seconds", "all"] = budget / 64 * 4e-5 * (1 + NETWORKS.index(architecture))
    return [(*key, metric, region, value, error, "ok", reason) for (metric, region), value in numbers.items()]


def _pictured(task: str, seeds: int, rng: np.random.Generator) -> Picture:
    """A picture of two normal densities with one input."""
    x = np.linspace(-4, 7, 201)
    logit = {
        "gauss-separated": 3 * x - 4.5,
        "gauss-nested": -0.375 * x**2 + x + 0.19,
        "gauss-sparse-tail": (x**2 / 4 - (x - 3) ** 2) / 2 + np.log(2),
    }[task]
    spread = 1 if task == "gauss-separated" else 2  # of class 0, which lies at 0; class 1 has spread 1
    first = -((x / spread) ** 2) / 2 - np.log(spread * np.sqrt(2 * np.pi)) + np.log(0.5)
    log_joint = np.stack([first, first + logit], axis=-1)
    return Picture(
        axes=("x",),
        shape=(201,),
        x=x[:, None],
        log_joint=log_joint,
        sparse=np.abs(x - 1.5) > 4,
        outputs=_outputs(logit, seeds, rng, x),
    )


def _outputs(
    logit: np.ndarray, seeds: int, rng: np.random.Generator, x: np.ndarray
) -> dict[tuple[str, int], np.ndarray]:
    """Outputs of two classes that come closer to a logit (m,) with the budget; noise grows with x (m,)."""
    outputs = {}
    for number, name in enumerate(NETWORKS):
        for budget in BUDGETS:
            wrong = (budget / 640) ** -(0.25 + 0.05 * number)
            noise = rng.normal(0, 0.5 * wrong, (seeds, 1)) + rng.normal(0, 0.2 * wrong, (seeds, 1)) * x
            q = 1 / (1 + np.exp(-(logit * (1 - 0.8 * wrong) + noise)))
            outputs[name, budget] = np.stack([1 - q, q], axis=-1).astype(np.float32)
    return outputs


def _two_normals(x: np.ndarray) -> np.ndarray:
    """Log joint (m, 2) of two round normal densities at (0, 0) and (2, 0), as likely as each other."""
    squares = np.stack([((x - mean) ** 2).sum(axis=1) for mean in ([0, 0], [2, 0])], axis=-1)
    return -squares / 2 - np.log(2 * np.pi) + np.log(0.5)


def plane_picture(seeds: int = 6, side: int = 40) -> Picture:
    """A picture with two inputs: two round normal densities on a grid over [-4, 6] x [-5, 5]."""
    across, up = np.meshgrid(np.linspace(-4, 6, side), np.linspace(-5, 5, side))
    x = np.stack([across.ravel(), up.ravel()], axis=-1)
    joint = _two_normals(x)
    return Picture(
        axes=("x1", "x2"),
        shape=(side, side),
        x=x,
        log_joint=joint,
        sparse=np.hypot(np.clip(np.abs(x[:, 0] - 1) - 1, 0, None), x[:, 1]) > 3,
        outputs=_outputs(joint[:, 1] - joint[:, 0], seeds, np.random.default_rng(2), x[:, 0]),
    )


def scatter_picture(seeds: int = 6, points: int = 300) -> Picture:
    """A picture of many inputs: points of two round normal densities, on their first two components."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(points, 2))
    x[::2, 0] += 2
    joint = _two_normals(x)
    density = np.logaddexp.reduce(joint, axis=1)
    return Picture(
        axes=("component 1", "component 2"),
        shape=(),
        x=x,
        log_joint=joint,
        sparse=density <= np.sort(density)[points // 100 - 1],
        outputs=_outputs(joint[:, 1] - joint[:, 0], seeds, rng, x[:, 0]),
        shares=(0.5, 0.25),
    )


def _suite(seeds: int) -> dict[str, Any]:
    return {
        "name": "gaussian1d",
        "title": "Three Gaussian cases",
        "question": "How close do softmax outputs come to the Bayesian posterior, and what does it cost?",
        "protocol": "stream",
        "batch": 64,
        "pool": None,
        "budgets": list(BUDGETS),
        "seeds": seeds,
        "tasks": list(TASKS),
        "architectures": list(NETWORKS),
        "reference": list(REFERENCE),
    }


def _tasks() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "description": [f"Two normal densities, case {n}" for n in (1, 2, 3)],
            "classes": 2,
            "entropy": [float(np.log(2)) - INFORMATION[task] for task in TASKS],
            "bayes_error": [0.0668, 0.309, 0.16],
            "information": [INFORMATION[task] for task in TASKS],
            "crossings": [CROSSINGS[task] for task in TASKS],
            "parameters": [K[task] for task in TASKS],
            "low": -4.0,
            "high": 7.0,
        },
        index=pd.Index(TASKS, name="task"),
    )


def _architectures() -> pd.DataFrame:
    everything = [*NETWORKS, *REFERENCE]
    return pd.DataFrame(
        {
            "description": [f"What {name} is" for name in everything],
            "kind": ["network"] * len(NETWORKS) + ["reference"] * len(REFERENCE),
        },
        index=pd.Index(everything, name="architecture"),
    )


def build_results(seeds: int = 6, shuffle: int = 0) -> Results:
    """The whole synthetic run; `shuffle` seeds the order of its rows."""
    rng = np.random.default_rng(1)
    rows = [
        row
        for architecture in (*NETWORKS, *REFERENCE)
        for task in TASKS
        for seed in range(seeds)
        for budget in BUDGETS
        for row in _trial(task, architecture, seed, budget, rng)
    ]
    records = pd.DataFrame(rows, columns=list(RECORD_COLUMNS))
    records = records.sample(frac=1, random_state=shuffle, ignore_index=True)
    return Results(
        suite=_suite(seeds),
        records=records,
        tasks=_tasks(),
        architectures=_architectures(),
        pictures={task: _pictured(task, seeds, rng) for task in TASKS},
        manifest={
            "versions": {"posterior-bench": "0.1.0", "torch": "2.13.0", "numpy": "2.4.0"},
            "machine": {"cpu": "Example CPU", "cores": 2},
            "commit": "0123abc",
            "command": "runner --suite gaussian1d",
            "wall_seconds": 1234.5,
            "started": "2026-01-01T00:00:00+00:00",
        },
    )


@pytest.fixture(scope="session")
def results() -> Results:
    return build_results()


@pytest.fixture(scope="session")
def make_results() -> Callable[..., Results]:
    return build_results


@pytest.fixture(scope="session")
def make_plane() -> Callable[..., Picture]:
    return plane_picture


@pytest.fixture(scope="session")
def make_scatter() -> Callable[..., Picture]:
    return scatter_picture
