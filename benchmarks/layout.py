"""Arrays with a last axis of classes: laid out as they are read fastest, and looked up by class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.task import FEW_CLASSES, Array


def by_class(a: Array) -> Array:
    """Return a (..., k) laid out class by class where k is small, as `over_classes` reads it fastest."""
    if a.shape[-1] > FEW_CLASSES:
        return np.ascontiguousarray(a)
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(a, -1, 0)), 0, -1)


def stacked(parts: Sequence[Array]) -> Array:
    """Return arrays (n, k) as one (r, n, k), laid out so too."""
    if parts[0].shape[-1] > FEW_CLASSES:
        return np.stack(parts)
    return np.moveaxis(np.stack([part.T for part in parts], axis=1), 0, -1)


def most_probable(log_p: Array) -> Array:
    """Return the class (...) with the largest of log_p (..., k), the first of equals."""
    if log_p.shape[-1] == 2:  # NumPy's argmax over two is ten times slower
        return (log_p[..., 1] > log_p[..., 0]).astype(np.intp)
    return np.asarray(np.argmax(log_p, axis=-1))


def at_class(a: Array, choice: Array) -> Array:
    """Return a (n, k) at one class of each row, for choices (..., n)."""
    if a.shape[1] == 2:
        return np.where(choice, a[:, 1], a[:, 0])
    return np.asarray(a[np.arange(len(a)), choice])
