"""Multiply-adds on every page that shows parameters; runs from before they were counted go without."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from reports import numbers, site
from reports.leaderboard import leaderboard, summarise
from reports.pages import architecture, board
from reports.pages.leaderboard import table_context
from reports.ranking.measures import BOARD
from reports.sections.profiles import everyone, size

LAST = 640_000


@pytest.fixture(scope="module")
def more(results):
    """A run whose second task takes a linear network three times the work."""
    records = results.records
    here = (records["metric"] == "multiply_adds") & (records["architecture"] == "linear")
    second = here & (records["task"] == results.suite["tasks"][1])
    return dataclasses.replace(
        results, records=records.assign(value=records["value"].where(~second, 3_000.0))
    )


@pytest.fixture(scope="module")
def older(results):
    known = results.records["metric"] != "multiply_adds"
    return dataclasses.replace(results, records=results.records[known])


def _cells(results, name):
    run = site.run_of(results, summarise(results))
    shown = board.table(run, board.boards(run), BOARD[0], LAST)
    keys = [column.key for column in board.columns(run)]
    return dict(zip(keys, next(cells for row, cells, _ in shown.rows if row.name == name), strict=True))


def test_the_leaderboard_has_those_of_the_most_demanding_task(more, results):
    table = leaderboard(more).set_index(["budget", "task", "architecture"])["multiply_adds"]
    tasks = results.suite["tasks"]
    assert [table[LAST, task, "linear"] for task in ("overall", *tasks)] == [3_000, 1_000, 3_000, 1_000]
    assert table[LAST, "overall", "fourier-64"] == 25_000  # a failed trial doesn't hide them
    assert pd.isna(table[LAST, "overall", "oracle-mle"])
    assert _cells(more, "linear")["multiply_adds"].text == "3,000"
    assert _cells(more, "prior")["multiply_adds"].text == numbers.BLANK


def test_markdown_and_the_pages_of_architectures_have_them(more):
    summary = summarise(more)
    context = table_context(more, summary)
    header, _, *rows = context["board_table"].splitlines()
    place = [cell.strip() for cell in header.split("|")].index("multiply-adds a step")
    linear = next(row for row in rows if "| linear " in row)
    assert linear.split("|")[place].strip() == "3,000" and context["counted"]
    every = everyone(more, summary)
    assert size(every, "linear", "multiply_adds") == "1,000–3,000"  # noqa: RUF001
    facts = dict(architecture.facts(site.run_of(more, summary), every, "linear"))
    assert facts["Multiply-adds of a training step"] == "1,000–3,000"  # noqa: RUF001


def test_older_runs_have_neither_column_nor_fact(older):
    summary = summarise(older)
    run, context = site.run_of(older, summary), table_context(older, summary)
    assert np.all(leaderboard(older)["multiply_adds"].isna())
    assert "multiply_adds" not in _cells(older, "linear")
    assert "multiply-adds" not in context["board_table"] and not context["counted"]
    every = everyone(older, summary)
    assert "Multiply-adds of a training step" not in dict(architecture.facts(run, every, "linear"))
    index = site.page_text(run, architecture.pages(run)[0])
    assert "Multiply-adds" not in index
