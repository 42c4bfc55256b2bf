"""Random numbers of somebody's code that come from nowhere in particular."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Sequence

import numpy as np


@contextlib.contextmanager
def seeded(words: Sequence[int]) -> Iterator[None]:
    """Seed the generators that NumPy and Python share with everybody, 32-bit words; restore them afterwards.

    Our own code draws from generators of its own; somebody's may say `np.random.rand()`.
    """
    shared, plain = np.random.get_state(), random.getstate()
    np.random.seed(list(words))
    random.seed(repr(list(words)))
    try:
        yield
    finally:
        np.random.set_state(shared)
        random.setstate(plain)
