"""The labelled examples that a trial trains on, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.task import Array, Stream, Task, seed_words, training_data


class Examples:
    """The mini-batches of one (task, seed): fresh from the stream, or from a pool reshuffled at each pass."""

    def __init__(self, task: Task, seed: int, batch: int, pool: int | None) -> None:
        self.task, self.seed, self.batch, self.pool = task, seed, batch, pool
        self._stream = Stream(task, seed)
        if pool is not None:
            self._pool_x, self._pool_y = self._stream.take(pool)
            self._order = np.empty(0, dtype=np.int64)
            self._later = self._passes()

    def take(self, count: int) -> tuple[Array, Array]:
        """Return the next `count` mini-batches: x (count, batch, d) float32, y (count, batch) int64."""
        n = count * self.batch
        x, y = self._stream.take(n) if self.pool is None else self._take_from_pool(n)
        return x.astype(np.float32).reshape(count, self.batch, -1), y.reshape(count, self.batch)

    def _take_from_pool(self, n: int) -> tuple[Array, Array]:
        while len(self._order) < n:
            self._order = np.concatenate([self._order, next(self._later)])
        now, self._order = self._order[:n], self._order[n:]
        return self._pool_x[now], self._pool_y[now]

    def distinct(self, budget: int) -> int:
        """Return how many different examples the first `budget` are."""
        return budget if self.pool is None else int(self._seen(budget).sum())

    def seen(self, budget: int) -> tuple[Array, Array]:
        """Return the different examples among the first `budget`: x (n, d) float64, y (n,)."""
        if self.pool is None:
            return training_data(self.task, self.seed, budget)
        x, y = training_data(self.task, self.seed, self.pool)
        seen = self._seen(budget)
        return x[seen], y[seen]

    def _passes(self) -> Iterator[Array]:
        """Yield, pass after pass, the pool's indices in a new order, the incomplete last batch dropped."""
        assert self.pool is not None
        entropy = [*seed_words(f"{self.task.name} v{self.task.version} shuffle"), self.seed]
        rng = np.random.default_rng(entropy)
        while True:
            yield rng.permutation(self.pool)[: self.pool // self.batch * self.batch]

    def _seen(self, budget: int) -> Array:
        assert self.pool is not None
        seen = np.zeros(self.pool, dtype=bool)
        for order in self._passes():
            seen[order[:budget]] = True
            budget -= len(order)
            if budget <= 0:
                return seen
        raise AssertionError("passes are endless")
