"""Estimators from somebody's class or instance in scikit-learn's style."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone

from benchmarks.architecture import Estimator
from benchmarks.identity import qualified_name
from benchmarks.task import FILE_MODULE


def as_estimator(name: str, found: Any) -> Estimator:
    """Return an Estimator of a scikit-learn style class or instance, which is copied for each fit.

    Each fit sets random_state to its seed where there is such a parameter, and in nested steps where it is
    None. Raises ValueError where it has no fit.
    """
    if not callable(getattr(found, "fit", None)):
        what = f"class {found.__name__}" if inspect.isclass(found) else type(found).__name__
        raise ValueError(
            f"{name}: expected a class or an instance with fit(x, y) and predict_proba(x), found {what}"
            " without fit"
        )

    def build(seed: int) -> Any:
        if inspect.isclass(found):
            return _seeded(found(), seed)
        return _seeded(clone(found) if isinstance(found, BaseEstimator) else copy.deepcopy(found), seed)

    # What records say that it is: the class, and of an instance its settings.
    kind: Any = found if inspect.isclass(found) else type(found)
    build.__module__ = "plugged_in" if kind.__module__.startswith(FILE_MODULE) else kind.__module__
    build.__qualname__ = kind.__qualname__ if inspect.isclass(found) else _settings(found)
    return Estimator(name, _description(found), build)


def _settings(found: Any) -> str:
    """Return an instance's class and all its parameters in one line, without addresses in memory."""
    if not isinstance(found, BaseEstimator):
        return type(found).__qualname__
    values = found.get_params(deep=True)
    text = ", ".join(f"{key}={_said(values[key])}" for key in sorted(values) if not _is_nested(values[key]))
    return f"{type(found).__qualname__}({text})"


def _said(value: Any) -> str:
    """Return a parameter in words: functions by name, of arrays shape and content, neither cut nor placed."""
    if isinstance(value, np.ndarray):
        return f"array{value.shape}{value.tolist()}"
    return qualified_name(value) if callable(value) else repr(value)


def _is_nested(value: Any) -> bool:
    """Whether a parameter holds estimators, whose own parameters are listed beside it."""
    return isinstance(value, BaseEstimator) or (
        isinstance(value, list | tuple)
        and any(isinstance(part, BaseEstimator) for each in value for part in np.atleast_1d(each))
    )


def _description(found: Any) -> str:
    """Return the first line of a class's own docstring; of an instance, and without one, what it is."""
    text = found.__doc__ if inspect.isclass(found) else None
    first = (text or "").strip().partition("\n")[0]
    own = found.__name__ if inspect.isclass(found) else _settings(found)
    return first or f"own estimator {own}"


def _seeded(model: Any, seed: int) -> Any:
    """Return a model with its random_state, and those of nested steps that are None, set to the seed."""
    if isinstance(model, BaseEstimator):
        values = model.get_params(deep=True)
        chosen = [
            key
            for key, value in values.items()
            if key == "random_state" or (key.endswith("__random_state") and value is None)
        ]
        return model.set_params(**dict.fromkeys(chosen, seed))
    if hasattr(model, "random_state"):
        model.random_state = seed
    return model
