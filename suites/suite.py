"""A suite: a named grid of tasks x architectures x budgets x seeds under one protocol."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from benchmarks import registry
from benchmarks.architecture import Estimator, Network
from benchmarks.tasks import transforms
from suites import built_in, files
from suites.files import SuiteError

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)]
Positive = Annotated[int, Field(gt=0, le=10**12)]
Names = Annotated[list[str], Field(max_length=1_000)]
STEPS = 5_000  # at most, of a `dataset` suite that doesn't say
QUICK_STEPS = 500
ARCHITECTURES = ("architectures", "reference")  # the keys that hold names of architectures
MOST_TRIALS = 2_000_000  # of a grid: what a plan can hold
MOST_KEPT = 10**8  # examples of a training set or a pool, which is in memory as a whole
MOST_BATCH = 2**20  # examples of one optimiser step
FEWEST_EXAMPLES = 10  # of a training set: one less than a fifth held out means nothing


class Grid(BaseModel):
    """Budgets in labelled examples, how many seeds (0, 1, ... seeds - 1), and a `dataset` suite's steps."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    budgets: Annotated[list[Positive], Field(min_length=1, max_length=1_000)]
    seeds: Positive
    steps: Positive | None = None


class Suite(Grid):
    """A suite as its TOML file states it; title is the name where the file gives none.

    protocol "stream": mini-batches of `batch` fresh examples, or, with a `pool`, batches from a fixed set
    of that many, reshuffled at each pass, its incomplete last batch dropped. protocol "dataset": a fixed
    training set of each budget's size, used over many passes, of which a fifth is held out; `steps` is the
    most optimiser steps. quick: the grid of `--quick`; where it isn't given, the budgets up to 100
    mini-batches, at most 5 seeds and 500 steps.
    """

    name: Name
    title: Annotated[str, Field(max_length=200)]
    question: Annotated[str, Field(max_length=2_000)] = ""
    protocol: Literal["stream", "dataset"]
    batch: Annotated[int, Field(gt=0, le=MOST_BATCH)]
    pool: Annotated[int, Field(gt=0, le=MOST_KEPT)] | None = None
    tasks: Annotated[Names, Field(min_length=1)]
    architectures: Annotated[Names, Field(min_length=1)]
    reference: Names = ["oracle", "prior", "oracle-mle"]
    quick: Grid | None = None

    @model_validator(mode="after")
    def _check(self) -> Suite:
        for key, grid in (("", self), ("quick.", self.quick)):
            if grid is not None:
                self._check_grid(key, grid)
        if self.pool is not None and self.protocol == "dataset":
            raise ValueError(
                "pool: expected none under protocol dataset, whose training sets are fixed anyway"
            )
        if self.pool is not None and self.pool < self.batch:
            raise ValueError(f"pool: expected at least one batch of {self.batch}, found {self.pool}")
        every = [registry.spelled(name) for name in [*self.architectures, *self.reference]]
        for key, names in (("tasks", self.tasks), ("architectures", every)):
            if len(set(names)) < len(names):
                raise ValueError(f"{key}: expected each name once, found {', '.join(names)}")
        _check_tasks(self.tasks)
        for name in self.architectures + self.reference:
            self._check_architecture(name)
        return self

    def _check_grid(self, key: str, grid: Grid) -> None:
        if list(grid.budgets) != sorted(set(grid.budgets)):
            raise ValueError(f"{key}budgets: expected an increasing list, found {list(grid.budgets)}")
        rows = len(self.tasks) * (len(self.architectures) + len(self.reference))
        trials = rows * grid.seeds * (len(grid.budgets) if self.protocol == "dataset" else 1)
        if trials > MOST_TRIALS:
            raise ValueError(
                f"{key}seeds: expected a grid of at most {MOST_TRIALS:,} trials, found {trials:,}"
                f" with {grid.seeds:,} seeds"
            )
        if self.protocol == "stream":
            _check_multiples(f"{key}budgets", grid.budgets, self.batch)
            if grid.steps is not None:
                raise ValueError(f"{key}steps: expected none under protocol stream, where budgets say it")
        elif grid.budgets[0] < FEWEST_EXAMPLES:
            raise ValueError(
                f"{key}budgets: expected at least {FEWEST_EXAMPLES} examples, a fifth of which is held out,"
                f" found {grid.budgets[0]}"
            )
        elif grid.budgets[-1] > MOST_KEPT:
            raise ValueError(
                f"{key}budgets: expected training sets of at most {MOST_KEPT:,} examples,"
                f" found {grid.budgets[-1]:,}"
            )

    def _check_architecture(self, name: str) -> None:
        """Raise ValueError where an architecture doesn't exist or doesn't go with the protocol."""
        found = registry.architecture(name)
        if self.protocol == "dataset":
            return
        needs = "is an estimator" if isinstance(found, Estimator) else ""
        if isinstance(found, Network):
            needs = found.recipe.needs_dataset and f"has {found.recipe.needs_dataset}"
            if found.recipe.batch is not None:
                self._check_batch(name, found.recipe.batch)
        if needs:
            raise ValueError(
                f"architectures: {name} {needs}, which needs a suite with protocol dataset, such as"
                f" gaussian1d-dataset; the protocol is {self.protocol}"
            )

    def _check_batch(self, name: str, batch: int) -> None:
        """Raise ValueError where a recipe's own batch doesn't go with the budgets or the pool of a stream."""
        for key, grid in (("", self), ("quick.", self.quick)):
            if grid is not None:
                _check_multiples(f"{key}budgets of {name}", grid.budgets, batch)
        if self.pool is not None and self.pool < batch:
            raise ValueError(f"pool: expected at least one batch of {batch} for {name}, found {self.pool}")

    @property
    def quick_grid(self) -> Grid:
        """The budgets and seeds of `--quick`."""
        small = [budget for budget in self.budgets if budget <= 100 * self.batch]
        grid = self.quick or Grid(budgets=small or self.budgets[:1], seeds=min(self.seeds, 5))
        if self.protocol == "stream" or grid.steps is not None:
            return grid
        return grid.model_copy(update={"steps": min(self.most_steps, QUICK_STEPS)})

    @property
    def most_steps(self) -> int:
        """Optimiser steps: up to the largest budget of a stream, the most of a `dataset` suite."""
        if self.protocol == "dataset":
            return STEPS if self.steps is None else self.steps
        return max(self.budgets) // self.batch


def _check_tasks(names: Sequence[str]) -> None:
    """Raise ValueError where two names lead to tasks of one name, under which results would be mixed up."""
    first: dict[str, str] = {}
    for name in names:
        other = first.setdefault(registry.task(name).name, name)
        if other != name:
            raise ValueError(
                f"tasks: expected each task once, found {other} and {name}, both the task"
                f" {registry.task(name).name}"
            )


def _canonical(name: str) -> str:
    """Return the one spelling of a task's name; that of anybody's own stays as it is."""
    ours = transforms.split(name)[0] in registry.TASKS
    return registry.task(name).name if ours else name


def _check_multiples(key: str, budgets: Sequence[int], batch: int) -> None:
    wrong = [budget for budget in budgets if budget % batch]
    if wrong:
        nearest = max(round(wrong[0] / batch), 1) * batch
        raise ValueError(
            f"{key}: expected multiples of the batch of {batch} examples, found {wrong[0]}"
            f" (the nearest is {nearest})"
        )


def load(name: str) -> Suite:
    """Return a built-in suite by name, or the suite in a TOML file; raises SuiteError.

    >>> suite = load("gaussian1d")
    >>> suite.tasks, suite.protocol
    (['gauss-separated', 'gauss-nested', 'gauss-sparse-tail'], 'stream')
    >>> load("prior-shfit")
    Traceback (most recent call last):
    suites.files.SuiteError: unknown suite 'prior-shfit'; did you mean prior-shift?
    """
    if not name.endswith(".toml"):
        try:
            return read(registry.lookup("suite", name, built_in()))
        except registry.UnknownName as error:
            raise SuiteError(str(error)) from None
    return read(Path(name))


def read(path: Path) -> Suite:
    """Return the suite in a TOML file; raises SuiteError, which names file, key, expected and found."""
    return parsed(files.content(path), f"suite file {path}", path.parent)


def parsed(raw: bytes, where: str, folder: Path) -> Suite:
    """Return the suite in the bytes of a TOML file of a folder; raises SuiteError, which says where."""
    return _validated(files.data(raw, where, folder), where)


def narrow(
    suite: Suite,
    *,
    tasks: Sequence[str] = (),
    architectures: Sequence[str] = (),
    budgets: Sequence[int] = (),
    seeds: int | None = None,
    quick: bool = False,
) -> Suite:
    """Return the suite with what is given in place of its own lists; the reference rows stay.

    Reference rows named as architectures replace the suite's reference rows. Raises SuiteError.

    >>> small = narrow(load("gaussian1d"), tasks=["gauss-nested"], budgets=[1280], seeds=2)
    >>> small.tasks, small.budgets, small.seeds, small.reference
    (['gauss-nested'], [1280], 2, ['oracle', 'prior', 'oracle-mle'])
    """
    data = suite.model_dump()
    if quick:
        data |= suite.quick_grid.model_dump(exclude_none=True)
    given = {
        "tasks": list(dict.fromkeys(tasks)),
        "architectures": list(dict.fromkeys(architectures)),
        "budgets": sorted(set(budgets)),
    }
    data |= {key: value for key, value in given.items() if value}
    if seeds is not None:
        data["seeds"] = seeds
    data["reference"] = [name for name in suite.reference if name not in data["architectures"]]
    return _validated(data, "command line")


def _validated(data: dict[str, Any], where: str) -> Suite:
    for key in data:  # first of all: a mistyped key shows up as a missing one too
        try:
            registry.lookup("key", key, dict.fromkeys(Suite.model_fields))
        except registry.UnknownName as error:
            raise SuiteError(f"{where}: {error}") from None
    try:
        suite = Suite.model_validate({"title": data.get("name"), **data})
        spelled = {key: [registry.spelled(name) for name in getattr(suite, key)] for key in ARCHITECTURES}
        return suite.model_copy(update={"tasks": [_canonical(name) for name in suite.tasks], **spelled})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        if key:
            found = "nothing" if first["type"] == "missing" else repr(first["input"])
            message = f"{key}: {_expected(first)}, found {found}"
        raise SuiteError(f"{where}: {message}") from None


def _expected(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return f"expected only the keys {', '.join(Grid.model_fields)}"
    if error["type"] == "missing":
        return "expected a value"
    limits = error.get("ctx", {})
    if error["type"] == "too_short":
        return f"expected at least {limits['min_length']} of them"
    if error["type"] in ("too_long", "string_too_long"):
        what = "of them" if error["type"] == "too_long" else "characters"
        return f"expected at most {limits['max_length']:,} {what}"
    if error["type"] == "string_pattern_mismatch":
        return "expected letters, digits, '.', '_' and '-', a letter or digit first"
    return "expected " + str(error["msg"]).removeprefix("Input should be ").removeprefix("a valid ")
