"""What can be put behind an architecture's name: "mlp-64x64+focal(2)+lr(0.01)", and what it leads to.

A proper loss has its least value at the exact posterior and nowhere else, so with enough data and capacity
the outputs tend to it; of what isn't proper, the description says where it leads instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks import grammar
from benchmarks.architecture import Architecture, Estimator, Network, Recipe
from benchmarks.architectures.estimators import calibrated
from benchmarks.errors import hint
from benchmarks.grammar import GrammarError

KIND = "architecture"


@dataclass(frozen=True)
class Ingredient:
    """One change of a recipe: fields that it sets, fields that it takes, and the limit that follows.

    takes: {field of Recipe: its default, or the type of a value that must be given}, in the order in which
    values are written; suggests: fields that other parts may set.
    """

    description: str
    sets: Mapping[str, Any] = field(default_factory=dict)
    takes: Mapping[str, Any] = field(default_factory=dict)
    suggests: Mapping[str, Any] = field(default_factory=dict)

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
        "focal loss (Lin et al. 2017), improper: its limit isn't the posterior",
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
        {"optimiser": "sgd"},
        {"momentum": 0.9},
        {"learning_rate": 0.05},
    ),
    "lr": Ingredient("another learning rate; the limit stays", takes={"learning_rate": float}),
    "batch": Ingredient("another number of examples a step; the limit stays", takes={"batch": int}),
    "cosine": Ingredient(
        "learning rate to 0 along a cosine; dataset suites only; the limit stays", {"schedule": "cosine"}
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
        "one temperature fitted to held-out examples (Guo et al. 2017); dataset suites only",
        {"calibration": "temperature"},
    ),
    "vector": Ingredient(
        "a scale and a bias a class fitted to held-out examples (Guo et al. 2017); dataset suites only",
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

_ELSEWHERE = re.compile(r"its limit (?!is the posterior)[^;]*")  # what a description says of a limit
_OF_LIMITS = re.compile(r"\blimit\b|\btends to\b|\bas n grows\b|\bat every n\b")


def limit(architecture: Architecture) -> str:
    """Return in a sentence where infinite data lead, from what descriptions say; empty where they don't."""
    if isinstance(architecture, Network):
        said: dict[str, list[str]] = {}
        for name, part in RECIPES.items():
            if _is_in(part, architecture.recipe) and (found := _ELSEWHERE.search(part.description)):
                said.setdefault(found[0], []).append(name)
        if said:
            words = "; ".join(f"{clause} ({', '.join(names)})" for clause, names in said.items())
            return f"With infinite data {words}."
        return "With infinite data its limit is the posterior, as closely as the network can express it."
    last = architecture.description.rpartition(";")[2]
    told = isinstance(architecture, Estimator) and _OF_LIMITS.search(last)
    words = architecture.description.rstrip(".")
    return f"{words[0].upper()}{words[1:]}." if told else ""


def _is_in(part: Ingredient, recipe: Recipe) -> bool:
    """Return whether a recipe has all that a part sets, with values that change something."""
    plain = Recipe()
    return all(getattr(recipe, key) == value for key, value in part.sets.items()) and all(
        getattr(recipe, key) != getattr(plain, key) for key in part.takes
    )


def applied(architecture: Network | Estimator, *texts: str) -> Network | Estimator:
    """Return an architecture with parts put behind it, such as "focal(2)" and "lr(0.01)", in this order.

    Raises GrammarError where there is no such part, where its values mean nothing, or where it sets what an
    earlier one set.
    """
    taken: dict[str, str] = {}
    for text in texts:
        call = grammar.call(KIND, text)
        if isinstance(architecture, Estimator):
            architecture = _around(architecture, call)
        else:
            architecture = _behind(architecture, call, taken)
    return architecture


def _around(estimator: Estimator, call: grammar.Call) -> Estimator:
    described = f"{estimator.description}; {_lookup(call, AROUND_ESTIMATORS, 'an estimator')}"
    grammar.bind(KIND, call, ())
    try:
        return replace(calibrated(estimator, call.name), description=described)
    except ValueError as error:
        raise GrammarError(f"{KIND} {call.text!r}: {error}") from None


def _behind(network: Network, call: grammar.Call, taken: dict[str, str]) -> Network:
    """Return a network with one part behind it; taken: {field that is set already: by which part}."""
    ingredient = _lookup(call, RECIPES, "a network")
    values = _values(call, ingredient)
    changes = {**ingredient.sets, **values}
    for key in changes:
        if key in taken:
            raise GrammarError(f"{KIND} {call.text!r}: sets {key}, which {taken[key]} sets too")
    taken |= dict.fromkeys(changes, call.text)
    try:
        recipe = replace(network.recipe, **{**_free(ingredient.suggests, taken), **changes})
        recipe.check()
    except ValueError as error:
        raise GrammarError(f"{KIND} {call.text!r}: {error}") from None
    # The name says every value, so that two spellings of one recipe are one architecture.
    said = ", ".join(f"{value:g}" for value in values.values())
    return replace(
        network,
        name=f"{network.name}+{call.name}" + (f"({said})" if said else ""),
        description=f"{network.description}; {_said(ingredient)}",
        recipe=recipe,
    )


def _said(ingredient: Ingredient) -> str:
    """Return what a part says of a network that has it: where it leads, not where it may be used."""
    words = ingredient.description
    for clause in ("; dataset suites only", "; the limit stays"):
        words = words.replace(clause, "")
    return words


def _values(call: grammar.Call, ingredient: Ingredient) -> dict[str, Any]:
    """Return every field that a part takes, from its text or by default."""
    given = grammar.bind(KIND, call, ingredient.takes)
    values = {}
    for key, default in ingredient.takes.items():
        wanted = default if isinstance(default, type) else type(default)
        if key in given:
            values[key] = grammar.value(KIND, call, key, given[key], wanted)
        elif isinstance(default, type):
            expected = ingredient.usage(call.name)
            raise GrammarError(f"{KIND} {call.text!r}: expected {expected}, found no {key}")
        else:
            values[key] = default
    return values


def _free(suggested: Mapping[str, Any], taken: Mapping[str, str]) -> dict[str, Any]:
    return {key: value for key, value in suggested.items() if key not in taken}


def _lookup(call: grammar.Call, table: Mapping[str, Any], what: str) -> Any:
    if call.name in table:
        return table[call.name]
    meant = hint(call.name, table)
    raise GrammarError(f"{KIND} {call.text!r}: expected a recipe for {what} behind '+'; {meant}")
