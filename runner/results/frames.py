"""From a results file to the frames that reports are made from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from reports.results import RECORD_COLUMNS, Picture, Predictions, Results
from runner.results import columns
from runner.store import Store, StoreError

MAY_LACK = ("crossings", "parameters", "low", "high")  # numbers of a task that not every task has


def results(store: Store, manifest: Mapping[str, Any]) -> Results:
    """Return everything that a report shows about the last grid run in a folder; raises StoreError."""
    seeds, found = _seeds(store), numbers(store, manifest)
    tasks = found.suite["tasks"]
    return replace(
        found, pictures=_pictures(store, seeds, tasks), predictions=_predictions(store, seeds, tasks)
    )


def numbers(store: Store, manifest: Mapping[str, Any]) -> Results:
    """Return the same without pictures and predictions, which are most of a file; raises StoreError."""
    seeds, suite = _seeds(store), store.run()["suite"]
    return Results(
        suite=suite,
        records=_records(store, seeds, set(suite["budgets"])),
        tasks=_as_floats(_summaries(store, "task", suite["tasks"])),
        architectures=_summaries(store, "architecture", [*suite["architectures"], *suite["reference"]]),
        pictures={},
        manifest=manifest,
    )


class Origins(NamedTuple):
    """What a run's trials come from, beside their seeds.

    examples: {task: what its examples follow from}, its own spec and the protocol's: under both protocols an
    example is drawn from (task, seed) alone, and a pool repeats them. sources: {architecture: hashes of its
    code}, of those that somebody plugged in.
    """

    examples: dict[str, frozenset[str]]
    sources: dict[str, frozenset[str]]


def origins(store: Store) -> Origins:
    """Return what the trials of the last grid come from, read in one pass; raises StoreError."""
    seeds = _seeds(store)
    examples: dict[str, set[str]] = {}
    sources: dict[str, set[str]] = {}
    for trial, _, _, _, text, *_ in store.table("trial"):
        if trial not in seeds:
            continue
        spec, cell = json.loads(text), seeds[trial]
        protocol = {key: spec["protocol"].get(key) for key in ("kind", "pool")}
        parts = (spec["task"], spec.get("fingerprint"), protocol)
        examples.setdefault(cell.task, set()).add(json.dumps(parts, sort_keys=True))
        if source := spec.get("source"):
            sources.setdefault(cell.architecture, set()).add(str(source))
    frozen = ({name: frozenset(each) for name, each in found.items()} for found in (examples, sources))
    return Origins(*frozen)


class Cell(NamedTuple):
    """Where a trial stands in its grid, and the sum of its records' checksums."""

    task: str
    architecture: str
    seed: int
    numbers: int


def _seeds(store: Store) -> dict[str, Cell]:
    """Return the trials of the last grid by their ids; raises StoreError without one."""
    run = store.run()
    if "suite" not in run:
        raise StoreError(f"results file {store.path}: expected a run, found none in it")
    named = run["trials"]
    if isinstance(named, list):  # of an older version, where a trial had one name for good
        named = {id: names for id, *names, _, _, _, _ in store.table("trial") if id in named}
    return {
        id: Cell(named[id][0], named[id][1], seed, numbers)
        for id, _, _, seed, _, _, numbers in store.table("trial")
        if id in named
    }


def outline(store: Store) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the suite of the last grid run in a folder and its learned architectures; raises StoreError."""
    suite = store.run().get("suite")
    if suite is None:
        raise StoreError(f"results file {store.path}: expected a run, found none in it")
    every = list(dict.fromkeys([*suite["architectures"], *suite["reference"]]))
    kinds = _summaries(store, "architecture", every)["kind"]
    return suite, tuple(n for n in every if n not in suite["reference"] and kinds[n] != "reference")


def _as_floats(tasks: pd.DataFrame) -> pd.DataFrame:
    """Return a task frame in which a number that no task of the grid has is NaN and not None."""
    return tasks.astype({name: "float64" for name in MAY_LACK if name in tasks})


def _records(store: Store, seeds: Mapping[str, Cell], budgets: set[int]) -> pd.DataFrame:
    """Return the grid's records in the order of their trials' ids, texts as categories; raises Damaged."""
    trials = sorted(seeds)
    found = columns.read(store, {each: seeds[each].numbers for each in trials})
    kept, trial = np.isin(found.budget, list(budgets)), found.trial
    tasks, architectures, numbers = ([seeds[each][part] for each in trials] for part in range(3))
    frame: dict[str, Any] = {
        "task": _repeated([str(task) for task in tasks], trial[kept]),
        "architecture": _repeated([str(name) for name in architectures], trial[kept]),
        "seed": np.array(numbers, dtype=np.int64)[trial[kept]],
        "budget": found.budget[kept],
        "value": found.value[kept],
        "error": found.error[kept],
    }
    for name, codes, known in zip(columns.TEXTS, found.texts, found.known, strict=True):
        frame[name] = _repeated(known, codes[kept])
    return pd.DataFrame(frame)[list(RECORD_COLUMNS)]


def _repeated(texts: Sequence[str], places: np.ndarray) -> pd.Categorical[str]:
    """Return the text at each place, its categories in alphabetical order."""
    categories = sorted(set(texts))
    order = {text: number for number, text in enumerate(categories)}
    codes = np.array([order[text] for text in texts], dtype=np.int32)
    return pd.Categorical.from_codes(codes[places], categories=pd.Index(categories))


def _summaries(store: Store, table: str, names: list[str]) -> pd.DataFrame:
    found = {name: json.loads(text) for name, text in store.table(table)}
    lost = [name for name in names if name not in found]
    if lost:
        raise StoreError(
            f"results file {store.path}: expected {table} {lost[0]} to be described, found nothing"
        )
    return pd.DataFrame([found[name] for name in names], index=pd.Index(names, name="name"))


def _pictures(store: Store, seeds: Mapping[str, Cell], tasks: list[str]) -> dict[str, Picture]:
    """Return the picture of every task that has one, with the outputs that were kept."""
    curves, predictions = (_by_cell(store, table, seeds, tasks) for table in ("curve", "prediction"))
    found = {}
    for task, text, *blobs in store.table("picture"):
        if task in curves:
            layout = json.loads(text)
            rows = layout.pop("rows", [])
            found[task] = _picture(layout, blobs, (predictions if rows else curves)[task], rows or None)
    return found


def _picture(
    layout: Mapping[str, Any],
    blobs: Sequence[bytes],
    kept: Mapping[tuple[str, int], Mapping[int, bytes]],
    rows: list[int] | None,
) -> Picture:
    """Return a picture; blobs: x, log_joint, sparse; rows: which of the kept points it shows, None: all."""
    axes, (x, log_joint, sparse) = tuple(layout["axes"]), blobs
    where = np.frombuffer(x, dtype="<f4").reshape(-1, len(axes)).astype(np.float64)
    joint = np.frombuffer(log_joint, dtype="<f4").reshape(len(where), -1).astype(np.float64)
    mask = np.unpackbits(np.frombuffer(sparse, dtype=np.uint8)).astype(bool)
    outputs = {}
    for key, by_seed in kept.items():
        found = [_probabilities(by_seed[seed], joint.shape, rows) for seed in sorted(by_seed)]
        if there := [each for each in found if each is not None]:
            outputs[key] = np.stack(there)
    return Picture(
        axes=axes,
        shape=tuple(layout["shape"]),
        x=where,
        log_joint=joint,
        sparse=mask[: len(where)] if len(mask) else np.zeros(len(where), dtype=bool),
        outputs=outputs,
        shares=tuple(layout.get("shares", ())),
        density=layout.get("density", True),
    )


def _predictions(store: Store, seeds: Mapping[str, Cell], tasks: list[str]) -> dict[str, Predictions]:
    """Return log q at the points that stand for P(x), of every task that has some."""
    outputs = _by_cell(store, "prediction", seeds, tasks)
    found = {}
    for task, w_blob, p_blob in store.table("representatives"):
        if outputs.get(task):
            weights = np.frombuffer(w_blob, dtype="<f4").astype(np.float64)
            shape = (len(weights), -1)
            found[task] = Predictions(
                weights=weights / weights.sum(),
                log_posterior=np.frombuffer(p_blob, dtype="<f4").reshape(shape).astype(np.float64),
                log_q={
                    key: np.stack(
                        [np.frombuffer(by_seed[seed], dtype="<f4").reshape(shape) for seed in sorted(by_seed)]
                    )
                    for key, by_seed in outputs[task].items()
                },
            )
    return found


def _by_cell(
    store: Store, table: str, seeds: Mapping[str, Cell], tasks: list[str]
) -> dict[str, dict[tuple[str, int], dict[int, bytes]]]:
    """Return a table's blobs: {task: {(architecture, budget): {seed: log q}}}."""
    found: dict[str, dict[tuple[str, int], dict[int, bytes]]] = {task: {} for task in tasks}
    for trial, budget, log_q in store.table(table):
        if trial in seeds:
            task, architecture, seed, _ = seeds[trial]
            found[task].setdefault((architecture, budget), {})[seed] = log_q
    return found


def _probabilities(log_q: bytes, shape: tuple[int, int], rows: list[int] | None) -> np.ndarray | None:
    """Return q (m, k), None where what was kept is of another version's points."""
    points, classes = shape
    if rows is not None:
        every = np.frombuffer(log_q, dtype="<f4").reshape(-1, classes)
        return np.exp(every[rows]) if max(rows) < len(every) else None
    width, rest = divmod(len(log_q), points * classes)  # bytes of a number
    if rest or width not in (2, 4):
        return None
    return np.exp(np.frombuffer(log_q, dtype=f"<f{width}").reshape(shape).astype(np.float32))
