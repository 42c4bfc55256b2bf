import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from reports.charts import (
    HUES,
    NEUTRAL,
    RAMP,
    decades,
    learning_chart,
    line_styles,
    posterior_chart,
    powers,
    stage_colour,
    stages,
)
from reports.figures import learning_figure, posterior_figures
from reports.leaderboard import summarise
from reports.svg import svg


@pytest.fixture(scope="module")
def summary(results):
    return summarise(results)


def _lines(drawing):
    """(colour, points) of every line path; points in pixels, a missing one breaks the path with a new M."""
    paths = re.findall(r'<path d="(M[^"]*)"[^>]*stroke="(#[0-9a-f]{6})"', drawing)
    return [(colour, path) for path, colour in paths]


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


def test_a_line_breaks_where_there_is_no_number_and_lies_where_the_number_says():
    points = pd.DataFrame(
        {
            "series": "net",
            "budget": [10, 100, 1_000, 10_000, 100_000],
            "value": [1.0, 0.1, np.nan, 0.01, 0.001],
        }
    )
    drawing = svg(learning_chart(points, line_styles(["net"]), ([10, 1_000], decades([1, 0.001]))), "label")
    (line,) = [path for colour, path in _lines(drawing) if colour == HUES[0]]
    assert line.count("M") == 2  # broken once
    numbers = [float(n) for n in re.findall(r"-?[\d.]+", line)]
    np.testing.assert_allclose(numbers, [0, 0, 82.5, 90, 247.5, 180, 330, 270], atol=0.1)


def test_infinite_means_and_the_oracle_are_left_out(results, summary):
    points = summary.cells["kl"]
    assert np.isinf(points["gauss-sparse-tail", "resnet-64", 640_000])
    figure = learning_figure(results, summary, "kl", "expected KL")
    assert [panel.title for panel in figure.panels] == results.suite["tasks"]
    assert all("Infinity" not in panel.svg and "NaN" not in panel.svg for panel in figure.panels)
    texts = [key.text for key in figure.legend]
    assert texts[:5] == results.suite["architectures"] and "oracle" not in texts
    assert any("2N" in text for text in texts)


def test_the_limit_is_drawn_over_all_x_only(results, summary):
    sparse = learning_figure(results, summary, "sparse_mean", "sparse")
    assert not any("2N" in key.text for key in sparse.legend)


def test_posterior_panel_draws_the_exact_curve_where_it_is(results):
    picture = results.pictures["gauss-separated"]
    drawing = svg(posterior_chart(picture, "mlp-64x64", [640, 640_000]), "label")
    exact = next(path for colour, path in _lines(drawing) if colour == NEUTRAL)
    pixels = np.array([float(n) for n in re.findall(r"-?[\d.]+", exact)]).reshape(-1, 2)
    x = -4 + 11 * pixels[:, 0] / 330
    p = 1.02 - 1.04 * pixels[:, 1] / 190
    np.testing.assert_allclose(p, np.interp(x, picture.x[:, 0], picture.posterior[:, 1]), atol=0.006)
    assert {RAMP[-1], RAMP[-2]} <= {colour for colour, _ in _lines(drawing)}


def test_the_study_s_network_comes_first_else_the_best(results):
    figures = posterior_figures(results, "linear")
    assert [figure.name for figure in figures][:2] == ["mlp-64x64", "linear"]
    assert len(figures) == 5 and all(len(figure.panels) == 3 for figure in figures)


def test_svg_is_well_formed_named_without_background_or_fixed_size():
    points = pd.DataFrame({"series": "net", "budget": [10, 100], "value": [1.0, 0.1]})
    label = 'gap of <b> & "c"'
    drawing = svg(learning_chart(points, line_styles(["net"]), ([10], decades([1, 0.1]))), label)
    root = ElementTree.fromstring(drawing)
    assert root.get("role") == "img" and root.get("aria-label") == label
    assert root.find("title").text == label
    assert root.get("width") is None and root.find("rect") is None
    assert "id=" not in drawing  # several drawings share one page
    assert {"role-axis-label", "role-axis-grid"} <= set(re.findall(r"role-[a-z-]+", drawing))
