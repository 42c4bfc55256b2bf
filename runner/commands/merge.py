"""The command that makes one run of several."""

from __future__ import annotations

from pathlib import Path

import click

from runner.commands import parameters


@click.command()
@parameters.runs
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the merged run: a new or empty one, or an earlier merge's, whose results are set aside.",
)
def merge(runs: tuple[Path, ...], output: Path) -> None:
    """Merge results from several machines: halves of a grid, more seeds, other architectures.

    The runs are only read, and each of their trials is checked; what doesn't fit is listed and left out.
    """
    from runner.merging import merge as merging
    from runner.progress import count, say

    found = merging.merge(runs, output)
    for line in found.lines():
        say(line)
    for run, trials in found.trials.items():
        say(f"{run}: {count(trials, 'trial')} merged")
    say(f"report: {output / 'report' / 'index.html'}")
