"""The command line and nothing else: options in, exit codes out."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmarks.errors import one_line, visible
from runner.commands import errors
from runner.commands.compare import compare, diff
from runner.commands.merge import merge
from runner.commands.parameters import Duration
from runner.commands.publish import publish
from runner.garbage_collection import without_garbage_collection

if TYPE_CHECKING:
    from runner.run import Options
    from suites.suite import Suite

FINE, CHECK_FAILED, CALL_WRONG, TRIALS_FAILED, INTERRUPTED = 0, 1, 2, 3, 130
LISTS = ("--task", "--architecture", "--budget")  # flags that take one value or several


class _Runner(click.Group):
    """`runner --suite X` means `runner run --suite X`, and `--task a b` means `--task a --task b`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command in, and repeat the flags that take several values."""
        if args and args[0].startswith("-") and args[0] not in ("--help", "-h", "--version"):
            args = ["run", *args]
        return super().parse_args(ctx, _spread(args))


def _spread(args: list[str]) -> list[str]:
    """Return the arguments with `--flag a b` written as `--flag a --flag b`."""
    spread: list[str] = []
    flag = None
    for previous, arg in zip([None, *args], args, strict=False):
        if arg.startswith("-"):
            flag = arg if arg in LISTS else None
        elif flag and previous != flag:
            spread.append(flag)
        spread.append(arg)
    return spread


@click.group(
    cls=_Runner,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`runner --suite NAME` is short for `runner run --suite NAME`; see `runner run --help`.",
)
@click.version_option(package_name="posterior-bench", prog_name="posterior-bench")
def cli() -> None:
    """Measure how close a classifier's softmax outputs come to the exact Bayesian posterior."""


@cli.command()
@click.option(
    "--suite",
    "suite_name",
    required=True,
    metavar="NAME|FILE.toml",
    help="What to run; a file may name code beside it.",
)
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="NAME|file.py:attr ...",
    help="Tasks in place of the suite's own, anybody's too: file.py:attr runs that file.",
)
@click.option(
    "--architecture",
    "architectures",
    multiple=True,
    metavar="NAME|file.py:attr ...",
    help="Architectures in place of the suite's own, anybody's too: file.py:attr runs that file; reference"
    " rows stay.",
)
@click.option(
    "--budget", "budgets", multiple=True, type=int, metavar="N ...", help="Budgets in labelled examples."
)
@click.option("--seeds", type=int, metavar="K", help="How many seeds: 0 to K - 1.")
@click.option("--quick", is_flag=True, help="A few seeds and small budgets: seconds, in a folder of its own.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--jobs", type=click.IntRange(min=1), help="Worker processes. [default: number of cores]")
@click.option("--dask", metavar="ADDRESS", help="Run on the Dask cluster with this scheduler instead.")
@click.option(
    "--timeout",
    type=Duration(),
    help="End a stack that takes longer, such as 90s, 10m or 1h30m. [default: none]",
)
@click.option("--output", type=click.Path(path_type=Path), help="Folder. [default: runs/<suite>]")
@click.option("--fresh", is_flag=True, help="Start over; earlier results are set aside, not destroyed.")
@click.option(
    "--dry-run", is_flag=True, help="Say what would be trained and how long it would take, and stop."
)
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "none"]), default="table", show_default=True
)
def run(
    suite_name: str,
    tasks: tuple[str, ...],
    architectures: tuple[str, ...],
    budgets: tuple[int, ...],
    seeds: int | None,
    quick: bool,
    device: str,
    jobs: int | None,
    dask: str | None,
    timeout: float | None,
    output: Path | None,
    fresh: bool,
    dry_run: bool,
    form: str,
) -> None:
    """Train what a suite's folder lacks, score it exactly, and write its leaderboards."""
    from runner import plan
    from runner import run as running
    from runner.commands.dry_run import dry_run as foretold
    from runner.execution import interrupts
    from suites.suite import load, narrow

    interrupts.install()
    suite = load(suite_name)
    grid = narrow(suite, tasks=tasks, architectures=architectures, budgets=budgets, seeds=seeds, quick=quick)
    options = running.Options(
        mode=plan.mode(suite, quick=quick),
        device=_device(device),
        jobs=jobs or _cores(),
        folder=output or Path("runs") / (suite.name + ("-quick" if quick else "")),
        fresh=fresh,
        quick=quick,
        timeout=timeout,
        dask=dask,
    )
    if dry_run:
        click.echo(foretold(grid, options))
        return
    sys.exit(_run_and_show(grid, options, form))


def _run_and_show(suite: Suite, options: Options, form: str) -> int:
    from reports import render
    from runner import run as running
    from runner.progress import count, say

    outcome = running.run(suite, options)
    if form == "table":
        click.echo(render.terminal(outcome.results, outcome.summary))
    elif form == "json":
        click.echo(render.as_json(outcome.results, outcome.summary))
    if outcome.failed:
        say(f"{count(outcome.failed, 'trial')} failed; the report says why")
    say(f"report: {options.folder / 'report' / 'index.html'}")
    return TRIALS_FAILED if outcome.failed else FINE


def _device(name: str) -> str:
    if name == "cpu":
        return name
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if name == "cuda":
        raise click.UsageError("--device cuda: expected a GPU that torch can use, found none")
    return "cpu"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="RUN")
@click.option("--output", type=click.Path(path_type=Path), help="Where to write. [default: the run's folder]")
def report(folder: Path, output: Path | None) -> None:
    """Write a run's tables and pages again, without training."""
    from reports import aside

    aside.prepare()  # before the imports, which take as long
    with without_garbage_collection():
        from runner import run as running

        target = running.report_again(folder, output or folder)
    click.echo(f"report: {target}")


@cli.command("list")
@click.argument("kind", type=click.Choice(["tasks", "architectures", "suites", "metrics"]))
@click.option(
    "--task",
    metavar="NAME",
    help="Of architectures: count their parameters and multiply-adds a step on this task.",
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def list_(kind: str, task: str | None, as_json: bool) -> None:
    """Show the registered tasks, architectures, suites or metrics."""
    import json

    if task is not None and kind != "architectures":
        raise click.UsageError(f"--task goes with `runner list architectures`, not with {kind}")

    from runner.commands.listing import LISTINGS, footnote, table

    rows = LISTINGS[kind]() if task is None else LISTINGS[kind](task)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    import shutil

    click.echo(visible(table(rows, shutil.get_terminal_size().columns if sys.stdout.isatty() else None)))
    if note := footnote(kind):
        click.echo(note)


@cli.command()
@click.option(
    "--task", "tasks", multiple=True, metavar="NAME|file.py:attr ...", help="Which tasks. [default: all]"
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def verify(tasks: tuple[str, ...], as_json: bool) -> None:
    """Check tasks against themselves: sampler, density and posterior should be those of one law."""
    import json

    from benchmarks.registry import TASKS
    from runner.commands import verify as verifying

    names = list(dict.fromkeys(tasks or TASKS))
    results = verifying.verify_all(names, _cores(), verifying.progress(len(names)))
    shown = json.dumps(verifying.rows(results), indent=2) if as_json else visible(verifying.table(results))
    click.echo(shown)
    sys.exit(CHECK_FAILED if any(result.failed for result in results) else FINE)


cli.add_command(compare)
cli.add_command(diff)
cli.add_command(merge)
cli.add_command(publish)


def main() -> None:
    """Run the command line; errors that a user can mend are one line and exit code 2."""
    _append_current_folder()
    sys.exit(_guarded(lambda: cli.main(standalone_mode=False)))


def _append_current_folder() -> None:
    """Let modules in the current folder be imported, behind everything else.

    Our own home comes before it, because the finder of an editable install is asked after the whole path:
    without that a user's own benchmarks/ would shadow ours, in worker processes too.
    """
    home = str(Path(__file__).resolve().parents[1])
    for folder in (home, os.getcwd()):
        if folder not in sys.path:
            sys.path.append(folder)


def _guarded(call: Callable[[], Any]) -> int:
    try:
        call()
    except click.ClickException as error:
        errors.show(error)
        return CALL_WRONG
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else FINE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has left: nothing to say
        return FINE
    except Exception as error:
        if not _can_be_mended(error):
            raise
        click.echo(
            f"error: {one_line(str(error))}", err=True
        )  # the machine's too, whose paths may be anything
        return CALL_WRONG
    return FINE


def _can_be_mended(error: Exception) -> bool:
    """Whether an error is the user's or the machine's: one of our own, a full disk, a locked file."""
    ours = type(error).__module__.partition(".")[0] in ("benchmarks", "suites", "runner")
    return isinstance(error, OSError | sqlite3.Error) or (ours and isinstance(error, ValueError))
