"""Who is ahead: values over seeds by each measure, paired tests of every two rows, and the ranks they allow.

Means and intervals of one row's numbers are in `reports.statistics`; the tables are `reports.leaderboard`'s.
"""
