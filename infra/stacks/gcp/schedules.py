"""Schedules: the cloud's clock starts a job of the store's.

A schedule is a shell, as an endpoint is: the stack owns when and with which machines; what is run is a document in the
store, which ``trivet schedule`` writes and no job may change.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from math import ceil
from typing import Any

import pulumi
import pulumi_gcp as gcp

from trivet.clouds.gcpnames import labels
from trivet.core.errors import ConfigError
from trivet.infra.clock import crontab
from trivet.infra.names import fitted
from trivet.infra.settings import ScheduleSettings, Settings
from trivet.infra.stacks.gcp.alerts import Alerts, logged, policy
from trivet.infra.stacks.gcp.context import Context
from trivet.platforms.container import RUN, STORE, TASK
from trivet.platforms.gcp.images import TRAINING, name
from trivet.platforms.gcp.labels import labels_of
from trivet.platforms.gcp.requests import Surroundings, job_request
from trivet.platforms.jobplaces import VERTEX
from trivet.platforms.scheduled import task_key

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_ANSWER_S = 60
_LONGEST_DISPLAY = 128  # characters of a job's display name


@dataclass(frozen=True)
class Work:
    """What jobs need of the other parts: URL of the store, accounts, key, image, network, and leave to start."""

    store: pulumi.Output[str]
    trainer: pulumi.Output[str]
    scheduler: pulumi.Output[str]
    key: pulumi.Input[str]
    images: pulumi.Input[str] | None
    attachment: pulumi.Input[str] | None
    network: pulumi.Input[str] | None
    zones: list[pulumi.Output[str]]
    leave: list[pulumi.Resource]


def check(settings: Settings) -> None:
    """Refuse schedules whose jobs could not be asked for.

    :raises ConfigError: for a time that Cloud Scheduler cannot say, and a schedule that has no image.
    """
    for one in settings.schedules:
        crontab(one.at)
        if settings.images.mode == "off" and one.native.gcp.image is None:
            raise ConfigError(
                f"The stack has no image registry, so the schedule {one.name!r} has no image.",
                "Name one under its native.gcp.image, or set trivet:images.",
            )


def create(context: Context, work: Work, alerts: Alerts) -> None:
    """Make the schedules, and tell the channels of what one of them could not start."""
    settings = context.settings.schedules
    if not settings:
        return
    for one in settings:
        gcp.cloudscheduler.Job(
            f"schedule-{one.name}",
            name=context.name(one.name, 500),
            description=f"{one.name} of {context.prefix}",
            region=context.region,
            schedule=crontab(one.at),
            time_zone=one.timezone,
            attempt_deadline=f"{_ANSWER_S}s",
            # A request names no job: one whose answer was lost would start a second. What was not begun is told.
            retry_config=gcp.cloudscheduler.JobRetryConfigArgs(retry_count=0),
            http_target=gcp.cloudscheduler.JobHttpTargetArgs(
                uri=f"https://{context.region}-aiplatform.googleapis.com/v1/{context.here('customJobs')}",
                http_method="POST",
                headers={"Content-Type": "application/json"},
                body=_request(context, one, work),
                oauth_token=gcp.cloudscheduler.JobHttpTargetOauthTokenArgs(
                    service_account_email=work.scheduler, scope=SCOPE
                ),
            ),
            opts=context.after(*work.leave),
        )
    ours = " OR ".join(f'"{context.name(one.name, 500)}"' for one in settings)
    policy(
        context, "undelivered", context.name("undelivered"),
        "A schedule could not start its job: its log in Cloud Scheduler has the reason.",
        logged(f'resource.type = "cloud_scheduler_job" AND severity >= ERROR AND resource.labels.job_id = ({ours})'),
        alerts,
    )  # fmt: skip


def _request(context: Context, settings: ScheduleSettings, work: Work) -> pulumi.Output[str]:
    """What Cloud Scheduler asks of Vertex AI, in the Base64 that it takes a body in.

    Vertex AI's own number of the job tells its output from that of other runs: Cloud Scheduler has no name for a run.
    """
    machines = settings.native.gcp
    owner = (pulumi.get_project(), pulumi.get_stack(), context.settings.environment)
    own = labels_of(*owner, labels(context.settings.tags), schedule=settings.name)

    def written(image: str, **around: Any) -> str:
        request = job_request(
            Surroundings(**around),
            # With a space, which the name of an attempt of another job has not: that is looked for by its name.
            fitted(f"schedule {context.name(settings.name)}", _LONGEST_DISPLAY),
            settings.name,
            machines,
            image=image,
            seconds=max(1, ceil(settings.timeout.total_seconds())),
            environment={STORE: around["store"], TASK: task_key(settings.name), RUN: f"${VERTEX}"},
            labels=own,
        )
        return base64.b64encode(json.dumps(request).encode()).decode()

    image = machines.image or pulumi.Output.concat(work.images or "", "/", name(TRAINING))
    found: dict[str, Any] = {"store": work.store, "account": work.trainer, "key": work.key, "image": image}
    where = {"attachment": work.attachment, "network": work.network, "zones": pulumi.Output.all(*work.zones)}
    return pulumi.Output.all(**found, **where).apply(lambda known: written(**known))
