"""What a run from somewhere else may say of itself; nothing of it is executed, imported or looked up."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from runner.results.damage import rows
from runner.store import Store

MOST_TEXT = 1 << 20  # characters of a description in JSON
MOST_POINTS = 200_000  # of a picture or of what stands for P(x)
LONG = 2**53  # budgets beyond aren't exact as numbers of a table
NAME = re.compile(r"[\w.][\w .,:/+=()*-]*")
ABOVE = 0.01  # log q is at most 0, but for the rounding of float16


class LeftOut(ValueError):
    """Something of a run doesn't fit; the message says what was expected and found, in printable ASCII."""


def shown(text: object, most: int = 80) -> str:
    """Return anything as printable ASCII of limited length."""
    plain = ascii(text)[1:-1] if isinstance(text, str) else ascii(text)
    return plain if len(plain) <= most else plain[: most - 3] + "..."


def _plain(text: str) -> str:
    for character in text:
        category = unicodedata.category(character)
        if category in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") and character not in "\n\t":
            raise ValueError(f"expected text, found the control character U+{ord(character):04X}")
    return text


def _line(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"expected one line of text, found {shown(text)!r}")
    return text


def _name(text: str) -> str:
    place = text.rpartition(":")[0]
    if not NAME.fullmatch(text) or text != text.strip():
        raise ValueError(f"expected a name, found {shown(text)!r}")
    if ".." in re.split(r"[/:]", text) or set(text) <= set("./") or place.startswith("/"):
        raise ValueError(f"expected a name, found the path {shown(text)!r}")
    if re.search(r"[0-9]{7}", text):
        raise ValueError(f"expected a name with smaller numbers, found {shown(text)!r}")
    return text


def _number(value: float) -> float:
    if math.isnan(value):
        raise ValueError("expected a number, found nan")
    return value


Text = Annotated[str, Field(max_length=2_000), AfterValidator(_plain)]
Line = Annotated[str, Field(max_length=500), AfterValidator(_line)]
Name = Annotated[str, Field(max_length=200), AfterValidator(_name)]
Number = Annotated[float, AfterValidator(_number)]
Count = Annotated[int, Field(gt=0, le=LONG)]
Names = Annotated[list[Name], Field(max_length=1_000)]
Texts = Annotated[list[Text], Field(max_length=200)]
Words = Annotated[dict[Text, Text], Field(max_length=100)]


class Told(BaseModel):
    """Plain data of known types; what else it holds is dropped."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class Grid(Told):
    """The suite of a run."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)]
    title: Line
    question: Line = ""
    protocol: Literal["stream", "dataset"]
    batch: Count
    pool: Count | None = None
    steps: Count | None = None
    budgets: Annotated[list[Count], Field(min_length=1, max_length=1_000)]
    seeds: Annotated[int, Field(gt=0, le=1_000_000)]
    tasks: Annotated[list[Name], Field(min_length=1, max_length=1_000)]
    architectures: Names
    reference: Names = []


class Task(Told):
    """What pages say of a task."""

    description: Text = ""
    features: Annotated[int, Field(gt=0, le=100_000)] = 1
    classes: Annotated[int, Field(ge=2, le=100_000)]
    entropy: Number
    bayes_error: Number
    information: Number
    crossings: Annotated[int, Field(ge=0)] | None = None
    parameters: Number | None = None
    low: Number | None = None
    high: Number | None = None
    method: Text = ""
    error: Number | None = None
    version: int | Text = 1
    priors: Annotated[list[Number], Field(max_length=100_000)] = []
    checks: Texts = []
    known: Texts = []


class Row(Told):
    """What pages say of an architecture."""

    description: Text = ""
    kind: Literal["network", "estimator", "reference"]
    family: Text = ""
    base: Text = ""
    recipes: Texts = []
    learning_rate: Number | None = None
    batch: Count | None = None
    calibration: Text = ""
    soft_labels: bool = False
    version: int | Text = 1
    facts: Annotated[
        list[Annotated[list[Text], Field(min_length=2, max_length=2)]], Field(max_length=200)
    ] = []
    limit: Text | None = None


class Layout(Told):
    """Where a task's picture lies: see `reports.results.Picture`."""

    axes: Annotated[list[Text], Field(min_length=1, max_length=2)]
    shape: Annotated[list[Count], Field(max_length=2)] = []
    shares: Annotated[list[Number], Field(max_length=2)] = []
    rows: Annotated[list[Annotated[int, Field(ge=0)]], Field(max_length=MOST_POINTS)] = []
    density: bool = True


class Manifest(Told):
    """Where a run was made."""

    command: Text = ""
    commit: Text = ""
    versions: Words = {}
    machine: Annotated[dict[Text, Text | int], Field(max_length=100)] = {}
    mode: Text = ""
    device: Text = ""
    jobs: int = 0
    quick: bool = False
    started: Text = ""
    wall_seconds: Annotated[float, Field(ge=0, le=1e12)] = 0.0


class Environment(Told):
    """Versions and machine of trials."""

    values: Words


class Exact(NamedTuple):
    """A task as a run describes it: rows of tables task, representatives and picture, and its sizes.

    classes k, points m that stand for P(x), drawn: numbers in a curve's log q; 0 where there is none.
    """

    summary: str
    representatives: tuple[Any, ...] | None
    picture: tuple[Any, ...] | None
    classes: int
    points: int
    drawn: int


Kind = TypeVar("Kind", bound=BaseModel)


def told(kind: type[Kind], text: Any) -> Kind:
    """Return what JSON says; raises LeftOut."""
    if not isinstance(text, str) or len(text) > MOST_TEXT:
        raise LeftOut(f"expected at most {MOST_TEXT:,} characters of JSON")
    try:
        return kind.model_validate_json(text)
    except (ValidationError, ValueError, RecursionError) as error:
        raise LeftOut(reason(error)) from None


def reason(error: Exception) -> str:
    """Return the first of a validation's errors in a line."""
    if not isinstance(error, ValidationError):
        return shown(str(error), 200)
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(shown(part, 40) for part in first["loc"])
    what = shown(first["msg"].removeprefix("Value error, "), 200)
    return f"{where}: {what}" if where else what


def environment(text: str) -> str:
    """Return an environment as it is stored; raises LeftOut."""
    found = told(Environment, f'{{"values": {text}}}')
    return json.dumps(found.values, sort_keys=True)


def numbers(data: Any, kind: str, most: int) -> np.ndarray:
    """Return a blob's numbers, (m,); raises LeftOut where they are too many or one of them is no number."""
    width = np.dtype(kind).itemsize
    if not isinstance(data, bytes) or len(data) % width or len(data) > most * width:
        raise LeftOut("expected numbers, found bytes of another length")
    found = np.frombuffer(data, dtype=kind)
    if np.isnan(found).any():
        raise LeftOut("expected numbers, found nan")
    return found


def tasks(store: Store, names: Iterable[str]) -> tuple[dict[str, Exact], dict[str, str]]:
    """Return the tasks that a run describes well, and why the others don't fit."""
    here = set(names)
    tables = {
        table: {row[0]: row[1:] for row in rows(store.connection, table) if row[0] in here}
        for table in ("task", "representatives", "picture")
    }
    found, bad = dict[str, Exact](), dict[str, str]()
    for each in sorted(here):
        try:
            if each not in tables["task"]:
                raise LeftOut("expected the task to be described, found nothing")
            found[each] = _exact(*(tables[table].get(each) for table in tables))
        except LeftOut as error:
            bad[each] = f"its task is described wrongly: {error}"
    return found, bad


def _exact(summary: Any, kept: Any, picture: Any) -> Exact:
    task = told(Task, summary[0])
    points = 0
    if kept:
        weights = numbers(kept[0], "<f4", MOST_POINTS)
        points = len(weights)
        if not points or not np.isfinite(weights).all() or (weights < 0).any() or not weights.sum() > 0:
            raise LeftOut("expected weights of the points that stand for P(x)")
        _sized("log posterior", numbers(kept[1], "<f4", MOST_POINTS * task.classes), points * task.classes)
    drawn = _drawn(picture, task.classes, points) if picture else 0
    text = json.dumps(task.model_dump(exclude_unset=True))
    return Exact(text, kept, picture, task.classes, points, drawn)


def _drawn(picture: Any, classes: int, points: int) -> int:
    """Return how many numbers a curve in a picture has, 0 where predictions are drawn; raises LeftOut."""
    layout = told(Layout, picture[0])
    x = numbers(picture[1], "<f4", 2 * MOST_POINTS)
    places = len(x) // len(layout.axes)
    _sized("x", x, places * len(layout.axes))
    _sized("log joint", numbers(picture[2], "<f4", MOST_POINTS * classes), places * classes)
    if not places or not np.isfinite(x).all() or len(picture[3]) not in (0, (places + 7) // 8):
        raise LeftOut("expected a picture's points and which of them are sparse")
    if layout.shape and math.prod(layout.shape) != places:
        raise LeftOut(f"expected a picture of {math.prod(layout.shape):,} points, found {places:,}")
    if layout.rows and (len(layout.rows) != places or max(layout.rows) >= points):
        raise LeftOut("expected a picture's points to be among those that stand for P(x)")
    return 0 if layout.rows else places * classes


def _sized(what: str, found: np.ndarray, expected: int) -> None:
    if len(found) != expected:
        raise LeftOut(f"expected {expected:,} numbers of {what}, found {len(found):,}")


def rows_told(store: Store, names: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return what a run says of its architectures, those that fit, and why the others don't."""
    there: Mapping[Any, Any] = dict(rows(store.connection, "architecture"))
    found, bad = dict[str, str](), dict[str, str]()
    for each in sorted(set(names)):
        try:
            if each not in there:
                raise LeftOut("expected the architecture to be described, found nothing")
            found[each] = json.dumps(told(Row, there[each]).model_dump(exclude_unset=True))
        except LeftOut as error:
            bad[each] = f"its architecture is described wrongly: {error}"
    return found, bad
