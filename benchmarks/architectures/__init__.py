"""The built-in architectures: `networks` and `reference` list them, `modules` holds the torch code.

Only `modules` imports torch; how a stack of them is trained lives in `runner.engine`.
"""
