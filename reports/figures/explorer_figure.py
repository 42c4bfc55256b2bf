"""The posterior explorer as a page shows it before any script runs, and the file that brings it to life."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from reports import numbers
from reports.charts import NEUTRAL, posterior_chart, stage_colour, stages
from reports.figures.densities import WIDE, class_style
from reports.figures.explorer import (
    MOST_CLASSES,
    default_row,
    ground,
    outputs,
    script,
    shown_classes,
    shown_steps,
)
from reports.figures.leaderboard import Key
from reports.figures.maps import class_names, frame, key, outlines, panel
from reports.pages.page import Chart, Run
from reports.results import Picture
from reports.rows import Cell
from reports.spreadsheets import harmless
from reports.words import at, batches, learned

FIRST = "mlp-64x64"  # the study's own network
TITLES = {
    "exact": ("Exact posterior", "Most probable class, exactly"),
    "output": ("Mean output", "Most probable class, mean output"),
    "error": ("Mean output minus exact", "Total variation from exact"),
    "spread": ("Spread over seeds", "Spread over seeds, largest class"),
}


@dataclass(frozen=True)
class Panel:
    """One of an explorer's maps: its name, title, picture and key."""

    name: str
    title: str
    svg: Markup
    key: Markup


@dataclass(frozen=True)
class Explorer:
    """What a page shows of a task's outputs.

    ranked, reference: rows that can be chosen; budgets: what the slider's steps are called. Of one input
    `chart` is drawn without scripts, else `panels`. keys: of every scale that maps may show.
    """

    line: bool
    default: str
    status: str
    ranked: tuple[str, ...]
    reference: tuple[str, ...]
    budgets: tuple[str, ...]
    classes: tuple[int, ...]
    panels: tuple[Panel, ...]
    keys: dict[str, Markup]
    chart: Chart | None
    stages: tuple[Key, ...]
    csv: str
    script: str


def explorer(
    run: Run, task: str, order: tuple[Sequence[str], Sequence[str]], gaps: dict[tuple[str, int], Cell]
) -> Explorer | None:
    """The explorer of a task; None where it has no picture or no row has outputs.

    order: ranked and reference rows, each from the best; gaps: of every row and budget.
    """
    picture = run.results.pictures.get(task)
    if picture is None:
        return None
    suite = run.results.suite
    budgets = sorted(int(budget) for budget in suite["budgets"])
    there = {name for (name, budget), q in picture.outputs.items() if budget in budgets and len(q)}
    ranked, reference = (tuple(name for name in names if name in there) for names in order)
    default = default_row(picture, [*ranked, *reference], budgets[-1], FIRST)
    if default is None:
        return None
    line = len(picture.shape) == 1
    classes = picture.log_joint.shape[1]
    values = _values(run, picture, [*ranked, *reference], budgets, gaps)
    values |= {"start": [values["names"].index(default), len(budgets) - 1], "ranked": len(ranked)}
    return Explorer(
        line=line,
        default=default,
        status=f"{default} {at(suite, budgets[-1])}: gap {_gap(gaps, default, budgets[-1])}",
        ranked=ranked,
        reference=reference,
        budgets=tuple(_budget(suite, budget) for budget in budgets),
        classes=tuple(shown_classes(classes)) if classes > 2 else (),
        panels=() if line else _panels(picture, default, budgets[-1]),
        keys={} if line else {kind: key(kind) for kind in ("probability", "error", "spread", "kl")},
        chart=_chart(run, picture, task, default, budgets) if line else None,
        stages=_stages(suite, budgets) if line else (),
        csv="" if line else _csv(picture, default, budgets[-1]),
        script=script(values),
    )


def _values(
    run: Run,
    picture: Picture,
    names: Sequence[str],
    budgets: Sequence[int],
    gaps: dict[tuple[str, int], Cell],
) -> dict[str, Any]:
    where = None if len(picture.shape) == 1 else frame(picture)
    colours = [run.styles[name].colour if name in run.styles else NEUTRAL for name in names]
    return {
        **ground(picture, where),
        **outputs(picture, names, budgets),
        "names": list(names),
        "colours": colours,
        "budgets": [_budget(run.results.suite, budget) for budget in budgets],
        "after": [at(run.results.suite, budget) for budget in budgets],
        "gaps": [[_gap(gaps, name, budget) for budget in budgets] for name in names],
    }


def _gap(gaps: dict[tuple[str, int], Cell], name: str, budget: int) -> str:
    found = gaps.get((name, budget))
    return found.text if found else numbers.BLANK


def _budget(suite: Any, budget: int) -> str:
    count = batches(suite, budget)
    steps = "" if count is None else f" ({numbers.plural(count, 'mini-batch').replace('batchs', 'batches')})"
    return numbers.plural(budget, "example") + steps


def _panels(picture: Picture, name: str, budget: int) -> tuple[Panel, ...]:
    where, several = frame(picture), picture.log_joint.shape[1] > 2
    over = outlines(picture, [0.99])
    labels = class_names(where, picture) if 2 < picture.log_joint.shape[1] <= MOST_CLASSES else Markup("")
    found = shown_steps(picture, picture.outputs.get((name, budget)))
    nothing = ("spread", np.zeros(0, dtype=int))
    panels = []
    for part, titles in TITLES.items():
        kind, step = found.get(part, nothing)
        drawn = over + (labels if kind == "classes" else Markup(""))
        svg = panel(where, picture, kind, step, drawn)
        panels.append(Panel(part, titles[several], svg, Markup("") if kind == "classes" else key(kind)))
    return tuple(panels)


def _chart(run: Run, picture: Picture, task: str, name: str, budgets: Sequence[int]) -> Chart:
    """The exact posterior against a row's output at about five budgets."""
    shown = [budget for budget in stages(budgets) if (name, budget) in picture.outputs]
    spec = posterior_chart(picture, name, shown).properties(width=WIDE, height=280, usermeta={"fluid": True})
    label = (
        f"Exact posterior P(class 1 given x) of {task} against the mean output of {name} "
        f"{learned(run.results.suite)} {', '.join(f'{budget:,}' for budget in shown)} examples."
    )
    x, exact = picture.x[:, 0], picture.posterior[:, 1]
    frames = [
        pd.DataFrame(
            {"examples": budget, "x": x, "exact": exact, "mean": q.mean(axis=0), "lowest": q.min(axis=0),
             "highest": q.max(axis=0)}
        )
        for budget in shown
        for q in [picture.outputs[name, budget][:, :, 1]]
    ]  # fmt: skip
    columns = ["examples", "x", "exact", "mean", "lowest", "highest"]
    data = pd.concat(frames) if frames else pd.DataFrame(columns=columns)
    title = f"Exact posterior and outputs of {name}"
    return Chart("outputs", title, label, spec, data)


def _stages(suite: Any, budgets: Sequence[int]) -> tuple[Key, ...]:
    shown = stages(budgets)
    keys = [Key("exact", "exact posterior", "#767676", width=6)]
    return (*keys, *(Key(str(b), _budget(suite, b), stage_colour(shown, b), width=2) for b in shown))


def _csv(picture: Picture, name: str, budget: int) -> str:
    """Points, exact posterior and a row's mean output, a column a class, as CSV."""
    q = picture.outputs.get((name, budget))
    columns = {axis: picture.x[:, place] for place, axis in enumerate(picture.axes)}
    columns |= {"sparse": picture.sparse}
    for c in range(picture.log_joint.shape[1]):
        columns[f"exact P(class {c})"] = picture.posterior[:, c].round(6)
        if q is not None:
            columns[f"mean output P(class {c})"] = q[:, :, c].mean(axis=0).astype(float).round(6)
    return harmless(pd.DataFrame(columns)).to_csv(index=False, lineterminator="\n", float_format="%.6g")


def class_keys(classes: int) -> tuple[Key, ...]:
    """A key for each class, as densities and lines draw it."""
    keys = []
    for each in range(classes):
        colour, dash = class_style(each)
        pattern = "" if dash == [1, 0] else " ".join(f"{length:g}" for length in dash)
        keys.append(Key(f"class {each}", f"class {each}", colour, pattern))
    return tuple(keys)
