"""Who beats whom at the largest budget: shares of wins, and mean ranks with their critical difference."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from reports.charts import HUES, INK, STRONG
from reports.figures.layers import SIZE, codes_of, faded, inline, layer, limit, sized
from reports.figures.leaderboard import overall
from reports.figures.ranked_axis import mean_ranks
from reports.numbers import plural
from reports.pages.page import Chart, Run
from reports.ranking.pairs import OVERALL_NAME
from reports.trials import largest_budget, names
from reports.words import of

MOST_NUMBERED = 14  # rows, beyond which cells are too small for a number
ROW = (14, 30)  # pixels of a row's height, at least and at most
SHADE = 0.55  # opacity of a row that always wins; text on it must be readable


def contests(run: Run) -> tuple[Chart, ...]:
    """Win rates and mean ranks; none where too few seeds were run to tell rows apart."""
    budget = largest_budget(run.results)
    frame = run.summary.pairs["gap"]
    frame = frame[(frame["budget"] == budget) & (frame["task"] == OVERALL_NAME)]
    critical = run.summary.critical.get(budget)
    if critical is None or not (frame["holm"].notna() | (frame["better"] != "")).any():
        return ()
    count = len(ranked(run, frame))
    height = round(count * row_height(count))
    return wins(run, frame), mean_ranks(run, critical, height)


def ranked(run: Run, frame: pd.DataFrame) -> list[str]:
    """The rows that were compared, in the order of the ranking."""
    now = overall(run)
    now = now[now["budget"] == largest_budget(run.results)]
    compared = {*frame["a"], *frame["b"]}
    return [str(name) for name in now["architecture"] if name in compared]


def row_height(count: int) -> float:
    """Pixels of a matrix row, so that few rows fill a chart and many stay apart."""
    return min(max(SIZE[1] / count, ROW[0]), ROW[1])


def win_shares(frame: pd.DataFrame, order: list[str]) -> pd.DataFrame:
    """One row an ordered pair of different names: row, column, share (of blocks that `row` wins), better.

    frame: a row an unordered pair: a, b, wins (share that a wins, ties half), holm, better ("" for neither).
    """
    other = frame.assign(a=frame["b"], b=frame["a"], wins=1 - frame["wins"])
    both = pd.concat([frame, other]).rename(columns={"a": "row", "b": "column", "wins": "share"})
    both = both[both["row"].isin(order) & both["column"].isin(order)]
    place = {name: number for number, name in enumerate(order)}
    return both.sort_values(
        ["row", "column"], key=lambda column: column.map(place), kind="stable", ignore_index=True
    )[["row", "column", "share", "holm", "better"]]


def wins(run: Run, frame: pd.DataFrame) -> Chart:
    """The share of (task, seed) in which one row's gap is lower than another's, for every two rows."""
    order = ranked(run, frame)
    shares = win_shares(frame, order)
    blocks = int(frame["seeds"].max()) * len(names(run.results)[0])
    told, pairs = int((frame["better"] != "").sum()), len(frame)
    mark = "bold or a dot" if len(order) <= MOST_NUMBERED else "a dot"
    note = (
        f"Percent of {blocks} blocks (task, seed) in which the row's gap is lower than the column's; "
        f"{mark}: the paired t-test of their log-ratios, to which sizes count as well as who is ahead, "
        "finds a difference (Holm, 5 %)."
    )
    label = (
        f"Matrix of win rates {of(run.results.suite, largest_budget(run.results))}, rows and columns in the "
        f"order of the ranking. {told} of {plural(pairs, 'pair')} differ significantly."
    )
    return Chart("wins", "Win rates", label, _matrix(run, shares, order), shares, note)


def _matrix(run: Run, shares: pd.DataFrame, order: list[str]) -> Any:
    import altair as alt

    count = len(order)
    codes = codes_of(run.styles, order)
    across, down = _bands(count)
    people = inline([{"i": i, "a": name, "s": codes[name]} for i, name in enumerate(order, 1)])
    away = "isArray(chosen) && indexof(chosen, datum.s) < 0"
    seen = faded(1, (f"{away} && indexof(chosen, datum.c) < 0", 0.2))
    cells = layer().mark_rect(aria=False).encode(
        x=across, y=down, opacity=seen,
        fill=alt.Fill("h:N", legend=None, scale=alt.Scale(domain=["w", "l"], range=[HUES[0], HUES[1]])),
        fillOpacity=alt.FillOpacity("p:Q", scale=None, legend=None),
        tooltip=[
            alt.Tooltip("a:N", title="row"), alt.Tooltip("b:N", title="column"),
            alt.Tooltip("w:Q", title="wins, %", format=".3~g"), alt.Tooltip("q:N", title="p (Holm)"),
        ],
    )  # fmt: skip
    labels = layer(people).mark_text(align="right", fontSize=11, aria=False, limit=limit())
    labels = labels.encode(x=alt.value(-26), y=down, text=alt.Text("a:N"), opacity=faded(1, (away, 0.35)))
    layers = [cells, *_marks(count, across, down, seen), labels]
    chart = alt.layer(*layers, data=inline(_cells(shares, order)))
    chart = chart.transform_lookup("i", alt.LookupData(people, "i", ["a", "s"]))
    chart = chart.transform_lookup("j", alt.LookupData(people, "i", ["a", "s"]), as_=["b", "c"])
    chart = chart.transform_calculate(
        h="datum.w < 50 ? 'l' : 'w'", p=f"isValid(datum.w) ? abs(datum.w / 50 - 1) * {SHADE} : 0"
    )
    return sized(chart, codes, round(count * row_height(count)))


def _bands(count: int) -> tuple[Any, Any]:
    """Both axes of the matrix, which number the rows."""
    import altair as alt

    scale = alt.Scale(domain=list(range(1, count + 1)), paddingInner=0.06, paddingOuter=0)
    look: dict[str, Any] = {"domain": False, "ticks": False, "grid": False, "title": None, "labelAngle": 0}
    top = alt.Axis(orient="top", labelOverlap="parity", **look)
    return alt.X("j:O", scale=scale, axis=top), alt.Y("i:O", scale=scale, axis=alt.Axis(**look))


def _cells(shares: pd.DataFrame, order: list[str]) -> pd.DataFrame:
    """What is drawn of `win_shares`, by share, so that cells of one colour are drawn as one.

    i, j (places), w (percent), q (the adjusted p as text), g (1 where a difference is significant).
    """
    place = {name: number for number, name in enumerate(order, 1)}
    cells = pd.DataFrame(
        {
            "i": shares["row"].map(place),
            "j": shares["column"].map(place),
            "w": (100 * shares["share"].astype(float)).round(1),
            "q": ["not tested" if math.isnan(p) else f"{p:.2g}" for p in shares["holm"].astype(float)],
            "g": (shares["better"] != "").map({True: 1, False: math.nan}),
        }
    )
    return cells.sort_values(["w", "i", "j"], ignore_index=True)


def _marks(count: int, across: Any, down: Any, opacity: Any) -> list[Any]:
    """Numbers where there is room, bold where significant; else dots for the significant ones."""
    import altair as alt

    if count > MOST_NUMBERED:
        return [_dot("datum.g", across, down, opacity)]
    room = f"(room == 0 || room >= {24 * count + 130})"
    found = []
    looks: tuple[tuple[str, Any, str], ...] = (("datum.g", 700, INK), ("!datum.g", 400, STRONG))
    for test, weight, colour in looks:
        text = layer().transform_filter(f"{test} && {room} && isValid(datum.w)")
        text = text.mark_text(fontSize=11, fontWeight=weight, fill=colour, aria=False)
        found.append(text.encode(x=across, y=down, text=alt.Text("w:Q", format=".0f"), opacity=opacity))
    return [*found, _dot(f"datum.g && !{room}", across, down, opacity)]


def _dot(test: str, across: Any, down: Any, opacity: Any) -> Any:
    marks = layer().transform_filter(test)
    return marks.mark_rect(width=3, height=3, fill=INK, aria=False).encode(x=across, y=down, opacity=opacity)
