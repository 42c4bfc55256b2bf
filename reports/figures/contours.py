"""Lines of equal density on a grid, and which levels hold a given share of the mass."""

from __future__ import annotations

import numpy as np

from reports.results import Picture

SHARES = (0.5, 0.9)  # of the mass, besides the 99 % that the sparse region is defined by
_FLOOR = 60.0  # nats below the densest point: further down nothing is drawn


def contour(values: np.ndarray, level: float) -> np.ndarray:
    """Segments of the line on which a grid's values pass a level, interpolated linearly.

    values: (rows, columns), finite. Returns (n, 2, 2): n segments, both ends, (column, row). Each square is
    cut into two triangles, which, unlike squares, a line can cross in one way only.
    """
    rows, columns = values.shape
    at = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).astype(float)
    corners = [slice(0, -1), slice(1, None)]
    a, b, c, d = [
        (at[up, across].reshape(-1, 2), values[up, across].ravel()) for up in corners for across in corners
    ]
    found = []
    for triangle in ((a, b, c), (d, b, c)):
        places = np.stack([place for place, _ in triangle])  # (3, n, 2)
        above = np.stack([value for _, value in triangle]) - level
        high = above >= 0
        crossed = high.any(axis=0) & ~high.all(axis=0)
        places, above, high = places[:, crossed], above[:, crossed], high[:, crossed]
        alone = np.where(high.sum(axis=0) == 1, high.argmax(axis=0), (~high).argmax(axis=0))
        turn = np.arange(len(alone))
        others = [((alone + step) % 3) for step in (1, 2)]
        ends = []
        for other in others:
            start, end = above[alone, turn], above[other, turn]
            share = (start / (start - end))[:, None]
            ends.append(places[alone, turn] * (1 - share) + places[other, turn] * share)
        found.append(np.stack(ends, axis=1))
    return np.concatenate(found)


def boundaries(picture: Picture) -> dict[float, np.ndarray]:
    """Contours of a plane that hold 50, 90 and 99 % of P(x): {share: segments}, in columns and rows.

    Segments are as from `contour`, (n, 2, 2). The 99 % one is where the sparse region begins; those of the
    other shares are of the mass in the window. Empty where the picture has no density.
    """
    density = picture.log_density
    if len(picture.shape) != 2 or not np.isfinite(density).any():
        return {}
    grid = np.maximum(density, np.nanmax(density) - _FLOOR)
    levels = {share: _level(grid, share) for share in SHARES}
    if picture.sparse.any() and not picture.sparse.all():
        levels[0.99] = (grid[picture.sparse].max() + grid[~picture.sparse].min()) / 2
    return {share: contour(grid.reshape(picture.shape), level) for share, level in levels.items()}


def _level(log_density: np.ndarray, share: float) -> float:
    """The log density above which a share of a grid's mass lies."""
    ordered = np.sort(log_density)[::-1]
    mass = np.cumsum(np.exp(ordered - ordered[0]))
    return float(ordered[int(np.searchsorted(mass, share * mass[-1]))])


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Where a mask (m,) holds: (first, last) of each unbroken run."""
    edges = np.diff(np.concatenate([[False], mask, [False]]).astype(int))
    return list(
        zip(np.flatnonzero(edges == 1).tolist(), (np.flatnonzero(edges == -1) - 1).tolist(), strict=True)
    )


def crossings(picture: Picture) -> list[float]:
    """Where the most probable class changes along a line, interpolated between its points."""
    joint, x = picture.log_joint, picture.x[:, 0]
    there = np.isfinite(joint).any(axis=1)
    best = joint.argmax(axis=1)
    found = []
    for place in np.flatnonzero((best[1:] != best[:-1]) & there[1:] & there[:-1]):
        one, other = best[place], best[place + 1]
        before, after = joint[place : place + 2, one] - joint[place : place + 2, other]
        share = before / (before - after) if np.isfinite(before - after) else 0.5
        found.append(float(x[place] + share * (x[place + 1] - x[place])))
    return found
