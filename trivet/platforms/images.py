"""The stack's own images, by what they are for and the version of Trivet in them."""

from __future__ import annotations

from trivet import __version__
from trivet.core.errors import ConfigError

TRAINING, SERVING = "training", "serving"
VERSION = __version__.replace("+", "-")


def no_image(cloud: str, purpose: str) -> ConfigError:
    """What a stack without an image registry says."""
    return ConfigError(
        f"The stack has no image registry, so it has no image for {purpose}.",
        f"Name one under native.{cloud}.image, or set trivet:images.",
    )
