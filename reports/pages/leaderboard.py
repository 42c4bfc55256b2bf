"""The leaderboard page, and what it shares with `leaderboard.md`."""

from __future__ import annotations

from typing import Any

from reports import numbers
from reports.derived import TARGETS
from reports.figures.leaderboard import leaderboard_charts, legend
from reports.headline import headline, integration_error
from reports.leaderboard import Summary
from reports.pages import board
from reports.pages.page import Page, Run, architecture_path
from reports.plain import board_table, budget_table
from reports.ranking.measures import BOARD
from reports.results import Results
from reports.rows import board as board_rows
from reports.rows import by_budget, by_target
from reports.sections.parts import sections
from reports.statistics import BOOTSTRAP_FROM, FEWEST_SEEDS
from reports.trials import largest_budget, names
from reports.words import at, batches, fixed, learned

CENTRES = (
    "A gap is the geometric mean over seeds",
    "A task's gap is the geometric mean over seeds, the overall gap the geometric mean of these over tasks",
)


def table_context(results: Results, summary: Summary) -> dict[str, Any]:
    """What both the page and the Markdown file show: headline, tables, method."""
    budgets = sorted(int(budget) for budget in results.suite["budgets"])
    rows, gaps, tasks = board_rows(results, summary), by_budget(results, summary), names(results)[0]
    targets = [f"{target:g}" for target in TARGETS]
    return {
        "suite": results.suite,
        "headline": headline(results, summary),
        "at": at(results.suite, largest_budget(results)),
        "learned": learned(results.suite),
        "fixed": fixed(results.suite),
        "sections": sections(results, summary),
        "budgets": [(budget, batches(results.suite, budget)) for budget in budgets],
        "tasks": tasks,
        "rows": rows,
        "ranks_tested": any(row.rank_span for row in rows),
        "gap_by_budget": gaps,
        "targets": targets,
        "board_table": board_table(rows, tasks, targets),
        "budget_table": budget_table(gaps, budgets),
        "centre": CENTRES[len(tasks) > 1],
        "target_rows": by_target(results, summary),
        "interval_method": interval_method(int(results.suite["seeds"])),
        "failures": summary.failures,
        "integration": integration_error(results),
        "crossings": any(row.crossings != numbers.BLANK for row in rows),
        "counted": any(row.multiply_adds != numbers.BLANK for row in rows),
        "manifest": results.manifest,
        "wall_time": numbers.seconds(results.manifest.get("wall_seconds")),
    }


def page(run: Run) -> Page:
    """Return the page of a suite's leaderboard."""
    values = table_context(run.results, run.summary)
    boards = board.boards(run)
    shown = board.table(run, boards, BOARD[0], largest_budget(run.results))
    values |= {
        "board": shown,
        "board_columns": board.columns(run),
        "board_script": board.SCRIPT,
        "budget_choices": board.choices(run),
        "measures": BOARD,
        "tested": any(row.letters for row, _, _ in shown.rows),
        "shade": board.shader(boards),
        "path_of": architecture_path,
        "legend_keys": legend(run),
    }
    return Page(
        "index.html",
        run.results.suite["title"],
        "leaderboard.html.j2",
        values,
        leaderboard_charts(run),
        files={board.SCRIPT: board.script(run, boards)},
    )


def interval_method(seeds: int) -> str:
    """How intervals were computed for so many seeds, in words."""
    if seeds < FEWEST_SEEDS:
        return f"no intervals: they need at least {FEWEST_SEEDS} seeds"
    if seeds < BOOTSTRAP_FROM:
        return "95 % intervals are Student's t over seeds on the log scale"
    return "95 % intervals are BCa bootstraps over seeds on the log scale"
