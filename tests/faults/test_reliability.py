"""The page of promises names tests that exist, and says what the last soak found."""

import ast
import json

import reliability

TESTS = reliability.ROOT / "tests"


def test_every_promise_is_held_by_tests_that_exist():
    tests = {
        test for promises in reliability.PROMISES.values() for each in promises.values() for test in each
    }
    assert len(tests) > 30
    for file in {file for file, _ in tests}:
        tree = ast.parse((TESTS / file).read_text())
        there = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        named = {name for other, name in tests if other == file}
        assert named <= there, f"{file} has no {named - there}"


def test_the_page_is_what_the_command_writes():
    figures = json.loads(reliability.FIGURES.read_text())
    assert reliability.PAGE.read_text() == reliability.page(figures)
    assert figures["kills of the main process"] + figures["kills of a worker"] >= 60
    assert min(figures["inputs"].values()) > 0
