"""Logs, trails, topics and alarms: kept long enough, encrypted, unforgeable, and heard."""

from __future__ import annotations

from collections.abc import Iterator

from trivet.governance.rules.base import Resource, Setting, rule
from trivet.governance.rules.documents import statements

GROUP = "aws:cloudwatch/logGroup:LogGroup"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
TRAIL = "aws:cloudtrail/trail:Trail"
TOPIC = "aws:sns/topic:Topic"
TOPIC_POLICY = "aws:sns/topicPolicy:TopicPolicy"
EVENTS = "events.amazonaws.com"
_LEAST_LOG_DAYS = 365
_REGULATED_LOG_DAYS = 3650


@rule("logs-kept", "Logs are kept for a year, ten where somebody has to answer for them", "Security Hub CloudWatch.16",
      "medium", GROUP)  # fmt: skip
def kept(resource: Resource, setting: Setting) -> Iterator[str]:
    """Nothing said keeps them for ever, which costs for ever."""
    days = resource.inputs.get("retentionInDays") or 0
    least = _REGULATED_LOG_DAYS if setting.regulated else _LEAST_LOG_DAYS
    if days < least:
        yield f"it keeps {f'{days:g} days' if days else 'for ever'}, and {least} days are asked for"


@rule("logs-encrypted", "Logs are encrypted with the stack's key", "Checkov CKV_AWS_158", "medium", GROUP)
def encrypted(resource: Resource, _: Setting) -> Iterator[str]:
    if not resource.has("kmsKeyId"):
        yield "it is encrypted with a key of AWS's"


@rule("trail-whole", "Trails cover every region and cannot be forged", "Security Hub CloudTrail.1, CloudTrail.2, "
      "CloudTrail.4; CIS AWS 7.0 4.1, 4.2, 4.5", "high", TRAIL)  # fmt: skip
def whole(resource: Resource, _: Setting) -> Iterator[str]:
    inputs = resource.inputs
    if inputs.get("enableLogFileValidation") is not True:
        yield "its files may be changed unseen"
    if inputs.get("isMultiRegionTrail") is not True:
        yield "it covers one region"
    if not resource.has("kmsKeyId"):
        yield "it is encrypted with a key of AWS's"
    if inputs.get("enableLogging") is False:
        yield "it is off"


@rule("trail-watched", "Trails are read where alarms can see them", "Security Hub CloudTrail.5", "medium", TRAIL)
def watched(resource: Resource, _: Setting) -> Iterator[str]:
    if not resource.has("cloudWatchLogsGroupArn"):
        yield "no alarm can see it"


@rule("sns-encrypted", "Alarms travel encrypted with the stack's key", "Security Hub SNS.1", "medium", TOPIC)
def topic(resource: Resource, _: Setting) -> Iterator[str]:
    if not resource.has("kmsMasterKeyId"):
        yield "it is not encrypted"


@rule("sns-policy", "Only the account may publish its alarms", "Security Hub SNS.4", "high", TOPIC_POLICY)
def topic_policy(resource: Resource, _: Setting) -> Iterator[str]:
    for one in statements(resource.inputs.get("policy")):
        services = {name for kind, name in one.principals if kind == "Service"} - {EVENTS}
        if one.allows and (one.is_for_anybody or one.is_inverted or (services and not one.is_narrowed)):
            yield "its policy lets anybody publish"


@rule("sns-events", "What EventBridge tells arrives: it takes no condition in a topic's policy", "EventBridge User "
      "Guide, Troubleshooting", "medium", TOPIC_POLICY)  # fmt: skip
def events(resource: Resource, _: Setting) -> Iterator[str]:
    for one in statements(resource.inputs.get("policy")):
        if one.allows and ("Service", EVENTS) in one.principals and one.conditions:
            yield "EventBridge may publish under a condition alone, which it never meets"


@rule("alarm-heard", "Every alarm tells somebody", "Security Hub CloudWatch.15", "medium", ALARM)
def heard(resource: Resource, _: Setting) -> Iterator[str]:
    if not resource.has("alarmActions"):
        yield "it tells nobody"
