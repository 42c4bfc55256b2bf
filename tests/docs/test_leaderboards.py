"""docs/leaderboards: only whole runs are published, and what the findings are looked up with counts right."""

import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import suites
from reports.results import RECORD_COLUMNS, Results
from suites.suite import load

sys.path.append(str(Path(__file__).resolve().parents[2] / "docs/leaderboards"))
import findings
import write


def whole(name):
    """A run of all of a suite, without any number."""
    suite = load(name)
    own = {"name": name, "seeds": suite.seeds} | {
        key: list(getattr(suite, key)) for key in ("tasks", "budgets", "architectures", "reference")
    }
    none = pd.DataFrame()
    return Results(own, none, none, none, {}, {"quick": False, "machine": {}, "versions": {}})


@pytest.fixture
def runs():
    return {name: findings.Run(whole(name)) for name in suites.built_in()}


def test_whole_runs_of_all_suites_pass(runs):
    write.check(runs)


@pytest.mark.parametrize("key", ["tasks", "budgets", "architectures", "seeds"])
def test_a_narrowed_run_is_refused(runs, key):
    own = runs["tails"].results.suite
    less = own[key] - 1 if key == "seeds" else own[key][1:]
    runs["tails"] = findings.Run(replace(runs["tails"].results, suite={**own, key: less}))
    with pytest.raises(ValueError, match="the whole of tails"):
        write.check(runs)


def test_a_quick_run_and_a_missing_one_are_refused(runs):
    quick = findings.Run(replace(runs["tails"].results, manifest={"quick": True}))
    with pytest.raises(ValueError, match="quick run"):
        write.check(runs | {"tails": quick})
    del runs["tails"]
    with pytest.raises(ValueError, match="found none of tails"):
        write.check(runs)


def test_runs_of_two_machines_are_refused(runs):
    other = findings.Run(replace(runs["tails"].results, manifest={"machine": {"cores": 3}, "versions": {}}))
    with pytest.raises(ValueError, match="one machine and one set of versions, found 2"):
        write.machine([*runs.values(), other])


def test_two_runs_of_a_suite_are_refused(monkeypatch):
    monkeypatch.setattr(write.publish, "load", lambda folder: whole(folder.name.removesuffix("-again")))
    with pytest.raises(ValueError, match="one run of a suite, found 2 of 1 suites"):
        write.main([Path("runs/tails"), Path("runs/tails-again")])


@pytest.fixture
def crossings():
    """A run: one row finds both crossings in 7 of 8 seeds, the other in the one that the first misses."""
    both = {"often": [2, 2, 2, 2, 2, 2, 2, 1], "seldom": [1, 1, 0, 1, 1, 1, 1, 2]}
    rows = [
        ("line", name, seed, 640, "crossings_found", "all", float(value), 0.0, "ok", "")
        for name, values in both.items()
        for seed, value in enumerate(values)
    ]
    suite = {
        "name": "two", "protocol": "stream", "seeds": 8, "budgets": [640], "tasks": ["line"],
        "architectures": list(both), "reference": [],
    }  # fmt: skip
    tasks = pd.DataFrame({"crossings": [2.0]}, index=["line"])
    none = pd.DataFrame({"kind": []})
    return findings.Run(Results(suite, pd.DataFrame(rows, columns=RECORD_COLUMNS), tasks, none, {}, {}))


def test_seeds_that_find_all_crossings_are_counted_with_an_exact_interval(crossings):
    assert crossings.hits("often", "line") == 7
    assert crossings.found("often", "line") == "7 of 8 seeds [47 to 100 %]"  # Clopper-Pearson: 0.473, 0.997
    assert crossings.found("seldom", "line") == "1 of 8 seeds [0 to 53 %]"


def test_two_rows_are_compared_by_mcnemars_exact_test(crossings):
    assert crossings.found_more("often", "seldom", "line") == "p = 0.070"  # 2 (1 + 8) / 2^8


def test_a_number_that_a_run_lacks_raises(crossings):
    with pytest.raises(KeyError, match=r"two: no .*'nobody'"):
        crossings.hits("nobody", "line")


def test_a_sentence_that_does_not_hold_raises():
    assert findings.sure(True) == ""
    with pytest.raises(ValueError, match="doesn't hold"):
        findings.sure(True, False)
