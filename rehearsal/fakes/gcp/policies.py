"""What a condition of an alert policy must say: held by the fake, and by the provider's stand-in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

COMPARISONS = ("COMPARISON_GT", "COMPARISON_LT")
_MINUTE_S = 60
_ABSENT_S = range(120, 23 * 3600 + 1800 + 1)
_SECONDS = re.compile(r"(\d+)(?:\.0+)?s")


def broken(condition: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a condition breaks: the constraint's name, and the service's word for it."""
    for kind in ("conditionThreshold", "conditionAbsent"):
        if said := condition.get(kind):
            yield from _measured(kind, said)


def _measured(kind: str, said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    filter_ = str(said.get("filter") or "")
    for what in ("metric", "resource"):
        if not re.search(rf"\b{what}\.type\s*=", filter_):
            yield "policy-filters", f'must specify a restriction on "{what}.type" in the filter; see {filter_!r}'
    if kind == "conditionThreshold" and said.get("comparison") not in COMPARISONS:
        yield "policy-comparisons", f"comparison must be one of {', '.join(COMPARISONS)}"
    found = _SECONDS.fullmatch(str(said.get("duration") or ("0s" if kind == "conditionThreshold" else "")))
    seconds = int(found[1]) if found else -1
    if seconds < 0 or seconds % _MINUTE_S:
        yield "policy-durations", "duration must be a multiple of one minute"
    elif kind == "conditionAbsent" and seconds not in _ABSENT_S:
        yield "policy-durations", "duration of an absence must be from 2 minutes to 23 hours and 30 minutes"
