"""What a step of training computes: multiply-adds, counted on a real step of one network.

The step is that of a plain PyTorch loop: forward, loss, backward, and `torch.optim`'s update, with an
average of the weights where the recipe keeps one. Counted are

- matrix products and convolutions by their multiply-adds, with PyTorch's own formulas
  (`torch.utils.flop_counter`); a bias that the product adds along is free;
- every other operation that computes (elementwise functions, comparisons, reductions, normalisations) as one
  for each element of the largest floating-point tensor that it reads or writes, so an elementwise function
  by its outputs and a sum by its inputs;
- views, copies, gathers, fills and integer arithmetic as nothing.

That is a fact of the architecture, its inputs, classes and batch, whatever program trains it. Drawing
examples and dropout masks is not in it, nor are looks at held-out losses.
"""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim.adam import adam
from torch.optim.sgd import sgd
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from benchmarks.architecture import Network, Recipe
from benchmarks.architectures.losses import loss as loss_of
from runner.cost import Work
from runner.training.dropout import fed
from runner.training.modules import build

# Operations that move or fill; views are told by their schema.
_MOVES = {
    "_local_scalar_dense", "_reshape_alias", "_reshape_copy", "_to_copy", "_unsafe_view", "alias", "arange",
    "as_strided_scatter", "bernoulli", "bernoulli_", "cat", "clone", "constant_pad_nd", "copy", "copy_",
    "detach", "detach_", "diag_embed", "embedding", "empty", "empty_like", "empty_strided", "expand_copy",
    "eye", "fill", "fill_", "flip", "full", "full_like", "gather", "im2col", "index", "index_select",
    "lift_fresh", "lift_fresh_copy", "masked_select", "new_empty", "new_empty_strided", "new_full",
    "new_ones", "new_zeros", "normal_", "ones", "ones_like", "permute_copy", "rand", "rand_like", "randn",
    "randn_like", "randperm", "repeat", "resize_", "roll", "scalar_tensor", "scatter", "select_backward",
    "select_scatter", "slice_backward", "slice_scatter", "split_with_sizes_copy", "stack", "t_copy", "tril",
    "triu", "unfold_backward", "unfold_copy", "uniform_", "zero_", "zeros", "zeros_like",
}  # fmt: skip


class Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the work of every operation that runs within it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.work = Work()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing compiles in here, and telling torch so would import its compiler, for a second."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation and count it."""
        kwargs = kwargs or {}
        found = func(*args, **kwargs)
        products, elementwise = _counted(func, args, kwargs, found)
        self.work = Work(
            self.work.products + products,
            self.work.elementwise + elementwise,
            self.work.operations + bool(products or elementwise),
        )
        return found


def _counted(func: Any, args: Sequence[Any], kwargs: dict[str, Any], found: Any) -> tuple[int, int]:
    """Return the multiply-adds of an operation, (as a product, otherwise)."""
    packet = func._overloadpacket
    if packet in flop_registry:
        return int(flop_registry[packet](*args, **kwargs, out_val=found)) // 2, 0
    name = packet.__name__
    if name in ("_cdist_forward", "_euclidean_dist"):  # (..., n, d) and (..., m, d): n m distances
        return 0, found.numel() * args[0].shape[-1]
    if name == "_cdist_backward":
        return 0, args[4].numel() * args[1].shape[-1]
    if func.is_view or name in _MOVES:
        return 0, 0
    every = tree_leaves((args, kwargs, found))
    floats = [each.numel() for each in every if isinstance(each, Tensor) and each.dtype.is_floating_point]
    return 0, max(floats, default=0)


@functools.lru_cache(maxsize=1024)
def work(network: Network, features: int, classes: int, batch: int) -> Work:
    """Return what a step of one network computes; nothing where it can't be built or run.

    Of an ensemble that of one member.
    """
    try:
        module = fed(build(network, features, classes, seed=0)).train()
        return counted_step(module, network.recipe, features, classes, batch)
    except (Exception, SystemExit):  # training it will say why
        return Work()


def counted_step(module: nn.Module, recipe: Recipe, features: int, classes: int, batch: int) -> Work:
    """Return what a step of a module computes on `batch` examples; its weights are moved."""
    x = torch.randn(batch, features, generator=torch.Generator().manual_seed(0))
    targets = _targets(recipe, torch.arange(batch) % classes, classes)
    weights = [weight for weight in module.parameters() if weight.requires_grad]
    zeros = [[torch.zeros_like(weight) for weight in weights] for _ in range(3)]
    criterion = loss_of(recipe)
    with _plain_operations(), Counting() as counting:
        criterion(module(x), targets).backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            _update(recipe, weights, *zeros)
    found: Work = counting.work
    return found


def _targets(recipe: Recipe, labels: Tensor, classes: int) -> Tensor:
    """Return targets of the kind that a recipe trains on: labels or probabilities."""
    if not (recipe.soft_labels or recipe.mixup or recipe.smoothing):
        return labels
    return nn.functional.one_hot(labels, classes).float()


def _update(
    recipe: Recipe,
    weights: list[nn.Parameter],
    mean: list[Tensor],
    square: list[Tensor],
    average: list[Tensor],
) -> None:
    """Move weights by the functions behind `torch.optim`, whose classes import a compiler."""
    trained = [i for i, weight in enumerate(weights) if weight.grad is not None]
    moved: list[Tensor] = [weights[i] for i in trained]
    gradients = [each.grad for each in moved if each.grad is not None]
    mean, square = [mean[i] for i in trained], [square[i] for i in trained]
    common: dict[str, Any] = {
        "lr": recipe.learning_rate, "weight_decay": recipe.weight_decay, "foreach": False, "maximize": False
    }  # fmt: skip
    if recipe.optimiser == "sgd":
        # Decoupled decay takes the one operation a weight that SGD's own takes.
        buffers: list[Tensor | None] = [*mean]
        sgd(moved, gradients, buffers, momentum=recipe.momentum, dampening=0.0, nesterov=False, **common)
    else:
        steps = [torch.ones((), dtype=torch.int64) for _ in moved]  # as integers, which count as nothing
        adam(
            moved, gradients, mean, square, [], steps, amsgrad=False, beta1=recipe.betas[0],
            beta2=recipe.betas[1], eps=recipe.epsilon, decoupled_weight_decay=True, **common,
        )  # fmt: skip
    if recipe.averaging is not None:
        for each, weight in zip(average, weights, strict=True):
            each.lerp_(weight, 0.5)


@contextlib.contextmanager
def _plain_operations() -> Iterator[None]:
    """Let attention and recurrent layers show the products that they consist of."""
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]), sdpa_kernel(SDPBackend.MATH):
        warnings.simplefilter("ignore")  # of torch's settings for other hardware
        with torch.backends.mkldnn.flags(enabled=False):
            yield
