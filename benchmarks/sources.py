"""What somebody's code is: a hash of its file and of the files of theirs that it imports."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from benchmarks.errors import LIBRARIES, OURS


def digest(modules: list[ModuleType]) -> str:
    """Return a hash of modules' files and of all that these import outside of libraries; empty without any.

    Files may change without saying so, and where they lie doesn't matter: names and contents are hashed.
    """
    paths = [Path(module.__file__ or "") for module in closure(modules)]
    contents = sorted(path.name.encode() + b"\n" + path.read_bytes() for path in paths)
    return hashlib.sha256(b"\n".join(contents)).hexdigest()[:16] if contents else ""


def closure(modules: list[ModuleType]) -> list[ModuleType]:
    """Return modules that are files, and all files outside of libraries that they import, each once.

    Imports are read from the source, so what a file imports by other means isn't known.
    """
    found: dict[str, ModuleType] = {}
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        path = Path(getattr(module, "__file__", None) or "")
        if path.suffix == ".py" and path.is_file() and str(path.resolve()) not in found:
            found[str(path.resolve())] = module
            waiting.extend(each for each in _imported(module, path) if _is_theirs(each))
    return list(found.values())


def _imported(module: ModuleType, path: Path) -> Iterator[ModuleType]:
    """Yield the loaded modules that a file's import statements name."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            if node.level:
                base = importlib.util.resolve_name(base, module.__package__ or "")
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        yield from (sys.modules[name] for name in names if name in sys.modules)


def _is_theirs(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and not str(Path(file).resolve()).startswith((*LIBRARIES, *OURS))
