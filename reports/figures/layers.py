"""What layers of a chart share: data written once, a series' look, what choosing does, a chart's size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pandas as pd

from reports.charts import Style, scaled
from reports.numbers import number
from reports.trials import missing

SIZE = (636, 340)  # pixels of a chart that is half a page wide with all around it; of its plot's height
BEHIND, FAINT = 0.32, 0.06  # opacity of a series that isn't among the strong, or isn't chosen
HERE = "isArray(chosen) && indexof(chosen, datum.s) >= 0"
ELSE = "isArray(chosen) && !datum.r"


@dataclass(frozen=True)
class Looks:
    """Channels that give each series, by its code, the look of its name."""

    styles: Mapping[str, Style]
    codes: Mapping[str, str]

    def colour(self) -> Any:
        """The channel of colours."""
        import altair as alt

        return scaled(alt.Color, self.codes, [self.styles[name].colour for name in self.codes])

    def dash(self) -> Any:
        """The channel of dash patterns."""
        import altair as alt

        return scaled(alt.StrokeDash, self.codes, [list(self.styles[name].dash) for name in self.codes])


def codes_of(styles: Mapping[str, Style], series: Iterable[str]) -> dict[str, str]:
    """A code for each series: names are data and never part of an expression."""
    there = set(series)
    return {name: f"s{place}" for place, name in enumerate(name for name in styles if name in there)}


def layer(*data: Any) -> Any:
    """Begin a chart that is to be a layer, on data of its own or on those of all layers.

    Altair copies each layer to its depth twice whenever it touches what holds them; these only as far as it
    changes them.
    """
    return _layer()(*data)


@lru_cache(maxsize=1)
def _layer() -> Any:
    import altair as alt

    class Layer(alt.Chart):
        def __deepcopy__(self, _: Any = None) -> Layer:
            return self.copy(deep=False)

    return Layer


def together(layers: Sequence[Any], rows: pd.DataFrame, own: Sequence[str], shared: Sequence[str]) -> Any:
    """Layers on one set of points: columns `own` of each, `shared` of each series `s`, both written once."""
    import altair as alt

    series = inline(rows.drop_duplicates("s")[["s", *shared]])
    plain = rows["t"] == rows["y"].map(number)  # which a tooltip can write by itself
    points = inline(rows.assign(t=rows["t"].mask(plain))[["s", *own]])
    # As an argument: a method would copy every layer four times.
    lookup = alt.LookupTransform(lookup="s", **{"from": alt.LookupData(series, "s", list(shared))})
    return alt.layer(*layers, data=points, transform=[lookup])


def inline(rows: pd.DataFrame | Sequence[Mapping[Any, Any]]) -> Any:
    """Rows as data in a specification, without blanks."""
    import altair as alt

    plain = rows.to_dict("records") if isinstance(rows, pd.DataFrame) else rows
    # Altair copies lists over and over, but no tuple.
    values = tuple({key: value for key, value in row.items() if not missing(value)} for row in plain)
    return alt.InlineData(values=values)  # type: ignore[arg-type]


def at(y: str = "y", x: str = "x") -> dict[str, Any]:
    """Both channels of a further layer; as objects, since Altair reads strings slowly."""
    import altair as alt

    return {"x": alt.X(f"{x}:Q"), "y": alt.Y(f"{y}:Q")}


def chosen() -> Any:
    """Opacity of a series: as it is, until some are chosen; then these stand out, beside the references."""
    import altair as alt

    return alt.Opacity(
        "o:Q", scale=None, legend=None,
        condition=[{"test": HERE, "value": 1}, {"test": ELSE, "value": FAINT}],
    )  # fmt: skip


def faded(usual: float, *cases: tuple[str, float]) -> Any:
    """An opacity that is the first case's whose test, a Vega expression, holds."""
    import altair as alt

    return alt.OpacityValue(usual, condition=[{"test": test, "value": value} for test, value in cases])


def limit() -> Any:
    """How long a name may be, in pixels."""
    import altair as alt

    return alt.expr("room > 0 && room < 480 ? 84 : 150")


def sized(chart: Any, codes: Mapping[str, str], height: int = SIZE[1]) -> Any:
    """Make a chart as wide as half a page with all that is around its plot, fitted anew where it is live.

    The chart itself is changed: Altair's methods would copy every layer ten times.
    """
    import altair as alt

    chart.params = [alt.param(name="chosen", value=None).param, alt.param(name="room", value=0).param]
    chart.width, chart.height = SIZE[0], height
    chart.autosize = {"type": "fit-x", "contains": "padding"}
    chart.usermeta = {"codes": dict(codes), "fluid": True}
    return chart


@contextmanager
def unchecked() -> Iterator[None]:
    """Build charts without checking each part against Vega-Lite's schema, which tests do."""
    from altair.utils.schemapi import debug_mode

    with debug_mode(False):
        yield
