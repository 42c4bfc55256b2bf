"""Checksums of what is stored, so that a flipped byte is noticed: against accidents, not against malice."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from benchmarks.task import Array

# Of table record, less its trial.
Row: TypeAlias = tuple[int, str, str, float | None, float | None, str, str, int]

# Odd, so that no flipped bit of a column gets lost: digits of the golden ratio, sqrt 2, sqrt 3, ...
FACTORS = (
    0x9E3779B97F4A7C15, 0x6A09E667F3BCC909, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B,
    0xA54FF53A5F1D36F1, 0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B,
)  # fmt: skip
MIX = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)  # of splitmix64 (Steele, Lea and Flood, 2014)
NAN = 0x7FF8000000000000


def of_row(table: str, *values: str | int | float | bytes | None) -> int:
    """Return a table row's checksum as SQLite keeps it, a signed integer of 64 bits."""
    digest = hashlib.blake2b(table.encode(), digest_size=8)
    for value in values:
        data = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
        digest.update(f"\0{type(value).__name__} {len(data)}\0".encode())
        digest.update(data)
    return int.from_bytes(digest.digest(), "little", signed=True)


def of_records(budget: Array, value: Array, error: Array, again: Array, texts: Sequence[Array]) -> Array:
    """Return each record's checksum, (n,) uint64; texts: `of_text` of its metric, region, status and reason.

    NaN is any NaN, and the two zeros are one, since SQLite keeps neither apart.
    """
    columns = [budget.astype(np.int64).view(np.uint64), _bits(value), _bits(error)]
    columns += [again.astype(np.int64).view(np.uint64), *texts]
    found = np.zeros(len(budget), dtype=np.uint64)
    for column, factor in zip(columns, FACTORS, strict=True):
        found += column * np.uint64(factor)
    for shift, factor in zip((30, 27), MIX, strict=True):
        found ^= found >> np.uint64(shift)
        found *= np.uint64(factor)
    found ^= found >> np.uint64(31)
    return found


def _bits(numbers: Array) -> Array:
    plain = numbers.astype(np.float64) + 0.0
    found: Array = plain.view(np.uint64)
    found[np.isnan(plain)] = NAN
    return found


@functools.lru_cache(maxsize=1 << 16)
def of_text(text: str) -> int:
    """Return a text's checksum, an unsigned integer of 64 bits."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "little")


def of_trial(rows: Sequence[Row]) -> int:
    """Return the sum modulo 2^64 of some records' checksums, whatever their order, as a signed integer."""
    if not rows:
        return 0
    budget, metric, region, value, error, status, reason, again = zip(*rows, strict=True)
    texts = [np.array([of_text(t) for t in each], np.uint64) for each in (metric, region, status, reason)]
    numbers = (np.array(budget, np.int64), np.array(value, np.float64), np.array(error, np.float64))
    return signed(int(of_records(*numbers, np.array(again, np.int64), texts).sum()))


def signed(number: int) -> int:
    """Return an integer modulo 2^64 as SQLite keeps it, between -2^63 and 2^63 - 1."""
    return (number + 2**63) % 2**64 - 2**63
