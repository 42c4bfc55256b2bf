"""Training a stack outside of a run, for tests of the engine and of networks."""

from runner.engine import Training
from runner.training.modules import noise


def trained(network, modules, batches, steps, mode="eager", device="cpu"):
    """Yield what the networks are after each of the increasing steps; batches(count) -> x, targets of all."""
    training = Training(
        network,
        modules,
        lambda networks, count: tuple(part[:, list(networks)] for part in batches(count)),
        max(steps),
        mode,
        device,
        noise=[noise(network, seed, 0) for seed in range(len(modules))],
    )
    for step in steps:
        training.advance(step)
        yield training.snapshot()
