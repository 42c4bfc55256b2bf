"""The built-in scikit-learn estimators, a literal list: what each is, in data; nothing is imported for it."""

from __future__ import annotations

import difflib
import importlib
import inspect
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.architecture import Arguments, Estimator, arguments

SET_HERE = ("random_state", "n_jobs")  # constructor arguments that nobody chooses: the seed, and one core
CALIBRATIONS = {
    "sigmoid": "Platt's sigmoid",
    "isotonic": "isotonic regression",
}


@dataclass(frozen=True)
class ScikitLearn:
    """Makes a scikit-learn object by name; scikit-learn is imported only then.

    name: module.Class within sklearn, or a class of `benchmarks.architectures.scikit`; scaled: whether
    inputs are standardised before it; degree: of all monomials of the inputs that it sees, None for the
    inputs as they are.
    """

    name: str
    arguments: Arguments = ()
    scaled: bool = False
    degree: int | None = None

    def __call__(self, seed: int) -> Any:
        """Return it unfitted, with random_state = seed where it has one."""
        found = self._class()
        seeded = {"random_state": seed} if "random_state" in inspect.signature(found).parameters else {}
        steps = [found(**dict(self.arguments), **seeded)]
        preprocessing = importlib.import_module("sklearn.preprocessing")
        if self.degree is not None:
            steps.insert(0, preprocessing.PolynomialFeatures(self.degree, include_bias=False))
        if self.scaled:
            steps.insert(0, preprocessing.StandardScaler())
        if len(steps) == 1:
            return steps[0]
        return importlib.import_module("sklearn.pipeline").make_pipeline(*steps)

    def with_arguments(self, **values: Any) -> ScikitLearn:
        """Return one with other constructor arguments; raises ValueError where there is no such argument."""
        known = [each for each in inspect.signature(self._class()).parameters if each not in SET_HERE]
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
                hint = f"did you mean {' or '.join(near)}? " if near else ""
                there = ", ".join(known) or "none"
                raise ValueError(f"{self.name} has no argument {name!r}; {hint}there are: {there}")
        return replace(self, arguments=arguments({**dict(self.arguments), **values}))

    def _class(self) -> Any:
        module, _, name = self.name.rpartition(".")
        place = f"sklearn.{module}" if module else "benchmarks.architectures.scikit"
        return getattr(importlib.import_module(place), name)


def calibrated(estimator: Estimator, method: str) -> Estimator:
    """Return an estimator with scikit-learn's cross-validated calibration around it, named name+method.

    It takes a fifth of the examples at most, because it is fitted and asked five times. Raises ValueError
    where there is no such method, or where the estimator is calibrated already.
    """
    if method not in CALIBRATIONS:
        near = difflib.get_close_matches(method, CALIBRATIONS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ValueError(f"unknown calibration {method!r}; {hint}there are: {', '.join(CALIBRATIONS)}")
    if estimator.calibration:
        raise ValueError(f"{estimator.name} is calibrated already, by {estimator.calibration}")
    return replace(
        estimator,
        name=f"{estimator.name}+{method}",
        description=f"{estimator.name} calibrated by {CALIBRATIONS[method]} in five-fold cross-validation",
        calibration=method,
        max_budget=None if estimator.max_budget is None else estimator.max_budget // 5,
    )


def _scikit(name: str, scaled: bool = False, degree: int | None = None, **values: Any) -> ScikitLearn:
    return ScikitLearn(name, arguments(values), scaled, degree)


# max_budget: where a fit and 66,000 predictions, of two classes from two inputs (xor-2d), take at most about
# 20 s on one core. Seconds measured at a number of examples:
#   random-forest            100,000: 14 (a fit 13)     random-forest+isotonic           25,600: 12
#   extra-trees              100,000:  5                extra-trees+sigmoid              25,600: 16
#   k-nearest-neighbours     100,000:  4                k-nearest-neighbours+isotonic    25,600:  7
#   kernel-density-bayes      64,000: 11                svc-platt                        25,600: 17
#   gaussian-process           1,280: 16 (a fit 9.5)    at 1,500 examples 27; one fit a class from three on
#   histogram-gradient-boosting and mlp-classifier, 100,000: 1 and 4, linear in n; the others less than 1

# C: no penalty to the last bit; an infinity would be no JSON.
_LOGISTIC: dict[str, Any] = {"C": 1e300, "tol": 1e-7, "max_iter": 10_000}
_FOREST = Estimator(
    "random-forest",
    "100 trees grown to pure leaves on bootstrap samples; as n grows, a few nearest labels decide each q",
    _scikit("ensemble.RandomForestClassifier"),
    100_000,
    family="trees",
)
_EXTRA_TREES = Estimator(
    "extra-trees",
    "100 trees grown to pure leaves with random cuts; interpolates the labels at every n",
    _scikit("ensemble.ExtraTreesClassifier"),
    100_000,
    family="trees",
)
_BOOSTING = Estimator(
    "histogram-gradient-boosting",
    "up to 100 rounds of 31 leaves, stopped early from 10,000 examples on; limit: a sum of so many trees",
    _scikit("ensemble.HistGradientBoostingClassifier"),
    family="boosting",
)
_NAIVE_BAYES = Estimator(
    "gaussian-naive-bayes",
    "a Gaussian with diagonal covariance a class; exact in the limit where that is the truth",
    _scikit("naive_bayes.GaussianNB"),
    family="naive Bayes",
)
_NEIGHBOURS = Estimator(
    "k-nearest-neighbours",
    "class shares among k = sqrt(n) neighbours (rounded up), inputs standardised; tends to the posterior",
    _scikit("SquareRootNeighbours", scaled=True),
    100_000,
    family="neighbours",
)
_SVC = Estimator(
    "svc",
    "support vectors with a Gaussian kernel",
    _scikit("svm.SVC", scaled=True),
    100_000,
    family="kernel",
)

ESTIMATORS = {
    estimator.name: estimator
    for estimator in (
        Estimator(
            "logistic-regression",
            "logits linear in x, maximum likelihood without penalty; limit: the least KL of linear log-odds",
            _scikit("linear_model.LogisticRegression", scaled=True, **_LOGISTIC),
            family="linear",
        ),
        Estimator(
            "quadratic-logistic-regression",
            "logits quadratic in x, without penalty; limit: the least KL, 0 between Gaussian classes",
            _scikit("linear_model.LogisticRegression", scaled=True, degree=2, **_LOGISTIC),
            family="linear",
        ),
        Estimator(
            "lda",
            "Gaussians with one covariance; exact in the limit where that is the truth",
            _scikit("discriminant_analysis.LinearDiscriminantAnalysis"),
            family="discriminant",
        ),
        Estimator(
            "qda",
            "a Gaussian with its own covariance a class; exact in the limit where that is the truth",
            _scikit("discriminant_analysis.QuadraticDiscriminantAnalysis"),
            family="discriminant",
        ),
        _NAIVE_BAYES,
        _NEIGHBOURS,
        _FOREST,
        _EXTRA_TREES,
        _BOOSTING,
        replace(
            calibrated(_SVC, "sigmoid"),
            name="svc-platt",
            description="support vectors with a Gaussian kernel, Platt scaling; limit: a sigmoid of a score",
        ),
        Estimator(
            "gaussian-process",
            "a Gaussian process, its kernel's variance and width fitted, Laplace's approximation",
            _scikit("GaussianProcess", scaled=True),
            1_280,
            family="kernel",
        ),
        Estimator(
            "kernel-density-bayes",
            "a Gaussian kernel density a class, Scott's bandwidth, by Bayes' rule; tends to the posterior",
            _scikit("KernelDensityBayes", scaled=True),
            64_000,
            family="kernel",
        ),
        Estimator(
            "mlp-classifier",
            "one hidden layer of 100, ReLU, by Adam, until accuracy on a tenth of the examples stalls",
            _scikit("neural_network.MLPClassifier", scaled=True, early_stopping=True),
            500_000,
            family="MLP",
        ),
        calibrated(_NAIVE_BAYES, "sigmoid"),
        calibrated(_NAIVE_BAYES, "isotonic"),
        calibrated(_NEIGHBOURS, "isotonic"),
        calibrated(_FOREST, "sigmoid"),
        calibrated(_FOREST, "isotonic"),
        calibrated(_EXTRA_TREES, "sigmoid"),
        calibrated(_EXTRA_TREES, "isotonic"),
        calibrated(_BOOSTING, "sigmoid"),
        calibrated(_BOOSTING, "isotonic"),
        calibrated(_SVC, "isotonic"),
    )
}
