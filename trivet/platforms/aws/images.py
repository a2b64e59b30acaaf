"""The stack's own images, by what they are for and the version of Trivet in them."""

from __future__ import annotations

from trivet.core.outputs import AwsNative
from trivet.platforms.images import SERVING, TRAINING, VERSION, no_image

__all__ = ["SERVING", "TRAINING", "image", "tag"]


def image(native: AwsNative, purpose: str) -> str:
    """URI of the image that trains or serves.

    :raises ConfigError: when the stack has no image registry.
    """
    if native.images is None:
        raise no_image("aws", purpose)
    return f"{native.images}:{tag(purpose)}"


def tag(purpose: str) -> str:
    """Tag of the image in the stack's registry."""
    return f"{purpose}-{VERSION}"
