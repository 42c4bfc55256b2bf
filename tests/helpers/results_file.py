"""Results files that aren't as a run leaves them: of an older version, or edited."""

import hashlib
import json
import sqlite3
from contextlib import closing

from runner.results import checksum, schema


def made_older(path):
    """Make a results file one of schema 3, which had no checksums."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        for table in schema.COLUMNS:
            db.execute(f"ALTER TABLE {table} DROP COLUMN checksum")
        db.execute("ALTER TABLE trial DROP COLUMN numbers")
        db.execute("PRAGMA user_version = 3")


def edit(path, *statements, sealed=True):
    """Change a results file by SQL; sealed: with the right checksums for what is there then."""
    with closing(sqlite3.connect(path)) as db, db:
        for statement in statements:
            db.execute(*([statement] if isinstance(statement, str) else statement))
        if sealed:
            _seal(db)


def respecified(path, change, where="architecture = 'linear'"):
    """Change the specs of trials and their ids with them; change: called with each spec, alters it."""
    with closing(sqlite3.connect(path)) as db, db:
        for old, text in db.execute(f"SELECT id, spec FROM trial WHERE {where}").fetchall():
            spec = json.loads(text)
            change(spec)
            canonical = json.dumps(spec, sort_keys=True, separators=(",", ":"))
            new = hashlib.sha256(canonical.encode()).hexdigest()[:16]
            db.execute("UPDATE trial SET id = ?, spec = ? WHERE id = ?", (new, canonical, old))
            for table in ("record", "curve", "prediction"):
                db.execute(f"UPDATE {table} SET trial = ? WHERE trial = ?", (new, old))
            db.execute("UPDATE run SET value = replace(value, ?, ?) WHERE key = 'trials'", (old, new))
        _seal(db)


def _seal(db):
    for (trial,) in db.execute("SELECT id FROM trial").fetchall():
        records = db.execute(f"SELECT {', '.join(schema.RECORD)} FROM record WHERE trial = ?", (trial,))
        numbers = checksum.of_trial(records.fetchall())
        db.execute("UPDATE trial SET numbers = ? WHERE id = ?", (numbers, trial))
    for table, columns in schema.COLUMNS.items():
        rows = db.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()
        schema.put(db, table, rows)
