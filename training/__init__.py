"""Training: a job of its own makes the model from a snapshot and a packed source, and measures it.

The modules here run beside the command line and are cheap to import; ``runtime`` runs inside the job.
"""
