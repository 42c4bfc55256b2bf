"""What learns q(C|x): networks with their recipes, and reference rows."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from benchmarks.evaluation import Evaluation
from benchmarks.task import Array, Task

if TYPE_CHECKING:
    from torch import nn

Predict: TypeAlias = Callable[[Array], Array]  # x (n, d) -> log q (n, k)


class Skipped(Exception):
    """An architecture doesn't apply to a task or a budget; the message says why. Not a failure."""


class FitFailed(Exception):
    """An architecture could not be fitted; the message says why."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: cross-entropy on labels, by Adam (Kingma and Ba 2015).

    averaging is the decay of an exponential moving average of the weights that is scored in place of the
    weights themselves; its effective decay at step t is min(averaging, (1 + t) / (10 + t)), so that early
    averages forget the initialisation.
    """

    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    averaging: float | None = None


@dataclass(frozen=True)
class Module:
    """Builds a network of `benchmarks.architectures.modules` by name; torch is imported only then."""

    name: str
    arguments: tuple[tuple[str, Any], ...] = ()

    def __call__(self, features: int, classes: int) -> nn.Module:
        """Return a module from x (n, features) to logits (n, classes), freshly initialised."""
        modules = importlib.import_module("benchmarks.architectures.modules")
        module: nn.Module = getattr(modules, self.name)(features, classes, **dict(self.arguments))
        return module


@dataclass(frozen=True)
class Network:
    """A network and its recipe; build(features, classes) returns a torch module that gives logits."""

    name: str
    description: str
    build: Callable[[int, int], nn.Module]
    recipe: Recipe = Recipe()
    version: int = 1

    kind = "network"


@dataclass(frozen=True)
class Reference:
    """A row that checks a report; fit(task, evaluation, x, y) returns log q as a function of x.

    needs_data says whether fit looks at the training examples x (n, d), y (n,); it may raise Skipped or
    FitFailed.
    """

    name: str
    description: str
    fit: Callable[[Task, Evaluation, Array, Array], Predict]
    needs_data: bool
    version: int = 1

    kind = "reference"


Architecture: TypeAlias = Network | Reference


def parameters(architecture: Architecture) -> dict[str, Any]:
    """Return everything that an architecture is, as plain data; of functions, their qualified names."""
    fields = dataclasses.asdict(architecture)
    del fields["description"]
    return {
        key: f"{value.__module__}.{value.__qualname__}" if callable(value) else value
        for key, value in fields.items()
    }
