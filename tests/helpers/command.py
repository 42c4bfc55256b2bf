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


def with_caches(folder):
    """Return an environment whose caches, of compiled programs and of samples, lie in a folder."""
    own = ("TORCHINDUCTOR_CACHE_DIR", "POSTERIOR_BENCH_CACHE", "XDG_CACHE_HOME")
    return {**os.environ, **{name: str(folder / name.lower()) for name in own}}
