"""`python -m runner`, the same as the `runner` command."""

import os
import sys

# `python -m` puts the current folder first, where a user's own benchmarks/ would shadow ours.
if sys.path and sys.path[0] in ("", os.getcwd()):
    sys.path.append(sys.path.pop(0))

from runner.cli import main

if __name__ == "__main__":
    main()
