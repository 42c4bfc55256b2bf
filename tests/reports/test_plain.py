"""The leaderboard as text: what a terminal and Markdown show of names, ranks and letters."""

import dataclasses

from reports.leaderboard import summarise
from reports.render import markdown_text, terminal
from reports.rows import board


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


def test_a_terminal_shows_the_ranks_that_a_row_may_have(results, make_results):
    rows = {row.name: row for row in board(results, summarise(results))}
    tied = rows["linear"].rank_span
    assert tied == rows["fourier-64"].rank_span and len(tied) == 3  # from 3 to 4
    assert rows["linear"].letters == rows["fourier-64"].letters != rows["mlp-64x64"].letters
    assert rows["mlp-64x64"].rank_span == "1" and rows["oracle"].rank_span == ""
    lines = terminal(results).splitlines()
    shown = {
        line.split()[1]: line.split()[0] for line in lines if line.split()[1:2] and line.split()[1] in rows
    }
    assert shown["linear"] == tied and shown["mlp-64x64"] == "1"
    assert any(line.startswith("Rank: the ranks that a row may have") for line in lines)
    few = terminal(make_results(seeds=4))
    assert "Rank:" not in few and "rank" not in few.splitlines()[2]
    assert [line.split()[0] for line in few.splitlines()[4:9]] == ["1", "2", "3", "4", "5"]


def test_markdown_has_ranks_and_letters_where_there_were_tests(results, make_results):
    text = markdown_text(results, summarise(results))
    header = next(line for line in text.splitlines() if line.startswith("|"))
    assert [part.strip() for part in header.split("|")[1:5]] == ["#", "ranks", "letters", "architecture"]
    row = next(line for line in text.splitlines() if "| mlp-16x16 " in line)
    assert [part.strip() for part in row.split("|")[1:5]] == ["2", "2", "b", "mlp-16x16"]
    assert "Rows that share a *letter* can't be told apart." in text
    few = make_results(seeds=4)
    text = markdown_text(few, summarise(few))
    assert "letter" not in text and "| ranks" not in text
