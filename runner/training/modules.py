"""Building torch modules for trials, and finding out what kind of module it is."""

from __future__ import annotations

import contextlib
import copy
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from benchmarks.architecture import FitFailed, Module, Network, Skipped
from benchmarks.errors import in_one_line
from benchmarks.randomness import seeded
from benchmarks.task import seed_words
from runner.training.dropout import Masks, fed, with_dropout

Tensors: TypeAlias = dict[str, Tensor]
BRANCHES = "its forward branches on values"
ROWS = 8  # of the inputs that a module is tried on
BATCH, STACK = 64, 5  # rows and networks with which it is tried whether a stack changes bits


@dataclass(frozen=True)
class Liftable:
    """Whether a module can be lifted over an axis of networks.

    reason: why it can't be, empty where it can; moving: the buffers that a step of training changes.
    """

    reason: str = ""
    moving: tuple[str, ...] = ()


def build(network: Network, features: int, classes: int, seed: int, member: int = 0) -> nn.Module:
    """Return a freshly initialised module; its weights depend on (architecture, seed, member) alone.

    Recipes behind a name leave the initial weights as they are, so that comparisons are paired. What the
    network's own code raises is passed on; raises FitFailed where it makes no module, or none for dropout.
    """
    words = _words(network, seed, member, "")
    with torch.random.fork_rng(devices=[]), seeded(words):
        torch.manual_seed(words[0] | words[1] << 32)
        module = network.build(features, classes)
    if not isinstance(module, nn.Module):
        raise FitFailed(f"expected a torch module, found {type(module).__name__}")
    module = module.float()
    return with_dropout(module, network.recipe.dropout) if network.recipe.dropout else module


def noise(network: Network, seed: int, member: int, purpose: str = "noise") -> np.random.Generator:
    """Return the generator of a network's random draws: dropout, mixup; of (architecture, seed, member)."""
    return np.random.default_rng(_words(network, seed, member, purpose))


def _words(network: Network, seed: int, member: int, purpose: str) -> list[int]:
    name = network.name.partition("+")[0]
    extra = f" member {member}" if member else ""
    return list(seed_words(f"{name} v{network.version} {purpose + ' ' if purpose else ''}seed {seed}{extra}"))


def parameter_count(network: Network, features: int, classes: int) -> int:
    """Return the number of trainable parameters of a network; 0 where it can't be built."""
    try:
        module = build(network, features, classes, seed=0)
    except (Exception, SystemExit):  # training it will say why
        return 0
    return sum(weight.numel() for weight in module.parameters() if weight.requires_grad)


@functools.lru_cache(maxsize=64)
def examined(network: Network, features: int, classes: int, batch: int = BATCH) -> Liftable:
    """Return whether a network's module can be lifted, from trying it on a few inputs.

    batch: rows of its mini-batches, at which a stack has to give the bits that it has alone.

    Raises Skipped where it doesn't apply to such inputs, FitFailed where it doesn't give (n, classes)
    outputs or raises.
    """
    try:
        modules = [build(network, features, classes, seed) for seed in range(2)]
        moving = _tried(modules[0], features, classes)
        reason = _kept_from(network, modules, features, moving, batch)
        if _rows_depend_on_each_other(modules[0], features):
            if reason != BRANCHES:
                raise FitFailed(
                    "expected logits that depend on x alone in evaluation mode, found that they depend on the"
                    " other rows (batch norm wants running statistics)"
                )
            # Taking it as it is, said aloud: forbidding branches would forbid honest ones too.
            reason += ", and what it gives at an x depends on the rows beside it"
    except (Skipped, FitFailed, MemoryError):
        raise
    except (Exception, SystemExit) as error:  # whatever somebody else's code raises
        raise FitFailed(f"the network raised {in_one_line(error)}") from error
    return Liftable(reason, moving)


def _kept_from(
    network: Network, modules: list[nn.Module], features: int, moving: tuple[str, ...], batch: int
) -> str:
    """Return what keeps a module from being lifted, in words; empty where nothing does."""
    loose = _loose_tensors(modules[0])
    if loose:
        return f"{loose} is a tensor that is neither parameter nor buffer"
    try:
        # Of our own networks tests hold that a stack gives the bits of one alone.
        return _difference(modules, features, moving, 0 if isinstance(network.build, Module) else batch)
    except Exception as error:  # whatever keeps vmap from it
        return _in_words(error)


def _in_words(error: Exception) -> str:
    """Return why vmap can't lift a module; what torch says of the two most common reasons is long."""
    for sign, words in (
        ("randomness", "it draws random numbers other than by nn.Dropout"),
        ("data-dependent control flow", BRANCHES),
    ):
        if sign in str(error):
            return words
    return in_one_line(error)[:200]


def _tried(module: nn.Module, features: int, classes: int) -> tuple[str, ...]:
    """Return the buffers that a pass in training mode changes; raises FitFailed on outputs of wrong shape."""
    module = copy.deepcopy(module).train()
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    with _fixed_randomness(), torch.no_grad():
        found = module(_inputs(features)[0])
    shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
    if shape != (ROWS, classes):
        raise FitFailed(f"expected logits ({ROWS}, {classes}) at x ({ROWS}, {features}), found {shape}")
    if not found.dtype.is_floating_point:
        raise FitFailed(f"expected logits of a floating point type, found {found.dtype}")
    if not any(weight.requires_grad for weight in module.parameters()):
        raise FitFailed("expected a network with parameters to train, found none")
    now = dict(module.named_buffers())
    return tuple(name for name, buffer in before.items() if not torch.equal(buffer, now[name]))


def _rows_depend_on_each_other(module: nn.Module, features: int) -> bool:
    """Return whether what is scored, the module in evaluation mode, gives a row other logits on its own.

    Raises FitFailed where it gives other logits at each call.
    """
    module, x = copy.deepcopy(module).eval(), torch.cat([_inputs(features)[0], 30 * _inputs(features)[0]])
    with _fixed_randomness(), torch.no_grad():
        first, again, alone = module(x), module(x), torch.cat([module(row[None]) for row in x])
    if not torch.allclose(first, again, equal_nan=True):
        raise FitFailed(
            "expected the same logits at the same x in evaluation mode, found others at each call"
            " (functional.dropout wants training=self.training)"
        )
    near = 1e-4 * (1 + float(first.abs().nan_to_num(0, 0).max()))
    return not torch.allclose(first, alone, rtol=1e-3, atol=near, equal_nan=True)


def _difference(modules: list[nn.Module], features: int, moving: tuple[str, ...], batch: int) -> str:
    """Return how lifted gradients differ from those of each module alone; empty where they don't.

    batch: rows at which a network in a stack has to have the bits that it has in a stack of one; 0 where
    that is known. Raises what vmap raises where it can't lift a module, such as one with random operations.
    """
    modules = [fed(copy.deepcopy(module)).train() for module in modules]
    xs = _inputs(features, len(modules))
    reused = Masks(modules[0], xs[0]).reused
    if reused:
        return f"a pass uses {reused[0].removesuffix('.mask')} more than once, each time with its own dropout"
    skeleton = copy.deepcopy(modules[0]).to(device="meta")

    def total(weights: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Tensor:
        own = buffers | {name: buffers[name].clone() for name in moving}
        found: Tensor = functional_call(skeleton, (weights, own), (x,)).square().sum()
        return found

    def stacked(parts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        return {name: torch.stack([part[name].detach() for part in parts]) for name in parts[0]}

    weights = stacked([dict(module.named_parameters()) for module in modules])
    buffers = stacked([dict(module.named_buffers()) for module in modules])
    lifted = vmap(grad(total))(weights, buffers, xs)
    for i, module in enumerate(modules):
        module.zero_grad()
        module(xs[i]).square().sum().backward()
        for name, weight in module.named_parameters():
            if weight.grad is None or not weight.grad.isfinite().all():
                continue
            near = 1e-4 * (1 + float(weight.grad.abs().max()))
            if not torch.allclose(lifted[name][i], weight.grad, rtol=1e-3, atol=near):
                return f"its gradients are others when it is lifted by torch.func.vmap ({name})"
    if batch and not _same_bits(vmap(grad(total)), weights, buffers, _inputs(features, STACK, batch)):
        return "in a stack it rounds differently than alone (widths that are multiples of 16 rarely do)"
    return ""


def _same_bits(lifted: Callable[..., Tensors], weights: Tensors, buffers: Tensors, xs: Tensor) -> bool:
    """Return whether each of a stack has the gradients that it has in a stack of one; of two, in turns."""

    def gradients(networks: list[int]) -> Tensors:
        turns = [network % 2 for network in networks]
        return lifted(
            *({name: each[turns] for name, each in part.items()} for part in (weights, buffers)), xs[networks]
        )

    stack = gradients(list(range(len(xs))))
    alone = [gradients([network]) for network in range(len(xs))]
    return all(
        torch.equal(each[network].nan_to_num(), alone[network][name][0].nan_to_num())
        for name, each in stack.items()
        for network in range(len(xs))
    )


def _loose_tensors(module: nn.Module) -> str:
    for name, child in module.named_modules():
        for key, value in vars(child).items():
            if isinstance(value, Tensor):
                return f"{name}.{key}".lstrip(".")
    return ""


def attributes(module: nn.Module) -> dict[str, str]:
    """Return what a module has beside parameters, buffers and modules, in words that tell any change."""
    usual = vars(nn.Module()).keys()
    return {
        f"{name}.{key}".lstrip("."): repr(x.detach().cpu().numpy().tobytes() if isinstance(x, Tensor) else x)
        for name, child in module.named_modules()
        for key, x in vars(child).items()
        if key not in usual
    }


def _inputs(features: int, count: int = 1, rows: int = ROWS) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, rows, features, generator=generator)


@contextlib.contextmanager
def _fixed_randomness() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
