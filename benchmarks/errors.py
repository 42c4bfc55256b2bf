"""What somebody else's code raised, said in one line."""

from __future__ import annotations

import importlib
import sysconfig
import traceback
from pathlib import Path

LIBRARIES = tuple(sysconfig.get_path(each) for each in ("stdlib", "purelib", "platlib"))


def in_one_line(error: BaseException) -> str:
    """Return an error as one line: its kind, its words, and where somebody else's code raised it."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_others(frame.filename)]
    # Rather the line that called a library than the line within it.
    frames = [frame for frame in frames if not frame.filename.startswith(LIBRARIES)] or frames
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return " ".join(f"{type(error).__name__}: {error}{where}".split())


def _is_others(filename: str) -> bool:
    """Whether a file is neither ours, nor the import system, nor code that was made on the fly."""
    return not filename.startswith((str(Path(__file__).parent), importlib.__file__, "<frozen ", "<string>"))
