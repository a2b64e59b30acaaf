"""Rehearsals: every cloud made ready on this machine, so that the whole life cycle runs without an account."""
