"""Examples in docstrings as code blocks of the reference: without this they would be running text."""

from __future__ import annotations

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"^>>> .*?(?=\n\s*\n|\Z)", re.M | re.S)


class Doctests(griffe.Extension):
    """Fences each example: from `>>>` to the next empty line."""

    def on_object(self, *, obj: griffe.Object | griffe.Alias, **_: Any) -> None:
        """Change an object's docstring as it is loaded."""
        if not obj.is_alias and obj.docstring:
            obj.docstring.value = EXAMPLE.sub(lambda found: f"```pycon\n{found[0]}\n```", obj.docstring.value)
