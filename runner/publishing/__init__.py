"""Many runs to one site on disk or on a branch: copied, swapped in as a whole, committed.

What the site's pages are lives in `reports.publishing`, which neither reads nor writes files.
"""
