"""``/trivet-fake/`` of the fake of Google Cloud."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trivet.rehearsal.fakes.calls import CallLog
from trivet.rehearsal.fakes.control import AnyControl
from trivet.rehearsal.fakes.faults import Faults
from trivet.rehearsal.fakes.gcp.faults import Call, Fault
from trivet.rehearsal.fakes.gcp.world import World


class Control(AnyControl):
    """What Google Cloud has beyond what every fake has."""

    def __init__(
        self,
        world: World,
        calls: CallLog[Call],
        faults: Faults[Fault],
        *,
        forget: Callable[[], None],
        interrupt: Callable[[str], None],
        force: Callable[[str, str], None],
        alert: Callable[[str, str], None],
    ) -> None:
        super().__init__(world, calls, faults, forget)
        self._interrupt = interrupt
        self._force = force
        self._alert = alert

    def _post_interrupt(self, given: dict[str, Any]) -> dict[str, Any]:
        self._interrupt(given["name"])
        return {}

    def _post_force(self, given: dict[str, Any]) -> dict[str, Any]:
        self._force(given["name"], given["word"])
        return {}

    def _post_alert(self, given: dict[str, Any]) -> dict[str, Any]:
        self._alert(given["policy"], given["state"])
        return {}
