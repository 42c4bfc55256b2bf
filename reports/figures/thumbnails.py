"""A small picture of a task, for lists of them."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from reports.figures.densities import class_style
from reports.figures.explorer import shown_steps
from reports.figures.maps import frame, marks
from reports.results import Picture

WIDTH, HEIGHT, POINTS = 132, 84, 67


def thumbnail(picture: Picture) -> Markup:
    """A picture as an SVG without axes: exact posterior and P(x) of one input, else a map."""
    if len(picture.shape) == 1:
        return _wrapped("0 0 132 84", "line", _line(picture))
    where = frame(picture)
    kind, step = shown_steps(picture, None)["exact"]
    width, height = where.size
    shape = "grid" if where.cells[0] else "dots"
    return _wrapped(f"0 0 {width:g} {height:g}", f"steps {kind} {shape}", marks(where, picture, kind, step))


def _wrapped(box: str, names: str, inner: Markup) -> Markup:
    return Markup(
        '<svg class="thumbnail {}" viewBox="{}" aria-hidden="true" focusable="false">{}</svg>'
    ).format(names, box, inner)


def _line(picture: Picture) -> Markup:
    keep = np.unique(np.linspace(0, len(picture.x) - 1, min(len(picture.x), POINTS)).round().astype(int))
    across = np.linspace(0, WIDTH, len(keep))
    parts = []
    if picture.density:
        density = np.exp(picture.log_density[keep])
        path = _path(across, density / max(float(density.max()), 1e-300) * 0.8)
        parts.append(Markup('<path class="mass" d="{}V84H0Z"/>').format(path))
    for each in range(picture.log_joint.shape[1]):
        colour, dash = class_style(each)
        line = Markup('<path fill="none" stroke="{}" stroke-width="2" stroke-dasharray="{}" d="{}"/>')
        pattern = "none" if dash == [1, 0] else " ".join(f"{length:g}" for length in dash)
        parts.append(line.format(colour, pattern, _path(across, picture.posterior[keep, each])))
    return Markup("").join(parts)


def _path(across: np.ndarray, share: np.ndarray) -> str:
    down = 3 + (HEIGHT - 6) * (1 - share)
    return "M" + "L".join(f"{x:.0f} {y:.1f}" for x, y in zip(across, down, strict=True))
