"""Mini-batches: fresh ones are the task's stream, pooled ones are passes over a fixed set."""

import dataclasses

import numpy as np
import pytest

from benchmarks import registry
from benchmarks.task import BLOCK, Stream, TaskError, training_data
from runner.training.data import Examples, SharedStream

TASK = registry.task("gauss-nested")


def test_fresh_batches_are_the_stream_in_order_and_in_float32():
    examples = Examples(TASK, 2, 64, None)
    x, y = (np.concatenate(parts) for parts in zip(*(examples.take(n) for n in (1, 70, 9)), strict=True))
    expected_x, expected_y = training_data(TASK, 2, 80 * 64)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x.reshape(-1, 1), expected_x.astype(np.float32))
    np.testing.assert_array_equal(y.ravel(), expected_y)
    assert examples.distinct(640) == 640
    np.testing.assert_array_equal(examples.seen(640)[0], expected_x[:640])


def test_a_pass_over_a_pool_has_every_example_once_less_the_incomplete_batch():
    examples = Examples(TASK, 0, 64, 1000)
    pool = {float(v) for v in training_data(TASK, 0, 1000)[0].astype(np.float32).ravel()}
    first, second = (examples.take(1000 // 64)[0].ravel() for _ in range(2))
    for one in (first, second):
        assert len(one) == len(set(one.tolist())) == 960
        assert set(one.tolist()) <= pool
    assert not np.array_equal(first, second)


def test_passes_are_shuffled_not_turned():
    pool = training_data(TASK, 0, 1000)[0].astype(np.float32).ravel()
    place = {float(v): i for i, v in enumerate(pool)}
    first = np.array([place[float(v)] for v in Examples(TASK, 0, 64, 1000).take(15)[0].ravel()])
    assert len(np.unique(np.diff(first))) > 400  # a rotation has two different steps


def test_labels_stay_with_their_inputs():
    examples = Examples(TASK, 0, 64, 1000)
    pool_x, pool_y = training_data(TASK, 0, 1000)
    label = {float(v): c for v, c in zip(pool_x.astype(np.float32).ravel(), pool_y, strict=True)}
    x, y = examples.take(40)
    assert all(label[float(v)] == c for v, c in zip(x.ravel(), y.ravel(), strict=True))


@pytest.mark.parametrize("budget", [64, 960, 1024, 1920, 9600])
def test_distinct_examples_are_those_that_were_drawn(budget):
    x, _ = Examples(TASK, 3, 64, 1000).take(budget // 64)
    examples = Examples(TASK, 3, 64, 1000)
    assert examples.distinct(budget) == len(np.unique(x))
    assert set(examples.seen(budget)[0].astype(np.float32).ravel().tolist()) == set(x.ravel().tolist())


def test_how_batches_are_asked_for_changes_nothing():
    one, many = Examples(TASK, 1, 64, 1000), Examples(TASK, 1, 64, 1000)
    together, _ = one.take(50)
    apart = np.concatenate([many.take(n)[0] for n in (1, 14, 20, 15)])
    np.testing.assert_array_equal(together, apart)


@pytest.mark.parametrize("pool", [None, 1000, 64])
@pytest.mark.parametrize("skipped", [[0], [1], [63], [64], [500], [3, 61, 0, 64, 130]])
def test_what_is_skipped_is_what_would_have_been_taken(pool, skipped, tmp_path, monkeypatch):
    one, many = Examples(TASK, 1, 64, pool), Examples(TASK, 1, 64, pool, str(tmp_path), 64 * 600)
    whole_x, whole_y = one.take(sum(skipped) + 2 * len(skipped))
    draws, draw = [], Stream._draw
    monkeypatch.setattr(Stream, "_draw", lambda self: (draws.append(1), draw(self))[1])
    at = 0
    for count in skipped:
        many.skip(count)
        at += count
        for own, expected in zip(many.take(2), (whole_x, whole_y), strict=True):
            np.testing.assert_array_equal(own, expected[at : at + 2])
        at += 2
    if pool is None and skipped == [500]:
        stretch = SharedStream(TASK, 1, tmp_path)._stretch
        assert len(draws) <= stretch  # not the blocks before


def test_shared_examples_are_the_same_ones_and_drawn_once(tmp_path, monkeypatch):
    task = registry.task("gauss-full-d8")
    own = Examples(task, 5, 64, None)
    first, second = (Examples(task, 5, 64, None, str(tmp_path)) for _ in range(2))
    expected = [own.take(count) for count in (3, 80, 60)]
    drawn = [first.take(count) for count in (3, 80, 60)]
    monkeypatch.setattr(type(task), "sample", lambda *_: pytest.fail("drawn again"))
    read = [second.take(count) for count in (80, 3, 60)]
    for part in (0, 1):
        together = [np.concatenate([batch[part] for batch in each]) for each in (expected, drawn, read)]
        assert together[0].dtype == together[1].dtype == together[2].dtype
        np.testing.assert_array_equal(together[0], together[1])
        np.testing.assert_array_equal(together[0], together[2])


def test_tasks_of_one_name_share_no_examples(tmp_path):
    near, far = TASK, dataclasses.replace(TASK, means=(0.0, 9.0))
    for task in (near, far):
        x, _ = SharedStream(task, 0, tmp_path).take(100)
        np.testing.assert_array_equal(x, training_data(task, 0, 100)[0])


def test_a_folder_that_cannot_be_written_only_costs_time(tmp_path):
    task = registry.task("gauss-full-d8")
    x, y = SharedStream(task, 0, tmp_path / "nowhere").take(5000)
    expected_x, expected_y = training_data(task, 0, 5000)
    np.testing.assert_array_equal(x.astype(np.float32), expected_x.astype(np.float32))
    np.testing.assert_array_equal(y, expected_y)


@pytest.mark.parametrize("name", ["gauss-nested", "gauss-full-d8"])
def test_examples_in_stretches_are_the_stream_and_are_drawn_once(name, tmp_path, monkeypatch):
    task, most = registry.task(name), 20 * BLOCK + 640
    expected_x, expected_y = training_data(task, 5, most)
    writer, reader = (Examples(task, 5, 64, None, str(tmp_path), most) for _ in range(2))
    for examples, counts in ((writer, (64, 1, 700, 565)), (reader, (1290, 40))):
        x, y = (np.concatenate(part) for part in zip(*(examples.take(n) for n in counts), strict=True))
        assert (x.dtype, y.dtype) == (np.float32, np.int64)
        np.testing.assert_array_equal(x.reshape(-1, task.features)[:most], expected_x.astype(np.float32))
        np.testing.assert_array_equal(y.ravel()[:most], expected_y)
        monkeypatch.setattr(type(task), "sample", lambda *_: pytest.fail("drawn again"))
    assert len(list(tmp_path.iterdir())) < 21


def test_a_file_that_was_cut_short_is_drawn_again(tmp_path):
    expected_x, _ = training_data(TASK, 0, 3 * BLOCK)
    SharedStream(TASK, 0, tmp_path, 3 * BLOCK).take(10)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:1000])
    x, _ = SharedStream(TASK, 0, tmp_path, 3 * BLOCK).take(3 * BLOCK)
    np.testing.assert_array_equal(x.astype(np.float32), expected_x.astype(np.float32))
    assert file.read_bytes() == whole


def test_a_block_that_cannot_be_drawn_fails_where_it_is_asked_for_and_not_before(tmp_path, monkeypatch):
    expected_x, _ = training_data(TASK, 0, 3 * BLOCK)
    inner, calls = type(TASK).sample, []

    def sample(self, n, rng):
        calls.append(n)
        if len(calls) in (3, 5, 6):
            raise OSError("no more")
        return inner(self, n, rng)

    monkeypatch.setattr(type(TASK), "sample", sample)
    stream = SharedStream(TASK, 0, tmp_path, 8 * BLOCK)
    np.testing.assert_array_equal(stream.take(2 * BLOCK)[0], expected_x[: 2 * BLOCK])  # the third call fails
    np.testing.assert_array_equal(stream.take(BLOCK)[0], expected_x[2 * BLOCK :])  # the fifth does
    with pytest.raises(TaskError, match="no more"):
        stream.take(1)
    assert not list(tmp_path.iterdir())


def test_examples_that_were_seen_are_the_prefix_at_every_budget():
    examples = Examples(TASK, 4, 64, None)
    for budget in (640, 64, 9000, 5000):
        for own, expected in zip(examples.seen(budget), training_data(TASK, 4, budget), strict=True):
            np.testing.assert_array_equal(own, expected)


def test_examples_of_a_task_with_shifted_priors_follow_its_training_priors():
    task = registry.task("gauss-nested+prior-shift(0.9,0.1)")
    _, y = Examples(task, 0, 64, None).take(200)
    assert y.mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(y.size))
    assert task.sample(10_000, np.random.default_rng(0))[1].mean() == pytest.approx(0.1, abs=0.02)
