"""How a suite runs: plan, train in stacks, score, store; the one hub that imports the other three.

What a task, metric or network is lives in `benchmarks`; what a page shows lives in `reports`.
"""
