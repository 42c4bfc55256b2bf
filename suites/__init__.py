"""Which grid to run: one TOML file a suite, and the code that loads and checks it.

How a grid is run lives in `runner`; the names that a suite uses live in `benchmarks.registry`.
"""
