"""docs/reliability.md: what is promised, the test that holds each promise, and the figures of the last soak.

python tests/faults/reliability.py writes it; `make soak` does so with new figures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabulate import tabulate

ROOT = Path(__file__).resolve().parents[2]
FIGURES, PAGE = ROOT / "docs" / "reliability.json", ROOT / "docs" / "reliability.md"

KILLS, WORKERS, RESULTS = "faults/test_kills.py", "faults/test_workers.py", "faults/test_results_file.py"
CLUSTER, HOSTILE, MERGE = "faults/test_cluster.py", "faults/test_hostile_input.py", "runner/test_merge.py"
CHECKPOINT, RUN = "runner/test_checkpoint.py", "runner/test_run.py"

# {what a user can rely on: the tests that hold it, as file below tests/ and names}
PROMISES: Mapping[str, Mapping[str, tuple[tuple[str, str], ...]]] = {
    "A run that is stopped": {},
}


def page(figures: Mapping[str, Any]) -> str:
    """Return the page as Markdown."""
    parts = [HEAD]
    for heading, promises in PROMISES.items():
        rows = [(promise, "<br>".join(map(_test, tests))) for promise, tests in promises.items()]
        table = tabulate(rows, headers=("promise", "held by"), tablefmt="github")
        parts.append(f"## {heading}\n\n{table}")
    return "\n\n".join([*parts, _figures(figures)]) + "\n"


def _test(test: tuple[str, str]) -> str:
    file, name = test
    return f"[`{name}`](../tests/{file})"


def _figures(figures: Mapping[str, Any]) -> str:
    plain = {key: value for key, value in figures.items() if key != "inputs"}
    tried = {f"inputs tried: {target}": f"{count:,}" for target, count in figures["inputs"].items()}
    table = tabulate([*plain.items(), *tried.items()], headers=("of the last soak", ""), tablefmt="github")
    return f"{FOOT}\n\n{table}"


HEAD = """# What can be relied on, and what holds it

Made by `python tests/faults/reliability.py`; not to be edited. Each promise names the tests that inject the
fault for real: processes are killed, disks are full, bytes are flipped, workers have other versions.
`make test` runs all but the long ones, which `make test-long` does."""

FOOT = """## The last soak

`make soak MINUTES=60` kills runs and workers at random moments, gives the same command again until the run
has ended, and compares the results with those of a run that nobody disturbed, to the bit; the other half of
the time it fuzzes what reads data. It ends at the first difference, traceback or harm, so these are all
survived."""


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(FIGURES.read_text(encoding="utf-8"))), encoding="utf-8")
