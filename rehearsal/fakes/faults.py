"""Bad weather on demand: errors, lost connections and delays that befall calls which a test names by patterns."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, Literal, Protocol, TypeVar

from trivet.core.errors import ConfigError

Kind = Literal["error", "cut", "lost", "delay"]
KINDS = ("error", "cut", "lost", "delay")
C_contra = TypeVar("C_contra", contravariant=True)
F = TypeVar("F", bound="AnyFault[Any]")


class AnyFault(Protocol[C_contra]):
    """What befalls the next ``times`` calls that it fits."""

    kind: Kind
    times: int

    def fits(self, call: C_contra) -> bool:
        """Whether it befalls this call."""
        ...


class Faults(Generic[F]):
    """The faults that are still to come, first come, first served."""

    def __init__(self, make: Callable[..., F]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._waiting: list[F] = []

    def add(self, given: dict[str, Any]) -> None:
        """:raises ConfigError: where it is no fault."""
        try:
            fault = self._make(**given)
        except TypeError as error:
            raise ConfigError(f"This is no fault: {error}.", "Give the members of Fault.") from error
        if fault.kind not in KINDS:
            raise ConfigError(f"{fault.kind} is no kind of fault.", f"Choose one of: {', '.join(KINDS)}.")
        with self._lock:
            self._waiting.append(fault)

    def next(self, call: Any) -> F | None:
        """The fault that befalls this call, which is then used up by one."""
        with self._lock:
            for fault in self._waiting:
                if fault.fits(call):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._waiting.remove(fault)
                    return fault
        return None

    def clear(self) -> None:
        """Fair weather."""
        with self._lock:
            self._waiting.clear()
