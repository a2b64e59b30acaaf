"""The shared language: specs, outputs, refs, the platform interface and the seams.

Stands on the standard library and pydantic; signing alone needs cryptography.
"""
