"""Kinds of options and arguments that commands share: durations such as 1h30m, and the runs to read."""

from __future__ import annotations

import re
from pathlib import Path

import click

SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
FORM = re.compile("".join(rf"(?:(\d{{1,9}}(?:\.\d{{1,9}})?){unit})?" for unit in SECONDS), re.ASCII)
MOST = 365 * SECONDS["d"]

runs = click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN ...")


class Duration(click.ParamType):  # type: ignore[type-arg]
    """Seconds as a number, of which `90`, `90s`, `10m`, `1h30m` and `0.5s` are ways to write some.

    >>> Duration()("1h30m"), Duration()("90")
    (5400.0, 90.0)
    """

    name = "duration"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Return what help shows in the place of a value."""
        return "10m"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return a duration in seconds, more than none and a year at most; raises click.BadParameter."""
        if isinstance(value, float):
            return value
        text = value.strip().lower()
        found = FORM.fullmatch(text + "s" if text[-1:].isdigit() else text)
        parts = found.groups() if found else ()
        total = sum(float(part) * unit for part, unit in zip(parts, SECONDS.values(), strict=False) if part)
        if not 0 < total <= MOST:
            self.fail(f"expected a duration such as 90s, 10m or 1h30m, found {value[:40]!r}", param, ctx)
        return total
