"""Every picture: charts as Vega-Lite specifications, maps and the explorer as SVG, and how they are drawn.

How all charts look (colours, dashes, axes) is in `reports.charts`; where they stand is in `reports.pages`.
"""
