"""Calls of the `runner` command, for the tests of it."""

import os
import subprocess
import sys
from pathlib import Path

RUNNER = [str(Path(sys.executable).with_name("runner"))]
SMOKE = ["--suite", "smoke", "--jobs", "1"]


def call(*args, cwd, command=RUNNER, **options):
    done = [*command, *args]
    return subprocess.run(done, cwd=cwd, capture_output=True, text=True, timeout=300, check=False, **options)


WITHOUT_TORCH = """
import sys
from runner.cli import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
assert "torch" not in sys.modules
"""


def call_without_torch(*args, cwd):
    """Call the command, which fails, too, where torch was imported meanwhile."""
    return call("-c", WITHOUT_TORCH, *args, cwd=cwd, command=[sys.executable])


def with_caches(folder):
    """Return an environment whose caches, of compiled programs and of samples, lie in a folder."""
    own = ("TORCHINDUCTOR_CACHE_DIR", "POSTERIOR_BENCH_CACHE", "XDG_CACHE_HOME")
    return {**os.environ, **{name: str(folder / name.lower()) for name in own}}
