"""Fixed training sets: what is trained on, what is held out, and in which order."""

import numpy as np
import pytest

from benchmarks import registry
from benchmarks.task import training_data
from runner.training.data import TrainingSet

TASK = registry.task("gauss-nested")


def places(budget, member=0, count=1, batch=16, seed=0, task=TASK):
    """Return which examples of the stream a member's mini-batches are, in order."""
    x, y = training_data(task, seed, budget)
    at = {float(value): i for i, value in enumerate(x[:, 0].astype(np.float32))}
    found_x, found_y = TrainingSet(task, seed, budget, batch).take(member, count)
    assert found_x.shape == (count, batch, task.features) and found_x.dtype == np.float32
    found = np.array([at[float(value)] for value in found_x[..., 0].ravel()])
    np.testing.assert_array_equal(found_y.ravel(), y[found])
    return found


@pytest.mark.parametrize("budget", [10, 64, 100, 103, 1000])
def test_the_first_four_fifths_train_and_the_rest_is_held_out(budget):
    made = TrainingSet(TASK, 0, budget, 16)
    kept = budget - budget // 5
    x, y = training_data(TASK, 0, budget)
    np.testing.assert_array_equal(made.held_out[0], x[kept:].astype(np.float32))
    np.testing.assert_array_equal(made.held_out[1], y[kept:])
    assert made.held_out[0].dtype == np.float32
    seen = places(budget, count=10 * budget // 16 + 1)
    assert set(seen.tolist()) == set(range(kept))  # all of these, and none that is held out


@pytest.mark.parametrize("budget", [10, 100, 1003])
def test_a_pass_sees_every_example_once_before_any_twice(budget):
    kept = budget - budget // 5
    seen = places(budget, count=5 * kept // 16 + 1)[: 5 * kept].reshape(5, kept)
    for one in seen:
        assert sorted(one.tolist()) == list(range(kept))
    assert len({tuple(one.tolist()) for one in seen}) == 5
    assert len(np.unique(np.diff(seen[0]))) > min(3, kept - 3)  # a rotation has two different steps


def test_how_mini_batches_are_asked_for_changes_nothing():
    one, many = TrainingSet(TASK, 0, 100, 16), TrainingSet(TASK, 0, 100, 16)
    together = one.take(0, 40)
    many.take(1, 7)  # another member's draws are its own
    apart = [many.take(0, count) for count in (1, 30, 9)]
    for i in (0, 1):
        np.testing.assert_array_equal(together[i], np.concatenate([part[i] for part in apart]))


@pytest.mark.parametrize("budget", [10, 100, 1003])
def test_what_is_skipped_is_what_would_have_been_taken(budget):
    whole, parts = TrainingSet(TASK, 0, budget, 16), TrainingSet(TASK, 0, budget, 16)
    x, y = whole.take(1, 300)
    at = 0
    for count in (0, 1, 63, 64, 100):
        parts.skip(1, count)
        at += count
        for own, expected in zip(parts.take(1, 3), (x, y), strict=True):
            np.testing.assert_array_equal(own, expected[at : at + 3])
        at += 3
    parts.rewind()
    np.testing.assert_array_equal(parts.take(1, 300)[0], x)


def test_members_seeds_and_tasks_have_orders_of_their_own():
    orders = [places(100, member, count=5) for member in range(3)]
    orders += [places(100, seed=1, count=5), places(100, task=registry.task("gauss-separated"), count=5)]
    assert len({tuple(order.tolist()) for order in orders}) == len(orders)
    np.testing.assert_array_equal(orders[1], places(100, 1, count=5))


def test_smaller_budgets_are_prefixes_of_larger_ones():
    small, large = TrainingSet(TASK, 3, 50, 16), TrainingSet(TASK, 3, 5_000, 16)
    x, y = training_data(TASK, 3, 5_000)
    for made, budget in ((small, 50), (large, 5_000)):
        kept = budget - budget // 5
        np.testing.assert_array_equal(made.held_out[0], x[kept:budget].astype(np.float32))
        np.testing.assert_array_equal(made.held_out[1], y[kept:budget])
    assert set(places(50, seed=3, count=30).tolist()) == set(range(40))


def test_a_training_set_under_shifted_priors_follows_the_training_law():
    made = TrainingSet(registry.task("gauss-nested+prior-shift(0.9,0.1)"), 0, 5_000, 64)
    _, y = made.take(0, 62)
    assert y.mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(y.size))
