"""One endpoint of SageMaker: what it is, and how it is asked to become another.

An endpoint takes no change while one is under way, and what Describe says may lag behind. So whatever is asked for is
asked for until it is taken, and an answer that is the one from before is none yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from trivet.core.waiting import wait_for
from trivet.platforms.aws import scaling
from trivet.platforms.aws.clients import Clients
from trivet.platforms.aws.errors import PROPAGATION_SECONDS, is_changing, is_missing, is_taken, told
from trivet.platforms.aws.tags import Tags

UNSETTLED = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
LOST = ("Failed", "OutOfService")  # such an endpoint serves nothing and takes no update: it is made again
SETTLE_SECONDS = 3600.0
DELETE_SECONDS = 1800.0
LONGEST_PAUSE = 15.0

Described = Mapping[str, Any]


class Hosted:
    """The endpoint of SageMaker's that is behind one shell, whether there is one or not."""

    def __init__(self, clients: Clients, name: str) -> None:
        self.name = name
        self._clients = clients

    def described(self) -> Described | None:
        """What SageMaker says of it; None when there is none."""
        with told(f"Endpoint {self.name}"):
            try:
                return self._sagemaker.describe_endpoint(EndpointName=self.name)
            except ClientError as error:
                if is_missing(error):
                    return None
                raise

    def settled(self) -> Described | None:
        """The same, once nothing happens to it any more."""
        return self._awaited(lambda there: not (there and there["EndpointStatus"] in UNSETTLED), SETTLE_SECONDS)

    def changed(self, config: str, before: Described | None, seconds: float) -> Described | None:
        """The same, once what was asked for, ``config`` instead of ``before``, has come or has been taken back."""
        late = time.monotonic() + PROPAGATION_SECONDS

        def is_over(there: Described | None) -> bool:
            if there and there["EndpointStatus"] in UNSETTLED:
                return False
            return serves(there, config) or _version(there) != _version(before) or time.monotonic() >= late

        return self._awaited(is_over, seconds)

    def create(self, config: str, tags: Tags) -> bool:
        """Ask for one; False when somebody else was first, and then it is there to be seen."""
        with told(f"Endpoint {self.name}"):
            try:
                self._sagemaker.create_endpoint(EndpointName=self.name, EndpointConfigName=config, Tags=tags)
            except ClientError as error:
                if not is_taken(error):
                    raise
                self._awaited(lambda there: there is not None, PROPAGATION_SECONDS)
                return False
        return True

    def update(self, **request: Any) -> bool:
        """Ask for another configuration; False, and nothing is asked for, while something else happens to it."""
        with told(f"Endpoint {self.name}"):
            return self._asked(lambda: self._sagemaker.update_endpoint(EndpointName=self.name, **request))

    def weigh(self, wanted: list[dict[str, Any]]) -> None:
        """Ask for other weights and counts of what serves, and wait until they are there."""
        with told(f"Endpoint {self.name}"):
            self._insisted(
                lambda: self._sagemaker.update_endpoint_weights_and_capacities(
                    EndpointName=self.name, DesiredWeightsAndCapacities=wanted
                )
            )
        self.settled()

    def remove(self) -> None:
        """Delete it, whatever Describe says, and wait until it is gone. Its configuration and its models stay."""
        there = self.described()
        with told(f"Endpoint {self.name}"):
            scaling.forget(self._clients("application-autoscaling"), self.name)
            try:
                self._insisted(lambda: self._sagemaker.delete_endpoint(EndpointName=self.name))
            except ClientError as error:
                if is_missing(error):
                    return
                raise
        self._awaited(lambda now: now is None or bool(there and _made(now) != _made(there)), DELETE_SECONDS)

    @property
    def _sagemaker(self) -> Any:
        return self._clients("sagemaker")

    def _asked(self, call: Callable[[], object]) -> bool:
        try:
            call()
        except ClientError as error:
            if is_changing(error):
                return False
            raise
        return True

    def _insisted(self, call: Callable[[], object]) -> None:
        wait_for(
            lambda: self._asked(call) or None, f"Endpoint {self.name}", seconds=SETTLE_SECONDS, longest=LONGEST_PAUSE
        )

    def _awaited(self, wanted: Callable[[Described | None], bool], seconds: float) -> Described | None:
        def probe() -> tuple[Described | None] | None:
            there = self.described()
            return (there,) if wanted(there) else None

        return wait_for(probe, f"Endpoint {self.name}", seconds=seconds, longest=LONGEST_PAUSE)[0]


def serves(there: Described | None, config: str) -> bool:
    """Whether it answers, by this configuration."""
    return bool(there) and there["EndpointStatus"] == "InService" and there["EndpointConfigName"] == config


def _made(there: Described) -> Any:
    return there["CreationTime"]


def _version(there: Described | None) -> Any:
    return (there["CreationTime"], there["LastModifiedTime"]) if there else None
