"""What every page is made of: a run's numbers, charts, and where the page stands."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from reports.charts import Style
from reports.leaderboard import Summary
from reports.results import Results

LONGEST_SLUG = 48
RESERVED = re.compile(r"index|con|prn|aux|nul|(com|lpt)\d")  # a list's own name, and devices on Windows


@dataclass(frozen=True)
class Run:
    """What pages show: a run's frames, the numbers made from them, and how each row's line looks."""

    results: Results
    summary: Summary
    styles: Mapping[str, Style]


@dataclass(frozen=True)
class Chart:
    """A figure: its name on its page (a slug), title, text alternative, Altair chart, and its numbers.

    data: what a reader downloads as CSV, one row a mark. note: what stands below the title.
    """

    name: str
    title: str
    label: str
    spec: Any
    data: pd.DataFrame
    note: str = ""


@dataclass(frozen=True)
class Page:
    """A page of a suite: its path in the suite's folder, title, template, values, charts, and its data.

    charts: the template finds each, drawn, in `figures` by its name. blocks: {element id: plain data} for
    the page's scripts; files: {path in the suite's folder: text} of what would make the page too large.
    """

    path: str
    title: str
    template: str
    values: Mapping[str, Any]
    charts: tuple[Chart, ...] = ()
    blocks: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


def slug(name: str) -> str:
    """A name as part of a file's name: itself where it is plain, else its letters with a digest behind.

    `index` has a digest too: a list stands under that name; and so do devices of Windows.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if plain == name and not RESERVED.fullmatch(plain) and len(plain) <= LONGEST_SLUG:
        return plain
    return f"{plain[:LONGEST_SLUG]}-{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:8]}".lstrip(
        "-"
    )


def task_path(name: str) -> str:
    """Where a task's page stands in its suite's folder."""
    return f"tasks/{slug(name)}.html"


def architecture_path(name: str) -> str:
    """Where an architecture's page stands in its suite's folder."""
    return f"architectures/{slug(name)}.html"
