"""How the networks of a stack learn: their batches, the lifted step, its compiled program, and checkpoints.

Which trials make a stack is in `runner.stacks`; `runner.engine` trains one; `runner.scoring` measures it.
"""
