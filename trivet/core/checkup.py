"""What a doctor finds before work starts: one line for each thing that has to be right."""

from __future__ import annotations

from typing import Literal

from trivet.core.document import Document


class Check(Document):
    """One thing, and how it stands. ``unknown`` where nobody would say, which is neither good nor bad."""

    name: str
    level: Literal["ok", "warn", "fail", "unknown"]
    note: str
