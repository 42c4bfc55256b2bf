"""What a reader of the reference may rely on: public docstrings say what they must, and their examples run.

A name is public unless it, or what it stands in, begins with an underscore. The rules:

- a module, class, function, method or property has a docstring, the members of a protocol too; its first
  paragraph is one sentence that ends with a full stop;
- a function names every exception that its own statements raise and don't catch, but for a subcommand: its
  docstring is help for the terminal, where an error is a message and an exit code;
- a function whose signature has arrays, and a class with public fields that are arrays, tells a shape, such
  as (n, d); for a method its class may do that;
- examples give what they show, and every one of them is run.
"""

import ast
import doctest
import importlib
import re
import sys
import textwrap
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
HOUSES = ("benchmarks", "suites", "runner", "reports")
MODULES = sorted(str(path.relative_to(ROOT)) for house in HOUSES for path in (ROOT / house).rglob("*.py"))
WITH_EXAMPLES = [name for name in MODULES if ">>>" in (ROOT / name).read_text()]

ARRAYS = {"Array", "ArrayLike", "NDArray", "ndarray", "Tensor"}
ITEM = r"(?:\.\.\.|[a-z0-9]+(?:(?: ?[-+*/^] ?| )[a-z0-9]+){0,3})"  # m, 2, n + m, rows / 2, 9 channels
SHAPE = re.compile(rf"(?<!\w)\((?:\.\.\.|{ITEM},|{ITEM}(?:, {ITEM})+)\)|\bshape[ds]?\b")
END = re.compile(r"[.?!](?=\s+[A-Z`\"(])")
ABBREVIATION = re.compile(r"\b(?:et al|e\.g|i\.e|cf|vs|[A-Z])\.$")
Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def public(node, inside=()):
    """Yield the definitions that the reference shows, each with the classes that it stands in."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition) and not child.name.startswith("_"):
            yield child, inside
            if isinstance(child, ast.ClassDef):
                yield from public(child, (*inside, child))
        elif isinstance(child, ast.If | ast.Try):
            yield from public(child, inside)


def last_name(node):
    """Return the name of what is named, called or subscripted: C of a.b.C(x)."""
    return ast.unparse(node.func if isinstance(node, ast.Call) else node).rpartition(".")[2]


def raised(node, caught=frozenset()):
    """Return the exceptions that statements make, raise and don't catch; not those of functions within."""
    found = set()
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition | ast.Lambda):
            continue
        within = caught
        if isinstance(node, ast.Try) and child in node.body:
            types = [handler.type for handler in node.handlers if handler.type]
            within = caught | {last_name(each) for kind in types for each in getattr(kind, "elts", [kind])}
        if isinstance(child, ast.Raise) and child.exc and last_name(child.exc)[0].isupper():
            found |= {last_name(child.exc)} - within  # a variable's class isn't written there
        found |= raised(child, within)
    return found


def mentions(annotation, names):
    return bool(annotation) and not names.isdisjoint(re.findall(r"\w+", ast.unparse(annotation)))


def array_names(tree):
    """Return the names that stand for arrays in annotations: the usual ones and a module's own aliases."""
    names = set(ARRAYS)
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and mentions(getattr(node, "value", None), names):
            names.add(target.id)
    return names


def has_arrays(node, names):
    """Return whether a function's signature has arrays, or a class's public fields."""
    if isinstance(node, ast.ClassDef):
        fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
        return any(mentions(each.annotation, names) for each in fields if not each.target.id.startswith("_"))
    arguments = [each.annotation for each in ast.walk(node.args) if isinstance(each, ast.arg)]
    return any(mentions(each, names) for each in [*arguments, node.returns])


def is_command(function):
    return any(last_name(each) in ("command", "group") for each in function.decorator_list)


def faults_of_words(text):
    """Yield what a docstring lacks, whatever it is of."""
    first = text.partition("\n\n")[0].strip()
    if not text:
        yield "has no docstring"
    elif not first.endswith("."):
        yield f"should begin with a sentence that ends with a full stop, found {first[-20:]!r}"
    elif any(not ABBREVIATION.search(first[: end.end()]) for end in END.finditer(first)):
        yield "should have one sentence in its first paragraph, found several"


def faults_of(node, inside, names):
    """Yield what the docstring of a definition lacks."""
    text = ast.get_docstring(node) or ""
    yield from faults_of_words(text)
    around = [text, *(ast.get_docstring(each) or "" for each in inside)]
    if text and has_arrays(node, names) and not SHAPE.search("\n".join(around)):
        yield "should tell the shape of its arrays, such as (n, d)"
    if text and not isinstance(node, ast.ClassDef) and not is_command(node):
        for name in sorted(raised(node)):
            if not re.search(rf"\b{name}\b", text):
                yield f"should say that it raises {name}"


def faults(source, where):
    """Return what the docstrings of a module lack, a line each: where, of what, and what."""
    tree = ast.parse(source)
    names = array_names(tree)
    found = [f"{where}:1 the module {fault}" for fault in faults_of_words(ast.get_docstring(tree) or "")]
    for node, inside in public(tree):
        name = ".".join(each.name for each in (*inside, node))
        found += [f"{where}:{node.lineno} {name} {fault}" for fault in faults_of(node, inside, names)]
    return found


def shown(source):
    """Return how many examples all docstrings of a module show, those of private names too."""
    tree = ast.parse(source)
    documented = [each for each in ast.walk(tree) if isinstance(each, Definition | ast.Module)]
    texts = [ast.get_docstring(each) or "" for each in documented]
    return sum(len(doctest.DocTestParser().get_examples(text)) for text in texts)


def run_examples(module):
    """Return how many examples of a module were run, and the report of those that failed."""
    report = []
    runner = doctest.DocTestRunner(verbose=False)
    for test in doctest.DocTestFinder().find(module):
        runner.run(test, out=report.append)
    return runner.summarize(verbose=False).attempted, "".join(report)


@pytest.mark.parametrize("name", MODULES)
def test_docstrings_say_what_they_must(name):
    found = faults((ROOT / name).read_text(), name)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_give_what_they_show(name):
    parts = Path(name).with_suffix("").parts
    module = importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    assert Path(module.__file__) == ROOT / name
    attempted, report = run_examples(module)
    assert not report, report
    assert attempted == shown((ROOT / name).read_text()) > 0


def test_what_a_user_starts_from_has_examples():
    starts = {
        "benchmarks/__init__.py",
        "benchmarks/evaluation.py",
        "benchmarks/metrics.py",
        "benchmarks/registry.py",
        "benchmarks/task.py",
        "reports/ranking/ordering.py",
        "reports/ranking/paired.py",
        "reports/statistics.py",
        "runner/commands/parameters.py",
        "suites/suite.py",
    }
    assert starts <= set(WITH_EXAMPLES)


SOUND = '''
"""A module."""
_Numbers = NDArray[np.float64]


class Law(Protocol):
    """A law, with x (n, d)."""

    x: Array

    @property
    def name(self) -> str:
        """Its name, as in Xie et al. (2024) by Y. Xie."""

    def density(self, x: Array) -> _Numbers:
        """Return the density."""


def fit(x: _Numbers) -> None:
    """Fit to x (n, d).

    Raises ValueError where x is empty.
    """
    try:
        raise KeyError(1)
    except (KeyError, OSError):
        raise ValueError(2) from None


@cli.command("run")
def run() -> None:
    """Run."""
    raise UsageError("help")
'''


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('"""A module."""', "", ":1 the module has no docstring"),
        ('"""A module."""', '"""A module"""', "the module should begin with a sentence that ends"),
        ('"""A law, with x (n, d)."""', "", "Law has no docstring"),
        ('"""Its name, as in Xie et al. (2024) by Y. Xie."""', "...", "Law.name has no docstring"),
        ('"""Return the density."""', "...", "Law.density has no docstring"),
        ('"""Return the density."""', '"""Is it dense?"""', "Law.density should begin with a sentence"),
        ('"""Return the density."""', '"""Return it. All of it."""', "Law.density should have one sentence"),
        ("with x (n, d)", "of density(x, y) (see Kull, 2015)", "Law should tell the shape"),
        ("with x (n, d)", "", "Law.density should tell the shape"),
        ("Fit to x (n, d).", "Fit.", "fit should tell the shape"),
        ("Raises ValueError", "An error", "fit should say that it raises ValueError"),
        ("except (KeyError, OSError)", "except OSError", "fit should say that it raises KeyError"),
        ('@cli.command("run")', "@cache", "run should say that it raises UsageError"),
    ],
)
def test_each_rule_finds_its_fault(old, new, fault):
    assert not faults(SOUND, "module.py")
    assert SOUND.count(old) == 1
    assert any(fault in each for each in faults(SOUND.replace(old, new), "module.py"))


def test_a_fault_names_file_line_and_function():
    source = SOUND.replace('"""Return the density."""', "...")
    line = SOUND.splitlines().index("    def density(self, x: Array) -> _Numbers:") + 1
    assert faults(source, "a/module.py") == [f"a/module.py:{line} Law.density has no docstring"]


def test_a_wrong_example_and_one_that_is_not_run_are_found(monkeypatch):
    source = '''
    """A module.

    >>> 1 + 1
    2
    """

    def half(x):
        """Return half of it.

        >>> half(3)
        1.5
        """
        return x / 2
    '''
    source = textwrap.dedent(source)
    module = ModuleType("planted")
    monkeypatch.setitem(sys.modules, "planted", module)

    def ran(text):
        exec(text, module.__dict__)
        return run_examples(module)

    assert ran(source) == (2, "")
    assert shown(source) == 2
    attempted, report = ran(source.replace("1.5", "1.6"))
    assert attempted == 2
    assert "Expected:\n    1.6\nGot:\n    1.5" in report
    hidden = source + "half = [half]\n"
    assert ran(hidden) == (1, "")
    assert shown(hidden) == 2
