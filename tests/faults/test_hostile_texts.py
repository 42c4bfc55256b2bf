"""Texts from strangers in what reports write: pages, Markdown, spreadsheets, terminals, names of files."""

import csv
import io
import json

import fuzz
import hostile_run
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pieces import PAYLOADS

from benchmarks import registry
from benchmarks.errors import Refused
from reports import numbers, spreadsheets
from reports.pages import method
from reports.pages.page import slug

QUICK = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
LONG = settings(max_examples=5_000, deadline=None, suppress_health_check=list(HealthCheck))
TEXTS = st.one_of(st.sampled_from(PAYLOADS), st.text(), st.text("|`*_[]()<>&=+-@\\#!~\n\r\t'\" ab1.:/"))


@settings(QUICK, max_examples=200)
@given(TEXTS)
def test_a_text_is_shown_as_it_is_and_steers_nothing(text):
    fuzz.text(text)


@QUICK
@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_cells_that_a_spreadsheet_would_run_are_text(texts):
    frame = pd.DataFrame({"=name": texts, "value": [-1.5] * len(texts)})
    said = spreadsheets.harmless(frame).to_csv(index=False)
    rows = list(csv.reader(io.StringIO(said, newline="")))
    hostile_run.check_cells("a frame", said.encode("utf-8", "replace").decode())
    assert rows[0] == ["'=name", "value"]
    assert [row[1] for row in rows[1:]] == ["-1.5"] * len(texts)
    assert [row[0] for row in rows[1:]] == [spreadsheets.text(text) for text in texts]


def test_numbers_and_harmless_texts_stay_as_they_are():
    for kept in ("-0.5", "-inf", "+1e-05", "mlp-64x64+focal(2)", "a=b", "", "–"):  # noqa: RUF001 (a blank's dash)
        assert spreadsheets.text(kept) == kept
    for run in ("-x", "=1+1", "@SUM(1)", "+cmd|' /C calc'!A0", "-1+1", "\t=1", "\r=1", "\uff1d1"):
        assert spreadsheets.text(run).startswith("'")


@QUICK
@given(st.lists(TEXTS, min_size=1, max_size=8, unique=True))
def test_files_of_any_names_are_apart_and_in_their_folder(names):
    hostile_run.check_paths([f"tasks/{slug(name)}.html" for name in names])
    devices = {"con", "prn", "aux", "nul", "com1", "lpt1"}
    assert not devices & {slug(name) for name in [*names, *devices, "CON"]}


def test_names_that_begin_alike_have_data_of_their_own():
    hostile_run.check_paths(
        [
            f"data/tasks-{slug(name)}.{chart}.csv"
            for name in ("x", "x-sparse")
            for chart in ("kl", "sparse-kl")
        ]
    )


@pytest.mark.parametrize(
    "seconds", ["Infinity", "1" + "0" * 400, "1e300", "-1e308", "NaN", "true", '"1 h"', "[1]"]
)
def test_a_manifest_of_any_duration_is_shown(seconds):
    assert numbers.seconds(json.loads(seconds)) in ("–", "1.0 s", "1 s")  # noqa: RUF001 (a blank's dash)
    assert method._facts({"wall_seconds": json.loads(seconds)}) is not None


ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
KEYS = (
    "command",
    "commit",
    "versions",
    "machine",
    "environments",
    "wall_seconds",
    "started",
    "quick",
    "suite",
)


@pytest.mark.long
def test_a_manifest_of_anything_is_shown():
    parts = st.dictionaries(st.one_of(st.sampled_from(KEYS), TEXTS), ANYTHING, max_size=6)
    texts = st.one_of(parts, ANYTHING).map(lambda value: json.dumps(value).encode())
    settings(LONG, max_examples=300)(given(texts)(fuzz.manifest))()


@pytest.fixture(scope="module")
def run():
    """What checks a run of given names."""
    patch = pytest.MonkeyPatch()
    hostile_run.undrawn(patch)
    yield hostile_run.Checked()
    patch.undo()


def test_a_run_of_hostile_names_is_shown_as_the_text_that_it_is(run):
    run(PAYLOADS)


@pytest.mark.long
def test_runs_of_any_names_are_shown_as_the_text_that_they_are(run):
    for place in range(len(PAYLOADS)):
        run(PAYLOADS[place:] + PAYLOADS[:place])
    settings(LONG, max_examples=100)(given(st.lists(TEXTS, min_size=1, max_size=30))(run.__call__))()


def test_a_registered_name_can_not_hold_what_a_spreadsheet_runs():
    for name in ("+x", "=cmd()", "-x", "@x"):
        with pytest.raises(Refused):
            registry.architecture(name)
