"""The stack's own images: what they are for, and how their tags are written, whichever registry they lie in."""

from __future__ import annotations

from trivet import __version__

TRAINING, SERVING = "training", "serving"


def tag(purpose: str) -> str:
    """Tag of the image in the stack's registry, with the version of Trivet in it."""
    return f"{purpose}-{__version__.replace('+', '-')}"
