"""One module a page: what a run's numbers become before a template shows them.

Numbers are made in `reports` itself, files are written by `reports.site`.
"""
