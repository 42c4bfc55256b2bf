"""`python -m runner`, the same as the `runner` command."""

import os
import sys

# `python -m` puts the current folder first, where a user's own benchmarks/ would shadow ours.
sys.path[:] = [folder for folder in sys.path if folder not in ("", os.getcwd())]

from runner.cli import main  # noqa: E402 (after the path is put right)

if __name__ == "__main__":
    main()
