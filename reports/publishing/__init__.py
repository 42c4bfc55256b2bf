"""Many runs as one site, as data: which edition is newest, its overview, feed and sitemap.

The folder or branch that it goes to lives in `runner.publishing`; one run's pages in `reports.site`.
"""
