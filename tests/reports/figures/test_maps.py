"""Maps in steps of colour, and contours on a grid."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from reports import charts
from reports.figures.contours import boundaries, contour, crossings
from reports.figures.maps import STEPS, class_steps, frame, grid_paths, marks, steps, ticks

CSS = (Path(charts.__file__).parent / "static" / "report.css").read_text(encoding="utf-8")


def test_crossings_lie_at_the_roots_of_the_log_odds(results):
    assert crossings(results.pictures["gauss-separated"]) == pytest.approx([1.5], abs=1e-9)
    roots = np.sort(np.roots([-0.375, 1, 0.19]))
    assert crossings(results.pictures["gauss-nested"]) == pytest.approx(roots, abs=2e-3)


def test_a_contour_of_a_normal_density_is_a_circle():
    across, up = np.meshgrid(np.arange(41.0), np.arange(61.0))
    values = -((across - 20) ** 2 + (up - 30) ** 2) / 2
    ends = contour(values, -(12.3**2) / 2)
    radii = np.hypot(ends[..., 0] - 20, ends[..., 1] - 30)
    # Linear interpolation along an edge of length sqrt(2) errs by at most its square / 8, over the slope.
    np.testing.assert_allclose(radii, 12.3, atol=2 / 8 / 12.3)
    lengths = np.hypot(*(ends[:, 0] - ends[:, 1]).T)
    assert lengths.sum() == pytest.approx(2 * np.pi * 12.3, rel=2e-3)


def test_boundaries_hold_their_share_of_the_mass(make_plane):
    side = 81
    across, up = np.meshgrid(np.linspace(-4, 4, side), np.linspace(-4, 4, side))
    x = np.stack([across.ravel(), up.ravel()], axis=-1)
    joint = np.repeat(-(x**2).sum(axis=1)[:, None] / 2 - np.log(4 * np.pi), 2, axis=1)
    sparse = np.hypot(*x.T) > np.sqrt(-2 * np.log(0.01))
    plane = dataclasses.replace(make_plane(), shape=(side, side), x=x, log_joint=joint, sparse=sparse)
    found = boundaries(plane)
    assert set(found) == {0.5, 0.9, 0.99}
    for share, ends in found.items():
        radii = np.hypot(*((ends.reshape(-1, 2) - 40) / 10).T)
        np.testing.assert_allclose(radii, np.sqrt(-2 * np.log(1 - share)), atol=0.06)
    assert boundaries(dataclasses.replace(plane, density=False)) == {}


def test_a_grids_paths_cover_every_cell_with_its_own_step():
    step = np.random.default_rng(2).integers(0, 3, (5, 7))
    drawn = np.full((5, 7), -1)
    for each, path in grid_paths(step).items():
        for start, down, length in re.findall(r"M(\d+) ([\d.]+)h(\d+)", path):
            row, columns = int(5 - float(down) - 0.5), slice(int(start), int(start) + int(length))
            assert (drawn[row, columns] == -1).all()
            drawn[row, columns] = each
    np.testing.assert_array_equal(drawn, step)
    # The first row has the lowest x2, and the page's y grows downwards.
    assert "M0 4.5h" in "".join(grid_paths(step).values())


def test_points_of_a_scatter_keep_their_places(make_plane, make_scatter):
    where = frame(make_plane())
    assert where.place(np.array([where.low]))[0].tolist() == [0, 40]
    scatter = make_scatter()
    text = str(marks(frame(scatter), scatter, "spread", np.zeros(len(scatter.x), dtype=int)))
    points = np.array(re.findall(r"M([\d.]+) ([\d.]+)h0", text), dtype=float)
    low, high = scatter.x.min(axis=0), scatter.x.max(axis=0)
    size = np.array([frame(scatter).width, frame(scatter).height])
    shares = (scatter.x - low + 0.04 * (high - low)) / (1.08 * (high - low))
    np.testing.assert_allclose(points, np.stack([shares[:, 0], 1 - shares[:, 1]], axis=1) * size, atol=0.051)


def test_steps_are_counted_from_their_bounds():
    assert steps("probability", np.array([0, 0.099, 0.1, 0.5, 1])).tolist() == [0, 0, 1, 5, 9]
    assert steps("error", np.array([-1, -0.002, 0, 0.2, 0.3])).tolist() == [0, 5, 5, 9, 10]
    posterior = np.array([[0.55, 0.45], [0.3, 0.7], [0.05, 0.95]])
    assert class_steps(posterior).tolist() == [0, 4, 5]


def test_what_a_reader_looks_for_lies_on_top(make_scatter):
    scatter = make_scatter(points=4)
    order = {
        "error": ["l5", "l2", "l0"],
        "probability": ["l9", "l7", "l5"],
        "spread": ["l0", "l2", "l5"],
    }
    for kind, wanted in order.items():
        step = np.array([int(name[1:]) for name in [*wanted, wanted[0]]])
        assert re.findall(r'class="(l\d+)"', str(marks(frame(scatter), scatter, kind, step))) == wanted


def test_every_step_has_a_colour():
    for kind, bounds in STEPS.items():
        for each in range(len(bounds) + 1):
            assert re.search(rf"\.{kind} \.l{each}\b[^{{]*{{ --c:", CSS), (kind, each)
    for each in range(18):
        assert f".classes .l{each} {{ --c:" in CSS


def test_ticks_are_round_and_within_their_range():
    assert ticks(-4.7, 4.7) == [-4, -2, 0, 2, 4]
    assert ticks(0.013, 0.058) == [0.02, 0.03, 0.04, 0.05]
    assert ticks(3, 3) == [3]
