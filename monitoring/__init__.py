"""Monitoring: what the records say about a model in use. Pure functions; the time is always a parameter."""
