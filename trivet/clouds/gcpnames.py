"""What names and labels the services of Google Cloud take."""

from __future__ import annotations

import re
from collections.abc import Mapping

from trivet.core.canonical import digest_json
from trivet.core.naming import Naming, Rule

MOST = 63  # characters of a label's key, and of its value
DIGITS = 8  # of the digest of a value that a label cannot hold
OWN = "trivet:"  # what tags of Trivet's begin with

METRIC_RESOURCE = "global"
"""The monitored resource that metrics of Trivet's own are of: they belong to no machine."""


def labels(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags as labels, which are written in small letters, digits, hyphens and underscores.

    Source: Google Cloud, Requirements for labels. What a label cannot hold becomes a hyphen. A value of Trivet's own,
    by which stacks are told apart, ends with digits of its digest then, so that labels tell apart what tags do.
    """
    return {label(key): _value(value) if key.startswith(OWN) else label(value) for key, value in tags.items()}


def _value(text: str) -> str:
    fitted = label(text)
    if fitted == text:
        return text
    return f"{fitted[: MOST - DIGITS - 1]}-{digest_json(text)[7 : 7 + DIGITS]}"


def label(text: str) -> str:
    """A tag's key as a label's, and a value as far as a label holds it."""
    return re.sub(r"[^a-z0-9_-]", "-", text.lower())[:MOST]


NAMING = Naming(
    account=Rule(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", "a project's id of 6 to 30 lower-case letters, digits and hyphens"),
    prefix=Rule(
        r"(?!goog|.*google)[a-z]([a-z0-9]|-(?=[a-z0-9]))*",
        "lower-case letters, digits and single hyphens, a letter first, not goog, and no google within",
    ),
    # Ids of service accounts, of 30 characters at most, are cut and told apart by a digest; keys and rings, of 63, get
    # an end of Pulumi's.
    longest_prefix=40,
    part=Rule(r"[a-z0-9]([a-z0-9]|-(?=[a-z0-9]))*", "lower-case letters, digits and single hyphens within"),
    tag=Rule(r"[A-Za-z].*", "a letter first, which a label begins with"),
    written=label,
)
"""Google Cloud's rules."""
