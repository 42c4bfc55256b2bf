"""Runs that are killed where a test says, and what tells whether their results are whole."""

import os
import signal
import sqlite3
import sys
import traceback
from contextlib import closing
from pathlib import Path

from reports import aside
from runner import executors, plan
from runner import run as running
from runner.execution import local
from suites.suite import load, narrow

# One row each for networks, an estimator's stack would need another protocol; the grid fills several stacks.
SUITE = "smoke"


def grid():
    return narrow(load(SUITE), seeds=2)


def run(folder, jobs=1):
    """Run the grid in this process."""
    return running.run(grid(), running.Options("eager", "cpu", jobs, Path(folder)))


def in_child(work, said):
    """Return how a copy of this process ends that does some work; said: file for what it prints."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:
        file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, 1)
        os.dup2(file, 2)
        sys.stdout = sys.stderr = os.fdopen(file, "a", buffering=1)  # pytest has put others there
        aside._beside.cache_clear()  # its process and thread are our parent's
        # Another process draws: the threads of what draws don't survive a fork, and would be waited for.
        aside._cores = lambda: 2
        work()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


# --- points in the life of a run ---------------------------------------------------------------------------


def _before(owner, name, count=1):
    """Die where a function is called for the count-th time, before it does anything."""
    real, calls = getattr(owner, name), []

    def killed(*args, **options):
        calls.append(1)
        if len(calls) == count:
            die()
        return real(*args, **options)

    setattr(owner, name, killed)


def _in_sqlite(owner, name, operations):
    """Die in a method that works on a results file, after so many operations of SQLite's machine.

    A transaction of ours is many statements, so that this is between two of them or within one.
    """
    real, connect = getattr(owner, name), sqlite3.connect
    open_ones = []

    def connected(*args, **options):
        open_ones.append(connect(*args, **options))
        if armed:
            open_ones[-1].set_progress_handler(die, operations)
        return open_ones[-1]

    armed = []

    def killed(*args, **options):
        armed.append(1)
        for each in open_ones:
            each.set_progress_handler(die, operations)
        return real(*args, **options)

    sqlite3.connect = connected
    setattr(owner, name, killed)


def _schema():
    from runner import store

    _in_sqlite(store.Store, "__init__", 40)


def _description():
    _before(running, "describe")


def _training():
    def advance(self, number, share):
        told.append(share)
        if len(told) == 4:
            die()

    told = []
    executors.Attempts.progress = advance


def _storing():
    from runner import store

    _in_sqlite(store.Store, "add", 500)


def _reporting():
    _before(running, "report")


def _pages():
    from reports import render

    _before(render, "swap_in", 3)


POINTS = {
    "while the schema is made": _schema,
    "before the grid is described": _description,
    "in training": _training,
    "while a stack is stored": _storing,
    "between the last commit and the report": _reporting,
    "while pages are written": _pages,
}


def die_at(word):
    """Die when a worker first says a word, as a rule while another one is at its work."""
    real = local._Processes._heard

    def heard(self, worker, said, *rest):
        if said == word:
            die()
        return real(self, worker, said, *rest)

    local._Processes._heard = heard


def kill_workers_at(*words):
    """Kill a worker at the first time that one says each word, before the word is taken; return the kills."""
    real, left, killed = local._Processes._heard, list(words), []

    def heard(self, worker, word, *rest):
        if word in left and worker.ticket is not None and worker.ticket not in killed:
            left.remove(word)
            killed.append(worker.ticket)
            os.kill(worker.process.pid, signal.SIGKILL)
            if word == "done":
                return []  # it was never read
        return real(self, worker, word, *rest)

    local._Processes._heard = heard
    return killed


# --- what is there afterwards ------------------------------------------------------------------------------


CONTENT = {
    "trial": "SELECT id, task, architecture, seed, spec FROM trial ORDER BY id",
    "record": "SELECT trial, budget, metric, region, value, error, status, reason, again FROM record"
    " WHERE metric != 'training_seconds' ORDER BY trial, budget, metric, region",
    "curve": "SELECT * FROM curve ORDER BY trial, budget",
    "prediction": "SELECT * FROM prediction ORDER BY trial, budget",
    "task": "SELECT * FROM task ORDER BY name",
    "architecture": "SELECT * FROM architecture ORDER BY name",
}


def content(folder):
    """Return all that a results file says, but for what comes from a clock; its integrity is checked."""
    with closing(sqlite3.connect(Path(folder) / "results.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        found = {table: db.execute(query).fetchall() for table, query in CONTENT.items()}
    ids = [row[0] for row in found["trial"]]
    assert len(set(ids)) == len(ids)
    return found


def clocks(folder):
    """Return {(trial, budget): seconds of training} of what is stored, {} where nothing is."""
    try:
        with closing(sqlite3.connect(Path(folder) / "results.db")) as db:
            rows = db.execute("SELECT trial, budget, value FROM record WHERE metric = 'training_seconds'")
            return {(trial, budget): value for trial, budget, value in rows}
    except sqlite3.OperationalError:  # killed before there was a table
        return {}


def expected_trials():
    """Return the ids of the grid's trials."""
    return {row.id for trial in plan.plan(grid(), "eager") for row in trial.rows}
