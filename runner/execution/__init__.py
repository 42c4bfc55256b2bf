"""Where stacks run: in this process, in workers on this machine, or on a Dask cluster, and how workers end.

What becomes of a stack whose worker dies is decided in `runner.executors`; how it trains is in
`runner.training`.
"""
