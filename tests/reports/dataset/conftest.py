"""A synthetic run of the protocol `dataset`: recipes, estimators, zeros in q, skipped rows, kept outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reports.results import RECORD_COLUMNS, Predictions, Results

SIZES = (100, 1_000, 10_000)
MODELS = {  # the size of its error in log-odds at 1,000 examples: shared by all seeds, and of each seed
    "mlp-64x64": (0.2, 0.3),
    "mlp-64x64+lr(0.0001)": (0.4, 0.2),
    "mlp-64x64+lr(0.01)": (0.2, 0.6),
    "mlp-64x64+soft-labels": (0.2, 0.1),
    "mlp-64x64+focal(2)+lr(0.01)": (0.3, 0.3),
    "mlp-64x64+focal(2)": (0.35, 0.3),
    "mlp-64x64+temperature": (0.15, 0.28),
    "resnet-64": (0.1, 0.4),
    "resnet-64+lr(0.0001)": (0.08, 0.2),
    "my_models/a_study_of_mine.py:Network": (0.3, 0.5),
    "logistic": (0.5, 0.1),
    "forest": (0.3, 0.4),  # zeros in q
    "forest+isotonic": (0.3, 0.3),
    "nearest-15": (0.4, 0.6),  # zeros in q, and skipped above 1,000 examples
}
ESTIMATORS = ("logistic", "forest", "forest+isotonic", "nearest-15")
ZEROS = ("forest", "nearest-15")
TOO_MANY = ("nearest-15", 1_000, "at most 1,000 examples")
NEW_TASKS = {"gauss-nested": 2, "mixture-8d+label-noise(0.1)": 3}


def _outputs(task: str, name: str, seeds: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """log q of every seed at 300 points, (seeds, 300, k) float32."""
    points, classes = 300, NEW_TASKS[task]
    shared, own = (error * (size / 1_000) ** -0.4 for error in MODELS[name])
    logits = _exact(task) + shared * rng.normal(size=(points, classes))
    logits = logits + own * rng.normal(size=(seeds, points, classes))
    log_q = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    if name in ZEROS:
        log_q[:, :30, 0] = -np.inf
        log_q[:, :30] -= np.logaddexp.reduce(log_q[:, :30], axis=-1, keepdims=True)
    return log_q.astype(np.float32)


def _exact(task: str) -> np.ndarray:
    logits = np.random.default_rng(len(task)).normal(size=(300, NEW_TASKS[task]))
    return np.asarray(logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True))


def _scores(task: str, name: str, log_q: np.ndarray) -> dict[str, float]:
    """Measures of one trial by their definitions, points weighted alike; the losses are made up."""
    log_p = _exact(task)
    p, q = np.exp(log_p), np.exp(log_q.astype(float))
    kl = float((p * (log_p - log_q)).sum(axis=-1).mean())
    end = "" if NEW_TASKS[task] == 2 else "_ovr"
    scores = {
        "information_gap": kl / 0.3,
        "expected_kl": kl,
        "tv": float(abs(p - q).sum(axis=-1).mean() / 2),
        "excess_brier": float(((p - q) ** 2).sum(axis=-1).mean()),
        "infinite_mass": float((p * (q == 0)).sum(axis=-1).mean()),
        f"calibration_loss{end}": 0.02 if "+" not in name else 0.01,
        f"grouping_loss{end}": 0.03,
        "training_seconds": 0.5,
        "distinct_examples": 1_000.0,
    }
    return scores if name in ESTIMATORS else scores | {"parameters": 4_482.0}


def _new_rows(seeds: int, predictions: dict[str, Predictions]) -> list[tuple]:
    rows = []
    for task, kept in predictions.items():
        for (name, size), log_q in kept.log_q.items():
            for seed in range(seeds):
                found = _scores(task, name, log_q[seed])
                errors = 0.0 if np.isfinite(found["expected_kl"]) else np.nan
                key = (task, name, seed, size)
                rows += [(*key, metric, "all", value, errors, "ok", "") for metric, value in found.items()]
        name, limit, reason = TOO_MANY
        rows += [
            (task, name, seed, size, "information_gap", "all", np.nan, np.nan, "skipped", reason)
            for seed in range(seeds)
            for size in SIZES
            if size > limit
        ]
        for seed in range(seeds):
            for size in SIZES:
                values = {"oracle": 0.0, "prior": 1.0}
                rows += [
                    (task, n, seed, size, "information_gap", "all", v, 0.0, "ok", "")
                    for n, v in values.items()
                ]
    return rows


def _new_architectures() -> pd.DataFrame:
    rows = []
    for name in MODELS:
        base, *recipes = name.split("+")
        words = {recipe.partition("(")[0]: recipe for recipe in recipes}
        rate = float(words["lr"][3:-1]) if "lr" in words else 1e-3
        rows.append(
            {
                "name": name,
                "description": f"What {name} is",
                "kind": "estimator" if name in ESTIMATORS else "network",
                "family": "trees" if name.startswith("forest") else "own",
                "base": base,
                "recipes": recipes,
                "learning_rate": float("nan") if name in ESTIMATORS else rate,
                "calibration": next((word for word in words if word in ("temperature", "isotonic")), ""),
                "soft_labels": "soft-labels" in words,
            }
        )
    references = [
        {"name": name, "description": f"What {name} is", "kind": "reference"} for name in ("oracle", "prior")
    ]
    return pd.DataFrame([*rows, *references]).set_index("name")


def _new_suite(seeds: int) -> dict[str, Any]:
    return {
        "name": "recipes",
        "title": "Recipes",
        "question": "Which recipe brings a network closest to the posterior?",
        "protocol": "dataset",
        "batch": 64,
        "steps": 5_000,
        "pool": None,
        "budgets": list(SIZES),
        "seeds": seeds,
        "tasks": list(NEW_TASKS),
        "architectures": list(MODELS),
        "reference": ["oracle", "prior"],
    }


def build_dataset_results(old: Results, seeds: int = 6) -> Results:
    """The whole synthetic run; a task and the manifest are those of another."""
    rng = np.random.default_rng(2)
    predictions = {
        task: Predictions(
            weights=np.full(300, 1 / 300),
            log_posterior=_exact(task),
            log_q={
                (name, size): _outputs(task, name, seeds, size, rng)
                for name in MODELS
                for size in SIZES
                if name != TOO_MANY[0] or size <= TOO_MANY[1]
            },
        )
        for task in NEW_TASKS
    }
    tasks = pd.concat([old.tasks.loc[["gauss-nested"]]] * 2).set_axis(pd.Index(NEW_TASKS, name="task"))
    return Results(
        suite=_new_suite(seeds),
        records=pd.DataFrame(_new_rows(seeds, predictions), columns=list(RECORD_COLUMNS)),
        tasks=tasks.assign(
            classes=list(NEW_TASKS.values()), crossings=[2.0, np.nan], parameters=[3.0, np.nan]
        ),
        architectures=_new_architectures(),
        pictures={},
        manifest=old.manifest,
        predictions=predictions,
    )


@pytest.fixture(scope="session")
def make_dataset_results(results: Results) -> Callable[..., Results]:
    return lambda **options: build_dataset_results(results, **options)


@pytest.fixture(scope="session")
def dataset_results(results: Results) -> Results:
    return build_dataset_results(results)
