"""The explorer's numbers: read back as its script reads them, against the picture they come from."""

import base64
import dataclasses
import zlib

import numpy as np
import pytest
from scipy.stats import entropy

from reports.figures.explorer import KL_RANGE, SCALE, default_row, map_rows, mean_kl, outputs, thinned

TASKS = ("gauss-separated", "gauss-nested", "gauss-sparse-tail")
NETWORKS = ("linear", "mlp-16x16", "mlp-64x64", "resnet-64", "fourier-64")
BUDGETS = (640, 3_200, 32_000, 128_000, 640_000)


def decoded(values):
    """An explorer's numbers as `explorer.js` reads them: exact rows, and {(row, budget): (rows, seeds)}."""
    split = np.frombuffer(zlib.decompress(base64.b64decode(values["numbers"])), dtype=np.uint8)
    low, high = split.reshape(2, -1).astype(np.uint16)
    table = (low | high << 8).astype(np.int16).reshape(-1, values["points"]).astype(int)
    exact = dict(zip(values["exact"], table, strict=False))
    at, cells = len(values["exact"]), {}
    for row, budget, seeds in values["cells"]:
        rows = dict(zip(values["rows"], table[at:], strict=False))
        at += len(values["rows"])
        count = seeds * len(values["shown"])
        cells[row, budget] = (
            rows,
            table[at : at + count].reshape(len(values["shown"]), seeds, values["points"]),
        )
        at += count
    assert at == len(table)
    return exact, cells


def three_classes(plane, seeds=3):
    """A plane of three round classes, and outputs that are off by random amounts."""
    x = plane.x
    third = -((x - [1, 3]) ** 2).sum(axis=1) / 2 - np.log(2 * np.pi) + np.log(0.5)
    joint = np.concatenate([plane.log_joint, third[:, None]], axis=1)
    q = np.random.default_rng(5).dirichlet([1, 2, 3], (seeds, len(x)))
    return dataclasses.replace(plane, log_joint=joint, outputs={("linear", 640): q.astype(np.float32)})


def test_a_lines_numbers_read_back_within_rounding(results):
    picture = results.pictures["gauss-nested"]
    values = outputs(picture, NETWORKS, BUDGETS)
    exact, cells = decoded(values)
    keep = thinned(picture)
    assert len(keep) == 101 and keep[0] == 0 and keep[-1] == 200
    np.testing.assert_allclose(exact["exact1"] / SCALE, picture.posterior[keep, 1], atol=0.51 / SCALE)
    assert set(cells) == {(a, b) for a in range(len(NETWORKS)) for b in range(len(BUDGETS))}
    for (a, b), (rows, seeds) in cells.items():
        q = picture.outputs[NETWORKS[a], BUDGETS[b]][:, keep, 1]
        for name, wanted in (("mean1", q.mean(axis=0)), ("low1", q.min(axis=0)), ("high1", q.max(axis=0))):
            np.testing.assert_allclose(rows[name] / SCALE, wanted, atol=0.51 / SCALE)
        np.testing.assert_allclose(seeds[0] / SCALE, q, atol=0.51 / SCALE)


@pytest.mark.parametrize("make", ["make_plane", "make_scatter"])
def test_a_maps_numbers_read_back_within_rounding(make, request):
    picture = request.getfixturevalue(make)()
    _, cells = decoded(outputs(picture, NETWORKS, BUDGETS))
    rows, seeds = cells[1, 2]
    q = picture.outputs[NETWORKS[1], BUDGETS[2]].astype(float)
    assert seeds.size == 0
    np.testing.assert_allclose(rows["mean1"] / SCALE, q[:, :, 1].mean(axis=0), atol=0.51 / SCALE)
    np.testing.assert_allclose(rows["sd1"] / SCALE, q[:, :, 1].std(axis=0, ddof=1), atol=0.51 / SCALE)
    kl = np.mean([entropy(picture.posterior, each, axis=1) for each in q], axis=0)
    told = 10 ** (rows["kl"] / 100)
    above = kl > 1.1e-6
    np.testing.assert_allclose(told[above], kl[above], rtol=0.013)
    assert (rows["kl"][kl < 0.9e-6] == KL_RANGE[0]).all()


def test_more_classes_keep_the_most_probable_one_and_total_variation(make_plane):
    picture = three_classes(make_plane(3, 20))
    exact, cells = decoded(outputs(picture, ["linear"], [640]))
    rows, _ = cells[0, 0]
    q = picture.outputs["linear", 640].astype(float)
    mean, p = q.mean(axis=0), picture.posterior
    np.testing.assert_array_equal(exact["best"], p.argmax(axis=1))
    np.testing.assert_array_equal(rows["best"], mean.argmax(axis=1))
    np.testing.assert_allclose(rows["share"] / SCALE, mean.max(axis=1), atol=0.51 / SCALE)
    np.testing.assert_allclose(rows["tv"] / SCALE, np.maximum(mean - p, 0).sum(axis=1), atol=0.51 / SCALE)
    widest = q.std(axis=0, ddof=1).max(axis=1)
    np.testing.assert_allclose(rows["spread"] / SCALE, widest, atol=0.51 / SCALE)
    for c in range(3):
        np.testing.assert_allclose(rows[f"mean{c}"] / SCALE, mean[:, c], atol=0.51 / SCALE)


def test_kl_is_infinite_only_where_q_excludes_what_p_does_not(make_plane):
    p = np.array([[0.5, 0.5], [1.0, 0.0], [0.2, 0.8]])
    q = np.array([[[1.0, 0.0], [1.0, 0.0], [0.2, 0.8]]])
    np.testing.assert_allclose(mean_kl(p, q), [np.inf, 0, 0], atol=1e-12)
    picture = dataclasses.replace(
        make_plane(side=2),
        outputs={("linear", 640): np.array([[[1, 0], [0, 1], [1, 0], [0, 1]]], dtype=float)},
    )
    _, cells = decoded(outputs(picture, ["linear"], [640]))
    assert (cells[0, 0][0]["kl"] == KL_RANGE[1] + 1).all()
    assert (cells[0, 0][0]["sd1"] == 0).all()  # one seed has no spread


def test_a_hundred_classes_keep_no_outputs_of_their_own():
    rng = np.random.default_rng(1)
    q = rng.dirichlet(np.ones(100), (2, 300))
    rows = map_rows(q[0], q, [])
    assert set(rows) == {"kl", "tv", "spread", "best", "share"}


def test_the_study_s_network_is_shown_first_or_else_the_best(results):
    picture = results.pictures[TASKS[0]]
    order = ["linear", "mlp-64x64", "resnet-64"]
    assert default_row(picture, order, 640, "mlp-64x64") == "mlp-64x64"
    without = {key: q for key, q in picture.outputs.items() if key[0] != "mlp-64x64"}
    assert default_row(dataclasses.replace(picture, outputs=without), order, 640, "mlp-64x64") == "linear"
    assert default_row(dataclasses.replace(picture, outputs={}), order, 640, "mlp-64x64") is None
