"""A real account of AWS as a rig, by way of a stack of the tests' own; see :mod:`trivet.rehearsal.live`.

With ``AWS_ENDPOINT_URL`` on this machine, what answers there is the account: then Pulumi's providers are the stand-ins.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from trivet.clouds import awsprices
from trivet.connect import connect
from trivet.core.platform import Platform
from trivet.core.refs import JobRef
from trivet.rehearsal import live
from trivet.rehearsal.plugins.guards import is_loopback
from trivet.rehearsal.plugins.path import rehearsing
from trivet.rehearsal.rigs import Rig
from trivet.rehearsal.stages import surroundings

ENDPOINTS = ("first", "second")
FIXED = {
    "cloud": "aws",
    "environment": "dev",
    "endpoints": f'["{ENDPOINTS[0]}", "{ENDPOINTS[1]}"]',
    "protect": "false",
    "regulated": "false",
}
"""What the tests need, and what makes a stack that can be destroyed."""
MACHINE = "ml.m5.large"  # what jobs and endpoints take where nothing else is said
# Counted on the fake: what the suite has SageMaker do. The minutes are what users report, and no promise of AWS's.
JOBS, JOB_MINUTES = 12, 4
CHANGES, CHANGE_MINUTES = 25, 6
STACK_MINUTES = 30  # up and down again


class AwsLiveRig(Rig):
    """A stack named ``live-…`` in the user's account, as `trivet up` makes it."""

    patience = 1800.0

    def __init__(self, folder: Path) -> None:
        config = live.given("region", "account", "images", fixed=FIXED)
        endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
        stands_in = is_loopback(endpoint)
        self.evidence = f"live ({datetime.now(UTC):%Y-%m-%d})"
        with ExitStack() as ends:
            if stands_in:
                self.evidence, self.patience = f"fake (moto {version('moto')}, at {endpoint})", Rig.patience
                ends.enter_context(surroundings(rehearsing(folder / "plugins"), without=()))
            ending = "-rehearsal" if stands_in else ""
            up = live.provisioned(config, folder, work(config["region"]), ending=ending)
            self._live = ends.enter_context(up)
            self.platform = self.reconnect()
            ends.callback(self.platform.close)
            self._ends = ends.pop_all()

    def reconnect(self) -> Platform:
        return connect(self._live.stack, root=self._live.root)

    def force_job_state(self, ref: JobRef, word: str) -> None:
        """AWS cannot be told what to say: what it answers is changed on its way to the platform."""
        platform: Any = self.platform
        name = platform.jobs.newest(ref).name

        def change(parsed: dict[str, Any], **_: Any) -> None:
            if parsed.get("TrainingJobName") == name:
                parsed["TrainingJobStatus"] = word

        platform.clients("sagemaker").meta.events.register("after-call.sagemaker.DescribeTrainingJob", change)

    def close(self) -> None:
        self._ends.close()


def work(region: str) -> live.Work:
    """What the tests have AWS do: one thing after the other, and a machine for most of the time."""
    machines = JOBS * JOB_MINUTES + CHANGES * CHANGE_MINUTES
    return live.Work(
        hours=(machines + STACK_MINUTES) / 60,
        machine_hours=machines / 60,
        machine_usd=awsprices.hourly(MACHINE, region),
    )
