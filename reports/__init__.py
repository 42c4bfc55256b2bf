"""What is shown: pandas frames in, tables and pages out.

Nothing here trains, imports torch or knows how a run was made; that lives in `runner`.
"""
