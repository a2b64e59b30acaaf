"""Physical names: one prefix for all that a stack makes, within each service's limit.

A name that is too long keeps its beginning and gets a digest of the whole, so that two long names stay two.
"""

from __future__ import annotations

from hashlib import sha256

_DIGEST = 6


def fitted(text: str, most: int) -> str:
    """The text, in at most that many characters."""
    if len(text) <= most:
        return text
    digest = sha256(text.encode()).hexdigest()[:_DIGEST]
    return f"{text[: most - _DIGEST - 1].rstrip('-')}-{digest}"
