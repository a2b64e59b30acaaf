"""Bad weather on demand: errors, lost connections and delays that befall calls which a test names by patterns."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Generic, Literal, Protocol, TypeVar

from trivet.core.errors import ConfigError

Kind = Literal["error", "cut", "lost", "delay"]
KINDS = ("error", "cut", "lost", "delay")
F = TypeVar("F", bound="Fault")


class Named(Protocol):
    """A call, by what patterns can be held against."""

    @property
    def service(self) -> str: ...
    @property
    def operation(self) -> str: ...
    @property
    def resource(self) -> str: ...


@dataclass
class Fault:
    """What befalls the next ``times`` calls that fit the glob patterns. A cloud's own says which error it is.

    - ``error``: the call is refused with ``code``, and nothing is done;
    - ``cut``: the connection ends without an answer, and nothing is done;
    - ``lost``: the call is done, then the connection ends without an answer;
    - ``delay``: the call is done after ``seconds``.
    """

    service: str = "*"
    operation: str = "*"
    kind: Kind = "error"
    times: int = 1
    code: str = ""
    message: str = ""
    seconds: float = 0.0
    resource: str = "*"

    def fits(self, call: Named) -> bool:
        """Whether it befalls this call."""
        return (
            fnmatchcase(call.service, self.service)
            and fnmatchcase(call.operation, self.operation)
            and fnmatchcase(call.resource, self.resource)
        )


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

    def next(self, call: Named) -> F | None:
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
