"""What the posterior explorer of a task's page knows: every row's outputs at every budget, as a small script.

`static/explorer.js` reads it. Numbers are whole ones of 16 bits, packed: first the low bytes of all, then the
high bytes, deflated, in base64.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reports.figures.contours import crossings, runs
from reports.figures.maps import STEPS, STRENGTHS, Frame, axis_titles, class_steps, steps
from reports.results import Picture

SCALE = 10_000  # of probabilities
LINE = 101  # points of a line that are kept
MOST_CLASSES = 12  # with outputs of their own; of more only the most probable one is kept
MOST_SPREADS = 4  # classes that have a spread of their own; of more the largest one is kept
SEED_NUMBERS = 1_500_000  # kept of single seeds at most, on a line
KL_RANGE = (-600, 300)  # of 100 log10(KL in nats)


def shown_classes(classes: int) -> list[int]:
    """The classes whose outputs are kept: of two the second, whose complement the first is."""
    if classes == 2:
        return [1]
    return list(range(classes)) if classes <= MOST_CLASSES else []


def thinned(picture: Picture) -> np.ndarray:
    """Which of a picture's points the explorer keeps, indices (m,): all, but of a line about a hundred."""
    count = len(picture.x)
    if len(picture.shape) != 1:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, min(count, LINE)).round().astype(int))


def line_rows(q: np.ndarray, classes: Sequence[int]) -> dict[str, np.ndarray]:
    """Mean, lowest and highest output of each class over seeds, q (seeds, m, k), by their names."""
    rows: dict[str, np.ndarray] = {}
    for c in classes:
        rows |= {f"mean{c}": q[:, :, c].mean(axis=0)}
        rows |= {f"low{c}": q[:, :, c].min(axis=0), f"high{c}": q[:, :, c].max(axis=0)}
    return rows


def map_rows(posterior: np.ndarray, q: np.ndarray, classes: Sequence[int]) -> dict[str, np.ndarray]:
    """What maps show of outputs q (seeds, m, k) against a posterior (m, k), by name, (m,) each.

    mean and, of few classes, sd of each; kl, the mean over seeds of KL(p || q) in nats; and for more than
    two classes tv, the total variation between posterior and mean output, spread, the largest sd of a class,
    best, the most probable class of the mean output, and share, its probability.
    """
    mean = q.mean(axis=0)
    sd = q.std(axis=0, ddof=1) if len(q) > 1 else np.zeros_like(mean)
    rows = {"kl": mean_kl(posterior, q)}
    if q.shape[2] != 2:
        rows |= {"tv": np.abs(mean - posterior).sum(axis=1) / 2, "spread": sd.max(axis=1)}
        rows |= {"best": mean.argmax(axis=1), "share": mean.max(axis=1)}
    for c in classes:
        rows |= {f"mean{c}": mean[:, c]} | ({f"sd{c}": sd[:, c]} if len(classes) <= MOST_SPREADS else {})
    return rows


def mean_kl(posterior: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Mean over seeds of KL(p || q) in nats, (m,); infinite where q has a zero that p hasn't."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = posterior * (np.log(posterior) - np.log(q.astype(float)))
    return np.asarray(np.maximum(np.where(posterior > 0, terms, 0.0).sum(axis=2).mean(axis=0), 0.0))


def coded(name: str, values: np.ndarray) -> np.ndarray:
    """Numbers as the explorer keeps them, (m,) int16.

    Classes as they are, KL as 100 log10 within `KL_RANGE`, one more where infinite, the rest times `SCALE`.
    """
    if name == "best":
        return values.astype("<i2")
    if name != "kl":
        return np.round(values * SCALE).astype("<i2")
    with np.errstate(divide="ignore"):
        logs = np.clip(np.round(100 * np.log10(values)), *KL_RANGE)
    return np.where(np.isinf(values), KL_RANGE[1] + 1, logs).astype("<i2")


def packed(numbers: np.ndarray) -> str:
    """Whole numbers of 16 bits, of any shape, as text."""
    split = numbers.astype("<i2").view(np.uint8).reshape(-1, 2).T.tobytes()
    return base64.b64encode(zlib.compress(split, 9)).decode("ascii")


def default_row(picture: Picture, order: Sequence[str], budget: int, first: str) -> str | None:
    """The row that is shown first: the study's own network, or else the best that has outputs."""
    there = [name for name in order if (name, budget) in picture.outputs]
    anywhere = [name for name in order if any(name == key[0] for key in picture.outputs)]
    return first if first in there else next(iter([*there, *anywhere]), None)


def outputs(picture: Picture, names: Sequence[str], budgets: Sequence[int]) -> dict[str, Any]:
    """The numbers of a task's explorer: `rows` (their names, of a cell), `cells`, and `numbers`, packed.

    A cell is [place in names, place in budgets, seeds], in the order of its numbers. First come the exact
    posterior's rows, one a class that is shown, and for more than two classes `best` and `share`; then each
    cell's rows, and on a line, where `seeds` isn't 0, a row a class and seed.
    """
    keep, line = thinned(picture), len(picture.shape) == 1
    posterior, classes = picture.posterior[keep], shown_classes(picture.log_joint.shape[1])
    exact = {f"exact{c}": posterior[:, c] for c in classes}
    if posterior.shape[1] != 2:
        exact |= {"best": posterior.argmax(axis=1), "share": posterior.max(axis=1)}
    parts = [coded(name, values) for name, values in exact.items()]
    known = {key: q for key, q in picture.outputs.items() if key[0] in names and len(q)}
    single = line and sum(len(q) for q in known.values()) * len(keep) * len(classes) <= SEED_NUMBERS
    cells: list[list[int]] = []
    rows: dict[str, np.ndarray] = {}
    for a, name in enumerate(names):
        for b, budget in enumerate(budgets):
            if (name, budget) not in known:
                continue
            q = known[name, budget][:, keep]
            rows = line_rows(q, classes) if line else map_rows(posterior, q, classes)
            parts += [coded(row, values) for row, values in rows.items()]
            if single:
                parts += [coded("seed", q[seed, :, c]) for c in classes for seed in range(len(q))]
            cells.append([a, b, len(q) if single else 0])
    return {
        "points": len(keep),
        "classes": picture.log_joint.shape[1],
        "shown": classes,
        "exact": list(exact),
        "rows": list(rows),
        "cells": cells,
        "numbers": packed(np.concatenate(parts)),
    }


def ground(picture: Picture, where: Frame | None) -> dict[str, Any]:
    """Where the explorer draws: points, axes, the sparse region's runs and the crossings of a line."""
    keep = thinned(picture)
    x = [[float(f"{value:.5g}") for value in column] for column in picture.x[keep].T]
    if where is None:
        return {
            "kind": "line",
            "x": x[0],
            "sparse": [[x[0][low], x[0][high]] for low, high in runs(picture.sparse[keep])],
            "crossings": [round(each, 4) for each in crossings(picture)],
            "titles": list(picture.axes),
        }
    grid = bool(where.cells[0])
    places = (
        [] if grid else [[round(float(value), 1) for value in column] for column in where.place(picture.x).T]
    )
    return {
        "kind": "grid" if grid else "dots",
        "x": x,
        "shape": list(where.cells),
        "places": places,
        "size": list(where.size),
        "titles": list(axis_titles(picture)),
        "strengths": [round(each * SCALE) for each in STRENGTHS],
        "steps": {kind: list(bounds) for kind, bounds in STEPS.items()},
    }


def script(values: Mapping[str, Any]) -> str:
    """The explorer's data as a classic script, which opens from a file where data can't be fetched."""
    return f"window.explorerData = {json.dumps(values, separators=(',', ':'), allow_nan=False)};\n"


def shown_steps(picture: Picture, q: np.ndarray | None) -> dict[str, tuple[str, np.ndarray]]:
    """What the four maps show at first: {exact, output, error, spread: (kind, steps (m,))}.

    q: (seeds, m, k), None where nothing is known of the outputs.
    """
    posterior = picture.posterior
    two = posterior.shape[1] == 2
    exact = steps("probability", posterior[:, 1]) if two else class_steps(posterior)
    found = {"exact": ("probability" if two else "classes", exact)}
    if q is None:
        return found
    mean, rows = q.mean(axis=0), map_rows(posterior, q, [1] if two else [])
    if two:
        return found | {
            "output": ("probability", steps("probability", mean[:, 1])),
            "error": ("error", steps("error", mean[:, 1] - posterior[:, 1])),
            "spread": ("spread", steps("spread", rows["sd1"])),
        }
    return found | {
        "output": ("classes", class_steps(mean)),
        "error": ("spread", steps("spread", rows["tv"])),
        "spread": ("spread", steps("spread", rows["spread"])),
    }
