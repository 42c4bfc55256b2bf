"""The built-in tasks, a file a family, each a frozen dataclass in NumPy alone.

What follows from a task for everyone (density, posterior, training data) lives in `benchmarks.task`.
"""
