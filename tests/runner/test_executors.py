"""What becomes of stacks whose workers die or take too long, with an executor that does as it is told."""

from dataclasses import dataclass, field

import pytest

from runner.executors import Attempts, Died, Done, TimedOut
from runner.plan import Trial
from runner.records import TrialResult
from runner.stacks import Stack

HERE = {"device": "cpu"}
TOLD = []  # what the user is told


def stack(name, seeds):
    trials = tuple(Trial("gauss-nested", name, seed, f"{name}-{seed}", "{}", (64, 128)) for seed in seeds)
    return Stack(trials, "stream", 64, None, 2, "eager", "cpu", 1, 1.0)


@dataclass
class Told:
    """Ends each stack at once: ends(stack, how often it has been handed in) says how."""

    ends: object
    seen: list = field(default_factory=list)
    waiting: list = field(default_factory=list)

    def submit(self, ticket, stack):
        self.seen.append(tuple(trial.id for trial in stack.trials))
        self.waiting.append((ticket, stack))

    def ended(self, seconds):
        if not self.waiting:
            return []
        ticket, stack = self.waiting.pop(0)
        ids = self.seen[ticket]
        ending = self.ends(ids, self.seen[: ticket + 1].count(ids))
        return [(ticket, ending or Done([TrialResult(trial) for trial in stack.trials], HERE))]


def run(stacks, ends):
    executor = Told(ends)
    attempts = Attempts(stacks, lambda number, share: None, TOLD.append)
    return executor, list(attempts.run(executor))


def outcome(finished):
    """Return {trial id: (status, reason)} of what was finished; each trial once."""
    found = {}
    for each in finished:
        for result in each.results:
            assert result.trial.id not in found
            reasons = {record.reason for record in result.records}
            found[result.trial.id] = result.status, *reasons
    return found


def test_a_stack_whose_worker_dies_once_is_run_once_more():
    TOLD.clear()
    executor, finished = run(
        [stack("a", range(3)), stack("b", range(2))],
        lambda ids, times: Died("shot") if ids[0] == "a-0" and times == 1 else None,
    )
    assert executor.seen == [("a-0", "a-1", "a-2"), ("b-0", "b-1"), ("a-0", "a-1", "a-2")]
    assert {status for status, *_ in outcome(finished).values()} == {"ok"}
    assert sorted((each.number, each.ended, each.last) for each in finished) == [
        (0, True, True),
        (1, True, True),
    ]


@pytest.mark.parametrize("culprit", range(8))
def test_a_trial_that_kills_its_workers_is_found_and_its_neighbours_finish(culprit):
    bad = f"a-{culprit}"
    executor, finished = run([stack("a", range(8))], lambda ids, _: Died("shot") if bad in ids else None)
    found = outcome(finished)
    assert found.pop(bad) == ("failed", "shot, 2 times")
    assert set(found) == {f"a-{i}" for i in range(8)} - {bad}
    assert set(found.values()) == {("ok",)}
    assert sum(bad in ids for ids in executor.seen) == 2 + 1 + 1 + 2  # whole, halves, quarters, alone
    assert [each.last for each in finished] == [False] * (len(finished) - 1) + [True]
    assert [each.stack.trials[0].id for each in finished if not each.ended] == [bad]


def test_a_culprit_is_tried_again_by_the_next_run_and_a_single_trial_isnt_blamed_for_one_death():
    _, (finished,) = run([stack("a", [0])], lambda ids, times: Died("shot") if times == 1 else None)
    assert outcome([finished]) == {"a-0": ("ok",)}
    _, (finished,) = run([stack("a", [0])], lambda ids, times: Died("shot"))
    assert [(record.budget, record.again) for record in finished.results[0].records] == [
        (64, True),
        (128, True),
    ]
    assert finished.environment["torch version"]


def test_what_takes_too_long_is_recorded_for_each_trial_and_not_tried_again():
    executor, finished = run([stack("a", range(3))], lambda *_: TimedOut("too long"))
    assert len(executor.seen) == 1
    assert outcome(finished) == {f"a-{i}": ("timeout", "too long") for i in range(3)}


def test_progress_of_a_part_is_its_share_of_the_stack():
    told = []
    take = lambda *words: told.append(words)  # noqa: E731
    attempts = Attempts([stack("a", range(4))], take, TOLD.append)
    executor = Told(lambda ids, _: Died("shot") if len(ids) == 4 else None)
    list(attempts.run(executor))
    attempts.progress(len(executor.seen) - 1, 0.5)
    assert told == [(0, 0.25)]


def test_interrupted_it_yields_what_has_ended_meanwhile_and_nothing_else():
    class Stopped(Told):
        def ended(self, seconds):
            if seconds:
                raise KeyboardInterrupt
            return [(0, Done([TrialResult(self.waiting[0][1].trials[0])], HERE)), (1, Died("ended with us"))]

    attempts, found = Attempts([stack("a", [0]), stack("b", [0])], lambda *_: None, TOLD.append), []
    with pytest.raises(KeyboardInterrupt):
        found.extend(attempts.run(Stopped(None)))  # extend keeps what came before the exception
    assert [each.number for each in found] == [0]
