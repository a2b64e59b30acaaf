"""Named points at which a test makes the process die, to prove that the next call finishes the work.

``TRIVET_FAULT=name`` sends SIGKILL at the point of that name; ``TRIVET_FAULT=name:3`` at its third passing.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

_passed: Counter[str] = Counter()


def point(name: str) -> None:
    """Die here if ``TRIVET_FAULT`` says so."""
    wanted = os.environ.get("TRIVET_FAULT")
    if not wanted:
        return
    target, _, count = wanted.partition(":")
    _passed[name] += 1
    if name == target and _passed[name] == int(count or 1):
        os.kill(os.getpid(), signal.SIGKILL)
