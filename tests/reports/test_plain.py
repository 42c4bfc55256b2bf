"""Names in a terminal: cut to a width, and still told apart."""

import dataclasses

import pytest

from reports.plain import cut_apart
from reports.render import terminal


@pytest.mark.parametrize("longest", [6, 7, 8, 11, 14])
@pytest.mark.parametrize(
    "names",
    [
        ["rare-class-1d", "rare-class-1d+prior-shift(0.5,0.5)"],
        ["mlp-64x64-tanh", "mlp-64x64-tanh+prior-corrected", "mlp-64x64-ema+prior-corrected", "mlp-64x64"],
        ["gauss-nested+label-noise(0.1)", "gauss-nested+label-noise(0.2)", "gauss-nested"],
        ["a-name-with-1-in-its-midst", "a-name-with-2-in-its-midst", "a-name-with-3-in-its-midst"],
        ["linear", "prior-shifted-and-more"],
    ],
)
def test_names_cut_to_a_width_still_differ(names, longest):
    cut = cut_apart(names, longest)
    assert len(set(cut)) == len(names)
    assert all(len(short) <= longest for short in cut)
    for short, name in zip(cut, names, strict=True):
        assert (short == name) == (len(name) <= longest)


def test_names_are_cut_at_their_ends_unless_two_would_look_the_same():
    names = ["rare-class-1d", "rare-class-1d+prior-shift(0.5,0.5)"]
    assert cut_apart(names, 8) == ["rar…s-1d", "rar…0.5)"]
    assert cut_apart(names, 13) == ["rare-class-1d", "rare-class-1…"]
    assert cut_apart(names[:1] * 2, 8) == ["rare-cl…", "rare-cl…"]


def test_headings_and_rows_of_a_terminal_differ(results):
    tasks = dict(
        zip(
            results.suite["tasks"],
            ("rare-class-1d", "rare-class-1d+shift(1)", "rare-class-1d+x"),
            strict=True,
        )
    )
    rows = {name: f"mlp-64x64-with-something-{name}+corrected" for name in results.suite["architectures"]}
    renamed = dataclasses.replace(
        results,
        suite={**results.suite, "architectures": list(rows.values()), "tasks": list(tasks.values())},
        records=results.records.replace({"architecture": rows, "task": tasks}),
        architectures=results.architectures.rename(index=rows),
        tasks=results.tasks.rename(index=tasks),
        pictures={},
    )
    lines = terminal(renamed).splitlines()
    assert max(map(len, lines)) <= 80
    rule = next(number for number, line in enumerate(lines) if line.startswith("-"))
    headings = lines[rule - 1].split()
    assert len(set(headings)) == len(headings)
    found = {line.split()[1] for line in lines[rule + 1 : rule + 1 + len(rows)]}
    assert len(found) == len(rows)
