"""How an endpoint goes from one configuration to another: a new fleet beside the old one, and traffic in steps.

Alarms of the deployment configuration are asked about in CloudWatch while traffic moves and until the old fleet is
ended: one in ALARM takes everything back. Waits pass faster than configured, by the setting ``speed``.
"""

from __future__ import annotations

import math
import time
from typing import Any

from trivet.rehearsal.fakes.aws.alarms import first_in_alarm
from trivet.rehearsal.fakes.aws.endpoint import Endpoint
from trivet.rehearsal.fakes.aws.refusals import invalid
from trivet.rehearsal.fakes.aws.serving import Failed, Fleet
from trivet.rehearsal.fakes.aws.state import Record

_TICK = 0.1
_INSTANCES, _WEIGHT = "DesiredInstanceCount", "DesiredWeight"


class Rollout:
    """One update of one endpoint."""

    def __init__(self, endpoint: Endpoint, config: Record, deployment: dict[str, Any], request: dict[str, Any]) -> None:
        """:raises Refused: where the deployment configuration breaks a rule."""
        self._endpoint = endpoint
        self._region = endpoint.region
        self._config = config
        self._deployment = deployment
        self._request = request
        self._steps = self._plan()

    def run(self) -> None:
        """Do it, to its end or back."""
        fleet = Fleet(self._region, self._endpoint.name, self._config.name, self._config.request)
        with self._region.lock:
            self._retain(fleet)
            self._endpoint.candidate = fleet
        try:
            self._refuse_in_alarm()
            fleet.launch(self._endpoint.cancelled)
            for share, wait in self._steps:
                with self._region.lock:
                    self._endpoint.share = share
                self._bake(wait)
        except Failed as error:
            self._roll_back(fleet, str(error))
            return
        self._take_over(fleet)

    def _plan(self) -> list[tuple[float, float]]:
        """The share of the new fleet and how long it lasts, step by step; the last is all of it."""
        rolling = self._deployment.get("RollingUpdatePolicy")
        if rolling:
            return self._linear(rolling["MaximumBatchSize"], rolling["WaitIntervalInSeconds"])
        policy = self._deployment.get("BlueGreenUpdatePolicy")
        if not policy:
            return [(1.0, 0.0)]
        routing = policy["TrafficRoutingConfiguration"]
        wait, end = routing["WaitIntervalInSeconds"], policy.get("TerminationWaitInSeconds", 0)
        if routing["Type"] == "ALL_AT_ONCE":
            steps = [(1.0, wait)]
        elif routing["Type"] == "CANARY":
            size = self._share(routing.get("CanarySize"), "CanarySize")
            self._demand(size <= 0.5, "CanarySize must be at most 50 percent of the variant's capacity.")
            steps = [(size, wait), (1.0, wait)]
        else:
            size = self._share(routing.get("LinearStepSize"), "LinearStepSize")
            self._demand(0.1 <= size <= 0.5, "LinearStepSize must be 10 to 50 percent of the variant's capacity.")
            steps = self._linear(routing["LinearStepSize"], wait)
        return [*steps, (1.0, end)]

    def _linear(self, size: dict[str, Any], wait: float) -> list[tuple[float, float]]:
        step = self._share(size, "step size")
        count = math.ceil(1 / step - 1e-9)  # a third is three steps, whatever floats make of it
        return [(min(1.0, step * number), wait) for number in range(1, count + 1)]

    def _share(self, size: dict[str, Any] | None, what: str) -> float:
        if size is None:
            raise invalid(f"{what} is needed for this type of traffic routing.")
        if size["Type"] == "CAPACITY_PERCENT":
            return size["Value"] / 100
        total = sum(one.get("InitialInstanceCount", 1) for one in self._config.request["ProductionVariants"])
        return min(1.0, size["Value"] / total)

    def _demand(self, met: bool, message: str) -> None:
        self._region.world.constraints.demand("canary-size", met, message)

    def _bake(self, wait: float) -> None:
        """Let traffic flow for a while.

        :raises Failed: when an alarm sounds meanwhile.
        """
        end = time.monotonic() + wait / self._region.world.settings.speed
        while True:
            self._refuse_in_alarm()
            left = end - time.monotonic()
            if left <= 0 or self._endpoint.cancelled.wait(min(left, _TICK)):
                return

    def _refuse_in_alarm(self) -> None:
        alarms = self._deployment.get("AutoRollbackConfiguration", {}).get("Alarms", [])
        if name := first_in_alarm(self._region.world, self._region.name, [one["AlarmName"] for one in alarms]):
            raise Failed(f"One or more alarms listed in AutoRollbackConfiguration are in alarm state: [{name}].")

    def _take_over(self, fleet: Fleet) -> None:
        endpoint = self._endpoint
        with self._region.lock:
            old, endpoint.fleet, endpoint.candidate = endpoint.fleet, fleet, None
            endpoint.share, endpoint.config = 0.0, fleet.config
            if self._deployment:
                endpoint.deployment = self._deployment
        self._end("")
        if old is not None:
            old.stop()

    def _roll_back(self, fleet: Fleet, reason: str) -> None:
        endpoint = self._endpoint
        with self._region.lock:
            endpoint.share = 0.0
            if endpoint.status == "Updating":
                endpoint.to("RollingBack", reason)
        fleet.stop()
        with self._region.lock:
            endpoint.candidate = None
        self._end(reason)

    def _end(self, reason: str) -> None:
        with self._region.lock:
            if self._endpoint.status in ("Updating", "RollingBack"):
                self._endpoint.to("InService" if self._endpoint.fleet else "Failed", reason)

    def _retain(self, fleet: Fleet) -> None:
        """Keep weights and counts of variants that there are already, where the update asks for that."""
        present = self._endpoint.fleet
        if not self._request.get("RetainAllVariantProperties") or present is None:
            return
        excluded = {one["VariantPropertyType"] for one in self._request.get("ExcludeRetainedVariantProperties", [])}
        if _WEIGHT not in excluded:
            fleet.weights.update({name: present.weights[name] for name in fleet.weights if name in present.weights})
        if _INSTANCES not in excluded:
            fleet.counts.update({name: present.counts[name] for name in fleet.counts if name in present.counts})
