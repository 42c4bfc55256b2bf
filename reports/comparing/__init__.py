"""Two things against each other, in words and as a page: two rows of a run, or two runs.

The tests behind them are in `reports.ranking`; the page with every pair is `reports.pages.compare`.
"""
