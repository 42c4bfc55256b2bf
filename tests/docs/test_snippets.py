"""What README and the documentation show is run, or at least understood by the command that it calls.

A block that isn't run says so, and why, in its title, which the page shows.
"""

import os
import re
import shutil
import sys

import click
import pytest
from command import call
from snippets import NOT_RUN, PAGES, ROOT, Block, blocks, check_names, parsed, save

CHECKED = {"python", "sh", "toml", "yaml"}
LANGUAGES = CHECKED | {"text", "bibtex"}  # what isn't code; `bash` or `py` would slip through the checks
FROM_RUNS = (
    "runs/"  # a block that reads results needs the commands before it, so it is run with the long tests
)
RUN_IN_FULL = ("docs/tutorial.md", "docs/how-to/", "docs/reference/command-line.md")


def title(page):
    return str(page.relative_to(ROOT))


def with_blocks(language):
    return [page for page in PAGES if any(block.language == language for block in blocks(page))]


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """A folder like a clone's root, with a page's files in it; what is imported from there is forgotten."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def run(block, namespace):
    try:
        exec(compile(block.text, block.where, "exec"), namespace)
    except Exception as error:
        error.add_note(f"in {block.where}")
        raise


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_every_block_says_what_it_is(page):
    for block in blocks(page):
        assert block.language in LANGUAGES, (
            f"{block.where}: expected {sorted(LANGUAGES)}, found {block.language!r}"
        )
        if not block.runs:
            assert len(block.title.removeprefix(NOT_RUN).split()) >= 2, f"{block.where}: expected a reason"


@pytest.mark.parametrize("page", with_blocks("python"), ids=title)
def test_python_runs(page, scratch):
    found, namespace = blocks(page), {"__name__": "__main__"}
    save(found, scratch)
    for block in found:
        if block.language != "python":
            continue
        compile(block.text, block.where, "exec")
        if block.runs and FROM_RUNS not in block.text:
            run(block, namespace)


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_commands_are_understood(page, scratch):
    found = blocks(page)
    save(found, scratch)
    for block in found:
        for words in block.commands if block.language in CHECKED else ():
            try:
                check_names(*parsed(words))
            except (click.ClickException, ValueError) as error:
                pytest.fail(f"{block.where}: {' '.join(words)}: {error}")


def test_make_targets_are_there():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    asked = {
        (block.where, target)
        for page in PAGES
        for block in blocks(page)
        if block.language == "sh"
        for target in re.findall(r"^make ([\w-]+)", block.text, flags=re.M)
    }
    assert asked
    assert not {each for each in asked if each[1] not in targets}


@pytest.mark.long
@pytest.mark.parametrize("page", [page for page in PAGES if title(page).startswith(RUN_IN_FULL)], ids=title)
def test_a_page_runs_from_top_to_bottom(page, scratch):
    found, namespace = blocks(page), {"__name__": "__main__"}
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for block in found:
        save([block], scratch)
        if not block.runs:
            continue
        if block.language == "python":
            run(block, namespace)
        for words in block.commands if block.language == "sh" else ():
            done = call(*words[1:], cwd=scratch, env=environment)
            assert done.returncode == 0, f"{block.where}: {' '.join(words)}: {done.stderr}"


# --- the checks find what is wrong --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("runner --suite smoke --quik", "no such option"),
        ("runner --suite smoke --device tpu", "'tpu' is not one of"),
        ("runner compere a b", "No such command 'compere'"),
        ("runner --suite smok", "did you mean smoke"),
        ("runner --suite smoke --architecture mlp-16x16 mlp-3", "mlp-3"),
        ("runner --suite smoke --task gauss-nestled", "did you mean gauss-nested"),
        ("runner --suite smoke --budget 65", "expected multiples of the batch"),
        ("runner --suite my-lost-suite.toml", "No such file"),
        ("runner compare mlp-64x64 mlp-64x65", "mlp-64x65"),
        ("runner verify --task my_lost_task.py:task", "my_lost_task.py"),
    ],
)
def test_a_wrong_command_is_found(command, says, scratch):
    (words,) = Block("a page, line 1", "sh", "", f"# first\n{command}  # and last\n").commands
    with pytest.raises((click.ClickException, ValueError)) as caught:
        check_names(*parsed(words))
    said = (
        caught.value.format_message() if isinstance(caught.value, click.ClickException) else str(caught.value)
    )
    assert says.lower() in said.lower()


def test_blocks_are_found_with_their_files_and_reasons(tmp_path, monkeypatch):
    page = ROOT / "docs" / "page.md"
    text = (
        '```python title="net.py"\nx = 1\n```\n\n=== "tab"\n\n'
        "    ```sh\n    runner --suite smoke \\\n        --quick\n    ```\n"
        "```python\n# examples/task.py: a task\nraise KeyError\n```\n"
        f'```sh title="{NOT_RUN} needs a card"\nrunner --suite smoke --device cuda\n```\n'
    )
    monkeypatch.setattr(type(page), "read_text", lambda *_, **__: text)
    first, tab, task, card = blocks(page)
    assert (first.file, first.where) == ("net.py", "docs/page.md, line 1")
    assert tab.commands == [["runner", "--suite", "smoke", "--quick"]]
    assert task.file == "examples/task.py" and task.runs
    assert not card.runs and not card.file
    with pytest.raises(KeyError) as caught:
        run(task, {})
    assert "in docs/page.md, line 11" in caught.value.__notes__
