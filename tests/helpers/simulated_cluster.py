"""Our scheduling, event by event, without running anything: who waits for whom, and how long."""

import heapq
from dataclasses import dataclass


@dataclass(frozen=True)
class Simulated:
    """What became of a run: seconds until the last stack ended and until all was stored; of work in all."""

    workers: int
    work: float
    trained: float
    stored: float

    @property
    def busy(self):
        """The share of their time that workers worked, until the last of them was done."""
        return self.work / (self.workers * self.trained)


def simulate(stacks, seconds, workers, *, handing, latency, commit):
    """Run stacks in their order, each for so many seconds on the worker that is free first.

    handing: seconds of the one thread that hands stacks out, for each; latency: seconds more until the worker
    begins; commit: seconds of the one thread that stores results, for a trial.
    """
    free = [(0.0, worker) for worker in range(workers)]
    hands, ends = 0.0, []
    for stack, took in zip(stacks, seconds, strict=True):
        idle, worker = heapq.heappop(free)
        hands = max(hands, idle) + handing
        ends.append((hands + latency + took, len(stack.trials)))
        heapq.heappush(free, (ends[-1][0], worker))
    stored = 0.0
    for end, trials in sorted(ends):
        stored = max(stored, end) + commit * trials
    return Simulated(workers, sum(seconds), max(end for end, _ in ends), stored)
