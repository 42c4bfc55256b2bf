"""A run's frames to its files: records.csv, leaderboard.csv, leaderboard.md and the pages in report/."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reports import numbers
from reports.leaderboard import Summary, summarise
from reports.pages.leaderboard import table_context
from reports.plain import json_text, section_table, terminal_table
from reports.results import RECORD_COLUMNS, Results
from reports.spreadsheets import harmless
from reports.texts import LONGEST_TEXT, in_address, markdown, printable, shown
from reports.trials import in_order

if TYPE_CHECKING:
    from jinja2 import Environment, Template
    from markupsafe import Markup

    from reports.pages.page import Chart

LONGEST_PART = 26
_HERE = Path(__file__).parent


def write_report(results: Results, folder: Path) -> Summary:
    """Write a run's files and return the numbers in them.

    Each file is written beside its place and swapped in, so none is ever half there.

    Raises OSError where the folder can't be written.
    """
    from reports.figures.layers import unchecked
    from reports.site import static_files, suite_files

    summary = summarise(results)
    pages = folder / "report"
    with unchecked():
        for name, text in data_files(results, summary):
            swap_in(folder / name, text)
        for name, content in static_files():
            swap_in(pages / "static" / name, content)
        for name, content in suite_files(results, summary):
            swap_in(pages / name, content)
    return summary


def data_files(
    results: Results, summary: Summary, report: str = "report/index.html"
) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of the tables that stand beside a run's pages, and of the Markdown's figures.

    report: the way to the pages; empty where the Markdown stands without them and the tables.
    """
    from reports.figures import leaderboard as figures
    from reports.figures import svg
    from reports.site import run_of

    charts = figures.markdown_charts(run_of(results, summary))
    begun = {chart.name: svg.standalone(chart) for chart in charts}
    yield "records.csv", records_csv(results, summary)
    yield "leaderboard.csv", leaderboard_csv(summary)
    yield "leaderboard.md", markdown_text(results, summary, report, charts)
    for name, finish in begun.items():
        yield f"figures/{name}.svg", finish()


def terminal(results: Results, summary: Summary | None = None) -> str:
    """A plain-text leaderboard of the largest budget, at most 80 columns wide."""
    return terminal_table(results, summary or summarise(results))


def as_json(results: Results, summary: Summary | None = None) -> str:
    """The rows of leaderboard.csv as JSON: {"suite", "leaderboard": [...]}; blank is null, infinity "inf"."""
    return json_text(results, summary or summarise(results))


def records_csv(results: Results, summary: Summary) -> str:
    """Measured rows, in the suite's order, then derived ones; numbers at full precision, `inf` or empty."""
    measured = in_order(results, results.records[list(RECORD_COLUMNS)])
    # Apart, since together their columns would have neither plain integers nor categories: twice the time.
    floats = ("value", "error")
    return _csv(measured, floats) + _csv(summary.derived, floats, header=False)


def leaderboard_csv(summary: Summary) -> str:
    """The long leaderboard; numbers at full precision, `inf` or empty."""
    return csv_text(summary.leaderboard)


def csv_text(frame: pd.DataFrame) -> str:
    """A frame as CSV; numbers at full precision, `inf` or empty."""
    return _csv(frame, tuple(frame.select_dtypes(include="float").columns))


def markdown_text(
    results: Results, summary: Summary, report: str = "report/index.html", charts: Sequence[Chart] = ()
) -> str:
    """`leaderboard.md`: title, headline, table, charts that stand in figures/, method in a fold, command."""
    values = table_context(results, summary) | {"report": report, "charts": charts}
    return _environment().get_template("leaderboard.md.j2").render(values)


def template(name: str) -> Template:
    """One of our templates, with our filters."""
    return _environment().get_template(name)


def curly(text: str) -> str:
    """Typographic apostrophes, and intervals that aren't broken at their dash."""
    text = re.sub(r"(\d) %", "\\1\u00a0%", text)
    return text.replace("'", "’").replace("–", "–\u2060")  # noqa: RUF001


def parts(name: str) -> Markup:
    """A name as HTML that may be broken before a `+` and after `:` and `/`, and nowhere else.

    A part too long for a line of its own may be broken anywhere.
    """
    from markupsafe import Markup, escape

    name = str(shown(name[:LONGEST_TEXT]))
    pieces = [piece for piece in re.split(r"(?=\+)|(?<=[:/])", name) if piece]
    if len(pieces) < 2 and len(name) <= LONGEST_PART:
        return escape(name)
    spans = [
        Markup('<span class="long">{}</span>' if len(piece) > LONGEST_PART else "<span>{}</span>").format(
            piece
        )
        for piece in pieces
    ]
    return Markup('<span class="parts">{}</span>').format(Markup("<wbr>").join(spans))


def _csv(frame: pd.DataFrame, floats: tuple[str, ...], *, header: bool = True) -> str:
    texts = {name: _texts(frame[name].to_numpy(dtype=float)) for name in floats}
    return harmless(frame).assign(**texts).to_csv(index=False, lineterminator="\n", header=header)


def _texts(values: np.ndarray) -> pd.Categorical[str]:
    """The text of each number; of each different one once, bit by bit, since -0.0 isn't 0.0."""
    codes, bits = pd.factorize(values.view(np.int64))
    written: dict[str, int] = {}
    texts = map(_exact, bits.view(float).tolist())
    places = np.array([written.setdefault(text, len(written)) for text in texts], dtype=np.int64)
    return pd.Categorical.from_codes(places[codes], categories=pd.Index(list(written)))


def _exact(value: float) -> str:
    """The shortest text that reads back as the same number; integers have no `.0`, NaN is empty."""
    return "" if math.isnan(value) else repr(value).removesuffix(".0")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=lambda name: bool(name) and ".html" in str(name),
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    environment.filters |= {
        "markdown": markdown,
        "printable": printable,
        "in_address": in_address,
        "count": numbers.count,
        "curly": curly,
        "parts": parts,
        "section_table": section_table,
    }
    return environment


def swap_in(path: Path, text: str) -> None:
    """Write a file beside its place, then put it there in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace", newline="") as file:
            file.write(text)
        os.chmod(beside, 0o666 & ~_umask())
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def _umask() -> int:
    """The process's file mode mask; mkstemp ignores it and makes files that only their owner can read."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
