"""Physical names: one prefix for all that a stack makes, within each service's limit.

A name that is too long keeps its beginning and gets a digest of the whole, so that two long names stay two.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import get_args

from trivet.core.errors import ConfigError
from trivet.core.outputs import CloudName
from trivet.infra.settings import Settings

_DIGEST = 6


def fitted(text: str, most: int) -> str:
    """The text, in at most that many characters."""
    if len(text) <= most:
        return text
    digest = sha256(text.encode()).hexdigest()[:_DIGEST]
    return f"{text[: most - _DIGEST - 1].rstrip('-')}-{digest}"


def prefix(settings: Settings, project: str, stack: str) -> str:
    """What all names of a stack begin with."""
    return f"{settings.prefix or project}-{stack}"


def check(settings: Settings, project: str, stack: str) -> None:
    """Refuse names that the cloud would not take, or that mislead, before anything is made.

    What follows from config alone is checked with it.

    :raises ConfigError: naming everything that is wrong.
    """
    others = set(get_args(CloudName)) - {settings.cloud}
    word = re.split(r"[^a-z]", stack.lower(), maxsplit=1)[0]
    wrong = [f"the stack {stack!r} is named after {word}, and its cloud is {settings.cloud}"] if word in others else []
    if rules := settings.naming():
        wrong += rules.wrong_prefix(prefix(settings, project, stack))
    if wrong:
        sentence = "; ".join(wrong)
        raise ConfigError(
            f"{sentence[0].upper()}{sentence[1:]}.",
            "Choose another name for the stack, or set trivet:prefix or trivet:cloud.",
        )
