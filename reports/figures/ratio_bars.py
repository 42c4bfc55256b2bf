"""Bars of ratios on a log scale with 1 in the middle."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reports.comparing.compare import Line

REACHES = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0, 1e3, 1e4)
Ends = tuple[float, float, float]


def reach(lines: Sequence[Line]) -> float:
    """How far an axis goes, from 1 / reach to reach, that shows the lines' ratios and intervals."""
    values = [value for line in lines for value in (line.low, line.ratio, line.high)]
    most = max((abs(math.log(value)) for value in values if 0 < value < math.inf), default=0.0)
    return next((each for each in REACHES if math.log(each) >= most), REACHES[-1])


def place(value: float, reach: float) -> float:
    """Where a ratio lies, in percent from the left, at the edge where it is off the axis."""
    return round(50 + 50 * max(-1.0, min(1.0, math.log(value) / math.log(reach))), 2)


def bar(line: Line, reach: float) -> Ends | None:
    """Low, centre and high of a line in percent; None where it has no ratio, a point where no interval."""
    if not 0 < line.ratio < math.inf:
        return None
    ends = (line.low, line.ratio, line.high)
    low, high = (line.ratio if math.isnan(end) else end for end in (ends[0], ends[2]))
    return place(low, reach), place(line.ratio, reach), place(high, reach)


def ends(reach: float) -> tuple[str, str]:
    """Both ends of an axis as text."""
    power = round(math.log10(reach))
    return (f"1e-{power}", f"1e{power}") if power > 2 else (f"1/{reach:g}", f"{reach:g}")
