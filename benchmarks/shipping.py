"""Somebody's files sent along with the work that needs them: to a machine without them, or as they were."""

from __future__ import annotations

import functools
import hashlib
import importlib
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from benchmarks import plug_ins, registry, sources
from benchmarks.errors import OURS, Refused
from benchmarks.task import FILE_MODULE
from benchmarks.tasks import transforms

HOUSES = tuple(Path(house).name for house in OURS)


class Edited(Refused):
    """A file changed while it was being looked at; the message names it."""


@dataclass(frozen=True)
class Shipped:
    """Files as they were when they were packed, and what they stand for.

    places: {the file's name in `file.py:attr`: its full path}, as pairs; files: full paths and contents, of
    those and of all outside of libraries that they import; roots: folders that they are imported from.
    """

    places: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, bytes], ...] = ()
    roots: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """A hash of all of it."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]


NOTHING = Shipped()


def packed(tasks: Iterable[str], architectures: Iterable[str], planned: Shipped = NOTHING) -> Shipped:
    """Return the files that names of tasks and architectures lead to; raises what loading does.

    What is named by module or entry point isn't among them: another machine has it installed, or refuses.
    planned: what is in it is taken as it was then, whatever has become of the file.
    """
    places = _places(tasks, architectures)
    found, then = _shipped(places, list(places.values())), dict(planned.files)
    return replace(found, files=tuple((path, then.get(path, content)) for path, content in found.files))


def planned(tasks: Sequence[str], architectures: Sequence[str]) -> Shipped:
    """Return all files that tasks and architectures which aren't ours come from; raises what loading does."""
    modules = [module for name in tasks for module in registry.modules("task", name)]
    modules += [module for name in architectures for module in registry.modules("architecture", name)]
    return _shipped(_places(tasks, architectures), modules)


def check(shipped: Shipped) -> None:
    """Raise Edited where a file isn't any more as it was when it was packed."""
    for path, content in shipped.files:
        if not Path(path).is_file() or Path(path).read_bytes() != content:
            raise Edited(
                f"file {path}: expected it to stay as it is while a run is planned, found it edited; the same"
                " command plans anew"
            )


def hold(shipped: Shipped) -> None:
    """Make names mean files where they lie, as they were when they were packed, for this process's life."""
    plug_ins.copies.update({name: Path(path) for name, path in shipped.places})
    if shipped.files:
        sources.hold(dict(shipped.files))


def _places(tasks: Iterable[str], architectures: Iterable[str]) -> dict[str, ModuleType]:
    """Return the files in names as modules."""
    bases = [transforms.split(name)[0] for name in tasks] + [
        registry.split(name)[0] for name in architectures
    ]
    names = dict.fromkeys(base.rpartition(":")[0] for base in bases)
    return {name: plug_ins.file_module(name) for name in names if name.endswith(".py")}


def _shipped(places: dict[str, ModuleType], needed: list[ModuleType]) -> Shipped:
    modules = _with_packages(needed)
    return Shipped(
        tuple((name, _path(module)) for name, module in places.items()),
        tuple(sorted((_path(module), Path(_path(module)).read_bytes()) for module in modules)),
        tuple(sorted({_root(module) for module in modules})),
    )


def _with_packages(modules: list[ModuleType]) -> list[ModuleType]:
    """Return modules and all that they import, with the packages that these lie in."""
    found = sources.closure(modules)
    names = {module.__name__ for module in found}
    parents = {
        ".".join(parts[:n]) for parts in (name.split(".") for name in names) for n in range(1, len(parts))
    }
    packages = [sys.modules[name] for name in parents - names if sources.is_source(sys.modules.get(name))]
    return _with_packages(found + packages) if packages else found


def _path(module: ModuleType) -> str:
    return str(Path(module.__file__ or "").resolve())


def _root(module: ModuleType) -> str:
    """Return the folder that an import finds a module from."""
    path = Path(_path(module))
    if module.__name__.startswith(FILE_MODULE):
        return str(path.parent)
    return str(path.parents[module.__name__.count(".") + (path.name == "__init__.py")])


_unpacked = ""  # the digest of what is in place


def unpack(shipped: Shipped) -> None:
    """Put shipped files in place, so that names mean them; those of an earlier call are forgotten.

    They lie in a folder of this process that only its user can write to.
    """
    global _unpacked  # noqa: PLW0603 (what names stand for is a process's own affair)
    if _unpacked == shipped.digest:
        return
    home = Path(_home().name)
    _forget(home)
    folder = home / shipped.digest
    for path, content in shipped.files:
        copy = _below(folder, path)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(content)
    plug_ins.copies.update({name: _below(folder, path) for name, path in shipped.places})
    sys.path.extend(str(_below(folder, root)) for root in shipped.roots)
    importlib.invalidate_caches()
    _unpacked = shipped.digest


@functools.cache
def _home() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="posterior-bench-")


def _below(folder: Path, path: str) -> Path:
    parts = Path(path).relative_to(Path(path).anchor).parts
    return folder.joinpath(*parts)


def _forget(home: Path) -> None:
    """Forget files that were unpacked before, and what was made of their names."""
    plug_ins.copies.clear()
    sys.path[:] = [each for each in sys.path if not Path(each).is_relative_to(home)]
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or "").is_relative_to(home):
            del sys.modules[name]
    forget_names()


def forget_names() -> None:
    """Empty every cache of ours: names may mean something else from now on."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in HOUSES and name != __name__:
            for each in list(vars(module).values()):
                if hasattr(each, "cache_clear"):
                    each.cache_clear()
