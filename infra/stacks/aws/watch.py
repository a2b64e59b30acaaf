"""Who is told, what is watched, and who looked at the data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from trivet.core.errors import ConfigError
from trivet.core.findings import ENDPOINT, LEVELS, VERDICT, Level
from trivet.infra.settings import Settings
from trivet.infra.stacks.aws.context import EVENTS, Context, document, documented
from trivet.infra.stacks.aws.endpoint import Shell
from trivet.infra.stacks.aws.storage import Storage

_HOUR_S = 3600
_FINDING_S = 900  # long enough for a monitor that takes its time: a point bears the time at which it is put
_SILENT_HOURS = 48  # a monitor that runs once a day may be late; CloudWatch takes up to seven days


IDS = ("topic",)
"""What names a topic that is used."""


def check(settings: Settings) -> None:
    """Refuse readers of a topic that is somebody else's.

    :raises ConfigError: when there are some.
    """
    if settings.alerts.mode == "use" and settings.alert_emails:
        raise ConfigError(
            "trivet:alert_emails would change the topic that trivet:alerts names, which is not the stack's.",
            "Leave one of them out.",
        )


def topic(context: Context, key: pulumi.Input[str]) -> pulumi.Input[str]:
    """The ARN of the channel of alarms and budgets, and those who read it. Who may publish to one that is used, and who
    reads it, is its owner's."""
    settings = context.settings.alerts
    if settings.mode == "use":
        return settings.ids(*IDS)["topic"]
    made = aws.sns.Topic(
        "alerts",
        name=context.name("alerts", 256),
        kms_master_key_id=key,
        signature_version=2,
        opts=context.options,
    )
    inside = context.under(made)
    aws.sns.TopicPolicy(
        "alerts-policy",
        arn=made.arn,
        policy=documented(made.arn.apply(lambda arn: _senders(context, arn))),
        opts=inside.options,
    )
    for number, email in enumerate(context.settings.alert_emails):
        aws.sns.TopicSubscription(
            f"alerts-{number}", topic=made.arn, protocol="email", endpoint=email, opts=inside.options
        )
    return made.arn


def _senders(context: Context, topic: str) -> list[dict[str, Any]]:
    """Who may publish: services for this account alone, but for EventBridge, which gives conditions nothing to hold to.

    Source: EventBridge User Guide, "Troubleshooting": You can't use Condition blocks in Amazon SNS topic policies for
    EventBridge. With one its messages would be lost without a word. What it may publish, its own rules say.
    """
    publish = {"Effect": "Allow", "Action": "sns:Publish", "Resource": topic}
    services = [f"{name}.amazonaws.com" for name in ("cloudwatch", "budgets")]
    return [
        publish
        | {
            "Sid": "Senders",
            "Principal": {"Service": services},
            "Condition": {"StringEquals": {"aws:SourceAccount": context.account}},
        },
        publish | {"Sid": "Events", "Principal": {"Service": EVENTS}},
    ]


def findings(context: Context, shells: Sequence[Shell], alerts: pulumi.Input[str]) -> None:
    """Two alarms for each endpoint: on its monitors' worst finding, and on monitors that have fallen silent.

    Monitors run when somebody runs them, so that the first keeps its state until they speak again. The second has no
    data before they have spoken for the first time: an action needs a change of state, and there is none from that.
    """
    for shell in shells:
        heard = {
            "namespace": namespace(context),
            "metric_name": VERDICT,
            "dimensions": {ENDPOINT: shell.endpoint},
            "ok_actions": [alerts],
            "opts": context.options,
        }
        aws.cloudwatch.MetricAlarm(
            f"findings-{shell.endpoint}",
            name=context.name(f"{shell.endpoint}-findings", 255),
            alarm_description="A monitor's finding is alarm (2), or unknown (3)",
            statistic="Maximum",
            period=_FINDING_S,
            evaluation_periods=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=LEVELS[Level.ALARM],
            treat_missing_data="ignore",
            alarm_actions=[alerts],
            **heard,
        )
        aws.cloudwatch.MetricAlarm(
            f"silence-{shell.endpoint}",
            name=context.name(f"{shell.endpoint}-silence", 255),
            alarm_description="No monitor has spoken for two days, and some had: is `trivet monitor` still run?",
            statistic="SampleCount",
            period=_HOUR_S,
            evaluation_periods=_SILENT_HOURS,
            comparison_operator="LessThanThreshold",
            threshold=1,  # never met: where nobody speaks there is no data, which is its own state
            treat_missing_data="missing",
            insufficient_data_actions=[alerts],
            alarm_actions=[alerts],
            **heard,
        )


def namespace(context: Context) -> str:
    """The namespace of the stack's own metrics."""
    return f"Trivet/{context.prefix}"


def dashboard(context: Context, shells: Sequence[Shell]) -> None:
    """Requests, errors, latency and findings of each endpoint on one page."""
    widgets = [widget for row, shell in enumerate(shells) for widget in _row(context, shell, row * 6)]
    if widgets:
        aws.cloudwatch.Dashboard(
            "dashboard",
            dashboard_name=context.name("endpoints", 255),
            dashboard_body=json.dumps({"widgets": widgets}, sort_keys=True),
            opts=context.options,
        )


def _row(context: Context, shell: Shell, y: int) -> list[dict[str, object]]:
    sagemaker = ["EndpointName", shell.name, "VariantName", shell.endpoint]
    shown = [
        ("requests", [["AWS/SageMaker", "Invocations", *sagemaker]], "Sum"),
        ("errors", [["AWS/SageMaker", f"Invocation{kind}Errors", *sagemaker] for kind in ("4XX", "5XX")], "Sum"),
        ("latency (µs)", [["AWS/SageMaker", "ModelLatency", *sagemaker]], "p99"),
        ("worst finding", [[namespace(context), VERDICT, ENDPOINT, shell.endpoint]], "Maximum"),
    ]
    return [
        {
            "type": "metric",
            "x": column * 6,
            "y": y,
            "width": 6,
            "height": 6,
            "properties": {
                "title": f"{shell.endpoint}: {title}",
                "metrics": metrics,
                "stat": stat,
                "period": 300,
                "region": context.region,
            },
        }
        for column, (title, metrics, stat) in enumerate(shown)
    ]


def trail(context: Context, storage: Storage, key: pulumi.Input[str]) -> None:
    """Who read or wrote which object, and who called which endpoint.

    It has no topic: CloudTrail publishes there that a file was delivered, every few minutes, and is an alarm to nobody.
    """
    if context.settings.audit.mode != "create":
        return
    log = aws.cloudwatch.LogGroup(
        "trail-log",
        name=f"/trivet/{context.prefix}/trail",
        retention_in_days=context.profile.log_days,
        kms_key_id=key,
        opts=context.options,
    )
    role = aws.iam.Role(
        "trail-role",
        name=context.name("trail", 64),
        path=context.settings.role_path,
        permissions_boundary=context.settings.boundary,
        assume_role_policy=document(
            {
                "Effect": "Allow",
                "Principal": {"Service": "cloudtrail.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": context.account}},
            }
        ),
        opts=context.options,
    )
    rights = aws.iam.RolePolicy(
        "trail-rights",
        role=role.name,
        policy=documented(
            log.arn.apply(
                lambda arn: [
                    {
                        "Effect": "Allow",
                        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                        "Resource": f"{arn}:log-stream:*",
                    }
                ]
            )
        ),
        opts=context.under(role).options,
    )
    field = aws.cloudtrail.TrailAdvancedEventSelectorFieldSelectorArgs
    selector = aws.cloudtrail.TrailAdvancedEventSelectorArgs
    data = field(field="eventCategory", equals=["Data"])
    objects = [storage.store.arn.apply(lambda arn: f"{arn}/"), storage.records.arn.apply(lambda arn: f"{arn}/")]
    aws.cloudtrail.Trail(
        "trail",
        name=context.name("trail", 128),
        s3_bucket_name=storage.logs.bucket,
        s3_key_prefix="trail",
        kms_key_id=key,
        is_multi_region_trail=True,
        include_global_service_events=True,
        enable_log_file_validation=True,
        cloud_watch_logs_group_arn=log.arn.apply(lambda arn: f"{arn}:*"),
        cloud_watch_logs_role_arn=role.arn,
        advanced_event_selectors=[
            selector(name="management", field_selectors=[field(field="eventCategory", equals=["Management"])]),
            selector(
                name="objects",
                field_selectors=[
                    data,
                    field(field="resources.type", equals=["AWS::S3::Object"]),
                    field(field="resources.ARN", starts_withs=objects),
                ],
            ),
            selector(
                name="endpoints",
                field_selectors=[data, field(field="resources.type", equals=["AWS::SageMaker::Endpoint"])],
            ),
        ],
        opts=context.after(rights, storage.allows),
    )
