"""How large what a stranger's file holds is: asked before it is read, which would hold all of it at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from runner.merging.strangers import Exact, LeftOut, shown
from runner.results import schema
from runner.results.damage import DESCRIBING, MOST_ROWS, OUTPUTS
from runner.results.sqlite_errors import UNREADABLE

MOST_DESCRIBED = 1 << 28  # bytes of a table that describes a run
MOST_RECORDS = 1 << 26  # bytes of a trial's records
MOST_ROW = 1 << 20  # bytes of a trial's row
MOST_OUTPUTS = 1_000  # of a trial in a table: as many as a grid has budgets
OVERHEAD = 64  # bytes of a row, roughly, whatever it holds


def check_described(db: sqlite3.Connection) -> None:
    """Raise LeftOut where what describes a run is too large."""
    for table in DESCRIBING:
        _, size = _counted(db, table, schema.COLUMNS[table])
        if size > MOST_DESCRIBED:
            raise LeftOut(f"expected at most {MOST_DESCRIBED:,} bytes in its table {table}, found {size:,}")


def is_there(db: sqlite3.Connection, id: str, task: Exact) -> bool:
    """Return whether a file has a trial; raises LeftOut where it is too large or can't be read."""
    try:
        there, size = _counted(db, "trial", schema.COLUMNS["trial"], "id", id)
        if size > MOST_ROW:
            raise LeftOut(f"expected a row of at most {MOST_ROW:,} bytes, found {size:,}")
        rows, size = _counted(db, "record", schema.RECORD, "trial", id)
        if rows > MOST_ROWS or size > MOST_RECORDS:
            raise LeftOut(
                f"expected records of at most {MOST_RECORDS:,} bytes, found {size:,} in {rows:,} rows"
            )
        most = OVERHEAD + 4 * max(task.points * task.classes, task.drawn)
        for table in OUTPUTS:
            rows, size = _counted(db, table, ("log_q", "budget"), "trial", id)
            if rows > MOST_OUTPUTS or size > rows * (most + OVERHEAD):
                raise LeftOut(
                    f"expected a {table} of its task's points, found {size:,} bytes in {rows:,} rows"
                )
    except UNREADABLE as error:
        raise LeftOut(f"it can't be read: {shown(str(error))}") from None
    return bool(there)


def _counted(
    db: sqlite3.Connection, table: str, columns: Iterable[str], key: str = "", value: str = ""
) -> tuple[int, int]:
    """Return how many rows a table has, or those of a key, and how many bytes or characters are in them."""
    lengths = " + ".join([str(OVERHEAD), *(f"coalesce(length({column}), 0)" for column in columns)])
    where, values = (f" WHERE {key} = ?", (value,)) if key else ("", ())
    rows, size = db.execute(f"SELECT count(*), total({lengths}) FROM {table}{where}", values).fetchone()
    return rows, int(size)
