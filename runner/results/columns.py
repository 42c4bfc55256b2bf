"""The records of a results file as arrays, checked against the checksums of their trials."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from runner.results import checksum
from runner.store import Damaged, Store, StoreError

TEXTS = ("metric", "region", "status", "reason")
# The trials stand outside, so that each is looked up once and not for every record.
RECORDS = f"""
SELECT grid.value, record.budget, record.value, record.error, record.again,
    {", ".join(f"record.{name}" for name in TEXTS)}
FROM json_each(?) AS grid CROSS JOIN record ON record.trial = grid.key
"""
CHUNK = 1 << 15  # rows in memory as Python objects
KINDS = ("i4", "i8", "f8", "f8", "i8")


@dataclass(frozen=True)
class Records:
    """Columns (n,) of some trials' records.

    trial: its place among the trials; texts: for each of `TEXTS`, the number of the text; known: for each of
    them, the texts in the order of their numbers.
    """

    trial: np.ndarray
    budget: np.ndarray
    value: np.ndarray
    error: np.ndarray
    texts: Sequence[np.ndarray]
    known: Sequence[Sequence[str]]


def read(store: Store, trials: Mapping[str, int]) -> Records:
    """Return the records of trials in their order; trials: {id: sum of its records' checksums}.

    A million of them as Python objects would be a gigabyte: they become arrays a few thousand at a time.
    Raises Damaged where they aren't those that were stored, StoreError where they can't be read.
    """
    numbered = json.dumps({trial: number for number, trial in enumerate(trials)})
    chunks = store.chunks(RECORDS, numbered, most=CHUNK)
    known: list[dict[str, int]] = [{} for _ in TEXTS]
    parts, sums = [_empty()], np.zeros(len(trials), dtype=np.uint64)
    try:
        for trial, budget, value, error, again, *texts in _arrays(chunks, known):
            names = [
                np.array([checksum.of_text(text) for text in each], dtype=np.uint64)[codes]
                for each, codes in zip(known, texts, strict=True)
            ]
            np.add.at(sums, trial, checksum.of_records(budget, value, error, again, names))
            parts.append([trial, budget, value, error, *texts])
    except (TypeError, ValueError, OverflowError, AttributeError) as found:
        if isinstance(found, StoreError):
            raise
        raise Damaged(store.path, f"a record is not what a run stores: {found}") from None
    wrong = np.flatnonzero(sums.view(np.int64) != np.fromiter(trials.values(), np.int64, len(trials)))
    if len(wrong):
        first = list(trials)[wrong[0]]
        raise Damaged(
            store.path,
            f"the records of {len(wrong):,} of {len(trials):,} trials have another checksum than was stored,"
            f" those of {first} first",
        )
    trial, budget, value, error, *texts = [np.concatenate(each) for each in zip(*parts, strict=True)]
    return Records(trial, budget, value, error, texts, [list(each) for each in known])


def _arrays(
    chunks: Iterator[list[tuple[Any, ...]]], known: Sequence[dict[str, int]]
) -> Iterator[list[np.ndarray]]:
    """Yield the columns of `RECORDS`, a part of the rows at a time; known: numbers of each column's texts."""
    for chunk in chunks:
        columns = list(zip(*chunk, strict=True))
        plain = [np.array(each, dtype=kind) for each, kind in zip(columns, KINDS, strict=False)]
        coded = [_codes(text, codes) for text, codes in zip(columns[len(KINDS) :], known, strict=True)]
        yield [*plain, *coded]


def _empty() -> list[np.ndarray]:
    return [np.empty(0, dtype=kind) for kind in (*KINDS[:4], *("i4" for _ in TEXTS))]


def _codes(texts: Sequence[str], known: dict[str, int]) -> np.ndarray:
    """Return the number of each text, new ones added to `known`."""
    codes, found = pd.factorize(np.array(texts, dtype=object))
    return np.array([known.setdefault(text, len(known)) for text in found], dtype=np.int32)[codes]
