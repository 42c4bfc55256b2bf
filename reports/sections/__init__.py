"""Parts of pages and texts with numbers of their own: spread over seeds, labels, calibration, rates, profiles.

What every row has is in `reports.leaderboard` and `reports.rows`; which part stands where, in `reports.pages`.
"""
