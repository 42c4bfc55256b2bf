"""Every measure: what it is called in records.csv, its formula, and what there is to know about it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from reports.method.mathml import Formula, formula, over, sub, sup, tokens, under, words


@dataclass(frozen=True)
class Definition:
    """A measure; columns: its names among the metrics (or regions) of records.csv."""

    term: str
    columns: tuple[str, ...]
    formulas: tuple[Formula, ...]
    text: str
    always: bool = False  # shown whether or not the records have its columns

    @property
    def names(self) -> str:
        """Its columns in a line; of a long series the first and the last."""
        many = len(self.columns) > 4
        return f"{self.columns[0]} to {self.columns[-1]}" if many else ", ".join(self.columns)


@dataclass(frozen=True)
class Group:
    """Measures under one heading; name: its anchor."""

    name: str
    title: str
    definitions: tuple[Definition, ...]


_EX, _SUM = sub("E", "x"), under("∑", "c")
_P, _Q = "p ( c | x )", "q ( c | x )"
_BIN = sub("p", "b")
_MEAN_LOGS = over("1", "S") + under("∑", "s") + tokens("log")
_CHOICE = formula("ĉ = argmax_c q(c|x)", "ĉ =", under("argmax", "c"), _Q)

DISTANCE = (
    Definition(
        "Expected KL",
        ("expected_kl",),
        (formula("E_x sum_c p(c|x) log(p(c|x) / q(c|x))", _EX, _SUM, _P, "log", over(_P, _Q)),),
        "In nats, from logits in log space, never clipped. “Sparse KL” is the same expectation over the "
        "sparse region.",
        always=True,
    ),
    Definition(
        "Information gap",
        ("information_gap",),
        (formula("expected KL / I(X;C)", over(words("expected KL"), "I ( X ; C )")),),
        "The measure that ranks. Predicting the class priors costs exactly I(X;C), so 0 is the exact "
        "posterior, 1 is knowing only the priors, and tasks become comparable.",
        always=True,
    ),
    Definition(
        "Total variation",
        ("tv",),
        (formula("E_x 1/2 sum_c |p(c|x) - q(c|x)|", _EX, over("1", "2"), _SUM, f"|( {_P} − {_Q} |)"),),  # noqa: RUF001
        "Between 0 and 1, also where KL is infinite.",
    ),
    Definition(
        "Excess error",
        ("excess_error",),
        (
            formula(
                "E_x (max_c p(c|x) - p(ĉ|x))",
                _EX, "(", under("max", "c"), f"{_P} − p ( ĉ | x ) )",  # noqa: RUF001
            ),
            _CHOICE,
        ),
        "Error rate less the Bayes error: what q's choice of a class costs.",
    ),
    Definition(
        "Excess Brier",
        ("excess_brier",),
        (formula("E_x sum_c (p(c|x) - q(c|x))^2", _EX, _SUM, sup(f"( {_P} − {_Q} )", "2")),),  # noqa: RUF001
        "Brier score less that of the exact posterior; between 0 and 2.",
    ),
    Definition(
        "Expected NLL",
        ("expected_nll",),
        (
            formula(
                "-E_x sum_c p(c|x) log q(c|x)",
                "−", _EX, _SUM, _P, "log", _Q,  # noqa: RUF001
            ),
            formula("= H(C|X) + expected KL", "= H ( C | X ) +", words("expected KL")),
        ),
        "The test loss with infinitely many test examples. The identity is checked by tests.",
    ),
    Definition(
        "Excluded and rounded mass",
        ("infinite_mass", "rounded_mass"),
        (formula("E_x sum_{c: q(c|x) = 0} p(c|x)", _EX, under("∑", f"c : {_Q} = 0"), _P),),
        "The probability of what q calls impossible, which makes expected KL infinite. Zeros of less than "
        "10⁻¹² in all are rounding: they take log q = −745 and are counted as rounded mass.",  # noqa: RUF001
    ),
)  # fmt: skip

REGIONS = (
    Definition(
        "Sparse region",
        ("sparse99", "sparse95"),
        (
            formula(
                "{x : p(x) < t}, P(p(X) < t) = 1 % or 5 %", "{ x : p ( x ) < t } , P ( p ( X ) < t ) = 1 %"
            ),
        ),
        "What the highest-density region of 99 % leaves out (5 % for sparse95), weighted by p(x). Atoms on "
        "its boundary enter with the fraction that makes its mass exact.",
        always=True,
    ),
    Definition(
        "Uniform sparse region",
        ("sparse99-uniform",),
        (),
        "The part of the sparse region inside the task's window, every place weighted alike, so that p(x) "
        "can't hide an error; one and two inputs only.",
    ),
    Definition(
        "Strata",
        tuple(f"stratum-{number}" for number in range(1, 11)),
        (),
        "Ten regions of equal probability, from the densest (1) to the sparsest (10).",
    ),
    Definition(
        "Crossings",
        ("crossings_found", "crossing_error", "crossings_spurious"),
        (
            formula(
                "|y - x| <= min(0.25, 0.4 d)",
                "|( y − x |) ≤ min ( 0.25 , 0.4 d )",  # noqa: RUF001
            ),
        ),
        "One input only: changes of the most probable class inside the window. One at x is found where the "
        "model has one of the same two classes so near, with d the distance from x to the next true one. "
        "The error is the mean distance of those found; the others of the model's are spurious.",
    ),
)

CALIBRATION = (
    Definition(
        "Calibration loss",
        ("calibration_loss", "calibration_loss_ovr"),
        (
            formula(
                "sum_b W_b KL(p_b || q_b)",
                under("∑", "b"), sub("W", "b"), "KL (", _BIN, "‖", sub("q", "b"), ")",
            ),
        ),
        "What a better map of q's outputs alone could take away: E KL(E[p|q] ‖ q), as means over 100 bins of "
        "equal mass W along q's log-odds. With more than two classes each class is taken against the rest, "
        "and the mean stands as calibration_loss_ovr; the same holds for the next two.",
    ),
    Definition(
        "Grouping loss",
        ("grouping_loss", "grouping_loss_ovr"),
        (formula("E_x KL(p || p_b(x))", _EX, "KL ( p ‖", sub("p", "b ( x )"), ")"),),
        "What q doesn't tell apart: E KL(p ‖ E[p|q]). No one-to-one map of q can change it.",
    ),
    Definition(
        "Binning residual",
        ("binning_residual", "binning_residual_ovr"),
        (
            formula(
                "KL - calibration - grouping",
                words("KL"), "−", words("calibration"), "−", words("grouping"),  # noqa: RUF001
            ),
        ),
        "What is left of expected KL beside the two losses: what the bins blur.",
    ),
    Definition(
        "ECE",
        ("ece",),
        (
            formula(
                "sum_b W_b |p_b(ĉ) - q_b(ĉ)|",
                under("∑", "b"), sub("W", "b"), "|(", _BIN, "( ĉ ) −", sub("q", "b"), "( ĉ ) |)",  # noqa: RUF001
            ),
            _CHOICE,
        ),
        "The usual calibration error of the top label, 15 bins of equal mass along its confidence, its "
        "accuracy taken from the exact posterior. It is 0 for the class priors: look at what it misses.",
    ),
)  # fmt: skip

DATA = (
    Definition(
        "Examples to a gap",
        ("budget_to_target",),
        (),
        "The first budget after which the curve of geometric means over seeds stays below the target (0.1 or "
        "0.01), interpolated on log-log axes; “>” the last budget where it doesn't.",
        always=True,
    ),
    Definition(
        "Limit and efficiency",
        ("efficiency",),
        (
            formula(
                "expected KL of maximum likelihood -> k / 2N; efficiency = k / (2 N expected KL)",
                words("efficiency"), "=", over("k", tokens("2 N ·") + words("expected KL")),
            ),
        ),
        "Conditional maximum likelihood in the true family with k parameters has an expected KL of k / 2N "
        "for large N (White 1982). N are distinct examples, the KL is the arithmetic mean over seeds. It is "
        "no lower bound: a generative fit may beat it, and its efficiency then exceeds 1.",
    ),
    Definition(
        "Learning-curve exponent",
        (),
        (formula("KL ~ N^-a", words("expected KL"), "∼", sup("N", "− a")),),  # noqa: RUF001
        "Least squares of log KL on log N for each seed, over the budgets before the plateau: the first "
        "budget after which none is significantly lower and the curve lies above the line so far. Mean and "
        "Student's t interval over seeds. At a constant learning rate a network's plateau may be optimiser "
        "noise rather than its limit.",
        always=True,
    ),
    Definition(
        "Bias and variance",
        ("bias", "variance"),
        (
            formula(
                "g(c|x) proportional to exp(1/S sum_s log q_s(c|x))",
                "g ( c | x ) ∝ exp", "(", _MEAN_LOGS, sub("q", "s"), "( c | x ) )",
            ),
            formula(
                "variance = S/(S-1) E_x 1/S sum_s KL(g || q_s)",
                words("variance"), "=", over("S", "S − 1"), _EX, over("1", "S"), under("∑", "s"),  # noqa: RUF001
                "KL ( g ‖", sub("q", "s"), ")",
            ),
            formula(
                "bias = mean KL - variance",
                words("bias"), "=", words("mean KL"), "−", words("variance"),  # noqa: RUF001
            ),
        ),
        "Over S seeds (Heskes 1998): with the factor S/(S − 1), bias and variance are those of infinitely "  # noqa: RUF001
        "many seeds, so a small bias may come out below 0. Taken over at most 2,000 points that stand for "
        "P(x); the error in records.csv is how far expected KL over these is from the exact one.",
    ),
    Definition(
        "Label-noise share",
        ("label_noise_share",),
        (
            formula(
                "1 - KL on soft labels / KL on labels",
                "1 −", over(words("KL on soft labels"), words("KL on labels")),  # noqa: RUF001
            ),
        ),
        "How much of a row's expected KL goes where it learns from the exact posterior of each example; "
        "arithmetic means over the same seeds, interval by Student's t with a jackknife over these.",
    ),
    Definition(
        "Cost",
        ("parameters", "multiply_adds", "training_seconds"),
        (),
        "Trainable parameters; multiply-adds of one optimiser step on a mini-batch, all members of an "
        "ensemble together: forward, backward and update, counted on a real step of a plain PyTorch loop. A "
        "matrix product or a convolution counts its multiply-adds, every other floating-point operation one "
        "for each element of the largest tensor that it reads or writes, a view or a copy nothing; drawing "
        "examples isn't in it. Training time up to a budget in seconds, a network's share of a stack that "
        "trains together (the only number here that comes from a clock).",
    ),
    Definition(
        "Examples and steps",
        ("distinct_examples", "best_step"),
        (),
        "Different examples seen; the step whose state was kept, where training stops by a held-out loss.",
    ),
)  # fmt: skip

GROUPS = (
    Group("distance", "Distance from the posterior", DISTANCE),
    Group("regions", "Where it is measured", REGIONS),
    Group("calibration", "What the outputs tell apart", CALIBRATION),
    Group("data", "Data and cost", DATA),
)


def definitions(known: Collection[str]) -> list[Group]:
    """Return the groups with what a run has; known: its metrics and regions."""
    return [
        Group(
            group.name,
            group.title,
            tuple(each for each in group.definitions if each.always or set(each.columns) & set(known)),
        )
        for group in GROUPS
    ]
