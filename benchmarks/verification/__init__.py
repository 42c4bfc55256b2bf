"""Verifies tasks against themselves: that sampler, density and posterior are those of one law.

`verify(task)` runs every check on any object that follows the Task protocol; `runner verify` does for names.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from benchmarks.task import Task
from benchmarks.verification import contract, density, labels, tails
from benchmarks.verification.case import Case, Finding, Skipped
from benchmarks.verification.contract import fingerprint

__all__ = ["ALARM", "CHECKS", "Check", "Outcome", "applicable", "fingerprint", "verify"]

ALARM = 1e-4  # probability that any check of a call fails on tasks without fault

Status = Literal["ok", "failed", "skipped"]


class Outcome(NamedTuple):
    """What one check found on one task.

    found, expected: in words; n: examples, inputs or rays that were looked at, None where there are none;
    detects: the fault that is found with probability 99 % at that n; p: the p-value of a statistical check,
    corrected for the tests within it, which fails below the level that `expected` states.
    """

    check: str
    status: Status
    found: str
    expected: str
    n: int | None = None
    detects: str = ""
    p: float | None = None


class Check(NamedTuple):
    """A check: what runs it, what it asks in one line, whether its answer depends on chance.

    applies(task): whether it isn't skipped, as far as that can be told without drawing.
    """

    run: Callable[[Case], Finding]
    asks: str
    statistical: bool = False
    applies: Callable[[Task], bool] = lambda _: True


CHECKS = {
    "contract": Check(contract.contract, "shapes, dtypes, labels, no NaN"),
    "immutable": Check(contract.immutable, "fields, arrays and inputs stay as they are"),
    "reproducible": Check(contract.reproducible, "data follow from the seed; prefixes"),
    "batch-invariance": Check(contract.batch_invariance, "one input's log_joint in any batch"),
    "posterior-sums-to-1": Check(tails.posterior_sums_to_one, "probabilities over classes"),
    "logit-basis": Check(
        tails.logit_basis, "the log-odds lie in the span of `logit_basis`", applies=tails.has_basis
    ),
    "tails": Check(tails.tails, "log_joint 50 interquartile ranges out"),
    "normalisation": Check(density.normalisation, "the density integrates to 1", True),
    "priors": Check(labels.priors, "posterior's mean, labels and `priors` agree", True),
    "sampler-density": Check(density.sampler_density, "inputs follow the density", True),
    "sampler-posterior": Check(labels.sampler_posterior, "labels follow the posterior", True),
    "independence": Check(labels.independence, "examples don't depend on each other", True),
    "train-priors": Check(
        labels.train_priors, "training data follow `train_priors`", True, labels.is_shifted
    ),
    "digest": Check(contract.digest, "the same hashes in another interpreter"),
}


def applicable(task: Task) -> dict[str, str]:
    """Return what each check that applies to a task asks, in the order of CHECKS."""
    return {name: check.asks for name, check in CHECKS.items() if check.applies(task)}


def verify(
    task: Task, seed: int = 0, alarm: float = ALARM, elsewhere: dict[str, str] | None = None
) -> list[Outcome]:
    """Return the outcome of every check on a task, in the order of CHECKS.

    seed: of all that is drawn; alarm: the probability that any check fails on a task without fault, of which
    each statistical check gets an equal part (Bonferroni); elsewhere: `fingerprint(task)` as another
    interpreter found it; without it the digest is only taken twice. Never raises what a task raises: that is
    a failed check.
    """
    case = Case(task, seed, alarm / sum(check.statistical for check in CHECKS.values()), elsewhere)
    outcomes: list[Outcome] = []
    for name, check in CHECKS.items():
        if outcomes and outcomes[0].status == "failed":
            outcomes.append(Outcome(name, "skipped", "the contract is broken", ""))
        else:
            outcomes.append(_outcome(name, check, case))
    return outcomes


def _outcome(name: str, check: Check, case: Case) -> Outcome:
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            finding = check.run(case)
    except Skipped as reason:
        return Outcome(name, "skipped", str(reason), "")
    except Exception as error:  # whatever a task's code raises is what the check found
        words = " ".join(str(error).split()).removeprefix(f"task {case.task.name}: ")
        return Outcome(name, "failed", f"{type(error).__name__}: {words}", "an answer")
    return Outcome(name, "ok" if finding.ok else "failed", *finding[1:])
