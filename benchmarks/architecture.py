"""What learns q(C|x): networks with their recipes, estimators, and reference rows."""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from benchmarks.evaluation import Evaluation
from benchmarks.task import Array, Task, qualified_name

if TYPE_CHECKING:
    from torch import nn

Predict: TypeAlias = Callable[[Array], Array]  # x (n, d) -> log q (n, k)
Arguments: TypeAlias = tuple[tuple[str, Any], ...]  # keyword arguments as data, sorted by name


_POSITIVE = ("learning_rate", "epsilon", "batch", "members")
_NOT_NEGATIVE = ("gamma", "mixup", "weight_decay", "samples")
_SHARES = ("smoothing", "dropout", "momentum")
_WORDS = {
    "loss": ("cross-entropy", "squared-error", "squared-error-linear", "focal"),
    "optimiser": ("adam", "sgd"),
    "schedule": ("constant", "cosine"),
    "calibration": (None, "temperature", "vector", "isotonic"),
}
MOST_MEMBERS = 32  # of an ensemble: what trains as one compiled program
_COUNTED = {"batch": "examples a batch"}
_MOST = {"members": MOST_MEMBERS, "batch": 2**20, "samples": 1_000}  # what a step and a prediction can hold


class Skipped(Exception):
    """An architecture doesn't apply to a task or a budget, which is no failure; the message says why."""


class FitFailed(Exception):
    """An architecture could not be fitted; the message says why."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained and how its outputs become log q; the default is cross-entropy by Adam.

    loss: "cross-entropy", "squared-error" (on the softmax), "squared-error-linear" (on linear outputs, cut
    at 0 and renormalised) or "focal" with its gamma. Targets: soft_labels are the exact posterior in place
    of labels; then mixup(alpha); then label smoothing. optimiser: "adam" (Kingma and Ba 2015) or "sgd"
    with momentum, either with decoupled weight_decay (Loshchilov and Hutter 2019); schedule: "constant", or
    "cosine" down to 0 over the steps of a `dataset` suite; batch: examples a step, None for the suite's.
    dropout: the share of units behind each activation that a step leaves out. averaging: decay of an
    exponential moving average of the weights that is scored in place of the weights, in effect min(averaging,
    (1 + t) / (10 + t)) at step t, so that early averages forget the initialisation. members: networks of an
    ensemble, whose probabilities are averaged; samples: thinned networks that Monte Carlo dropout averages,
    0 for none. calibration: "temperature", "vector" or "isotonic", fitted to held-out examples.
    """

    loss: str = "cross-entropy"
    gamma: float = 0.0
    soft_labels: bool = False
    mixup: float = 0.0
    smoothing: float = 0.0
    optimiser: str = "adam"
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    momentum: float = 0.0
    weight_decay: float = 0.0
    schedule: str = "constant"
    batch: int | None = None
    dropout: float = 0.0
    averaging: float | None = None
    members: int = 1
    samples: int = 0
    calibration: str | None = None

    def check(self) -> None:
        """Raise ValueError where a field has a value that means nothing."""
        values = {key: getattr(self, key) for key in self.__dataclass_fields__}
        for key, words in _WORDS.items():
            if values[key] not in words:
                raise ValueError(
                    f"expected {key} to be one of {', '.join(map(str, words))}, found {values[key]!r}"
                )
        for key in _POSITIVE:
            if values[key] is not None and not 0 < values[key] < float("inf"):
                raise ValueError(f"expected {key} above 0, found {values[key]!r}")
        for key in _NOT_NEGATIVE:
            if not 0 <= values[key] < float("inf"):
                raise ValueError(f"expected {key} from 0, found {values[key]!r}")
        _check_sizes(values)
        for key in _SHARES:
            if not 0 <= values[key] < 1:
                raise ValueError(f"expected {key} from 0 to below 1, found {values[key]!r}")
        if self.averaging is not None and not 0 <= self.averaging < 1:
            raise ValueError(f"expected averaging from 0 to below 1, found {self.averaging!r}")
        if self.samples and not self.dropout:
            raise ValueError("expected dropout above 0 beside samples, found 0")
        pair = isinstance(self.betas, tuple) and len(self.betas) == 2
        if not (pair and all(0 <= beta < 1 for beta in self.betas)):
            raise ValueError(f"expected betas to be two numbers from 0 to below 1, found {self.betas!r}")

    @property
    def needs_dataset(self) -> str:
        """What of it needs the protocol `dataset`, in words; empty where nothing does."""
        if self.calibration:
            return f"{self.calibration} calibration"
        return "a cosine schedule" if self.schedule == "cosine" else ""


def _check_sizes(values: Mapping[str, Any]) -> None:
    for key, most in _MOST.items():
        if values[key] is not None and values[key] > most:
            raise ValueError(f"expected at most {most:,} {_COUNTED.get(key, key)}, found {values[key]}")


@dataclass(frozen=True)
class Module:
    """Builds a network of `benchmarks.architectures.modules` by name; torch is imported only then."""

    name: str
    arguments: Arguments = ()

    def __call__(self, features: int, classes: int) -> nn.Module:
        """Return a module from x (n, features) to logits (n, classes), freshly initialised.

        Raises Skipped where it doesn't apply to so many features.
        """
        modules = importlib.import_module("benchmarks.architectures.modules")
        module: nn.Module = getattr(modules, self.name)(features, classes, **dict(self.arguments))
        return module


@dataclass(frozen=True)
class Network:
    """A network and its recipe; build(features, classes) returns a torch module that gives logits.

    tolerance: how far outputs may be off in a stack from those alone, relative to the largest; 0 where a
    stack of any size gives the same bits. compiles: whether long schedules may be compiled.
    """

    name: str
    description: str
    build: Callable[[int, int], nn.Module]
    recipe: Recipe = Recipe()
    version: int = 1
    family: str = "own"
    tolerance: float = 0.0
    compiles: bool = True

    kind = "network"


@dataclass(frozen=True)
class Estimator:
    """A scikit-learn style classifier; build(seed) returns an object with fit(x, y) and predict_proba(x).

    max_budget: examples above which it is skipped, None for no limit; calibration: "sigmoid" or "isotonic",
    scikit-learn's cross-validated calibration around it, None for none.
    """

    name: str
    description: str
    build: Callable[[int], Any]
    max_budget: int | None = None
    calibration: str | None = None
    version: int = 1
    family: str = "own"

    kind = "estimator"


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
    family = "reference"


Architecture: TypeAlias = Network | Estimator | Reference


def parameters(architecture: Architecture) -> dict[str, Any]:
    """Return everything of an architecture that changes numbers, as plain data; functions by their names."""
    fields = dataclasses.asdict(architecture)
    for words in ("description", "family", "tolerance"):  # they change no number
        fields.pop(words, None)
    return {key: _plain(value) for key, value in fields.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, functools.partial):
        return _plain({"partial": value.func, "args": value.args, "keywords": value.keywords})
    return qualified_name(value) if callable(value) else value


def arguments(values: Mapping[str, Any]) -> Arguments:
    """Return keyword arguments as data that can be hashed."""
    return tuple(sorted(values.items()))
