"""What names and labels the services of Google Cloud take."""

from __future__ import annotations

import re
from collections.abc import Mapping

from trivet.core.canonical import digest_json
from trivet.core.naming import Naming, Rule

NAMING = Naming(
    account=Rule(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", "a project's id of 6 to 30 lower-case letters, digits and hyphens"),
    prefix=Rule(
        r"(?!goog)[a-z]([a-z0-9]|-(?=[a-z0-9]))*",
        "lower-case letters, digits and single hyphens, a letter first, not goog",
    ),
    # A service account's id has 30 characters at most, and the longest of ours ends in "-scheduler".
    longest_prefix=20,
    part=Rule(r"[a-z0-9]([a-z0-9]|-(?=[a-z0-9]))*", "lower-case letters, digits and single hyphens within"),
)
MOST = 63  # characters of a label's key, and of its value
DIGITS = 8  # of the digest of a value that a label cannot hold


def labels(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags as labels, which are written in small letters, digits, hyphens and underscores.

    Source: Google Cloud, Requirements for labels. What a label cannot hold becomes a hyphen. Of two keys that so become
    one the later counts; a value ends with digits of its digest then, so that labels tell apart what tags do.
    """
    return {_fitted(key): _value(value) for key, value in tags.items()}


def _value(text: str) -> str:
    fitted = _fitted(text)
    if fitted == text:
        return text
    return f"{fitted[: MOST - DIGITS - 1]}-{digest_json(text)[7 : 7 + DIGITS]}"


def _fitted(text: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "-", text.lower())[:MOST]
