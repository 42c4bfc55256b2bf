"""Fits scikit-learn style estimators and reads log q from them, in log space wherever they allow it."""

from __future__ import annotations

import contextlib
import copy
import inspect
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF, ConstantKernel
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, ComplementNB, GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline

from benchmarks.architecture import Estimator, FitFailed, Predict, Skipped
from benchmarks.errors import in_one_line
from benchmarks.evaluation import normalised
from benchmarks.randomness import seeded
from benchmarks.task import FILE_MODULE, Array, logsumexp, qualified_name

CHUNK = 4_096  # points that are predicted at once
PAIRS = 1_000_000  # kernel values that are held at once
FOLDS = 5
OFF = 1e-6  # how far probabilities may be from summing to 1
OFF_FLOAT32 = 1e-4


class SquareRootNeighbours(KNeighborsClassifier):  # type: ignore[misc]
    """Nearest neighbours whose k grows as sqrt(n), times a factor, rounded up.

    k grows without limit and k/n falls to 0, so class shares tend to the posterior (Stone 1977, Annals of
    Statistics 5(4):595-620).
    """

    def __init__(self, factor: float = 1.0, weights: str = "uniform") -> None:
        super().__init__(weights=weights)
        self.factor = factor

    def fit(self, x: Array, y: Array) -> SquareRootNeighbours:
        """Fit to x (n, d), y (n,)."""
        self.n_neighbors = min(max(math.ceil(self.factor * math.sqrt(len(y))), 1), len(y))
        super().fit(x, y)
        return self


class GaussianProcess(GaussianProcessClassifier):  # type: ignore[misc]
    """A Gaussian process with one Gaussian kernel, whose variance and width maximise the marginal likelihood.

    They start at the values given; scikit-learn's default kernel would stay at 1 and 1.
    """

    def __init__(self, variance: float = 1.0, width: float = 1.0, random_state: int | None = None) -> None:
        super().__init__(random_state=random_state)
        self.variance = variance
        self.width = width

    def fit(self, x: Array, y: Array) -> GaussianProcess:
        """Fit to x (n, d), y (n,)."""
        self.kernel = ConstantKernel(self.variance) * RBF(self.width)
        super().fit(x, y)
        return self


class KernelDensityBayes(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Bayes' rule with a Gaussian kernel density for each class and the classes' shares as priors.

    The bandwidth of a class is factor n^(-1/(d + 4)) s, Scott's rule (Scott 1992, Multivariate Density
    Estimation, eq. 6.42), for its n examples in d dimensions; s is the root of its variance averaged over
    the inputs, 1 where that is 0. Inputs should be of one scale.
    """

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def fit(self, x: Array, y: Array) -> KernelDensityBayes:
        """Fit to x (n, d), y (n,); raises ValueError where the factor isn't positive."""
        if not self.factor > 0:
            raise ValueError(f"factor should be above 0, found {self.factor}")
        x, y = np.asarray(x, dtype=np.float64), np.asarray(y)
        self.classes_ = np.unique(y)
        self.examples_ = [x[y == each] for each in self.classes_]
        self.bandwidths_ = [
            self.factor * len(own) ** (-1 / (x.shape[1] + 4)) * (math.sqrt(own.var(axis=0).mean()) or 1.0)
            for own in self.examples_
        ]
        self.log_prior_ = np.log([len(own) / len(y) for own in self.examples_])
        return self

    def log_densities(self, x: Array) -> Array:
        """Return log p(x|c) in nats, (m, classes), at x (m, d); every kernel counts, however far it is."""
        pairs = zip(self.examples_, self.bandwidths_, strict=True)
        return np.stack([_log_kernel_density(x, own, width) for own, width in pairs], axis=1)

    def predict_log_proba(self, x: Array) -> Array:
        """Return log q (m, classes) at x (m, d)."""
        return normalised(self.log_densities(np.asarray(x, dtype=np.float64)) + self.log_prior_)

    def predict_proba(self, x: Array) -> Array:
        """Return q (m, classes) at x (m, d)."""
        return np.asarray(np.exp(self.predict_log_proba(x)))

    def predict(self, x: Array) -> Array:
        """Return the likeliest class, (m,), at x (m, d)."""
        return np.asarray(self.classes_[np.argmax(self.predict_log_proba(x), axis=1)])


def _log_kernel_density(x: Array, examples: Array, width: float) -> Array:
    """Return the log density of equal Gaussians of one width around the examples, (m,), at x (m, d)."""
    rows = max(PAIRS // len(examples), 1)
    parts = [np.empty(0)]
    for start in range(0, len(x), rows):
        exponent = cdist(x[start : start + rows], examples, "sqeuclidean")
        exponent *= -0.5 / width**2
        top = exponent.max(axis=1)
        exponent -= top[:, None]
        np.exp(exponent, out=exponent)
        parts.append(np.log(exponent.sum(axis=1)) + top)
    volume = math.log(len(examples)) + examples.shape[1] * (0.5 * math.log(2 * math.pi) + math.log(width))
    return np.asarray(np.concatenate(parts) - volume)


# Exactly these classes, none that inherits from them and may say something else.
LOGISTIC = (
    LogisticRegression,
    LogisticRegressionCV,
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
    HistGradientBoostingClassifier,
)
IN_LOG_SPACE = (GaussianNB, MultinomialNB, ComplementNB, BernoulliNB, CategoricalNB, KernelDensityBayes)
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "identity": lambda h: h,
    "logistic": expit,
    "tanh": np.tanh,
    "relu": lambda h: np.maximum(h, 0),
}


def fit(estimator: Estimator, seed: int, x: Array, y: Array, classes: int) -> Predict:
    """Return log q (m, classes) as a function of x (m, d), fitted to x (n, d), y (n,).

    A class without examples has probability 0; where there is only one class, nothing is fitted. Raises
    Skipped where there are too many examples for the estimator, or too few to calibrate it, and FitFailed
    where it raises an error or breaks its contract; the function may raise FitFailed too.
    """
    if estimator.max_budget is not None and len(y) > estimator.max_budget:
        raise Skipped(
            f"{estimator.name} takes at most {estimator.max_budget:,} examples, here are {len(y):,}"
        )
    present, counts = np.unique(y, return_counts=True)
    if len(present) == 1:
        alone = np.where(np.arange(classes) == present[0], 0.0, -np.inf)
        return lambda points: np.tile(alone, (len(points), 1))
    if estimator.calibration and counts.min() < 2:
        raise Skipped(
            f"{estimator.calibration} calibration needs 2 examples of each class that occurs,"
            f" class {present[counts.argmin()]} has {counts.min()}"
        )
    with seeded([seed]):
        model = _called("build", estimator.build, seed)
    if estimator.calibration:
        model = _with_calibration(model, estimator.calibration, min(FOLDS, int(counts.min())))
    with seeded([seed]):
        _called("fit", model.fit, x, y)
    columns = _columns(model, classes)

    def predict(points: Array) -> Array:
        log_q = np.full((len(points), classes), -np.inf)
        for start in range(0, len(points), CHUNK):
            rows = slice(start, start + CHUNK)
            log_q[rows, columns] = _log_q(model, points[rows], len(columns))
        return log_q

    return predict


def _with_calibration(model: Any, method: str, folds: int) -> Any:
    """Return a model with scikit-learn's calibration around it.

    As by default, an ensemble of as many models as folds, each with its calibration; one model calibrated
    on cross-validated scores where the model has scores alone, as scikit-learn recommends for its SVC.
    """
    ensemble = hasattr(model, "predict_proba")
    model = model if hasattr(model, "get_params") else Copied(model)
    return CalibratedClassifierCV(model, method=method, cv=folds, ensemble=ensemble)


class Copied(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Somebody's classifier that scikit-learn can't clone, copied for each fit."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __sklearn_clone__(self) -> Copied:
        return Copied(copy.deepcopy(self.model))

    def fit(self, x: Array, y: Array) -> Copied:
        """Fit a copy to x (n, d) and y (n,)."""
        self.classes_, inner = np.unique(y, return_inverse=True)
        self.fitted_ = copy.deepcopy(self.model)
        self.fitted_.fit(x, inner)
        return self

    def predict_proba(self, x: Array) -> Array:
        """Return probabilities (n, classes)."""
        return np.asarray(self.fitted_.predict_proba(x))


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Silence warnings: what matters of them shows in the scores."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def _called(what: str, function: Callable[..., Any], *values: Any) -> Any:
    """Return what an estimator's function returns; what it raises becomes a FitFailed that says where."""
    try:
        with _quietly():
            return function(*values)
    except FitFailed:
        raise
    except (Exception, SystemExit) as error:  # whatever somebody else's code raises
        raise FitFailed(f"{what} raised {in_one_line(error)}") from error


def _columns(model: Any, classes: int) -> Array:
    """Return which class each column of a fitted model's output stands for."""
    labels = getattr(model, "classes_", None)
    if labels is None:
        return np.arange(classes)
    found = np.asarray(labels)
    known = found.ndim == 1 and len(np.unique(found)) == len(found) and np.isin(found, range(classes)).all()
    if not known:
        raise FitFailed(f"classes_ should hold labels from 0 to {classes - 1}, each once, found {labels}")
    return found.astype(np.int64)


def _log_q(model: Any, x: Array, columns: int) -> Array:
    """Return a fitted model's log q, (n, columns), at x (n, d)."""
    last = model.steps[-1][1] if type(model) is Pipeline else model
    if type(last) in LOGISTIC:
        scores = _called("decision_function", model.decision_function, x)
        return _from_logits("decision_function", scores, x, columns)
    if type(last) is MLPClassifier:
        return _from_logits("the network", _called("the network", _network_outputs, model, x), x, columns)
    if hasattr(model, "predict_proba") and type(last) not in IN_LOG_SPACE:
        found = _called("predict_proba", model.predict_proba, x)
        q = _checked("predict_proba", found, x, columns)
        negative = (q < 0).any(axis=1)
        if negative.any():
            raise FitFailed(
                f"predict_proba should return numbers from 0, returned {q[negative][0].min():.6g}"
                f" at x = {x[negative][0]}"
            )
        with np.errstate(divide="ignore"):
            return _summing_to_one("predict_proba", np.log(q), x, found)
    if hasattr(model, "predict_log_proba"):
        found = _called("predict_log_proba", model.predict_log_proba, x)
        log_q = _checked("predict_log_proba", found, x, columns)
        return _summing_to_one("predict_log_proba", log_q, x, found)
    raise FitFailed(
        f"expected an estimator with predict_proba or predict_log_proba, found {type(model).__name__} without"
    )


def _from_logits(method: str, scores: Any, x: Array, columns: int) -> Array:
    """Return log q (n, columns) from logits: of class 1 alone where there are two classes."""
    if columns == 2 and np.ndim(scores) == 1:
        scores = np.asarray(scores)
        scores = np.stack([np.zeros(len(scores)), scores], axis=1)
    logits = _checked(method, scores, x, columns)
    endless = np.isinf(logits).any(axis=1)
    if endless.any():
        raise FitFailed(f"{method} should return finite numbers, returned an infinity at x = {x[endless][0]}")
    return normalised(logits)


def _network_outputs(model: Any, x: Array) -> Array:
    """Return the logits of an MLPClassifier, alone or at the end of a pipeline.

    Its predict_proba rounds to 0 where a logit is beyond 37.
    """
    network = model
    if isinstance(model, Pipeline):
        network = model.steps[-1][1]
        x = model[:-1].transform(x) if len(model.steps) > 1 else x
    activation = ACTIVATIONS[network.activation]
    for weights, bias in zip(network.coefs_[:-1], network.intercepts_[:-1], strict=True):
        x = activation(x @ weights + bias)
    outputs = x @ network.coefs_[-1] + network.intercepts_[-1]
    return np.asarray(outputs[:, 0] if outputs.shape[1] == 1 else outputs)


def _checked(method: str, values: Any, x: Array, columns: int) -> Array:
    """Return an estimator's output as float64, (n, columns); raises FitFailed where it is anything else."""
    try:
        found = np.asarray(values)
        numbers = found.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise FitFailed(
            f"{method} should return numbers {(len(x), columns)}, returned {type(values).__name__}"
            f" ({in_one_line(error)})"
        ) from error
    if found.shape != (len(x), columns):
        raise FitFailed(f"{method} should return {(len(x), columns)}, returned {found.shape}")
    void = np.isnan(numbers).any(axis=1)
    if void.any():
        raise FitFailed(f"{method} should return numbers, returned NaN at x = {x[void][0]}")
    return numbers


def _summing_to_one(method: str, log_q: Array, x: Array, found: Any) -> Array:
    """Return log q normalised; raises FitFailed where q doesn't sum to 1 but for the rounding of its type."""
    log_total = logsumexp(log_q)
    with np.errstate(over="ignore"):
        total = np.exp(log_total)
    wrong = ~(np.abs(total - 1) <= (OFF if np.asarray(found).dtype.itemsize == 8 else OFF_FLOAT32))
    if wrong.any():
        raise FitFailed(
            f"{method} should return probabilities that sum to 1, they sum to {total[wrong][0]:.6g}"
            f" at x = {x[wrong][0]}"
        )
    return np.asarray(log_q - log_total[:, None])


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
