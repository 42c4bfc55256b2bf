"""A suite's history: its runs side by side, and how the gap of its architectures went."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from reports import numbers
from reports.charts import NEUTRAL, decades
from reports.figures.leaderboard import legend
from reports.pages.overview import size, trials
from reports.pages.page import Chart, Page, Run
from reports.publishing.editions import Card
from reports.words import at

PATH = "history.html"
GRID = ("protocol", "batch", "pool", "steps")
WIDE = (620, 320)  # pixels


def page(run: Run, cards: Sequence[Card]) -> Page:
    """Return the history page; run: the newest; cards: of every run, newest first."""
    newest = cards[0]
    alike = [card for card in cards if comparable(card, newest)]
    values = {
        "budget": at(newest.suite, newest.budget),
        "runs": [_row(card, len(cards) - place, newest, card in alike) for place, card in enumerate(cards)],
        "all_alike": len(alike) == len(cards),
        "legend_keys": legend(run),
    }
    charts = (_chart(run, alike[::-1], newest),) if len(alike) > 1 else ()
    return Page(PATH, "History", "history.html.j2", values, charts)


def comparable(card: Card, newest: Card) -> bool:
    """Whether a run's gaps can stand beside the newest run's: the same tasks, protocol and budget."""
    same = all(card.suite.get(key) == newest.suite.get(key) for key in GRID)
    tasks = sorted(card.suite["tasks"]) == sorted(newest.suite["tasks"])
    return same and tasks and newest.budget in [int(budget) for budget in card.suite["budgets"]]


def _row(card: Card, number: int, newest: Card, alike: bool) -> dict[str, Any]:
    edition, manifest = card.edition, card.edition.source.manifest
    versions = manifest.get("versions")
    best = card.rows[0] if card.rows and card.rows[0].rank else None
    folder = "." if edition.newest else f"runs/{edition.stamp}"
    return {
        "number": number,
        "when": edition.minute,
        "page": f"{folder}/index.html".removeprefix("./"),
        "records": f"{folder}/records.csv".removeprefix("./"),
        "newest": edition.newest,
        "commit": str(manifest.get("commit") or "not recorded"),
        "versions": _versions(versions) if isinstance(versions, Mapping) else "not recorded",
        "tasks": len(card.suite["tasks"]),
        "seeds": card.suite["seeds"],
        "budget": card.budget,
        "trials": trials(card),
        "best": best.name if best else numbers.BLANK,
        "gap": best.overall if best else None,
        "alike": alike,
        "size": size(card.size),
    }


def _versions(versions: Mapping[str, Any]) -> str:
    shown = [f"{name} {versions[name]}" for name in ("posterior-bench", "torch") if versions.get(name)]
    return ", ".join(shown) or "not recorded"


def _chart(run: Run, oldest_first: Sequence[Card], newest: Card) -> Chart:
    """Overall gap of the newest run's rows, over the runs that can be compared."""
    rows = [
        {
            "run": place,
            "started": card.edition.minute,
            "architecture": row.name,
            "information_gap": card.gaps.get((row.name, newest.budget), math.nan),
        }
        for place, card in enumerate(oldest_first, 1)
        for row in newest.rows
    ]
    data = pd.DataFrame(rows)
    days = [card.edition.day for card in oldest_first]
    label = (
        f"Overall information gap {at(newest.suite, newest.budget)} of every architecture, on a log axis,"
        f" over {len(oldest_first)} runs from {days[0]} to {days[-1]}: a line for each architecture."
    )
    return Chart("history", "Overall information gap over runs", label, _lines(run, data, days), data)


def _lines(run: Run, data: pd.DataFrame, days: Sequence[str]) -> Any:
    import altair as alt

    order = list(dict.fromkeys(data["architecture"]))
    codes = {name: f"s{place}" for place, name in enumerate(order)}
    gaps = data["information_gap"].where(np.isfinite(data["information_gap"]) & (data["information_gap"] > 0))
    points = data.assign(s=data["architecture"].map(codes), gap=gaps)
    ticks = decades(points["gap"].dropna().tolist())
    shown = sorted({round(place) for place in np.linspace(1, len(days), min(len(days), 6))})
    across = alt.X(
        "run:Q",
        scale=alt.Scale(domain=[0.8, len(days) + 0.2], nice=False, zero=False),
        axis=alt.Axis(
            values=shown, title="run", grid=False, labelExpr=f"{list(days)}[datum.value - 1]", labelFlush=True
        ),
    )
    up = alt.Y(
        "gap:Q",
        scale=alt.Scale(type="log", domain=[ticks[0], ticks[-1]], nice=False),
        axis=alt.Axis(
            values=ticks, title="gap", format="~g", domainColor=NEUTRAL,
            titleAngle=0, titleAlign="left", titleAnchor="end", titleX=-30, titleY=-14,
        ),
    )  # fmt: skip

    def look(channel: Any, styles: list[Any]) -> Any:
        return channel("s:N", scale=alt.Scale(domain=list(codes.values()), range=styles), legend=None)

    shown_now = "!isArray(chosen) || indexof(chosen, datum.s) >= 0"
    marked = alt.OverlayMarkDef(size=30, filled=True, opacity=1)
    chart = alt.Chart(points).mark_line(aria=False, strokeWidth=1.7, point=marked)
    chart = chart.encode(
        x=across,
        y=up,
        color=look(alt.Color, [run.styles[name].colour for name in order]),
        strokeDash=look(alt.StrokeDash, [list(run.styles[name].dash) for name in order]),
        opacity=alt.condition(shown_now, alt.value(1), alt.value(0.08)),
        tooltip=[
            alt.Tooltip("architecture:N"),
            alt.Tooltip("started:N"),
            alt.Tooltip("information_gap:Q", title="gap", format=".3g"),
        ],
    )
    chart = chart.add_params(alt.param(name="chosen", value=None))
    return chart.properties(width=WIDE[0], height=WIDE[1], usermeta={"codes": codes, "fluid": True})
