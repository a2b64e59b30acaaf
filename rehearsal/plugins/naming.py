"""Names for what the program leaves without one: the resource's own name and a random end, as Pulumi's providers do."""

from __future__ import annotations

import hashlib
import random

from trivet.infra.engine.values import Properties

DEFAULTS = "__defaults"
"""The input in which a provider notes which inputs are its own choice, as Pulumi's bridged providers do."""

LONG = 26
"""How many digits end a name of which the program gives the beginning, in Terraform's providers and so in Pulumi's."""

FOUND: Properties = {DEFAULTS: []}
"""What is noted of an object that was found, and of which nothing was known before."""


def random_end(seed: bytes, urn: str, digits: int) -> str:
    """Hexadecimal digits that the same seed and resource always give."""
    if not seed:
        return f"{random.getrandbits(4 * digits):0{digits}x}"
    return hashlib.sha256(seed + urn.encode()).hexdigest()[:digits]


def with_name(inputs: Properties, olds: Properties, key: str, new: str) -> Properties:
    """The inputs with a name: the program's, else the one that was chosen before, else a new one.

    :param olds: the inputs of the object that is there; empty for a new one.
    """
    if not key or inputs.get(key) is not None:
        return inputs
    was_chosen = key in (olds.get(DEFAULTS) or []) and olds.get(key)
    return {**inputs, key: olds[key] if was_chosen else new, DEFAULTS: [key]}


def is_chosen(inputs: Properties, key: str) -> bool:
    """Whether the provider chose the name, and would choose another for a new object."""
    return bool(key) and key in (inputs.get(DEFAULTS) or [])


def is_found(inputs: Properties) -> bool:
    """Whether the inputs are those of an object that was only found."""
    return inputs.get(DEFAULTS) == []
