"""How the networks of a stack learn: their batches, the lifted step, its compiled program, and checkpoints.

Which trials make a stack is in `runner.stacks`, the loop in `runner.engine`; `runner.run_stack` calls both.
"""
