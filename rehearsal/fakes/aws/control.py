"""``/trivet-fake/``: what a test says to a fake and asks of it. No part of AWS."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from trivet.core.errors import ConfigError, TrivetError
from trivet.rehearsal.fakes.aws import endpoint, jobs
from trivet.rehearsal.fakes.aws.calls import Calls
from trivet.rehearsal.fakes.aws.faults import Faults
from trivet.rehearsal.fakes.aws.refusals import Answer, Refused
from trivet.rehearsal.fakes.aws.sagemaker import SageMaker
from trivet.rehearsal.fakes.aws.state import Record
from trivet.rehearsal.fakes.aws.world import World

PREFIX = "/trivet-fake/"
_KINDS = {"job": jobs.KIND, "endpoint": endpoint.KIND}


class Control:
    """Answers JSON with JSON; 400 with a sentence where something is wrong."""

    def __init__(
        self, world: World, sagemaker: SageMaker, calls: Calls, faults: Faults, reset_moto: Callable[[], None]
    ) -> None:
        self._world = world
        self._sagemaker = sagemaker
        self._calls = calls
        self._faults = faults
        self._reset_moto = reset_moto

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """One request."""
        verb = getattr(self, f"_{method.lower()}_{path.removeprefix(PREFIX).replace('-', '_')}", None)
        if verb is None:
            return _json(404, {"message": f"The control API has no {method} {path}."})
        try:
            return _json(200, verb(json.loads(body or b"{}")))
        except (TrivetError, Refused) as error:
            return _json(400, {"message": str(error)})
        except (KeyError, TypeError, ValueError) as error:
            return _json(400, {"message": f"{type(error).__name__}: {error}"})

    def _get_state(self, _given: dict[str, Any]) -> dict[str, Any]:
        return {"mode": self._world.runtime.mode, "constraints": self._world.constraints.states()}

    def _get_calls(self, _given: dict[str, Any]) -> list[dict[str, str]]:
        return self._calls.all()

    def _delete_calls(self, _given: dict[str, Any]) -> dict[str, Any]:
        self._calls.clear()
        return {}

    def _get_processes(self, _given: dict[str, Any]) -> list[int]:
        return self._world.runtime.pids()

    def _post_settings(self, given: dict[str, Any]) -> dict[str, Any]:
        self._world.settings.change(given)
        return {}

    def _post_constraint(self, given: dict[str, Any]) -> dict[str, Any]:
        self._world.constraints.switch(given["name"], given["on"])
        return {}

    def _post_fault(self, given: dict[str, Any]) -> dict[str, Any]:
        self._faults.add(given)
        return {}

    def _delete_fault(self, _given: dict[str, Any]) -> dict[str, Any]:
        self._faults.clear()
        return {}

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

    def _post_reset(self, _given: dict[str, Any]) -> dict[str, Any]:
        self._faults.clear()
        self._sagemaker.lag.clear()
        self._sagemaker.metrics.clear()
        self._world.forget()
        self._world.constraints.reset()
        self._reset_moto()
        self._calls.clear()
        return {}

    def _find(self, kind: str, name: str) -> Any:
        for region in self._world.regions():
            found: Record | None = region.find(_KINDS[kind], name)
            if found is not None:
                return found
        raise ConfigError(f"There is no {kind} {name}.", "Create it first.")


def _json(status: int, content: Any) -> Answer:
    return status, [("Content-Type", "application/json")], json.dumps(content).encode()
