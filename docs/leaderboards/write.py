"""docs/leaderboards: every suite's leaderboard as Markdown with SVG figures, and what all of them found.

`make leaderboards` runs what the folders below runs/ lack of every suite, and then this:
python docs/leaderboards/write.py [RUN ...]
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import findings
from findings import Run
from tabulate import tabulate

import suites
from reports.headline import headline
from reports.render import data_files
from reports.texts import markdown
from runner.publishing import publish
from suites.suite import load

HERE = Path(__file__).resolve().parent
LEAD = """# Leaderboards

Every built-in suite, run whole on one machine: {machine}. Each page comes from one
command, which stands at its end; `make leaderboards` makes them all. What they say together is told in
[Findings](../findings.md).
"""
NOTE = """
The times on the pages include compiling and whatever else the machine did; [Speed](../reference/speed.md) has
undisturbed ones. The smoke test is there to be run, not to be read.
"""


def page(run: Run) -> dict[str, str]:
    """Return the files of one suite: {name below its folder: text}."""
    files = dict(data_files(run.results, run.summary, ""))
    text = files.pop("leaderboard.md")
    return {"README.md": text} | {name: files[name] for name in files if name.endswith(".svg")}


def index(runs: Sequence[Run]) -> str:
    """Return the table of all suites."""
    rows = []
    for run in runs:
        suite = run.results.suite
        link = f"[{markdown(suite['title'])}]({suite['name']}/README.md)"
        found = headline(run.results, run.summary)[0]
        rows.append([link, markdown(suite["question"]), markdown(found)])
    table = tabulate(rows, ["suite", "question", "what came out"], tablefmt="pipe", disable_numparse=True)
    return f"{LEAD.format(machine=machine(runs))}\n{table}\n{NOTE}"


def machine(runs: Sequence[Run]) -> str:
    """Return what all runs were made on; raises ValueError where that isn't the same."""
    manifests = [run.results.manifest for run in runs]
    found = {(str(each["machine"]), str(each["versions"])) for each in manifests}
    if len(found) != 1:
        raise ValueError(f"expected runs of one machine and one set of versions, found {len(found)}")
    about, versions = manifests[0]["machine"], manifests[0]["versions"]
    return f"{about['cores']} cores ({about['processor']}), torch {versions['torch']}"


def check(runs: Mapping[str, Run]) -> None:
    """Raise ValueError where a suite is missing, narrowed or quick: the pages say that all are whole."""
    missing = set(suites.built_in()) - set(runs)
    if missing:
        raise ValueError(f"expected a run of every suite, found none of {', '.join(sorted(missing))}")
    for name, run in runs.items():
        whole, own = load(name), run.results.suite
        narrowed = (
            list(own["tasks"]) != list(whole.tasks)
            or list(own["budgets"]) != list(whole.budgets)
            or own["seeds"] != whole.seeds
            or not set(whole.architectures) <= set(own["architectures"])
        )
        if narrowed or run.results.manifest.get("quick"):
            raise ValueError(f"expected the whole of {name}, found a part of it or a quick run")


def main(folders: Sequence[Path]) -> None:
    """Write a page for each run, the table of all, and what they say together."""
    read = [Run(publish.load(folder)) for folder in folders]
    runs = {str(run.results.suite["name"]): run for run in read}
    if len(runs) != len(read):
        raise ValueError(f"expected one run of a suite, found {len(read)} of {len(runs)} suites")
    check(runs)
    findings_page = findings.text(runs)
    for suite, run in runs.items():
        shutil.rmtree(HERE / suite, ignore_errors=True)
        for name, text in page(run).items():
            (HERE / suite / name).parent.mkdir(parents=True, exist_ok=True)
            (HERE / suite / name).write_text(text, encoding="utf-8")
    (HERE / "README.md").write_text(index(list(runs.values())), encoding="utf-8")
    HERE.with_name("findings.md").write_text(findings_page, encoding="utf-8")


if __name__ == "__main__":
    main([Path(each) for each in sys.argv[1:]] or [Path("runs") / name for name in suites.built_in()])
