"""Training on a GPU: a chunk of steps as one CUDA graph, and how many networks fit beside each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

MOST = 512  # networks in a stack: beyond, drawing their examples on the processor takes longer than training
SHARE = 0.5  # of the free memory that a stack may fill by the estimate below


class Captured:
    """Steps that launch as one: their kernels take less time than Python needs to start them one by one."""

    def __init__(self, chunk: Callable[..., None], state: object, inputs: Sequence[Tensor]) -> None:
        """Record chunk(*inputs), which changes the tensors of state in place; state stays what it is now.

        Raises RuntimeError where something in it can't be recorded, such as a copy from the processor.
        """
        self._inputs = [each.clone() for each in inputs]
        leaves: list[Tensor] = tree_leaves(state)
        before = [leaf.clone() for leaf in leaves]
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        try:
            with torch.cuda.stream(aside):
                chunk(*self._inputs)  # libraries set themselves up in a first pass
        finally:
            torch.cuda.current_stream().wait_stream(aside)
            for leaf, was in zip(leaves, before, strict=True):
                leaf.copy_(was)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            chunk(*self._inputs)

    def __call__(self, inputs: Sequence[Tensor]) -> None:
        """Carry the steps out on other inputs of the same shapes."""
        for mine, given in zip(self._inputs, inputs, strict=True):
            mine.copy_(given, non_blocking=True)
        self._graph.replay()


def networks_that_fit(parameters: int, elementwise: int, examples: int, workers: int) -> int:
    """Return how many networks a stack on the GPU may hold, from the memory that is free now for each worker.

    elementwise: operations of a step other than products, each of which may leave a number for the gradient;
    examples: numbers of a chunk of mini-batches. Weights, gradients, two moments, an average and a copy for
    a snapshot stand beside them, all in float32.
    """
    free, _ = torch.cuda.mem_get_info()
    return max(
        1, min(MOST, int(SHARE * free / workers) // (4 * (6 * parameters + elementwise + 2 * examples)))
    )
