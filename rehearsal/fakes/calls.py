"""The calls that a fake has seen, for a test to look at."""

from __future__ import annotations

import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

C = TypeVar("C", bound="DataclassInstance")


class CallLog(Generic[C]):
    """Every call since the last reset, in order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: list[C] = []

    def note(self, call: C) -> None:
        """Remember one."""
        with self._lock:
            self._seen.append(call)

    def all(self) -> list[dict[str, Any]]:
        """What was remembered."""
        with self._lock:
            return [asdict(call) for call in self._seen]

    def clear(self) -> None:
        """Remember nothing."""
        with self._lock:
            self._seen.clear()
