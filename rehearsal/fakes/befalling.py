"""A call that something befalls: what every fake does about a fault."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from trivet.rehearsal.fakes.refusing import Answer, Refused
from trivet.rehearsal.fakes.server import CutOff


class AnyFault(Protocol):
    """What befalls a call, see :class:`~.faults.Fault`; a cloud's own says which error it is."""

    @property
    def kind(self) -> str: ...
    @property
    def seconds(self) -> float: ...

    def error(self, call: Any) -> Refused:
        """As the service says it."""
        ...


def answered(
    call: Any, fault: AnyFault | None, answer: Callable[[], Answer], told: Callable[[Refused], Answer]
) -> Answer:
    """The answer to a call that ``fault`` befalls, or none.

    :param told: how the service says an error.
    :raises CutOff: where the connection is to end without an answer.
    """
    try:
        if fault is None:
            return answer()
        if fault.kind == "error":
            raise fault.error(call)
        if fault.kind == "cut":
            raise CutOff
        if fault.kind == "delay":
            time.sleep(fault.seconds)
            return answer()
        answer()
        raise CutOff
    except Refused as refused:
        if fault is not None and fault.kind == "lost":
            raise CutOff from refused
        return told(refused)
