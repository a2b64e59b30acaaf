"""What several kinds of resources read alike: the mask of an update, and references between variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from trivet.rehearsal.fakes.gcp.refusals import invalid

_REFERENCE = re.compile(r"\$(\$)?\((\w+)\)")


def masked(message: Any, mask: Any, changeable: tuple[str, ...]) -> list[str]:
    """The fields that an update changes.

    :raises Refused: for a mask that names none, or one that cannot be changed.
    """
    paths = [re.sub(r"(?<=[a-z])([A-Z])", lambda found: f"_{found[1].lower()}", path) for path in mask.paths]
    bad = [path for path in paths if path not in changeable]
    if bad or not paths:
        kind = type(message).__name__
        raise invalid(f"Invalid update_mask '{', '.join(bad)}': of a {kind} one can change {', '.join(changeable)}.")
    return paths


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """A text with ``$(NAME)`` replaced as in a container of Kubernetes; ``$$(NAME)`` stands for itself."""

    def replace(found: re.Match[str]) -> str:
        if found[1]:
            return f"$({found[2]})"
        return variables.get(found[2], found[0])

    return _REFERENCE.sub(replace, text)
