"""What MkDocs is told beyond mkdocs.yml: pages from files of the root, and links to files beside docs/."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
PAGES = {"changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?![a-z]+:|#|<)([^)\s#]+)(#[^)\s]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are kept in the root of the repository, where code hosts look for them."""
    for page, name in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Let links to files that lie outside docs/, such as tests, lead to copies of them within the site.

    A link to a folder becomes its text; what leads nowhere stays as it is, for the check of links to find.
    """
    here = ROOT / PAGES.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def mended(link: re.Match[str]) -> str:
        text, target, anchor = link[1], Path(os.path.normpath(here.parent / link[2])), link[3] or ""
        if target.is_relative_to(ROOT / "docs") and page.file.src_uri not in PAGES:
            return link[0]
        if target.is_dir():
            return text
        return f"[{text}]({_within(target, page, config, files)}{anchor})" if target.is_file() else link[0]

    return LINK.sub(mended, markdown)


def _within(target: Path, page: Any, config: Any, files: Any) -> str:
    """Return the address, as the page sees it, of a file's page or of a copy of the file."""
    name = target.relative_to(ROOT).as_posix()
    place = {root: made for made, root in PAGES.items()}.get(name, name.removeprefix("docs/"))
    if place == "README.md":
        place = "index.md"
    if files.get_file_from_path(place) is None:
        place = f"source/{name}.txt"  # browsers show text, and offer to save anything else
        if files.get_file_from_path(place) is None:
            files.append(File.generated(config, place, abs_src_path=str(target)))
    return os.path.relpath(place, Path(page.file.src_uri).parent)
