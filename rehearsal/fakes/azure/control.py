"""``/trivet-fake/`` of the fake of Azure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trivet.rehearsal.fakes.azure.faults import Call, Fault
from trivet.rehearsal.fakes.azure.world import World
from trivet.rehearsal.fakes.calls import CallLog
from trivet.rehearsal.fakes.control import AnyControl
from trivet.rehearsal.fakes.faults import Faults


class Control(AnyControl):
    """What Azure has beyond what every fake has."""

    def __init__(self, world: World, calls: CallLog[Call], faults: Faults[Fault], forget: Callable[[], None]) -> None:
        super().__init__(world, calls, faults)
        self._world = world
        self._forget = forget

    def _post_reset(self, _given: dict[str, Any]) -> dict[str, Any]:
        self._faults.clear()
        self._forget()
        self._world.forget()
        self._world.constraints.reset()
        self._world.begin()
        self._calls.clear()
        return {}
