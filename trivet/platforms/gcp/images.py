"""The stack's own images, by what they are for and the version of Trivet in them."""

from __future__ import annotations

from trivet.core.outputs import GcpNative
from trivet.platforms.images import SERVING, TRAINING, VERSION, no_image

__all__ = ["SERVING", "TRAINING", "image", "name"]


def image(native: GcpNative, purpose: str) -> str:
    """URI of the image that trains or serves.

    :raises ConfigError: when the stack has no image registry.
    """
    if native.images is None:
        raise no_image("gcp", purpose)
    return f"{native.images}/{name(purpose)}"


def name(purpose: str) -> str:
    """Name and tag of the image in the stack's repository."""
    return f"{purpose}:{VERSION}"
