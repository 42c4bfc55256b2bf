"""The command that makes one site of many runs, and commits it to a branch."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from runner.commands import parameters


@click.command()
@parameters.runs
@click.option(
    "--site",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the site: a new or empty one, or a site published before, which is replaced.",
)
@click.option(
    "--branch", metavar="NAME", help="Commit the site to this branch too, without touching the work tree."
)
@click.option("--url", default="", metavar="https://...", help="Where the site will be: for a sitemap.")
@click.option("--title", default="Posterior Bench", show_default=True, help="Heading of the overview.")
def publish(runs: tuple[Path, ...], site: Path, branch: str | None, url: str, title: str) -> None:
    """Build one static site from many runs: an overview, each suite's pages, its history, a feed."""
    from runner.progress import count
    from runner.publishing import branch as branches
    from runner.publishing.publish import checked_url, write
    from runner.publishing.site_folder import MARKER

    address = checked_url(url)
    target = branches.find(branch, MARKER) if branch else None
    written = write(runs, site, address, title)
    counted = f"{count(written.runs, 'run')}, {count(written.files, 'file')}, {written.size / 1e6:.1f} MB"
    click.echo(f"site: {written.site / 'index.html'} ({counted})")
    if not address:
        click.echo("note: no sitemap.xml and relative links in feed.xml; with --url both have full addresses")
    if target is None:
        return
    made = branches.commit(target, written.site, f"Publish {count(written.runs, 'run')}\n", MARKER)
    if made is None:
        click.echo(f"branch {target.name}: nothing has changed, no commit")
        return
    click.echo(f"branch {target.name}: committed {made[:12]}, {count(written.files, 'file')}")
    click.echo(f"to publish it: git push {shlex.join([branches.remote(), target.name])}")
