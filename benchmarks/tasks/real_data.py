"""Tasks whose mixtures were fitted once to real data: handwritten digits and wines.

`python -m benchmarks.tasks.fit_real_data` did that and wrote a JSON file for each task, with the parameters
rounded to four decimals, how they were chosen, and how well the model describes the data. From there on the
mixture is the truth: its posterior is exact, and it is the task, not the data that it was fitted to.

digits-d64: pixels row by row, (grey level - 8) / 8, and normal noise of 5 of the 16 grey levels; a blank
pixel has that variance. digits-pca-d16: the first 16 principal components in the same units, with noise of
4 grey levels. Both have four components in each class. wine-d13: standardised measurements with noise of
half a standard deviation, one normal density for each class, its covariance moved by a quarter towards a
multiple of the identity. With noise of one grey level, and none on wines, the fitted classes would hardly
overlap: Bayes errors below 0.001 %, 0.1 % and 0.5 %. No condition number is above 15.

Measured on three folds held out from the fit, in four noisy copies; in parentheses what one normal density
for each class reaches, unshrunk. Settings were chosen on the same folds by log-likelihood, and wine's
scaling and the digits' axes are those of all data, so the figures are a little too good.

                                             digits-d64       digits-pca-d16   wine-d13
log-likelihood of an example, nats           -67.99 (-68.49)  -17.95 (-18.52)  -16.33 (-16.47)
real examples that the posterior gets right  94.6 % (93.5 %)  95.7 % (94.7 %)  94.7 % (94.5 %)
... of the model's own, 1 - Bayes error      97.1 %           97.7 %           97.7 %
AUC of a forest, real against sampled        0.515 (0.533)    0.531 (0.560)    0.514 (0.516)

An AUC of 0.5 says that a random forest can't tell real examples from samples; noise hides much of what it
could tell them by. Classes are farther apart in the models than in the data, as fits to few examples make
them, so the posteriors are too sure of real examples.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.task import Array, TaskError
from benchmarks.tasks.mixture import Mixture


@dataclass(frozen=True, eq=False)
class RealData:
    """A task whose mixture stands in the JSON file of its name, read when it is first needed.

    sha256: of the file's content, so that the task is what it says it is. Reading raises TaskError where the
    file isn't there or is another one.
    """

    name: str
    description: str
    features: int
    classes: int
    sha256: str
    version: int = 1

    @property
    def path(self) -> Path:
        """The file that holds the parameters."""
        return Path(__file__).with_name(f"{self.name}.json")

    @cached_property
    def mixture(self) -> Mixture:
        """The mixture that the file describes; raises TaskError where that isn't there or is another one."""
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise TaskError(f"task {self.name}: expected parameters in {self.path}, found {error}") from None
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise TaskError(
                f"task {self.name}: expected parameters with the SHA-256 {self.sha256} in {self.path},"
                f" found {found}"
            )
        return mixture(self.name, json.loads(content))

    @property
    def priors(self) -> Array:
        """Class priors, (classes,)."""
        return self.mixture.priors

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n labelled examples: x (n, features) float64 and y (n,) int64."""
        return self.mixture.sample(n, rng)

    def log_joint(self, x: Array) -> Array:
        """Return log P(x, c) in nats, (n, classes), at x (n, features)."""
        return self.mixture.log_joint(x)

    @property
    def logit_basis(self) -> Callable[[Array], Array]:
        """Functions whose span holds the true log-odds, x (n, features) -> (n, b).

        Absent where a class has several components.
        """
        return self.mixture.logit_basis


def mixture(name: str, parameters: Mapping[str, Any]) -> Mixture:
    """Return the mixture that a parameter file describes.

    frequencies (k,) and shares (m,) are made to sum to 1; the covariance of a component is F F^T + diag(v)
    with its factors F (d, r) and the variances v (d,) beside them.
    """
    labels = np.array(parameters["labels"])
    frequencies, shares = np.array(parameters["frequencies"]), np.array(parameters["shares"])
    factors, variances = np.array(parameters["factors"]), np.array(parameters["variances"])
    return Mixture(
        name=name,
        description="",
        priors=frequencies / frequencies.sum(),
        labels=labels,
        shares=shares / np.bincount(labels, weights=shares)[labels],
        means=np.array(parameters["means"]),
        covariances=factors @ factors.transpose(0, 2, 1) + variances[:, None] * np.eye(variances.shape[1]),
    )


TASKS = {
    task.name: task
    for task in (
        RealData(
            name="digits-d64",
            description="Handwritten digits of 8 x 8 pixels, noisy: mixtures fitted to real ones",
            features=64,
            classes=10,
            sha256="859ff84a453bddf392abe43e7efd1d73443d48ec2e1479e7b94378b3d12b4c5f",
        ),
        RealData(
            name="digits-pca-d16",
            description="Handwritten digits by 16 principal components, noisy: mixtures fitted to real ones",
            features=16,
            classes=10,
            sha256="a55add83c4e6276127f18171244f0b993d4961451318e9508860880db8ce9390",
        ),
        RealData(
            name="wine-d13",
            description="Wines of three cultivars, 13 noisy measurements: normal classes fitted to real ones",
            features=13,
            classes=3,
            sha256="d30e292c071dd80eb24c830a01bc31acb2708df09dad593b475924157d159985",
        ),
    )
}
