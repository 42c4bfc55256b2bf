"""A training step compiled ahead of time to a shared library, kept on disk between runs.

The step is traced to a graph of tensor operations, which PyTorch's AOTInductor compiles. The library runs a
whole step without Python between its operations and is loaded in milliseconds, where torch.compile checks
guards at each step and needs a second to find its own cache.
"""

from __future__ import annotations

import functools
import hashlib
import json
import operator
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from filelock import FileLock
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

from benchmarks import architectures
from benchmarks.architecture import Module, Network, parameters
from benchmarks.sampling import cache_folder
from runner import provenance

if TYPE_CHECKING:
    from torch.fx import GraphModule

FEW = 4  # columns up to which a matrix product is slower than the sums that it stands for
SOURCES = "step.py", "optimiser.py", "program.py", "dropout.py"  # what a step is made of, beside networks
Step: TypeAlias = Callable[..., Tensor]
Run: TypeAlias = Callable[[list[Tensor]], Any]


class Program:
    """step(state, scalars, x, targets, dropped) as compiled code, for arguments of one shape."""

    def __init__(self, network: Network, step: Step, *arguments: Any) -> None:
        """Load what was compiled of a network's step for such arguments before, or compile it now."""
        inputs, _ = tree_flatten(arguments)
        graph = functools.cache(lambda: _traced(step, arguments))
        layouts = [(tuple(x.shape), x.stride(), str(x.dtype), str(x.device)) for x in inputs]
        code = _sources(network) if isinstance(network.build, Module) else _text(graph())
        parts = (
            code,
            layouts,
            torch.__version__,
            provenance.processor(),
            torch.backends.cpu.get_cpu_capability(),
        )
        name = hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
        self._run = _loaded(f"{name}.pt2", lambda path: _compile(graph(), inputs, path))

    def __call__(self, inputs: list[Tensor]) -> None:
        """Take one step, in place; inputs: the tensors of step's arguments, in their order; it is emptied."""
        self._run(inputs)


def _sources(network: Network) -> str:
    """Return what the step of one of our own networks follows from: tracing it would take a second."""
    folders = Path(str(architectures.__file__)).parent, Path(__file__).parent
    files = [*sorted(folders[0].glob("*.py")), *(folders[1] / name for name in SOURCES)]
    texts = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    return json.dumps([parameters(network), texts], sort_keys=True)


def _text(graph: GraphModule) -> str:
    """Return all that the step of somebody's own network is."""
    return repr((graph.code, [x.cpu().numpy().tobytes() for x in graph.state_dict().values()]))


def _traced(step: Step, arguments: tuple[Any, ...]) -> GraphModule:
    """Return the step as a graph over its flat inputs, with the operations that change them."""
    from torch.fx.experimental.proxy_tensor import make_fx  # takes a second

    inputs, layout = tree_flatten(arguments)

    def flat(*values: Tensor) -> tuple[Tensor]:
        return (step(*tree_unflatten(list(values), layout)),)

    # On copies, because tracing carries the step out.
    graph: GraphModule = make_fx(flat, {torch.ops.aten.bmm.default: _bmm})(*[x.clone() for x in inputs])
    return graph


def _bmm(a: Tensor, b: Tensor) -> Any:
    """Return a thin product of matrices as sums, which are fused with what is done before and after them."""
    inner, outer = a.shape[2], b.shape[2]
    if inner <= FEW and outer > 1:
        return functools.reduce(operator.add, (a[:, :, i : i + 1] * b[:, i : i + 1] for i in range(inner)))
    if outer == 1 and inner > 1:
        return (a * b.transpose(1, 2)).sum(2, keepdim=True)
    return NotImplemented


def _loaded(name: str, compiled: Callable[[Path], Path]) -> Run:
    """Return the library of a name from the cache, compiled first where it isn't there or is damaged."""
    folder = cache_folder() / "programs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / name).exists():
            try:
                return _load(folder / name)
            except RuntimeError:
                (folder / name).unlink()
        with FileLock(folder / f"{name}.lock"):  # another process may be compiling the same
            if not (folder / name).exists():
                with TemporaryDirectory(dir=folder) as aside:
                    compiled(Path(aside) / name).replace(folder / name)
        return _load(folder / name)
    except OSError:  # a folder that can't be written
        with TemporaryDirectory() as own:
            return _load(compiled(Path(own) / name))


def _compile(graph: GraphModule, inputs: list[Tensor], path: Path) -> Path:
    from torch._inductor import aoti_compile_and_package

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of PyTorch about its own code
        exported = torch.export.export(graph, tuple(inputs))
        return Path(aoti_compile_and_package(exported, package_path=str(path)))


def _load(path: Path) -> Run:
    # torch._inductor.aoti_load_package does the same after a second in which it asks what the processor can.
    library = torch._C._aoti.AOTIModelPackageLoader(str(path), "model", True, 1, -1)
    run: Run = library.boxed_run
    return run
