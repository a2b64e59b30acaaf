"""Schedules: the cloud's clock starts a job of the store's, and keeps what it could not start.

A schedule is a shell, as an endpoint is: the stack owns when and with which machines; what is run is a document in the
store, which ``trivet schedule`` writes and no job may change.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from trivet.core.errors import ConfigError
from trivet.infra.settings import ScheduleSettings, Settings
from trivet.infra.stacks.aws.batch import told
from trivet.infra.stacks.aws.context import Context
from trivet.infra.stacks.aws.grants import UNDELIVERED
from trivet.platforms.aws.images import TRAINING, tag
from trivet.platforms.aws.requests import Surroundings, runtime_limit, training_request
from trivet.platforms.aws.tags import tags_of
from trivet.platforms.container import RUN, STORE, TASK
from trivet.platforms.scheduled import task_key

ID = "<aws.scheduler.execution-id>"  # of 16 characters; "Adding context attributes", EventBridge Scheduler's guide
_MOST_NAME = 63 - 1 - 16
_KEPT_S = 14 * 24 * 3600  # the most that SQS keeps a message
_LATEST_S, _RETRIES = 3600, 3


@dataclass(frozen=True)
class Work:
    """What jobs need of the other parts: URL of the store, ARNs of roles and key, image, network."""

    store: pulumi.Output[str]
    trainer: pulumi.Input[str]
    scheduler: pulumi.Input[str]
    key: pulumi.Input[str]
    images: pulumi.Input[str] | None
    subnets: list[pulumi.Input[str]]
    security_groups: list[pulumi.Input[str]]


def check(settings: Settings, prefix: str) -> None:
    """Refuse schedules whose jobs could not be asked for.

    :raises ConfigError: for a name that leaves no room for a run's own, a schedule that has no image, and a limit of
        cost for machines whose price is not known.
    """
    for one in settings.schedules:
        stem = _stem(prefix, one)
        if len(stem) > _MOST_NAME:
            raise ConfigError(
                f"Runs of the schedule {one.name!r} would have names longer than SageMaker takes.",
                f"Shorten it, or trivet:prefix: {stem!r} may have {_MOST_NAME} characters.",
            )
        if settings.images.mode == "off" and one.native.aws.image is None:
            raise ConfigError(
                f"The stack has no image registry, so the schedule {one.name!r} has no image.",
                "Name one under its native.aws.image, or set trivet:images.",
            )
        runtime_limit(one.native.aws, one.timeout, settings.region)


def create(context: Context, work: Work, topic: pulumi.Input[str]) -> None:
    """Make the schedules in a group of their own, with one queue of what they could not start."""
    settings = context.settings.schedules
    if not settings:
        return
    group = aws.scheduler.ScheduleGroup("schedules", name=context.name("schedules", 64), opts=context.options)
    queue = aws.sqs.Queue(
        UNDELIVERED,
        name=f"{context.prefix}-{UNDELIVERED}",
        kms_master_key_id=work.key,
        message_retention_seconds=_KEPT_S,
        opts=context.options,
    )
    aws.cloudwatch.MetricAlarm(
        UNDELIVERED,
        name=context.name(UNDELIVERED, 255),
        alarm_description="A schedule could not start its job; the queue has the request and the reason",
        namespace="AWS/SQS",
        metric_name="ApproximateNumberOfMessagesVisible",
        dimensions={"QueueName": queue.name},
        statistic="Maximum",
        period=300,
        evaluation_periods=1,
        comparison_operator="GreaterThanThreshold",
        threshold=0,
        treat_missing_data="notBreaching",
        alarm_actions=[topic],
        ok_actions=[topic],
        opts=context.options,
    )
    for one in settings:
        _schedule(context, one, work, group, queue)
    told(context, "scheduled-failed", "Training", [f"{_stem(context.prefix, one)}-" for one in settings], topic)


def _stem(prefix: str, settings: ScheduleSettings) -> str:
    """What names of its jobs begin with: whole, since roles may touch what begins with the stack's prefix."""
    return f"{prefix}-{settings.name}"


def _schedule(
    context: Context, settings: ScheduleSettings, work: Work, group: aws.scheduler.ScheduleGroup, queue: aws.sqs.Queue
) -> None:
    target = aws.scheduler.ScheduleTargetArgs(
        arn=f"arn:{context.partition}:scheduler:::aws-sdk:sagemaker:createTrainingJob",
        role_arn=work.scheduler,
        input=_request(context, settings, work),
        dead_letter_config=aws.scheduler.ScheduleTargetDeadLetterConfigArgs(arn=queue.arn),
        retry_policy=aws.scheduler.ScheduleTargetRetryPolicyArgs(
            maximum_event_age_in_seconds=_LATEST_S, maximum_retry_attempts=_RETRIES
        ),
    )
    aws.scheduler.Schedule(
        f"schedule-{settings.name}",
        name=settings.name,
        group_name=group.name,
        schedule_expression=settings.at,
        schedule_expression_timezone=settings.timezone,
        flexible_time_window=aws.scheduler.ScheduleFlexibleTimeWindowArgs(mode="OFF"),
        kms_key_arn=work.key,
        target=target,
        opts=context.under(group).options,
    )


def _request(context: Context, settings: ScheduleSettings, work: Work) -> pulumi.Output[str]:
    """What Scheduler asks of SageMaker, with a name of its own for each run."""
    machines, seconds = settings.native.aws, runtime_limit(settings.native.aws, settings.timeout, context.region)
    of_stack = (pulumi.get_project(), pulumi.get_stack(), context.settings.environment, context.settings.tags)
    tags = tags_of(*of_stack, schedule=settings.name)

    def written(store: str, role: str, key: str, image: str, subnets: list[str], groups: list[str]) -> str:
        request = training_request(
            Surroundings(store, role, key, subnets, groups),
            f"{_stem(context.prefix, settings)}-{ID}",
            f"{settings.name}/{ID}",
            machines,
            image=image,
            seconds=seconds,
            environment={
                STORE: store,
                TASK: task_key(settings.name),
                RUN: ID,
                "AWS_REGION": context.region,
            },
            tags=tags,
        )
        return json.dumps(request)

    image = machines.image or pulumi.Output.concat(work.images or "", ":", tag(TRAINING))
    found = {"store": work.store, "role": work.trainer, "key": work.key, "image": image}
    network = {"subnets": work.subnets, "groups": work.security_groups}
    return pulumi.Output.all(**found, **network).apply(lambda known: written(**known))
