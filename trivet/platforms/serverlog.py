"""What the lines say that a server of ours writes."""

from __future__ import annotations

import json


def error_in(line: str) -> str:
    """The sentence in a line of a server's log, if it is about an error; else nothing, whatever the line is."""
    try:
        told_there = json.loads(line)
        return str(told_there["message"]) if told_there["level"] == "error" else ""
    except (ValueError, LookupError, TypeError):
        return ""
