"""A picture with two axes as SVG: points in steps of colour, one path a step, with axes.

Steps and not a continuous scale: the style sheet knows their colours, light and dark, a path holds all
points of a step, and a reader can tell from the key what a colour stands for. `static/explorer.js` draws the
same paths.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from reports.figures.contours import boundaries
from reports.results import Picture

HUES, STRENGTHS = 6, (0.6, 0.9)  # of the most probable class: its hue, and where its colour gets stronger
STEPS: Mapping[str, tuple[float, ...]] = {  # lower ends of all steps but the first
    "probability": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    "error": (-0.3, -0.1, -0.03, -0.01, -0.003, 0.003, 0.01, 0.03, 0.1, 0.3),
    "spread": (0.003, 0.01, 0.03, 0.1, 0.3),
    "kl": (1e-4, 1e-3, 1e-2, 0.1, 1.0),
}
KEYS: Mapping[str, tuple[float, ...]] = {  # the bounds that a key names
    "probability": (0.5,),
    "error": (-0.3, -0.03, 0.03, 0.3),
    "spread": STEPS["spread"],
    "kl": STEPS["kl"],
}
WIDTH, LEFT, TOP, RIGHT, BOTTOM = 340, 34, 8, 8, 40  # pixels: a panel, and what surrounds its plot
DOT = 6  # pixels across


@dataclass(frozen=True)
class Frame:
    """Where a picture is drawn: its window in coordinates of the axes, and its plot's size in pixels."""

    low: tuple[float, float]
    high: tuple[float, float]
    width: float
    height: float
    cells: tuple[int, int]  # rows, columns; (0, 0) where points are scattered

    def place(self, x: np.ndarray) -> np.ndarray:
        """Points (m, 2) in the plot's units: cells of a grid, pixels of a scatter; y grows downwards."""
        share = (x - self.low) / np.subtract(self.high, self.low)
        size = self.size
        return np.stack([share[:, 0] * size[0], (1 - share[:, 1]) * size[1]], axis=-1)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in the plot's units."""
        rows, columns = self.cells
        return (columns, rows) if rows else (self.width, self.height)


def frame(picture: Picture) -> Frame:
    """The frame of a picture with two axes; one unit is as long on both as far as the panel allows."""
    low, high = picture.x.min(axis=0), picture.x.max(axis=0)
    cells = (0, 0)
    if len(picture.shape) == 2:
        cells = (picture.shape[0], picture.shape[1])
        half = (high - low) / (np.array([picture.shape[1], picture.shape[0]]) - 1) / 2
    else:
        half = 0.04 * (high - low)
    low, high = low - half, high + half
    width = WIDTH - LEFT - RIGHT
    ratio = float((high[1] - low[1]) / (high[0] - low[0])) if high[0] > low[0] else 1.0
    height = round(width * min(max(ratio, 0.6), 1.1), 1)
    return Frame((float(low[0]), float(low[1])), (float(high[0]), float(high[1])), width, height, cells)


def steps(kind: str, values: np.ndarray) -> np.ndarray:
    """Which step each value (m,) belongs to, from 0."""
    return np.searchsorted(STEPS[kind], values, side="right")


def class_steps(posterior: np.ndarray) -> np.ndarray:
    """Steps (m,) of the most probable class of (m, k): its hue, and three strengths of each."""
    strength = np.searchsorted(STRENGTHS, posterior.max(axis=1), side="right")
    return np.asarray((posterior.argmax(axis=1) % HUES) * (len(STRENGTHS) + 1) + strength)


def marks(where: Frame, picture: Picture, kind: str, step: np.ndarray) -> Markup:
    """A picture's points as paths, one a step (m,), in the order in which dots should cover each other."""
    paths = grid_paths(step.reshape(picture.shape)) if where.cells[0] else dot_paths(where, picture.x, step)
    order = sorted(paths, key=lambda each: (_cover(kind, each), each))
    return Markup("").join(Markup('<path class="l{}" d="{}"/>').format(each, paths[each]) for each in order)


def _cover(kind: str, step: int) -> float:
    """What lies on top is what a reader looks for: doubt in a posterior, size in an error."""
    if kind == "probability":
        return -abs(step - len(STEPS[kind]) / 2)
    if kind == "classes":
        return -(step % (len(STRENGTHS) + 1))
    return abs(step - len(STEPS[kind]) / 2) if kind == "error" else step


def grid_paths(step: np.ndarray) -> dict[int, str]:
    """Rows of cells of the same step (rows, columns) as runs of a line as wide as a cell."""
    paths: dict[int, list[str]] = {}
    rows = len(step)
    for row, line in enumerate(step):
        starts = np.flatnonzero(np.concatenate([[True], line[1:] != line[:-1]]))
        for start, end in zip(starts, [*starts[1:], len(line)], strict=True):
            paths.setdefault(int(line[start]), []).append(f"M{start} {rows - row - 0.5:g}h{end - start}")
    return {each: "".join(parts) for each, parts in paths.items()}


def dot_paths(where: Frame, x: np.ndarray, step: np.ndarray) -> dict[int, str]:
    """Points (m, 2) as dots: lines of no length with round ends."""
    paths: dict[int, list[str]] = {}
    for (across, down), each in zip(where.place(x), step, strict=True):
        paths.setdefault(int(each), []).append(f"M{across:.1f} {down:.1f}h0")
    return {each: "".join(parts) for each, parts in paths.items()}


def outlines(picture: Picture, shares: Sequence[float]) -> Markup:
    """Lines around the densest parts of a plane that hold such shares of P(x)."""
    found = boundaries(picture)
    rows = picture.shape[0] if picture.shape else 0
    paths = []
    for share in (each for each in shares if each in found and len(found[each])):
        ends = found[share] + 0.5
        parts = [f"M{a:.1f} {rows - b:.1f}L{c:.1f} {rows - d:.1f}" for (a, b), (c, d) in ends]
        name = "edge" if share == 0.99 else "inner"
        paths.append(Markup('<path class="{}" d="{}"/>').format(name, "".join(parts)))
    return Markup("").join(paths)


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers within a range, about so many: multiples of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    raw = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * next(factor for factor in (1, 2, 5, 10) if raw <= factor * power * 1.001)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(place * step, 12) + 0.0 for place in range(first, last + 1)]


def axis_titles(picture: Picture) -> tuple[str, str]:
    """Titles of both axes, with the share of the variance where they are components."""
    shares = [f", {100 * share:.0f} % of the variance" for share in picture.shares] or ["", ""]
    across, up = (f"{name}{share}" for name, share in zip(picture.axes, shares, strict=True))
    return across, up


def panel(where: Frame, picture: Picture, kind: str, step: np.ndarray, over: Markup) -> Markup:
    """A picture with two axes as an SVG without a fixed size.

    kind: one of `STEPS` or `classes`; step: (m,); over: what is drawn above the points, in the plot's units.
    """
    width, height = where.size
    inner = Markup(
        'x="{}" y="{}" width="{:g}" height="{:g}" viewBox="0 0 {:g} {:g}" preserveAspectRatio="none"'
    ).format(LEFT, TOP, where.width, where.height, width, height)
    shape = "grid" if where.cells[0] else "dots"
    return Markup(
        '<svg class="map" viewBox="0 0 {} {:g}" aria-hidden="true" focusable="false">'
        '<rect class="ground" x="{}" y="{}" width="{:g}" height="{:g}"/>'
        '<svg class="steps {} {}" aria-hidden="true" {}>{}</svg>'
        '<svg class="over" aria-hidden="true" {}>{}</svg>{}</svg>'
    ).format(
        WIDTH, where.height + TOP + BOTTOM, LEFT, TOP, where.width, where.height,
        kind, shape, inner, marks(where, picture, kind, step), inner, over, _axes(where, picture),
    )  # fmt: skip


def _axes(where: Frame, picture: Picture) -> Markup:
    bottom = TOP + where.height
    across, up = axis_titles(picture)
    parts = []
    for tick in ticks(where.low[0], where.high[0]):
        at = LEFT + where.width * (tick - where.low[0]) / (where.high[0] - where.low[0])
        parts.append(_text(at, bottom + 15, "middle", f"{tick:g}"))
    for tick in ticks(where.low[1], where.high[1]):
        at = bottom - where.height * (tick - where.low[1]) / (where.high[1] - where.low[1])
        parts.append(_text(LEFT - 6, at + 4, "end", f"{tick:g}"))
    middle = LEFT + where.width / 2
    turned = Markup('<text transform="translate(9 {:g}) rotate(-90)" text-anchor="middle">{}</text>')
    parts.append(_text(middle, bottom + 33, "middle", across))
    parts.append(turned.format(TOP + where.height / 2, up))
    return Markup("").join(parts)


def _text(x: float, y: float, anchor: str, text: str) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(x, y, anchor, text)


def class_names(where: Frame, picture: Picture) -> Markup:
    """The number of each class at the middle of the points where it is the most probable."""
    best = picture.posterior.argmax(axis=1)
    weights = np.exp(picture.log_density - np.nanmax(picture.log_density)) if where.cells[0] else None
    names = []
    for each in np.unique(best):
        chosen = best == each
        share = weights[chosen] if weights is not None else None
        if share is not None and not share.sum() > 0:
            continue
        centre = np.average(picture.x[chosen], axis=0, weights=share)
        across, down = where.place(centre[None])[0]
        scale = where.size[0] / where.width
        names.append(
            Markup('<text class="class-name" x="{:.2f}" y="{:.2f}" font-size="{:.3g}">{}</text>').format(
                across, down, 13 * scale, each
            )
        )
    return Markup("").join(names)


def key(kind: str) -> Markup:
    """The colours of a map's steps with the values between them, as an SVG as wide as a panel."""
    bounds, shown = STEPS[kind], KEYS[kind]
    width = (WIDTH - LEFT - RIGHT) / (len(bounds) + 1)
    boxes = [
        Markup('<rect class="l{}" x="{:.1f}" y="0" width="{:.1f}" height="9"/>').format(
            each, LEFT + each * width, width + 0.4
        )
        for each in range(len(bounds) + 1)
    ]
    texts = [
        _text(LEFT + (each + 1) * width, 22, "middle", f"{bound:g}".replace("-", "\u2212"))
        for each, bound in enumerate(bounds)
        if bound in shown
    ]
    if kind == "probability":
        texts += [_text(LEFT, 22, "start", "0"), _text(WIDTH - RIGHT, 22, "end", "1")]
    if kind == "error":
        texts.append(_text((LEFT + WIDTH - RIGHT) / 2, 22, "middle", f"\u00b1{bounds[len(bounds) // 2]:g}"))
    return Markup(
        '<svg class="steps map-key {}" viewBox="0 0 {} 26" aria-hidden="true" focusable="false">{}</svg>'
    ).format(kind, WIDTH, Markup("").join([*boxes, *texts]))
