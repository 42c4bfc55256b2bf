"""The labelled examples that a trial trains on, batch by batch."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.architecture import Recipe
from benchmarks.task import (
    BLOCK,
    Array,
    Stream,
    Task,
    parameters,
    seed_words,
    train_log_posterior,
    training_data,
)

FILE_BYTES = 2**19  # of examples in a file that others read
HELD_OUT = 5  # one in so many examples of a training set


class SharedStream(Stream):
    """A stream whose blocks are kept as files, so that stacks on the same task and seed draw them once.

    A file has the blocks of one stretch: x in float32, as networks see it, and behind it the labels as int32.
    """

    def __init__(self, task: Task, seed: int, folder: Path, most: int = 0) -> None:
        """most: how many examples will be asked for; where that is known, files hold several blocks."""
        super().__init__(task, seed)
        self._blocks = -(-most // BLOCK)
        self._stretch = max(1, FILE_BYTES // (4 * BLOCK * (task.features + 1)))
        what = json.dumps(parameters(task), sort_keys=True, default=str)  # a name alone may be another's too
        self._files = f"{hashlib.sha256(what.encode()).hexdigest()[:16]}-{seed}"
        self._folder = folder

    def _draw(self) -> tuple[Array, Array]:
        first = self._block
        end = min((first // self._stretch + 1) * self._stretch, self._blocks)
        count = max(1, end - first)
        path = self._folder / f"{self._files}-{first}-{first + count}"
        size, features = count * BLOCK, self._task.features
        numbers = np.fromfile(path, dtype=np.float32) if path.exists() else np.empty(0, dtype=np.float32)
        if len(numbers) != size * (features + 1):
            return self._drawn(count, path)
        self._block += count
        x = numbers[: size * features].reshape(size, features)
        return x, numbers[size * features :].view(np.int32).astype(np.int64)

    def _drawn(self, count: int, path: Path) -> tuple[Array, Array]:
        """Return the next `count` blocks and keep them, or those before the first that can't be drawn."""
        first, blocks = self._block, [super()._draw()]
        with contextlib.suppress(Exception):  # it will be raised again where that block is asked for
            while len(blocks) < count:
                blocks.append(super()._draw())
        self._block = first + len(blocks)  # a draw that failed has counted its block too
        x, y = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        if len(blocks) == count:
            _keep(path, x.astype(np.float32).tobytes() + y.astype(np.int32).tobytes())
        return x, y


class TrainingSet:
    """The fixed examples of one (task, seed) under `dataset`: the first `budget` of its stream.

    The last fifth is held out; the rest comes in mini-batches, in a new order at each pass, passes joined
    end to end so that small sets fill a batch too. Each member of an ensemble has orders of its own.
    """

    def __init__(self, task: Task, seed: int, budget: int, batch: int) -> None:
        x, y = training_data(task, seed, budget)
        kept = budget - budget // HELD_OUT
        self._x, self._y = x[:kept].astype(np.float32), y[:kept]
        self.held_out = x[kept:].astype(np.float32), y[kept:]
        self._task, self._seed, self._batch = task, seed, batch
        self._orders: dict[int, tuple[Array, np.random.Generator]] = {}

    def take(self, member: int, count: int) -> tuple[Array, Array]:
        """Return a member's next `count` mini-batches: x (count, batch, d) float32, y (count, batch)."""
        n = count * self._batch
        order, rng = self._orders.get(member) or (np.empty(0, dtype=np.int64), self._shuffles(member))
        while len(order) < n:
            order = np.concatenate([order, rng.permutation(len(self._y))])
        self._orders[member] = order[n:], rng
        now = order[:n]
        return self._x[now].reshape(count, self._batch, -1), self._y[now].reshape(count, self._batch)

    def skip(self, member: int, count: int) -> None:
        """Go on behind a member's next `count` mini-batches."""
        n = count * self._batch
        order, rng = self._orders.get(member) or (np.empty(0, dtype=np.int64), self._shuffles(member))
        while n > len(order):
            n -= len(order)
            order = rng.permutation(len(self._y))
        self._orders[member] = order[n:], rng

    def rewind(self) -> None:
        """Start again at everybody's first mini-batch."""
        self._orders.clear()

    def _shuffles(self, member: int) -> np.random.Generator:
        words = seed_words(f"{self._task.name} v{self._task.version} passes")
        return np.random.default_rng([*words, self._seed, member])


class Targets:
    """What one network learns from its mini-batches: labels, or probabilities where its recipe says so."""

    def __init__(self, recipe: Recipe, task: Task, rng: np.random.Generator) -> None:
        self._recipe, self._task, self._rng = recipe, task, rng
        self._plain = not (recipe.soft_labels or recipe.mixup or recipe.smoothing)

    def __call__(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Return x and targets of mini-batches x (count, batch, d) and y (count, batch).

        Targets are y, or probabilities (count, batch, k) float32: one-hot labels or exact posteriors of the
        training law, then mixed in pairs, x with them (Zhang et al. 2018), then smoothed.
        """
        if self._plain:
            return x, y
        k = self._task.classes
        if self._recipe.soft_labels:
            flat = x.reshape(-1, x.shape[-1]).astype(np.float64)
            targets = np.exp(train_log_posterior(self._task, flat)).reshape(*y.shape, k)
        else:
            targets = np.eye(k)[y]
        if self._recipe.mixup:
            x, targets = self._mixed(x, targets)
        targets = (1 - self._recipe.smoothing) * targets + self._recipe.smoothing / k
        return x, targets.astype(np.float32)

    def _mixed(self, x: Array, targets: Array) -> tuple[Array, Array]:
        mixed_x, mixed_targets = np.empty_like(x), np.empty_like(targets)
        for i in range(len(x)):
            share = self._rng.beta(self._recipe.mixup, self._recipe.mixup)
            other = self._rng.permutation(x.shape[1])
            mixed_x[i] = share * x[i] + (1 - share) * x[i][other]
            mixed_targets[i] = share * targets[i] + (1 - share) * targets[i][other]
        return mixed_x, mixed_targets


def _keep(path: Path, content: bytes) -> None:
    """Write blocks for other readers, in place whole or not at all; where that can't be done, go without."""
    aside = path.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        aside.write_bytes(content)
        aside.replace(path)


class Examples:
    """The mini-batches of one (task, seed): fresh from the stream, or from a pool reshuffled at each pass."""

    def __init__(
        self, task: Task, seed: int, batch: int, pool: int | None, shared: str = "", most: int = 0
    ) -> None:
        """shared: a folder to keep examples in for others; most: how many will be asked for, if known."""
        self.task, self.seed, self.batch, self.pool = task, seed, batch, pool
        most = most if pool is None else pool
        self._stream = SharedStream(task, seed, Path(shared), most) if shared else Stream(task, seed)
        self._again = Stream(task, seed)
        self._before = self._again.take(0)
        if pool is not None:
            self._pool_x, self._pool_y = self._stream.take(pool)
            self._order = np.empty(0, dtype=np.int64)
            self._later = self._passes()

    def take(self, count: int) -> tuple[Array, Array]:
        """Return the next `count` mini-batches: x (count, batch, d) float32, y (count, batch) int64."""
        n = count * self.batch
        x, y = self._stream.take(n) if self.pool is None else self._take_from_pool(n)
        return x.astype(np.float32, copy=False).reshape(count, self.batch, -1), y.reshape(count, self.batch)

    def skip(self, count: int) -> None:
        """Go on behind the next `count` mini-batches; hardly any of them are drawn."""
        n = count * self.batch
        if self.pool is None:
            self._stream.skip(n)
            return
        while n > len(self._order):
            n -= len(self._order)
            self._order = next(self._later)
        self._order = self._order[n:]

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
            if (missing := budget - len(self._before[1])) > 0:
                more = zip(self._before, self._again.take(missing), strict=True)
                x, y = (np.concatenate(parts) for parts in more)
                self._before = x, y
            return self._before[0][:budget], self._before[1][:budget]
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
