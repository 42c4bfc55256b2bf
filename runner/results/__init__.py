"""What the results file is made of: its schema, checksums, log, damage, what is set aside, and the frames.

`runner.store` is the way in for whoever writes or reads trials; strangers' files go through `runner.merging`.
"""
