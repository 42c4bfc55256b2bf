"""Code blocks of Markdown pages, and the `runner` commands in them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w+-]*)(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S
)
TITLE = re.compile(r'title="([^"]*)"')
NAMED = re.compile(r"# ((?:[\w-]+/)*[\w-]+\.py)\b")  # a first line that says which file this is
NOT_RUN = "not run in the tests:"  # begins the title of a block that isn't, before the reason


@dataclass(frozen=True)
class Block:
    """A block of code; line: where it begins; file: what it is to be saved as, empty where it is no file."""

    where: str
    language: str
    title: str
    text: str

    @property
    def file(self) -> str:
        """The name that its title or its first line gives it."""
        if "." in self.title and " " not in self.title:
            return self.title
        found = NAMED.match(self.text) if self.language == "python" else None
        return found[1] if found else ""

    @property
    def runs(self) -> bool:
        """Whether it is to be run: a page says where not, and why."""
        return not self.title.startswith(NOT_RUN)

    @property
    def commands(self) -> list[list[str]]:
        """The words of each line that calls `runner`, lines that end with a backslash joined."""
        lines = self.text.replace("\\\n", " ").splitlines()
        words = [shlex.split(line.strip().removeprefix("- run: "), comments=True) for line in lines]
        return [each for each in words if each and each[0].rpartition("/")[2] == "runner"]


def blocks(page: Path) -> list[Block]:
    """Return the code blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        title = TITLE.search(match["info"])
        where = f"{page.relative_to(ROOT)}, line {text.count(chr(10), 0, match.start()) + 1}"
        body = re.sub(rf"^{match['indent']}", "", match["text"], flags=re.M)
        found.append(Block(where, match["language"], title[1] if title else "", body))
    return found


def parsed(words: list[str]) -> tuple[str, dict[str, object]]:
    """Return the name and the parameters of a call of `runner`; raises click.ClickException."""
    from runner.cli import cli

    command: click.Command = cli
    context = cli.make_context("runner", words[1:])
    while isinstance(command, click.Group):
        name, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None
        command, context = found, found.make_context(name, rest, parent=context)
    return str(command.name), context.params


def check_names(command: str, parameters: dict[str, object]) -> None:
    """Raise ValueError where a call names a suite, task or architecture that there isn't."""
    from benchmarks import registry
    from suites import suite as suites

    if command == "run":
        keys = ("tasks", "architectures", "budgets", "seeds", "quick")
        suites.narrow(suites.load(parameters["suite_name"]), **{key: parameters[key] for key in keys})
    elif command == "compare":
        for each in ("first", "second"):
            registry.architecture(parameters[each])
        if parameters["suite"]:
            suites.load(parameters["suite"])
    elif command == "verify":
        for name in parameters["tasks"]:
            registry.task(name)
    elif command == "list" and parameters["task"]:
        registry.task(parameters["task"])


def save(found: list[Block], folder: Path) -> None:
    """Write the files that blocks are into a folder."""
    for block in found:
        if block.file:
            target = folder / block.file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text, encoding="utf-8")
