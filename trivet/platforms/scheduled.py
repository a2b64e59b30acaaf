"""What a stack's schedule runs: a document in the store, which the container reads when it is time."""

from __future__ import annotations

from trivet.core.capabilities import Capability
from trivet.core.errors import NotFound
from trivet.core.platform import Platform
from trivet.core.specs import JobSpec
from trivet.platforms.container import ContainerTask
from trivet.platforms.jobplaces import check_places


def task_key(schedule: str) -> str:
    """Where in the store it lies what a schedule runs; jobs may write nothing there."""
    return f"schedules/{schedule}.json"


def keep(platform: Platform, spec: JobSpec) -> str:
    """Have the schedule of the job's name run this job from now on; its key.

    Each run takes what then lies under ``inputs``, and leaves its own folder under ``output``. Time and machines are
    the schedule's, which the stack owns.

    :raises Unsupported: on a cloud that starts no jobs by itself.
    :raises NotFound: when the stack has no such schedule.
    :raises ConfigError: for what no job may read or write.
    """
    platform.cloud.check(Capability.SCHEDULED_JOBS)
    outputs = platform.outputs
    if spec.name not in outputs.native.schedules:
        known = ", ".join(outputs.native.schedules) or "none"
        raise NotFound(
            f"The stack {outputs.stack} has no schedule {spec.name!r}; it has: {known}.",
            "Add it to trivet:schedules and run `trivet up`.",
        )
    check_places(spec)
    task = ContainerTask(
        source=spec.source,
        command=spec.command,
        environment=spec.environment,
        output=spec.output,
        inputs=spec.inputs,
    )
    key = task_key(spec.name)
    platform.store.put(key, task.canonical())
    return key
