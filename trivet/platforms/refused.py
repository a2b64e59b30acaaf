"""What a cloud does not offer: every verb says so, with the cloud's own reason."""

# ruff: noqa: ARG002 — the signatures are the interface's
from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from trivet.core.capabilities import Capability, Cloud
from trivet.core.errors import PlatformError
from trivet.core.platform import Workflows
from trivet.core.refs import RunRef, WorkflowRef
from trivet.core.specs import RunState, WorkflowSpec


class NoWorkflows(Workflows):
    """The cloud's own pipeline service is not used."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def apply(self, spec: WorkflowSpec) -> WorkflowRef:
        self._refuse(Capability.SCHEDULES if spec.every else Capability.WORKFLOWS)

    def run(self, ref: WorkflowRef) -> RunRef:
        self._refuse(Capability.WORKFLOWS)

    def state(self, ref: WorkflowRef) -> Sequence[RunState]:
        self._refuse(Capability.WORKFLOWS)

    def delete(self, ref: WorkflowRef) -> None:
        self._refuse(Capability.WORKFLOWS)

    def _refuse(self, capability: Capability) -> NoReturn:
        self._cloud.check(capability)
        raise PlatformError(f"{self._cloud.title} claims {capability}, and nothing here does it.")
