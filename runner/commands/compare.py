"""The commands that set numbers against each other: two rows of a run, or two runs."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import click

MEASURES = click.Choice(["gap", "sparse", "tv", "excess_error", "excess_brier"])
FORMATS = click.Choice(["table", "markdown", "json"])
WORSE, TOO_FEW = 1, 2


def _number(context: click.Context, option: click.Parameter, value: float) -> float:
    """Refuse NaN, which no bound keeps out."""
    if math.isnan(value):
        raise click.BadParameter("expected a number, found nan", context, option)
    return value


@click.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--run", "folder", type=click.Path(path_type=Path), metavar="DIR", help="A run's folder.")
@click.option("--suite", metavar="NAME", help="Short for --run runs/NAME. [default: the run that has both]")
@click.option("--measure", type=MEASURES, default="gap", show_default=True)
@click.option("--format", "form", type=FORMATS, default="table", show_default=True)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.html|FILE.md",
    help="Write a page that stands alone, or Markdown, too.",
)
def compare(
    first: str,
    second: str,
    folder: Path | None,
    suite: str | None,
    measure: str,
    form: str,
    output: Path | None,
) -> None:
    """Set two architectures of a run head to head, paired by seed."""
    from reports.comparing import compare as comparing
    from reports.comparing import compare_text as texts
    from reports.ranking.measures import BY_KEY
    from reports.render import swap_in
    from runner.results import finished

    if folder and suite:
        raise click.UsageError("expected --run or --suite, found both")
    if output and output.suffix not in (".html", ".md"):
        raise click.UsageError(f"--output {output}: expected FILE.html or FILE.md")
    if folder or suite:
        run = finished.opened(folder or finished.RUNS / str(suite))
        a, b = finished.named(run, first), finished.named(run, second)
    else:
        run, a, b = finished.with_both(first, second)
        click.echo(f"run: {run.folder}", err=True)  # chosen by what is there, so say which
    if a == b:
        raise click.UsageError(f"expected two architectures, found {a} twice")
    found = comparing.compare(run.results, a, b, BY_KEY[measure])
    if output:
        from reports.comparing.compare_page import page_text

        swap_in(output, page_text(found) if output.suffix == ".html" else texts.markdown_text(found))
    shown = {"table": texts.terminal_text, "markdown": texts.markdown_text, "json": texts.json_text}
    click.echo(shown[form](found).rstrip("\n"))


@click.command()
@click.argument("old", type=click.Path(path_type=Path), metavar="OLD_RUN")
@click.argument("new", type=click.Path(path_type=Path), metavar="NEW_RUN")
@click.option(
    "--ratio",
    type=click.FloatRange(min=1.0, max=sys.float_info.max),
    callback=_number,
    default=1.1,
    show_default=True,
    help="The smallest factor that counts.",
)
@click.option("--every-budget", is_flag=True, help="Not only the largest budget that both have.")
@click.option("--measure", type=MEASURES, default="gap", show_default=True)
@click.option("--format", "form", type=FORMATS, default="table", show_default=True)
def diff(old: Path, new: Path, ratio: float, every_budget: bool, measure: str, form: str) -> None:
    """Say what got significantly better or worse from one run to another.

    Exit code 1 where something got worse or fails more often, 2 where there are fewer than five seeds to tell
    or the new run lacks something that the old one has.
    """
    from reports.comparing import diff as diffing
    from reports.comparing import diff_text as texts
    from reports.ranking.measures import BY_KEY
    from runner.results import finished
    from runner.run_folder import RunError

    before, after = finished.opened(old), finished.opened(new)
    kinds = [run.results.suite["protocol"] for run in (before, after)]
    if kinds[0] != kinds[1]:
        raise RunError(
            f"expected two runs of one protocol, found {kinds[0]} in {old} and {kinds[1]} in {new}"
        )
    was, now = before.origins, after.origins
    same = {task for task, spec in was.examples.items() if now.examples.get(task) == spec}
    edited = [name for name, code in now.sources.items() if was.sources.get(name, code) != code]
    found = diffing.diff(before.results, after.results, same, BY_KEY[measure], ratio, every_budget, edited)
    if not found.changes:
        raise RunError(f"expected a task, architecture and budget that {old} and {new} both have, found none")
    shown = {"table": texts.terminal_text, "markdown": texts.markdown_text, "json": texts.json_text}
    click.echo(shown[form](found, str(old), str(new)).rstrip("\n"))
    sys.exit(WORSE if found.worse else TOO_FEW if found.too_few or found.gone else 0)
