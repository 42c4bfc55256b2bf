"""A small results file with anything in its rows or bytes, and what must hold of merging it."""

import atexit
import contextlib
import functools
import json
import shutil
import sqlite3
import tempfile
from pathlib import Path

from pieces import PAYLOADS
from results_file import edit, respecified
from synthetic import write_run

from runner.merging import merge as merging
from runner.results import frames, schema
from runner.store import FILE, Store

TABLES = {**schema.COLUMNS, "record": schema.RECORD}
KEYS = {name: columns[0] for name, columns in schema.COLUMNS.items()} | {"record": "metric"}
TEXTS = [text for text in PAYLOADS if text.isascii()]
VALUES = [
    *[
        None,
        True,
        -1,
        0,
        1,
        2**62,
        -1e300,
        1e999,
        0.5,
        "NaN",
        "{}",
        "[]",
        "[" * 999,
        "linear",
        "gauss-nested",
    ],
    *["mine.py:Net", "../x", "0123456789abcdef", "all", "tv", "ok", "failed", *TEXTS],
]
BLOBS = [b"", bytes(7), bytes(1 << 16), b"\xff" * 804]
EDIT = 5  # bytes that say what is edited, and how


@functools.cache
def sound():
    """Return a results file of four trials, made once."""
    folder = tempfile.mkdtemp(prefix="hostile-file-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    grid = {"tasks": ["gauss-nested"], "architectures": ["linear"], "reference": ["oracle"]}
    write_run(Path(folder) / "run", seeds=2, **grid, budgets=[640, 1280])
    return Path(folder) / "run" / FILE


def written(path, data):
    """Write a copy of it, edited as bytes say: the first whether in rows, in specs or anywhere."""
    shutil.copyfile(sound(), path)
    edits = [data[at : at + EDIT] for at in range(1, len(data) - EDIT + 1, EDIT)][:8]
    kind = data[0] % 4 if data else 0
    if kind == 0:
        _flip(path, edits)
        return
    with contextlib.suppress(sqlite3.Error, ValueError, TypeError, OverflowError, AttributeError):
        if kind == 1:
            respecified(path, lambda spec: [_set(spec, *each) for each in edits], "architecture = 'linear'")
        else:
            edit(path, *(_update(path, *each) for each in edits))


def _flip(path, edits):
    found = bytearray(path.read_bytes())
    for high, middle, low, value, length in edits:
        at = (high << 16 | middle << 8 | low) % len(found)
        found[at : at + length % 8 + 1] = bytes([value]) * len(found[at : at + length % 8 + 1])
    path.write_bytes(found)


def _update(path, table, column, row, value, how):
    """Return the SQL that puts something in the place of a value, or of a part of it where it is JSON."""
    name = list(TABLES)[table % len(TABLES)]
    field, key = TABLES[name][column % len(TABLES[name])], KEYS[name]
    new = [*VALUES, *BLOBS][value % (len(VALUES) + len(BLOBS))]
    with contextlib.closing(sqlite3.connect(path)) as db:
        rows = db.execute(f"SELECT {key}, {field} FROM {name}").fetchall()
    at, old = rows[row % len(rows)]
    if how % 2 and isinstance(old, str) and old[:1] == "{" and not isinstance(new, bytes):
        told = json.loads(old)
        _set(told, row, how, value, value, how)
        new = json.dumps(told)
    return f"UPDATE OR IGNORE {name} SET {field} = ? WHERE {key} = ?", (new, at)


def _set(told, first, second, third, value, how):
    """Put a value somewhere into plain data, or add it."""
    for step in (first, second, third):
        inner = list(told.values() if isinstance(told, dict) else told)
        chosen = inner[step % len(inner)] if inner else None
        if not chosen or not isinstance(chosen, dict | list):
            break
        told = chosen
    new = VALUES[value % len(VALUES)]
    if isinstance(told, dict):
        told["new" if how % 8 == 0 or not told else list(told)[third % len(told)]] = new
    else:
        told[third % (len(told) or 1) :][:1] = [new]


def check_merged(output):
    """Check that what a merge let in fits: all of it can be read, and a second merge leaves nothing out."""
    with Store(output / FILE, reading=True) as store:
        frames.results(store, {})
        ((trials,),) = store.rows("SELECT count(*) FROM trial")
    again = merging.merge([output], output.with_name("again"))
    assert not again.left_out, again.left_out
    assert sum(again.trials.values()) == trials
