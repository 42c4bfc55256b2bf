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
import os
import shutil
import time
import warnings
import zipfile
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
from benchmarks.errors import in_one_line
from benchmarks.sampling import cache_folder
from runner import provenance
from runner.plan import CompileFailed

if TYPE_CHECKING:
    from torch.fx import GraphModule

FEW = 4  # columns up to which a matrix product is slower than the sums that it stands for
# What a step of one of our networks is made of, beside the files of benchmarks/architectures.
SOURCES = "../engine.py", "groups.py", "step.py", "optimiser.py", "program.py", "dropout.py", "modules.py"
NOT_IN_A_STEP = "learning_rate", "schedule", "members", "samples", "calibration"  # of a recipe
WIDTHS = {"AVX512": 512, "AVX2": 256}  # bits of the vectors that a library is made for
STALE = 3_600  # seconds after which what a compilation left behind when it was ended is removed
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
        capability = torch.backends.cpu.get_cpu_capability()
        machine = torch.__version__, provenance.processor(), capability, provenance.compiler()
        name = hashlib.sha256(repr((code, layouts, machine)).encode()).hexdigest()[:32]
        self._run = _loaded(f"{name}.pt2", lambda path: _compile(graph(), inputs, path))

    def __call__(self, inputs: list[Tensor]) -> None:
        """Take one step, in place; inputs: the tensors of step's arguments, in their order; it is emptied."""
        self._run(inputs)


def _sources(network: Network) -> str:
    """Return what the step of one of our own networks follows from: tracing it would take a second."""
    ours, theirs = Path(__file__).parent, Path(str(architectures.__file__)).parent
    files = [*sorted(theirs.glob("*.py")), theirs.with_name("architecture.py"), *(ours / n for n in SOURCES)]
    texts = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    what = parameters(network)
    recipe = {key: value for key, value in what["recipe"].items() if key not in NOT_IN_A_STEP}
    return json.dumps([what["build"], recipe, texts], sort_keys=True)


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
        if not _ours(folder):
            raise PermissionError
        with FileLock(folder / f"{name}.lock"):  # another process may be compiling the same
            if not zipfile.is_zipfile(folder / name):
                _sweep(folder)
                with TemporaryDirectory(dir=folder) as aside:
                    compiled(Path(aside) / name).replace(folder / name)
            return _load(folder / name)
    except OSError:  # a folder that can't be written, or in which others can
        with TemporaryDirectory() as own:
            return _load(compiled(Path(own) / name))


def _ours(folder: Path) -> bool:
    """Return whether nobody else can put libraries, which are code, into a folder; it is made if need be."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    return not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & 0o022)


def _sweep(folder: Path) -> None:
    """Remove what compilations that were killed have left."""
    for each in folder.glob("tmp*"):
        if time.time() - each.stat().st_mtime > STALE:
            shutil.rmtree(each, ignore_errors=True)


def _compile(graph: GraphModule, inputs: list[Tensor], path: Path) -> Path:
    from torch._inductor import aoti_compile_and_package
    from torch._inductor.cpu_vec_isa import pick_vec_isa

    # A library may depend on what its name is made from and on nothing else: not on threads, nor on
    # whether the compiler's trial of what the processor can was cut short.
    width = WIDTHS.get(torch.backends.cpu.get_cpu_capability())
    configs = {"cpp.threads": 1, "cpp.simdlen": width}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of PyTorch about its own code
            exported = torch.export.export(graph, tuple(inputs))
            made = aoti_compile_and_package(exported, package_path=str(path), inductor_configs=configs)
    except Exception as error:
        raise CompileFailed(
            f"the training step can't be compiled by {provenance.compiler()}: {in_one_line(error)[:300]}"
        ) from error
    if width and pick_vec_isa().bit_width() < width:
        raise CompileFailed(
            f"expected code for vectors of {width} bits, found that none can be compiled here"
        )
    return Path(made)


@functools.cache  # a library stays in memory for good, and each time it is loaded it does so anew
def _load(path: Path) -> Run:
    # torch._inductor.aoti_load_package does the same after a second in which it asks what the processor can.
    library = torch._C._aoti.AOTIModelPackageLoader(str(path), "model", True, 1, -1)
    run: Run = library.boxed_run
    return run
