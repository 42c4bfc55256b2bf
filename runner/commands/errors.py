"""Wrong calls, as a terminal can show them."""

from __future__ import annotations

import io

import click

from benchmarks.errors import one_line

MOST_LINES = 10  # of an error with its usage


def show(error: click.ClickException) -> None:
    """Show an error of click's in a few lines without control characters: it quotes what it was given."""
    text = io.StringIO()
    error.show(text)
    click.echo("\n".join(one_line(line) for line in text.getvalue().splitlines()[:MOST_LINES]), err=True)
