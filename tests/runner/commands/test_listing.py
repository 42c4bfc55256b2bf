"""`runner list`: how its tables fit a terminal."""

import pytest

from runner.commands.listing import table

WORDS = "a description of many words that goes on for longer than most terminals are wide, and then some"
ROWS = [{"name": "one", "kind": "task", "inputs": 1, "description": WORDS},
        {"name": "another-name", "kind": "task", "inputs": 64, "description": "short"}]  # fmt: skip


def test_without_a_width_a_row_is_a_line():
    lines = table(ROWS, None).splitlines()
    assert len(lines) == 4 and lines[2].endswith(WORDS)


def test_where_there_is_room_beside_it_the_last_column_is_cut():
    lines = table(ROWS, 80).splitlines()
    assert len(lines) == 4 and max(map(len, lines)) == 80
    assert lines[2].endswith("…") and lines[2].startswith("one") and lines[3].endswith("short")


@pytest.mark.parametrize("width", [24, 40, 59])
def test_where_there_is_hardly_room_the_last_column_is_wrapped_below(width):
    lines = table(ROWS, width).splitlines()
    assert max(map(len, lines)) <= width
    whole = " ".join(line.strip() for line in lines if line.startswith("  "))
    assert whole == f"{WORDS} short"
