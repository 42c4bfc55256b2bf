"""A training step compiled ahead of time to a shared library, kept on disk between runs.

The step is traced to a graph of tensor operations, which PyTorch's AOTInductor compiles. The library runs a
whole step without Python between its operations and is loaded in milliseconds, where torch.compile checks
guards at each step and needs a second to find its own cache.
"""

from __future__ import annotations

import functools
import hashlib
import operator
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import torch
from filelock import FileLock
from torch import Tensor, fx
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._pytree import tree_flatten, tree_unflatten

from benchmarks.sampling import cache_folder
from runner import provenance

FEW = 4  # columns up to which a matrix product is slower than the sums that it stands for
Step: TypeAlias = Callable[..., Tensor]


class Program:
    """step(state, scalars, x, targets, dropped) as compiled code, for arguments of one shape."""

    def __init__(self, step: Step, *arguments: Any) -> None:
        """Trace the step on arguments, which stay as they are, and compile it or load what was compiled."""
        inputs, _ = tree_flatten(arguments)
        self._run = _loaded(_traced(step, arguments), inputs)

    def __call__(self, inputs: list[Tensor]) -> None:
        """Take one step, in place; inputs: the tensors of step's arguments, in their order; it is emptied."""
        self._run(inputs)


def _traced(step: Step, arguments: tuple[Any, ...]) -> fx.GraphModule:
    """Return the step as a graph over its flat inputs, with the operations that mutate them."""
    inputs, layout = tree_flatten(arguments)

    def flat(*values: Tensor) -> tuple[Tensor]:
        return (step(*tree_unflatten(list(values), layout)),)

    # On copies, because tracing carries the step out.
    graph: fx.GraphModule = make_fx(flat, {torch.ops.aten.bmm.default: _bmm})(*[x.clone() for x in inputs])
    return graph


def _bmm(a: Tensor, b: Tensor) -> Any:
    """Return a thin product of matrices as sums, which are fused with what is done before and after them."""
    inner, outer = a.shape[2], b.shape[2]
    if inner <= FEW and outer > 1:
        return functools.reduce(operator.add, (a[:, :, i : i + 1] * b[:, i : i + 1] for i in range(inner)))
    if outer == 1 and inner > 1:
        return (a * b.transpose(1, 2)).sum(2, keepdim=True)
    return NotImplemented


def _loaded(graph: fx.GraphModule, inputs: list[Tensor]) -> Callable[[list[Tensor]], Any]:
    """Return the compiled graph, from the cache where it is there and whole."""
    name = f"{_digest(graph, inputs)}.pt2"
    folder = cache_folder() / "programs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{name}.lock"):  # another process may be compiling the same
            if not (folder / name).exists():
                with TemporaryDirectory(dir=folder) as aside:
                    _compile(graph, inputs, Path(aside) / name).replace(folder / name)
        return _load(folder / name)
    except (OSError, RuntimeError):  # a folder that can't be written, a damaged file
        with TemporaryDirectory() as own:
            return _load(_compile(graph, inputs, Path(own) / name))


def _compile(graph: fx.GraphModule, inputs: list[Tensor], path: Path) -> Path:
    from torch._inductor import aoti_compile_and_package

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of PyTorch about its own code
        exported = torch.export.export(graph, tuple(inputs))
        return Path(aoti_compile_and_package(exported, package_path=str(path)))


def _load(path: Path) -> Callable[[list[Tensor]], Any]:
    from torch._inductor import aoti_load_package

    run: Callable[[list[Tensor]], Any] = aoti_load_package(
        str(path), run_single_threaded=True
    ).loader.boxed_run
    return run


def _digest(graph: fx.GraphModule, inputs: list[Tensor]) -> str:
    """Return a hash of all that a library follows from: the graph, PyTorch, and the processor."""
    layouts = [(tuple(x.shape), x.stride(), str(x.dtype), str(x.device)) for x in inputs]
    constants = [x.cpu().numpy().tobytes() for x in graph.state_dict().values()]
    processor = provenance.processor(), torch.backends.cpu.get_cpu_capability()
    parts = (graph.code, layouts, constants, torch.__version__, *processor)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
