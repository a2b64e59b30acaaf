"""The stack's own images, by what they are for and the version of Trivet in them."""

from __future__ import annotations

from trivet.core.errors import ConfigError
from trivet.core.outputs import AwsNative
from trivet.platforms.images import tag


def image(native: AwsNative, purpose: str) -> str:
    """URI of the image that trains or serves.

    :raises ConfigError: when the stack has no image registry.
    """
    if native.images is None:
        raise ConfigError(
            f"The stack has no image registry, so it has no image for {purpose}.",
            "Name one under native.aws.image, or set trivet:images.",
        )
    return f"{native.images}:{tag(purpose)}"
