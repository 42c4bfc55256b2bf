"""How names carry parts: "xor-2d+nuisance(6)+label-noise(0.1)", "mlp(width=128, depth=3)+focal(2)"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from benchmarks.errors import Refused, unknown

CALL = re.compile(r"([^()]*)\(([^()]*)\)")
LONGEST = 4_000  # characters of a name, the numbers of a matrix in it included
MOST_PARTS = 8  # behind a name: each wraps a task once more


class GrammarError(Refused):
    """A name isn't well formed; the message says what was expected and what was found."""


class Call(NamedTuple):
    """A name with the arguments behind it as they were written, by position and by keyword."""

    name: str
    positional: list[str]
    keywords: dict[str, str]

    @property
    def text(self) -> str:
        """Return the one spelling of it: one space behind each comma, none elsewhere."""
        parts = [*self.positional, *(f"{key}={value}" for key, value in self.keywords.items())]
        return f"{self.name}({', '.join(parts)})" if parts else self.name


def split(kind: str, text: str) -> tuple[str, list[str]]:
    """Return what a name begins with and the parts behind it, such as "xor-2d" and ["nuisance(6)"].

    A "+" within parentheses, or in the path of `file.py:attr`, doesn't separate. Raises GrammarError where
    parentheses don't match, where it is too long or has too many parts, or where a terminal can't show it.
    """
    if len(text) > LONGEST:
        raise GrammarError(f"{kind} {text!r}: expected at most {LONGEST:,} characters, found {len(text):,}")
    if not text.isprintable():
        raise GrammarError(f"{kind} {text!r}: expected a name that can be printed, found control characters")
    start = text.rfind(":") + 1
    parts, depth = [text[:start]], 0
    for character in text[start:]:
        depth += (character == "(") - (character == ")")
        if not 0 <= depth <= 1:
            raise GrammarError(
                f"{kind} {text!r}: expected balanced parentheses, found a {character!r} too many"
                f" in {(parts[-1] + character)!r}"
            )
        if character == "+" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    if depth:
        raise GrammarError(f"{kind} {text!r}: expected a ')' behind {parts[-1]!r}, found the end")
    if len(parts) > MOST_PARTS + 1:
        found = len(parts) - 1
        raise GrammarError(f"{kind} {text!r}: expected at most {MOST_PARTS} parts behind it, found {found:,}")
    return parts[0].strip(), [part.strip() for part in parts[1:]]


def call(kind: str, text: str) -> Call:
    """Return a part's name and its arguments: "focal(2)", "mlp(width=128, depth=3)"; raises GrammarError."""
    if "(" not in text:
        return Call(text.strip(), [], {})
    match = CALL.fullmatch(text)
    if match is None:
        raise GrammarError(f"{kind} {text!r}: expected NAME or NAME(ARGUMENTS), found more behind it")
    positional: list[str] = []
    keywords: dict[str, str] = {}
    for argument in filter(None, (part.strip() for part in match[2].split(","))):
        key, equals, value = (part.strip() for part in argument.partition("="))
        if not equals and keywords:
            raise GrammarError(
                f"{kind} {text!r}: expected KEY=VALUE behind {list(keywords)[-1]}=..., found {argument!r}"
            )
        if key in keywords:
            raise GrammarError(f"{kind} {text!r}: expected each argument once, found {key!r} twice")
        if equals:
            keywords[key] = value
        else:
            positional.append(argument)
    return Call(match[1].strip(), positional, keywords)


def bind(kind: str, call: Call, takes: Iterable[str]) -> dict[str, str]:
    """Return a call's arguments by name.

    takes: the names there are, in order. Raises GrammarError.
    """
    names = list(takes)
    if len(call.positional) > len(names):
        expected = ", ".join(names) or "no arguments"
        raise GrammarError(f"{kind} {call.text!r}: expected {expected}, found {len(call.positional)} values")
    bound = dict(zip(names, call.positional, strict=False))
    for key, value in call.keywords.items():
        if key not in names:
            raise GrammarError(f"{kind} {call.text!r}: {unknown('argument', key, names)}")
        if key in bound:
            raise GrammarError(f"{kind} {call.text!r}: expected {key} once, found it twice")
        bound[key] = value
    return bound


def value(kind: str, call: Call, key: str, text: str, wanted: type) -> int | float | str | bool:
    """Return the value of an argument, of a type that it must have; raises GrammarError."""
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}
    try:
        if wanted is bool:
            return {"true": True, "false": False}[text.lower()]
        found: int | float | str = wanted(text)
        return found
    except (KeyError, ValueError):
        raise GrammarError(
            f"{kind} {call.text!r}: expected {key} to be {words[wanted]}, found {text!r}"
        ) from None


def literal(text: str) -> int | float | str | bool | None:
    """Return what a word says on its face: a number, true, false, none, or the word itself."""
    plain: dict[str, bool | None] = {"true": True, "false": False, "none": None}
    if text.lower() in plain:
        return plain[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
