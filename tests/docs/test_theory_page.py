"""docs/theory.md names a test below every formula, and no test of its formulas goes unnamed."""

import ast
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
TEST = re.compile(r"^Test: (`test_\w+`(?:, `test_\w+`)*)$", re.MULTILINE)


def formulas(page):
    """Return every displayed formula of a page, and the tests that the paragraph behind it names."""
    parts = page.split("\n$$\n")
    assert len(parts) % 2 == 1, "a $$ is missing"
    return [
        (tex, names(after.strip().split("\n\n")[0]))
        for tex, after in zip(parts[1::2], parts[2::2], strict=True)
    ]


def names(text):
    return re.findall(r"`(test_\w+)`", " ".join(TEST.findall(text)))


def written():
    """Return the test functions of this folder, but for those of this file."""
    files = [path for path in Path(__file__).parent.glob("test_theory*.py") if path != Path(__file__)]
    found = [
        node.name
        for path in files
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    assert len(found) == len(set(found)), "two tests have one name"
    return set(found)


def test_every_displayed_formula_names_its_test():
    found = formulas(PAGE)
    assert len(found) > 40
    assert [tex for tex, tests in found if not tests] == []


def test_every_named_test_exists_and_none_is_unnamed():
    assert set(names(PAGE)) == written()


def test_a_formula_without_a_test_is_noticed():
    page = "\n$$\na\n$$\n\nTest: `test_a`, `test_b`\n\n$$\nb\n$$\n\nWords.\n\nTest: `test_c`\n"
    assert formulas(page) == [("a", ["test_a", "test_b"]), ("b", [])]


@pytest.fixture(scope="module")
def hook():
    path = ROOT / "docs" / "formulas.py"
    spec = importlib.util.spec_from_file_location("formulas", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_becomes_mathml_without_a_script(hook):
    markdown, _ = pytest.importorskip("markdown"), pytest.importorskip("pymdownx.arithmatex")
    options = {"pymdownx.arithmatex": {"generic": True}}
    text = markdown.markdown(PAGE, extensions=list(options), extension_configs=options)
    html = hook.on_page_content(text, page=None, config=None, files=None)  # as MkDocs calls it
    assert html.count('display="block"') == len(formulas(PAGE))
    assert html.count('display="inline"') > 100
    shown = re.sub(r'alttext="[^"]*"|<code>.*?</code>', "", html, flags=re.DOTALL)
    assert not re.findall(r"\$|\\|arithmatex", shown)


def test_what_the_translation_does_not_know_is_named(hook):
    with pytest.raises(hook.UnknownCommand, match=r"found \\nonsense in a \\nonsense b"):
        hook.mathml(r" a \nonsense b", block=True)
