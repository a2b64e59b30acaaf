"""Clearing a stack again after a destroy that ended half-way, and while its jobs end by themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from trivet.core.outputs import EndpointShell
from trivet.core.specs import EndpointStatus, JobSpec, JobState
from trivet.core.waiting import wait_for
from trivet.platforms.gcp.session import GcpPlatform
from trivet.rehearsal.rigs.gcp import GcpRig

Stack = Callable[..., GcpPlatform]
NAME = "clearing"


def test_an_endpoint_that_is_gone_keeps_nothing_else_from_being_cleared(rig: GcpRig, stack: Stack) -> None:
    """The first of two was deleted by the destroy before this one."""
    platform = stack(name=NAME, prefix=NAME)
    there = f"{NAME}-there"
    made = rig.clients.post(
        "aiplatform", f"v1/{rig.clients.parent}/endpoints", {"displayName": there}, endpointId=there
    )
    rig.clients.ended(made, there)
    shells = {
        name: EndpointShell(name=f"{NAME}-{name}", host="host", port=443, folder="gs://x", most_instances=5)
        for name in ("gone", "there")
    }
    outputs = platform.outputs.model_copy(update={"endpoints": shells})
    with GcpPlatform(outputs, rig.reconnect().clients) as again:
        again.clear()
        assert again.endpoints.state("there").status is EndpointStatus.EMPTY


def test_a_job_that_ends_before_it_is_cancelled_is_none_to_cancel(
    rig: GcpRig, stack: Stack, job: Callable[..., JobSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs when it is listed, and has ended when Vertex AI is asked to cancel it."""
    platform, spec = stack(name=NAME, prefix=NAME), job("import time; time.sleep(600)")
    platform.store.put(spec.source, rig.platform.store.get(spec.source))
    ref = platform.jobs.submit(spec)
    post = platform.clients.post

    def late(service: str, path: str, *given: Any, **more: Any) -> Any:
        if path.endswith(":cancel"):
            rig.clients.post(service, path, {})
            wait_for(lambda: platform.jobs.state(ref) is not JobState.RUNNING or None, "The end", seconds=60)
        return post(service, path, *given, **more)

    monkeypatch.setattr(platform.clients, "post", late)
    platform.clear()
    assert platform.jobs.state(ref) is JobState.CANCELLED
