"""Whether a write-ahead log is whole: SQLite drops what is behind a damaged frame without a word."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from benchmarks.task import Array

# See the section on the write-ahead log in SQLite's description of its file format.
MAGIC = 0x377F0682  # with bit 0 for checksums of big-endian words
HEADER, FRAME_HEADER = 32, 24  # bytes
STEADY_SECONDS = 0.05  # two looks so far apart tell damage from a frame that is just being written


def damage(path: Path) -> str:
    """Return what is damaged in a file's write-ahead log, "" where all that was committed can be read.

    An end that was cut short in the middle of a transaction is no damage. Raises OSError.
    """
    data = _read(path)
    while found := _damage(data):
        time.sleep(STEADY_SECONDS)
        before, data = data, _read(path)
        if data == before:
            break
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _damage(data: bytes) -> str:
    if len(data) <= HEADER + FRAME_HEADER:
        return ""
    magic, _, page, _, *salts, first, second = np.frombuffer(data, ">u4", HEADER // 4).tolist()
    words = np.dtype(">u4" if magic & 1 else "<u4")
    known = magic | 1 == MAGIC | 1 and page >= 512 and not page & (page - 1)
    begun = np.frombuffer(data, words, 6)[None]
    if not known or _sums(begun, np.zeros((1, 2), np.uint32)).tolist() != [[first, second]]:
        return "the header of its write-ahead log has another checksum" if any(data) else ""
    size = FRAME_HEADER + page
    if not (count := (len(data) - HEADER) // size):
        return ""
    frames = np.frombuffer(data, np.uint8, count * size, HEADER).reshape(count, size)
    headers = frames[:, :FRAME_HEADER].view(">u4")  # page, pages after a commit, two salts, two checksums
    told = headers[:, 4:].astype(np.uint32)
    before = np.concatenate([np.array([[first, second]], np.uint32), told[:-1]])
    every = frames.view(words)
    sums = _sums(np.concatenate([every[:, :2], every[:, FRAME_HEADER // 4 :]], axis=1), before)
    same = headers[:, 2:4] == np.array(salts)
    bad = ~(same.all(axis=1) & (sums == told).all(axis=1))
    # One salt is enough, since that of an older round has neither, and a flipped bit changes one.
    commits = np.flatnonzero(same.any(axis=1) & (headers[:, 1] > 0))
    if not bad.any() or not len(commits) or commits[-1] < (start := int(bad.argmax())):
        return ""
    return (
        f"frame {start + 1:,} of {commits[-1] + 1:,} in its write-ahead log can't be read, nor what follows"
    )


def _sums(words: Array, before: Array) -> Array:
    """Return the checksums (n, 2) of rows of words (n, w), each continued from another (n, 2) before it.

    SQLite adds each word to the sum of the last two results, so that a word counts with a Fibonacci number.
    """
    count = words.shape[1]
    numbers = [0, 1]
    while len(numbers) < count + 2:
        numbers.append((numbers[-1] + numbers[-2]) % 2**32)
    of = np.array(numbers, np.uint32)
    weights = np.stack([of[:count], of[1 : count + 1]], axis=1)[::-1]
    start = np.stack([of[count - 1 : count + 1], of[count:]])
    sums: Array = words.astype(np.uint32) @ weights + before @ start
    return sums
