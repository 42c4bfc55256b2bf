import json
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from reports.charts import (
    HUES,
    LIMIT,
    NEUTRAL,
    RAMP,
    Axes,
    calm_decades,
    decades,
    line_styles,
    marks,
    posterior_chart,
    powers,
    stage_colour,
    stages,
)
from reports.figures import drawing, svg
from reports.figures.layers import SIZE, codes_of
from reports.figures.lines import LABEL, NEUTRALS, beyond, drawn_rows, end_labels, line_chart
from reports.pages.page import Chart

HOSTILE = "datum.x'];alert(1)//<b>\"&\x1b[31m"


def _axes(low=-3, high=0, budgets=(10.0, 100_000.0)):
    ticks = [10.0**power for power in range(low, high + 1)]
    return Axes("examples", "gap", (powers(budgets), ticks), budgets)


def _drawn(spec, label="label"):
    return svg.drawn(Chart("chart", "title", label, spec, pd.DataFrame()), "chart.csv")


def _lines(drawing):
    """(colour, path) of every line; a missing point breaks its path with a new M."""
    paths = re.findall(r'<path d="(M[^"Z]*)"[^>]*stroke="(#[0-9a-f]{6})"', drawing)
    return [(colour, path) for path, colour in paths]


def _numbers(path):
    return np.array([float(number) for number in re.findall(r"-?[\d.]+", path)]).reshape(-1, 2)


def _points(**series):
    """Points of series: {name: y} at x = 10, 100, ..."""
    parts = [
        pd.DataFrame({"series": name, "x": 10.0 ** np.arange(1, len(y) + 1), "y": y})
        for name, y in series.items()
    ]
    return pd.concat(parts, ignore_index=True)


def test_a_name_keeps_its_colour_and_dash_and_no_two_look_alike():
    names = [f"net-{number}" for number in range(24)]
    styles = line_styles(names)
    assert len({(styles[name].colour, styles[name].dash) for name in names}) == 24
    assert line_styles(names[:3])["net-2"] == styles["net-2"]


def test_stages_are_spread_on_a_log_axis_and_hold_both_ends():
    budgets = [64 * steps for steps in (10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)]
    assert stages(budgets) == [640, 3_200, 12_800, 128_000, 640_000]
    assert stages([5, 3]) == [3, 5]
    assert stage_colour([3, 5], 5) == RAMP[-1] and stage_colour([3, 5], 3) == RAMP[-2]


def test_decades_enclose_the_values_and_skip_what_a_log_axis_cannot_show():
    assert decades([0.02, 3.0, 0.0, np.inf, np.nan]) == [0.01, 0.1, 1.0, 10.0]
    assert decades([]) == [0.1, 1.0] and decades([0.1]) == [0.1, 1.0]
    assert powers([640, 640_000]) == [1_000, 10_000, 100_000]
    assert marks([0.15, 3.0]) == pytest.approx([0.2, 0.5, 1, 2])
    assert marks([1.1, 1.9]) == pytest.approx([1.1, 1.9]) and marks([1, 1e4]) == [1, 10, 100, 1_000, 10_000]


def test_few_values_far_off_do_not_stretch_an_axis_and_nothing_lies_below_1e_9():
    body = [0.02, 0.03, 0.05, 0.1, 0.5]
    assert calm_decades(body) == decades(body)
    floor = calm_decades([1e-18, *body])[0]
    assert floor == pytest.approx(1e-5)  # a thousandth of 0.02, and down to a decade
    assert calm_decades([*body, 1e30])[-1] == pytest.approx(1e3)
    assert calm_decades([1e-14] * 5 + body)[0] == pytest.approx(1e-9)
    assert calm_decades([1e-18, 1e-17])[0] == pytest.approx(1e-9)
    assert calm_decades([np.nan, np.inf, 0.0]) == [0.1, 1.0]
    winner = [1e-6, *body]
    assert calm_decades([1e-4, *body])[0] == pytest.approx(1e-4)  # within reach: shown where it is
    assert beyond(winner, calm_decades(winner)) == "Values below 1e-5 lie on the edge."
    assert beyond(body, calm_decades(body)) == ""


def test_a_line_breaks_where_there_is_no_number_and_lies_where_the_number_says():
    points = _points(net=[1.0, 0.1, np.nan, 0.01, 0.001])
    drawing = _drawn(line_chart(points, line_styles(["net"]), _axes(), ["net"])).svg
    (line,) = [path for colour, path in _lines(drawing) if colour == HUES[0]]
    assert line.count("M") == 2  # broken once
    pixels = _numbers(line)
    np.testing.assert_allclose(pixels[:, 1], SIZE[1] * np.array([0, 1, 2, 3]) / 3, atol=0.1)
    np.testing.assert_allclose(pixels[:, 0] / pixels[-1, 0], np.array([0, 1, 3, 4]) / 4, atol=2e-3)


def test_an_infinite_mean_breaks_its_line_and_is_no_number_on_the_page():
    points = _points(net=[1.0, 0.1, np.inf, 0.1, 0.1, np.nan, 0.2])
    figure = _drawn(line_chart(points, line_styles(["net"]), _axes(budgets=(10.0, 1e7)), []))
    (line,) = re.findall(rf'<path d="(M[^"]*)" stroke="{HUES[0]}"', figure.svg)
    assert line.count("M") == 3
    assert len(re.findall(r'd="M3.5,0A', figure.svg)) == 1  # the last has no neighbour to be joined to
    text = figure.svg + json.dumps(figure.spec, allow_nan=False)
    assert "Infinity" not in text and "NaN" not in text


def test_values_below_their_error_or_the_axis_are_drawn_on_its_edge_and_told_exactly():
    points = _points(net=[0.1, 1e-18, 1e-4, 50.0]).assign(error=[0.0, 1e-16, 0.02, 0.0])
    rows = drawn_rows(points, {"net": "s0"}, _axes(), ["net"])
    np.testing.assert_allclose(rows["y"], [0.1, 1e-3, 0.02, 1.0])
    assert rows["t"].tolist() == ["0.100", "< 1e-16", "< 0.02", "50.0"]
    zero = drawn_rows(_points(net=[0.0]), {"net": "s0"}, _axes(), ["net"])
    assert zero["y"].tolist() == [1e-3] and zero["t"].tolist() == ["0"]


def test_lines_of_reference_end_at_the_axis_in_place_of_running_along_it():
    rows = drawn_rows(_points(**{LIMIT: [0.1, 1e-3, 1e-5]}), {LIMIT: "s0"}, _axes(), [])
    np.testing.assert_allclose(rows["y"], [0.1, 1e-3, np.nan])
    assert rows["r"].all() and (rows["o"] == 1).all()


def test_intervals_are_bands_of_strong_rows_and_told_of_all():
    points = _points(one=[0.1, 0.1], other=[0.2, 0.2]).assign(low=0.05, high=0.3)
    figure = _drawn(line_chart(points, line_styles(["one", "other"]), _axes(), ["one"]))
    assert len(re.findall(r'<path d="[^"]*Z"[^>]*opacity="0.12"', figure.svg)) == 1
    rows = drawn_rows(points, {"one": "s0", "other": "s1"}, _axes(), ["one"])
    assert rows["t"].tolist() == ["0.100 (0.050–0.30)"] * 2 + ["0.200 (0.050–0.30)"] * 2  # noqa: RUF001


@pytest.mark.parametrize("level", [1e-3, 0.03, 1.0])
def test_names_at_line_ends_never_overlap_and_stay_within_the_plot(level):
    series = {f"net-{place}": [0.5, level * (1 + 1e-3 * place) / 1.01] for place in range(9)}
    axes, points = _axes(), _points(**series)
    rows = drawn_rows(points, codes_of(line_styles(list(series)), points["series"]), axes, list(series))
    labels = end_labels(rows, axes, list(series))
    heights = SIZE[1] * (np.log10(labels["at"]) + 3) / 3
    assert len(labels) == 9 and np.diff(heights).min() >= LABEL - 0.1
    assert heights.min() >= -0.1 and heights.max() <= SIZE[1] + 0.1
    assert labels["y"].is_monotonic_increasing  # names are in the order of their lines


def test_only_strong_rows_are_named_and_a_lone_point_is_a_dot():
    names = [f"net-{place}" for place in range(12)]
    points = pd.concat([_points(**{name: [0.1 + place / 20, 0.1]}) for place, name in enumerate(names)])
    points = points[(points["series"] != "net-11") | (points["x"] == 10)].reset_index(drop=True)
    drawing = _drawn(line_chart(points, line_styles(names), _axes(), names[:6])).svg
    # One name more is there unseen, to keep room.
    shown = [text for text in re.findall(r"<text([^>]*)>net-\d+", drawing) if 'opacity="0"' not in text]
    assert len(shown) == 6
    dots = re.findall(r'<path transform="[^"]*" d="M([\d.]+),0A', drawing)
    # Vega: the radius is half the root of the size, 14 or 50.
    assert sorted(map(float, dots)) == pytest.approx([1.87] * 12 + [3.54], abs=0.05)


def test_names_are_data_and_never_part_of_an_expression_or_a_field():
    points = pd.concat([_points(**{HOSTILE: [0.1, 0.2]}), _points(net=[0.3, 0.2])], ignore_index=True)
    spec = _drawn(line_chart(points, line_styles([HOSTILE, "net"]), _axes(), [HOSTILE])).spec

    def strings(part, key=""):
        if isinstance(part, dict):
            for name, value in part.items():
                if name not in ("datasets", "values", "codes"):
                    assert "alert" not in name
                    yield from strings(value, name)
        elif isinstance(part, list):
            for value in part:
                yield from strings(value, key)
        elif isinstance(part, str):
            yield part

    assert not [text for text in strings(spec) if "alert" in text]
    assert "alert" in json.dumps(spec)  # it is there, as data
    assert [code for name, code in spec["usermeta"]["codes"].items() if "alert" in name] == ["s0"]


def test_a_chosen_row_stands_out_beside_the_lines_of_reference():
    points = pd.concat([_points(net=[0.3, 0.2]), _points(**{name: [0.1, 0.1] for name in NEUTRALS})])
    spec = _drawn(line_chart(points.reset_index(drop=True), line_styles(["net"]), _axes(), ["net"])).spec
    tests = {part["test"] for layer in spec["layer"] for part in _conditions(layer)}
    assert any("!datum.r" in test for test in tests)
    assert {param["name"] for param in spec["params"]} == {"chosen", "room"}


def _conditions(layer):
    found = layer["encoding"].get("opacity", {}).get("condition", [])
    return found if isinstance(found, list) else [found]


def test_posterior_panel_draws_the_exact_curve_where_it_is(results):
    picture = results.pictures["gauss-separated"]
    drawing = _drawn(posterior_chart(picture, "mlp-64x64", [640, 640_000])).svg
    exact = next(path for colour, path in _lines(drawing) if colour == NEUTRAL)
    pixels = _numbers(exact)
    x = -4 + 11 * pixels[:, 0] / 330
    p = 1.02 - 1.04 * pixels[:, 1] / 190
    np.testing.assert_allclose(p, np.interp(x, picture.x[:, 0], picture.posterior[:, 1]), atol=0.006)
    assert {RAMP[-1], RAMP[-2]} <= {colour for colour, _ in _lines(drawing)}


def test_svg_is_well_formed_without_background_fixed_size_or_ids():
    figure = _drawn(
        line_chart(_points(net=[1.0, 0.1]), line_styles(["net"]), _axes(), ["net"]), 'a <b> & "c"'
    )
    root = ElementTree.fromstring(figure.svg)
    assert root.get("aria-hidden") == "true"  # its box has the text alternative
    assert figure.label == figure.spec["description"] == 'a <b> & "c"'
    assert root.get("width") is None and root.find("rect") is None
    assert "id=" not in figure.svg and "clip-path" not in figure.svg  # several drawings share one page
    assert {"role-axis-label", "role-axis-grid"} <= set(re.findall(r"role-[a-z-]+", figure.svg))
    left, _, width, _ = map(float, root.get("viewBox").split())
    assert (left, width) == (-drawing.SLACK, SIZE[0] + 2 * drawing.SLACK)


def test_shapes_of_one_look_become_one_path_and_none_is_lost():
    look = '" fill="#0072b2" fill-opacity="0.5"/>'
    other = look.replace("0.5", "0.4")
    body = f'<path d="M0,0h2v2h-2Z{look}<path d="M4,0h2v2h-2Z{look}<path d="M8,0h2v2h-2Z{other}'
    merged = drawing._ALIKE.sub(drawing._one_path, body)
    assert merged == f'<path d="M0,0h2v2h-2ZM4,0h2v2h-2Z{look}<path d="M8,0h2v2h-2Z{other}'
    lines = '<path d="M0,0L1,1" stroke="#555555"/><path d="M0,1L1,2" stroke="#555555"/>'
    assert drawing._ALIKE.sub(drawing._one_path, lines) == lines
    mixed = '<path d="M0,0h2Z" stroke="#555555"/>' + lines
    assert drawing._ALIKE.sub(drawing._one_path, mixed) == mixed
