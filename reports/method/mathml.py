"""Formulas as MathML, put together from small parts; no script and no font of their own."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup, escape

SPACE = '<mspace width="0.17em"/>'
FUNCTIONS = ("log", "exp", "min", "argmax")  # set apart from what stands beside them
FENCES = {"|(": ("prefix", "|"), "|)": ("postfix", "|")}  # of an absolute value


@dataclass(frozen=True)
class Formula:
    """A formula: in plain text, for readers and machines without MathML, and its MathML parts in a row."""

    plain: str
    body: str

    def __html__(self) -> Markup:
        """The formula as an element that stands in a line of text but is laid out as if on its own."""
        start = Markup('<math displaystyle="true" alttext="{}">').format(self.plain)
        return start + Markup(f"<mrow>{self.body}</mrow></math>")


def formula(plain: str, *parts: str) -> Formula:
    """Return a formula; parts: MathML of the functions below, or text for `tokens`."""
    return Formula(plain, "".join(_part(part) for part in parts))


def tokens(text: str) -> str:
    """MathML of words between blanks: letters are identifiers, digits numbers, and all else operators.

    An absolute value is written |( ... |).
    """
    return "".join(_token(word) for word in text.split())


def words(text: str) -> str:
    """MathML of a text inside a formula."""
    return f"<mtext>{escape(text)}</mtext>"


def over(top: str, bottom: str) -> str:
    """A fraction."""
    return f"<mfrac>{_row(top)}{_row(bottom)}</mfrac>"


def sub(base: str, index: str) -> str:
    """A base with an index."""
    return f"<msub>{_row(base)}{_row(index)}</msub>"


def sup(base: str, exponent: str) -> str:
    """A base with an exponent."""
    return f"<msup>{_row(base)}{_row(exponent)}</msup>"


def under(operator: str, below: str) -> str:
    """A sum, a product or a maximum with its range below."""
    return f"<munder>{_row(operator)}{_row(below)}</munder>{SPACE}"


def _row(part: str) -> str:
    return f"<mrow>{_part(part)}</mrow>"


def _part(part: str) -> str:
    return part if part.startswith("<m") else tokens(part)


def _token(word: str) -> str:
    if word in FUNCTIONS:
        return f"{SPACE}<mi>{word}</mi>{SPACE}"
    if word in FENCES:
        form, sign = FENCES[word]
        return f'<mo form="{form}" stretchy="false" lspace="0" rspace="0">{sign}</mo>'
    if word.replace(".", "").isdigit():
        return f"<mn>{word}</mn>"
    if word.isalpha():
        return f"<mi>{word}</mi>"
    return f'<mo stretchy="false">{escape(word)}</mo>'
