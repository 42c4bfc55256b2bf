"""The parts of a report that only some runs have: spread over seeds, labels, calibration, rates, exponents.

What every run has is in `reports.leaderboard` and `reports.rows`.
"""
