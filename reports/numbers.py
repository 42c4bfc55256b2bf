"""How numbers are written on pages, in Markdown and in the terminal: one style everywhere."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from reports.trials import missing

LONGEST = 1e12  # seconds of a duration that means anything; a manifest may hold any number
BLANK = "–"  # noqa: RUF001 (the typographic sign for "nothing here")


def number(value: float | None, digits: int = 3) -> str:
    """A number to so many significant digits: 0.0123, 1.00, 45.6, 1,234, 4.50e-5; a dash where blank."""
    if value is None or missing(value):
        return BLANK
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"
    text = f"{value:.{digits - 1}e}"
    mantissa, exponent = text.split("e")
    power = int(exponent)
    if power < -4:
        return f"{mantissa}e{power}"
    rounded = float(text)
    return f"{rounded:,.{max(digits - 1 - power, 0)}f}"


def bounded(value: float | None, error: float | None, digits: int = 3) -> str:
    """A measured number, or `< error` where its integration error isn't smaller than itself."""
    if value is None or missing(value):
        return BLANK
    if error is not None and not missing(error) and error > 0 and error >= value:
        return f"< {number(error, digits=1)}"
    return number(value, digits)


def span(low: float | None, high: float | None, fewest: int = 2) -> str:
    """An interval to two digits, more where its ends would look alike; empty where it is none or a point."""
    if low is None or high is None or missing(low) or missing(high) or low == high:
        return ""
    texts = [(number(low, digits), number(high, digits)) for digits in range(fewest, 6)]
    ends = next((pair for pair in texts if pair[0] != pair[1]), texts[-1])
    return f"{ends[0]}–{ends[1]}"  # noqa: RUF001


def ranks(low: Any, high: Any) -> str:
    """Ranks from low to high, a single one where they are the same; empty where blank (NA)."""
    if pd.isna(low) or pd.isna(high):
        return ""
    return f"{low}" if low == high else f"{low}–{high}"  # noqa: RUF001


def count(value: float | None) -> str:
    """A whole number with thousands separators; a dash where blank."""
    return BLANK if value is None or missing(value) else f"{value:,.0f}"


def examples(value: float | None) -> str:
    """A budget that was interpolated, in examples to three digits, so that it doesn't look exact."""
    if value is None or missing(value):
        return BLANK
    return f"{float(f'{value:.2e}'):,.0f}"


def plural(count: int, word: str) -> str:
    """A count with its word: 1 seed, 10 seeds."""
    return f"{count:,} {word}" + ("" if count == 1 else "s")


def seconds(value: object) -> str:
    """A duration: 0.42 s, 12.3 s, 3 min 20 s, 1 h 02 min; blank where a manifest holds something else."""
    if not isinstance(value, int | float) or missing(value) or not abs(value) < LONGEST:
        return BLANK
    if value < 60:
        return f"{number(value, 2 if value < 10 else 3)} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def percent(fraction: float) -> str:
    """A fraction as a percentage to two digits: 0.12 %."""
    return f"{number(100 * fraction, 2)} %"


def found(mean: float | None, true: float | None) -> str:
    """Crossings found against those there are: `1.4 / 2`."""
    if true is None or missing(true):
        return BLANK
    return f"{BLANK if mean is None or missing(mean) else f'{mean:.1f}'} / {true:.0f}"


def tick(value: float) -> str:
    """A power of ten on an axis: 0.001, 1e-5."""
    return f"{value:g}".replace("e-0", "e-").replace("e+0", "e")


def p_value(p: float) -> str:
    """A p-value with its sign, as in a sentence: `p = 0.034`, `p < 0.0001`."""
    return "p < 0.0001" if p < 0.0001 else f"p = {number(p, 2)}"


def p_text(p: float) -> str:
    """A p-value alone, as in a table: `0.034`, `< 0.0001`; empty where there is none."""
    return "" if missing(p) else p_value(p).removeprefix("p ").removeprefix("= ")


def share(fraction: float) -> str:
    """A share in whole percents: `67 %`; empty where there is none."""
    return "" if missing(fraction) else f"{100 * fraction:.0f} %"
