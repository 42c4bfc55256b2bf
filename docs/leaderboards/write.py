"""docs/leaderboards: every suite's leaderboard as Markdown with SVG figures, and what all of them found.

`make leaderboards` runs what the folders below runs/ lack of every suite, and then this:
python docs/leaderboards/write.py [RUN ...]
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import findings
from tabulate import tabulate

import suites
from reports.headline import headline
from reports.leaderboard import summarise
from reports.plain import markdown
from reports.render import data_files
from reports.results import Results
from runner.results import frames
from runner.run_folder import read_manifest
from runner.store import FILE, Store
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


def page(results: Results) -> dict[str, str]:
    """Return the files of one suite: {name below its folder: text}."""
    files = dict(data_files(results, summarise(results), ""))
    text = files.pop("leaderboard.md")
    return {"README.md": text} | {name: files[name] for name in files if name.endswith(".svg")}


def index(runs: Sequence[Results]) -> str:
    """Return the table of all suites."""
    rows = []
    for results in runs:
        link = f"[{markdown(results.suite['title'])}]({results.suite['name']}/README.md)"
        found = headline(results, summarise(results))[0]
        rows.append([link, markdown(results.suite["question"]), markdown(found)])
    table = tabulate(rows, ["suite", "question", "what came out"], tablefmt="pipe", disable_numparse=True)
    return f"{LEAD.format(machine=machine(runs))}\n{table}\n{NOTE}"


def machine(runs: Sequence[Results]) -> str:
    """Return what all runs were made on; raises ValueError where that isn't the same."""
    found = {(str(each.manifest["machine"]), str(each.manifest["versions"])) for each in runs}
    if len(found) != 1:
        raise ValueError(f"expected runs of one machine and one set of versions, found {len(found)}")
    about, versions = runs[0].manifest["machine"], runs[0].manifest["versions"]
    return f"{about['cores']} cores ({about['processor']}), torch {versions['torch']}"


def read(folder: Path) -> Results:
    """Return what a run's report is made from; raises StoreError."""
    with Store(folder / FILE, reading=True) as store:
        return frames.results(store, read_manifest(folder))


def check(runs: Sequence[Results]) -> None:
    """Raise ValueError where a suite is missing, narrowed or quick: the pages say that all are whole."""
    missing = set(suites.built_in()) - {str(each.suite["name"]) for each in runs}
    if missing:
        raise ValueError(f"expected a run of every suite, found none of {', '.join(sorted(missing))}")
    for results in runs:
        whole, own = load(str(results.suite["name"])), results.suite
        grid = [list(own[key]) for key in ("tasks", "budgets", "architectures")] + [own["seeds"]]
        if (
            results.manifest.get("quick")
            or grid[:2] + grid[3:] != [list(whole.tasks), list(whole.budgets), whole.seeds]
            or not set(whole.architectures) <= set(grid[2])
        ):
            raise ValueError(f"expected the whole of {whole.name}, found a part of it or a quick run")


def main(folders: Sequence[Path]) -> None:
    """Write a page for each run, the table of all, and what they say together."""
    runs = [read(folder) for folder in folders]
    check(runs)
    findings_page = findings.text({str(results.suite["name"]): results for results in runs})
    for results in runs:
        there = HERE / str(results.suite["name"])
        shutil.rmtree(there, ignore_errors=True)
        for name, text in page(results).items():
            (there / name).parent.mkdir(parents=True, exist_ok=True)
            (there / name).write_text(text, encoding="utf-8")
    (HERE / "README.md").write_text(index(runs), encoding="utf-8")
    HERE.with_name("findings.md").write_text(findings_page, encoding="utf-8")


if __name__ == "__main__":
    main([Path(each) for each in sys.argv[1:]] or [Path("runs") / name for name in suites.built_in()])
