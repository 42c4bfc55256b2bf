"""What somebody's code is: its file and the files of theirs that it imports, their hash, and held copies."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

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
        if is_source(module) and str(path.resolve()) not in found:
            found[str(path.resolve())] = module
            waiting.extend(each for each in _imported(module, path) if _is_theirs(each))
    return list(found.values())


def is_source(module: ModuleType | None) -> bool:
    """Whether a module is a Python file that is there."""
    path = Path(getattr(module, "__file__", None) or "")
    return path.suffix == ".py" and path.is_file()


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


# --- files as they were ----------------------------------------------------------------------------------

_held: dict[str, bytes] = {}  # {full path: content} of files that are loaded as they were, whatever they are


def hold(files: Mapping[str, bytes]) -> None:
    """Load files, in this process and from now on, with contents that they had; {full path: content}.

    All else is as if they were read from where they lie: names, `__file__`, what lies beside them.
    """
    _held.update(files)
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def spec(name: str, path: Path) -> ModuleSpec | None:
    """Return how to load a file as a module of some name, with the content that is held of it, if any is."""
    loader = _Held(name, str(path)) if os.path.realpath(path) in _held else None
    return importlib.util.spec_from_file_location(name, path, loader=loader)


class _Held(SourceFileLoader):
    """Loads a file that is held; never from compiled code, which follows what is on the disk."""

    def get_data(self, path: str) -> bytes:
        content = _held.get(os.path.realpath(path))
        return super().get_data(path) if content is None else content

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class _Finder(MetaPathFinder):
    """Finds what the others find, and has it loaded as it is held."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        for finder in sys.meta_path:
            found = None if finder is self else finder.find_spec(fullname, path, target)
            if found is not None:
                if (
                    isinstance(found.loader, SourceFileLoader)
                    and os.path.realpath(found.origin or "") in _held
                ):
                    found.loader = _Held(fullname, found.loader.path)
                return found
        return None
