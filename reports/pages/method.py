"""The method page: measures, protocol, seeds, errors, and how to repeat the run."""

from __future__ import annotations

from reports.pages.leaderboard import table_context
from reports.pages.page import Page, Run


def page(run: Run) -> Page:
    """Return the method page of a run."""
    return Page("method.html", "Method", "method.html.j2", table_context(run.results, run.summary))
