"""What names and labels the services of Google Cloud take."""

from __future__ import annotations

import re
from collections.abc import Mapping

from trivet.core.naming import Naming, Rule

NAMING = Naming(
    account=Rule(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", "a project's id of 6 to 30 lower-case letters, digits and hyphens"),
    prefix=Rule(
        r"(?!goog)[a-z]([a-z0-9]|-(?=[a-z0-9]))*",
        "lower-case letters, digits and single hyphens, a letter first, not goog",
    ),
    # Ids of service accounts, of 30 characters at most, are cut and told apart by a digest; keys and rings, of 63, get
    # an end of Pulumi's.
    longest_prefix=40,
    part=Rule(r"[a-z0-9]([a-z0-9]|-(?=[a-z0-9]))*", "lower-case letters, digits and single hyphens within"),
)
MOST = 63  # characters of a label's key, and of its value

METRIC_RESOURCE = "global"
"""The monitored resource that metrics of Trivet's own are of: they belong to no machine."""


def labels(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags as labels, which are written in small letters, digits, hyphens and underscores.

    Source: Google Cloud, Requirements for labels. What a label cannot hold becomes a hyphen, so two tags may become
    one: the later counts.
    """
    return {_fitted(key): _fitted(value) for key, value in tags.items()}


def _fitted(text: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "-", text.lower())[:MOST]
