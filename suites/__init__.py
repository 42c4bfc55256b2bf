"""Which grid to run: one TOML file a suite, and the code that loads and checks it.

How a grid is run lives in `runner`; the names that a suite uses live in `benchmarks.registry`.
"""

from importlib import resources
from pathlib import Path


def built_in() -> dict[str, Path]:
    """Return the suites that come with the package: {name: TOML file}."""
    folder = Path(str(resources.files("suites")))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}
