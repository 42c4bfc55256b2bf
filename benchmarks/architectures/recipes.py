"""What can be put behind an architecture's name: "mlp-64x64+focal(2)+lr(0.01)", and what it leads to.

A proper loss has its least value at the exact posterior and nowhere else, so with enough data and capacity
the outputs tend to it; of what isn't proper, the description says where it leads instead.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks import grammar
from benchmarks.architecture import Estimator, Network, Recipe
from benchmarks.architectures.estimators import calibrated
from benchmarks.grammar import GrammarError

KIND = "architecture"


@dataclass(frozen=True)
class Ingredient:
    """One change of a recipe: fields that it sets, fields that it takes, and the limit that follows.

    takes: {field of Recipe: its default, or the type of a value that must be given}, in the order in which
    values are written.
    """

    description: str
    sets: Mapping[str, Any] = field(default_factory=dict)
    takes: Mapping[str, Any] = field(default_factory=dict)

    def usage(self, name: str) -> str:
        """Return how it is written, with its defaults."""
        values = [
            key.upper() if isinstance(value, type) else f"{key}={value:g}"
            for key, value in self.takes.items()
        ]
        return f"{name}({', '.join(values)})" if values else name


RECIPES: Mapping[str, Ingredient] = {
    "squared-error": Ingredient(
        "squared error of the softmax (Brier score), proper: its limit is the posterior",
        {"loss": "squared-error"},
    ),
    "squared-error-linear": Ingredient(
        "squared error of linear outputs, cut at 0 and renormalised; its limit is the posterior",
        {"loss": "squared-error-linear"},
    ),
    "focal": Ingredient(
        "focal loss (Lin et al. 2017), improper: its limit is flatter than the posterior",
        {"loss": "focal"},
        {"gamma": 2.0},
    ),
    "label-smoothing": Ingredient(
        "a share e of each label spread over all k classes; its limit is (1 - e) p + e / k, not p",
        takes={"smoothing": 0.1},
    ),
    "mixup": Ingredient(
        "pairs of examples mixed, weights Beta(a, a) (Zhang et al. 2018); its limit is a blurred posterior",
        takes={"mixup": 0.2},
    ),
    "soft-labels": Ingredient(
        "trained on exact posteriors in place of labels: what is lost to labels' noise comes back",
        {"soft_labels": True},
    ),
    "weight-decay": Ingredient(
        "decoupled weight decay (AdamW, Loshchilov and Hutter 2019); its limit is flatter than the posterior",
        takes={"weight_decay": 0.01},
    ),
    "sgd": Ingredient(
        "stochastic gradient descent with momentum at rate 0.05 in place of Adam; the limit stays",
        {"optimiser": "sgd", "learning_rate": 0.05},
        {"momentum": 0.9},
    ),
    "lr": Ingredient("another learning rate; the limit stays", takes={"learning_rate": float}),
    "batch": Ingredient("another number of examples a step; the limit stays", takes={"batch": int}),
    "cosine": Ingredient(
        "learning rate to 0 along a cosine; `dataset` suites only; the limit stays", {"schedule": "cosine"}
    ),
    "dropout": Ingredient(
        "units behind each activation dropped at random in training; its limit isn't the posterior",
        takes={"dropout": 0.1},
    ),
    "mc-dropout": Ingredient(
        "dropout, scored on the mean of thinned networks (Gal and Ghahramani 2016), the same ones at every x",
        takes={"dropout": 0.1, "samples": 20},
    ),
    "ema": Ingredient(
        "scored on an exponential moving average of the weights; the limit stays",
        takes={"averaging": 0.999},
    ),
    "ensemble": Ingredient(
        "mean probability of networks from several starts (Lakshminarayanan et al. 2017); the limit stays",
        takes={"members": 5},
    ),
    "temperature": Ingredient(
        "one temperature fitted to held-out examples (Guo et al. 2017); `dataset` suites only",
        {"calibration": "temperature"},
    ),
    "vector": Ingredient(
        "a scale and a bias a class fitted to held-out examples (Guo et al. 2017); `dataset` suites only",
        {"calibration": "vector"},
    ),
    "isotonic": Ingredient(
        "isotonic regression on held-out examples (Zadrozny and Elkan 2002); can give zeros, then KL is inf",
        {"calibration": "isotonic"},
    ),
}
AROUND_ESTIMATORS: Mapping[str, str] = {
    "sigmoid": "scikit-learn's sigmoid calibration around it, cross-validated",
    "isotonic": "scikit-learn's isotonic calibration around it, cross-validated; can give zeros",
}


def applied(architecture: Network | Estimator, text: str) -> Network | Estimator:
    """Return an architecture with one part put behind it, such as "focal(2)"; raises GrammarError."""
    call = grammar.call(KIND, text)
    if isinstance(architecture, Estimator):
        _lookup(call, AROUND_ESTIMATORS, f"an estimator ({architecture.name})")
        grammar.bind(KIND, call, ())
        described = f"{architecture.description}; {AROUND_ESTIMATORS[call.name]}"
        try:
            return replace(calibrated(architecture, call.name), description=described)
        except ValueError as error:
            raise GrammarError(f"{KIND} {call.text!r}: {error}") from None
    ingredient = _lookup(call, RECIPES, "a network")
    values = grammar.bind(KIND, call, ingredient.takes)
    changes = dict(ingredient.sets)
    for key, default in ingredient.takes.items():
        wanted = default if isinstance(default, type) else type(default)
        if key in values:
            changes[key] = grammar.value(KIND, call, key, values[key], wanted)
        elif isinstance(default, type):
            raise GrammarError(f"{KIND} {text!r}: expected {ingredient.usage(call.name)}, found no {key}")
        else:
            changes[key] = default
    try:
        recipe = replace(architecture.recipe, **changes)
        check(recipe)
    except ValueError as error:
        raise GrammarError(f"{KIND} {text!r}: {error}") from None
    return replace(
        architecture,
        name=f"{architecture.name}+{call.text}",
        description=f"{architecture.description}; {ingredient.description}",
        recipe=recipe,
    )


def _lookup(call: grammar.Call, table: Mapping[str, Any], what: str) -> Any:
    if call.name in table:
        return table[call.name]
    near = difflib.get_close_matches(call.name, table, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(table)}"
    raise GrammarError(f"{KIND} {call.text!r}: expected a recipe for {what} behind '+'; {hint}")


_POSITIVE = ("learning_rate", "epsilon", "batch", "members")
_NOT_NEGATIVE = ("gamma", "mixup", "weight_decay", "samples")
_SHARES = ("smoothing", "dropout", "momentum")
_WORDS = {
    "loss": ("cross-entropy", "squared-error", "squared-error-linear", "focal"),
    "optimiser": ("adam", "sgd"),
    "schedule": ("constant", "cosine"),
    "calibration": (None, "temperature", "vector", "isotonic"),
}


def check(recipe: Recipe) -> None:
    """Raise ValueError where a recipe's field has a value that means nothing."""
    values = {key: getattr(recipe, key) for key in Recipe.__dataclass_fields__}
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
    for key in _SHARES:
        if not 0 <= values[key] < 1:
            raise ValueError(f"expected {key} from 0 to below 1, found {values[key]!r}")
    if recipe.averaging is not None and not 0 <= recipe.averaging < 1:
        raise ValueError(f"expected averaging from 0 to below 1, found {recipe.averaging!r}")
    if recipe.samples and not recipe.dropout:
        raise ValueError("expected dropout above 0 beside samples, found 0")
