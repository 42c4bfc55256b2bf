"""What a command of `runner` does beside running a suite, and the texts that it prints.

The commands' names and the options of `run` are in `runner.cli`; what pages show is made in `reports`.
"""
