"""Calls of the `runner` command, for the tests of it."""

import subprocess
import sys
from pathlib import Path

RUNNER = [str(Path(sys.executable).with_name("runner"))]
SMOKE = ["--suite", "smoke", "--jobs", "1"]


def call(*args, cwd, command=RUNNER, **options):
    done = [*command, *args]
    return subprocess.run(done, cwd=cwd, capture_output=True, text=True, timeout=300, check=False, **options)
