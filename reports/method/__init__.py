"""What the method page explains: every measure's definition, formulas as MathML, and literature.

How a measure is computed lives in `benchmarks` or beside what needs it; the page is `reports.pages.method`.
"""
