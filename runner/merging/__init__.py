"""Runs from several machines to one: what strangers' files say is checked, and what fits is merged.

How the merged file is written and read lives in `runner.store` and `runner.results`.
"""
