"""Training on fixed sets until the held-out loss no longer falls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from benchmarks.architecture import Recipe
from benchmarks.architectures.losses import loss as loss_of
from runner.engine import Snapshot, Training, outputs
from runner.training.modules import Tensors

CHECK_EVERY = 20  # steps between looks at the held-out loss, or a tenth of the steps so far if that is more
LEAST_STEPS = 500  # before a network may stop early


@dataclass
class ScoredState:
    """The state of one network that is scored, and what is known of its training.

    step: that it is from; seconds of training; diverged: the step at which its loss stopped being finite, 0
    where it hasn't; held_out: its least held-out loss; stopped: whether it no longer trains.
    """

    state: Tensors | None = None
    step: int = 0
    seconds: float = 0.0
    diverged: int = 0
    held_out: float = float("inf")
    stopped: bool = False


def best_states(
    training: Training,
    recipe: Recipe,
    module: nn.Module,
    held_out: Sequence[tuple[Tensor, Tensor]],
    steps: int,
    kept: list[ScoredState] | None = None,
) -> list[ScoredState]:
    """Train an eager stack and return for each network its state with the least held-out loss.

    module: from `evaluated`; held_out: of each network its x (n, d) and targets; steps: the most; kept: what
    is known of each network so far, brought up to date as training goes on. A network stops once its best
    state is older than half of its steps, after the first 500; under a cosine schedule none stops before the
    end. The loss is the recipe's own. A network that has stopped no longer changes.
    """
    criterion = loss_of(recipe)
    kept = [ScoredState() for _ in held_out] if kept is None else kept
    for step in checks(steps):
        if step <= training.step:
            continue
        training.advance(step)
        snapshot = training.snapshot()
        going = [
            number
            for place, number in enumerate(snapshot.networks)
            if not kept[number].stopped
            and _goes_on(kept[number], snapshot, place, criterion, module, held_out[number], recipe)
        ]
        if not going:
            break
        if 2 * len(going) <= len(snapshot.networks):
            training.keep(going)
    return kept


def _goes_on(
    kept: ScoredState,
    snapshot: Snapshot,
    place: int,
    criterion: Callable[[Tensor, Tensor], Tensor],
    module: nn.Module,
    held_out: tuple[Tensor, Tensor],
    recipe: Recipe,
) -> bool:
    """Look at one network: keep its state if that is its best, and return whether it goes on training."""
    kept.diverged, kept.seconds = int(snapshot.diverged[place]), snapshot.seconds
    if not kept.diverged:
        x, targets = held_out
        state = snapshot.state(place)
        loss = float(criterion(outputs(module, state, x), targets))
        if loss < kept.held_out:
            kept.state, kept.step, kept.held_out = state, snapshot.step, loss
    early = recipe.schedule == "constant" and snapshot.step >= LEAST_STEPS and kept.step < snapshot.step / 2
    kept.stopped = bool(kept.diverged) or early
    return not kept.stopped


def checks(steps: int) -> list[int]:
    """Return the steps after which held-out losses are looked at."""
    found = [0]
    while found[-1] < steps:
        found.append(min(steps, found[-1] + max(CHECK_EVERY, found[-1] // 10)))
    return found[1:]
