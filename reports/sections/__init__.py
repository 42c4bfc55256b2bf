"""Parts of pages with numbers of their own: spread over seeds, labels, calibration, rates, profiles.

What every row has is in `reports.leaderboard` and `reports.rows`; where parts stand, in `reports.pages`.
"""
