"""What is measured: tasks with exact posteriors, architectures, metrics, evaluations and their registry.

Nothing here knows of suites, runs or reports; torch is imported only where a network is built.
"""
