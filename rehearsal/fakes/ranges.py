"""The header Range, as HTTP has it; RFC 9110, 14.2."""

from __future__ import annotations

import re

_RANGE = re.compile(r"bytes=(?:(\d+)-(\d*)|-(\d+))")


def span(text: str, size: int) -> tuple[int, int] | None:
    """The first and the last byte that are asked for, of ``size``; None where all are, or the text is no range.

    A first byte behind the end is for the caller to refuse.
    """
    found = _RANGE.fullmatch(text)
    if found is None:
        return None
    if found[3] is not None:
        return max(0, size - int(found[3])), size - 1
    first, last = int(found[1]), min(int(found[2]) if found[2] else size - 1, size - 1)
    if found[2] and int(found[2]) < first:
        return None
    return first, last
