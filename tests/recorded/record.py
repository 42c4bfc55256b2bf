"""Two small runs whose ids and numbers are kept; `python tests/recorded/record.py` records them again.

That is done where numbers are meant to change, which raises a version and stands in the changelog. The
present recording is also what commit 33e932b gives, the last one before modules were moved, on one thread.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pandas as pd

from runner import plan
from runner.execution.one_stack import on_one_thread
from runner.run import Options, stacks_of
from suites.suite import load

HERE = Path(__file__).resolve().parent
SUITES = ("stream", "dataset")
CLOCK = "training_seconds"
REGIONS = ("all", "sparse99")
KEYS = ["id", "task", "architecture", "seed", "budget", "metric", "region", "status"]
# What bits follow from; the rest of an environment (compiler, system, Python) leaves an eager run as it is.
BITS = ("torch version", "numpy version", "scipy version", "scikit-learn version", "processor", "capability")


def ran(name: str) -> tuple[pd.DataFrame, dict[str, str]]:
    """Run a suite without storing anything; returns its records and what their bits follow from."""
    suite = load(str(HERE / f"{name}.toml"))
    stacks = stacks_of(suite, plan.plan(suite, "eager"), Options("eager", "cpu", 1, HERE / "nowhere"))
    done = [on_one_thread(stack, lambda _: None) for stack in stacks]
    rows = [
        {"id": trial.id, **{key: getattr(trial, key) for key in ("task", "architecture", "seed")}}
        | {key: getattr(each, key) for key in ("budget", "metric", "region", "status", "value")}
        for results, _ in done
        for result in results
        for trial in [result.trial]
        for each in result.records
        if each.region in REGIONS and each.metric != CLOCK
    ]
    frame = pd.DataFrame(rows, columns=[*KEYS, "value"]).sort_values(KEYS, ignore_index=True)
    return frame, {key: done[0][1][key] for key in BITS}


def read(folder: Path, name: str) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return what `write` wrote."""
    frame = pd.read_csv(folder / f"{name}.csv", dtype={"value": str})
    frame["value"] = [math.nan if text != text else float(text) for text in frame["value"]]
    return frame, json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def write(folder: Path) -> None:
    """Run both suites and write what came out, numbers in full."""
    for name in SUITES:
        frame, environment = ran(name)
        frame.to_csv(folder / f"{name}.csv", index=False)
        (folder / f"{name}.json").write_text(json.dumps(environment, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
