"""``/trivet-fake/``: what a test says to a fake and asks of it. No part of AWS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trivet.core.errors import ConfigError
from trivet.rehearsal.fakes.aws import endpoint, jobs
from trivet.rehearsal.fakes.aws.calls import Calls
from trivet.rehearsal.fakes.aws.faults import Fault
from trivet.rehearsal.fakes.aws.sagemaker import SageMaker
from trivet.rehearsal.fakes.aws.state import Record
from trivet.rehearsal.fakes.aws.world import World
from trivet.rehearsal.fakes.control import AnyControl
from trivet.rehearsal.fakes.faults import Faults

_KINDS = {"job": jobs.KIND, "endpoint": endpoint.KIND}


class Control(AnyControl):
    """What AWS has beyond what every fake has."""

    def __init__(
        self, world: World, sagemaker: SageMaker, calls: Calls, faults: Faults[Fault], reset_moto: Callable[[], None]
    ) -> None:
        super().__init__(world, calls, faults, self._forget_all)
        self._world = world
        self._sagemaker = sagemaker
        self._reset_moto = reset_moto

    def _post_lag(self, given: dict[str, Any]) -> dict[str, Any]:
        self._sagemaker.lag.set(given["kind"], given["calls"])
        return {}

    def _post_status(self, given: dict[str, Any]) -> dict[str, Any]:
        self._find(given["kind"], given["name"]).pin(given["status"], given.get("reason", ""))
        return {}

    def _post_interrupt(self, given: dict[str, Any]) -> dict[str, Any]:
        job = self._find("job", given["name"])
        if not job.request.get("EnableManagedSpotTraining"):
            raise ConfigError(f"{job.name} does not run on spot instances.", "Set EnableManagedSpotTraining.")
        job.interrupt()
        return {}

    def _post_settle(self, _given: dict[str, Any]) -> dict[str, Any]:
        self._sagemaker.metrics.settle()
        return {}

    def _forget_all(self) -> None:
        self._sagemaker.lag.clear()
        self._sagemaker.metrics.clear()
        self._world.forget()
        self._reset_moto()

    def _find(self, kind: str, name: str) -> Any:
        for region in self._world.regions():
            found: Record | None = region.find(_KINDS[kind], name)
            if found is not None:
                return found
        raise ConfigError(f"There is no {kind} {name}.", "Create it first.")
