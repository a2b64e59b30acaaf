"""Who is told, and the forms of what they are told of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from trivet.clouds.gcpnames import labels
from trivet.infra.stacks.gcp.context import Context
from trivet.infra.stacks.gcp.keys import Keys

_MINUTE_S = 60
_OFTEN_S = 300  # at most every so often for what is found in logs; the least that Monitoring takes
_CLOSES_S = 7 * 24 * 3600
_PUBLISHES = "roles/pubsub.publisher"


@dataclass(frozen=True)
class Alerts:
    """The topic, and the channels that lead to it and to people."""

    topic: gcp.pubsub.Topic
    channels: Sequence[gcp.monitoring.NotificationChannel]


def create(context: Context, keys: Keys) -> Alerts:
    """Make the topic, a channel into it, and one for each address."""
    topic = gcp.pubsub.Topic(
        "alerts",
        name=context.name("alerts", 255),
        kms_key_name=keys.data,
        message_retention_duration=f"{_CLOSES_S}s",
        opts=keys.after(context, "pubsub"),
    )
    own = labels({"trivet:stack": pulumi.get_stack()})

    def channel(what: str, kind: str, **said: pulumi.Input[str]) -> gcp.monitoring.NotificationChannel:
        return gcp.monitoring.NotificationChannel(
            what,
            type=kind,
            display_name=context.name(what, 512),
            labels=said,
            user_labels=own,
            opts=context.under(topic).options,
        )

    queue = channel("alerts-topic", "pubsub", topic=topic.id)
    # The service's account is made with the first such channel of a project: before, it cannot be let in.
    gcp.pubsub.TopicIAMMember(
        "alerts-sender",
        topic=topic.name,
        role=_PUBLISHES,
        member=context.number.apply(
            lambda number: f"serviceAccount:service-{number}@gcp-sa-monitoring-notification.iam.gserviceaccount.com"
        ),
        opts=context.under(topic).after(queue),
    )
    emails = context.settings.alert_emails
    people = [channel(f"alerts-{place}", "email", email_address=one) for place, one in enumerate(emails)]
    return Alerts(topic, [queue, *people])


def policy(
    context: Context,
    what: str,
    title: str,
    meaning: str,
    condition: gcp.monitoring.AlertPolicyConditionArgs,
    alerts: Alerts,
    own: Mapping[str, str] | None = None,
    *depends_on: pulumi.Resource,
) -> gcp.monitoring.AlertPolicy:
    """One alert policy.

    :param title: its display name, by which the runtime finds it.
    :param own: labels, beside the stack's.
    """
    logs = condition.condition_matched_log is not None
    strategy = gcp.monitoring.AlertPolicyAlertStrategyArgs(
        auto_close=f"{_CLOSES_S}s",
        notification_rate_limit=(
            gcp.monitoring.AlertPolicyAlertStrategyNotificationRateLimitArgs(period=f"{_OFTEN_S}s") if logs else None
        ),
    )
    return gcp.monitoring.AlertPolicy(
        what,
        display_name=title,
        combiner="OR",
        conditions=[condition],
        notification_channels=[one.name for one in alerts.channels],
        documentation=gcp.monitoring.AlertPolicyDocumentationArgs(content=meaning, mime_type="text/markdown"),
        alert_strategy=strategy,
        # The provider gives its own labels to resources that have labels, and this one's are called otherwise.
        user_labels={**context.labels, **(own or {})},
        opts=context.after(*depends_on),
    )


def threshold(
    filter_: str, *, aligner: str, reducer: str, above: float, lasting_s: int = 0, period_s: int = _MINUTE_S
) -> gcp.monitoring.AlertPolicyConditionArgs:
    """A measure above a value; where nothing is measured there is nothing to say."""
    return gcp.monitoring.AlertPolicyConditionArgs(
        display_name=f"above {above:g}",
        condition_threshold=gcp.monitoring.AlertPolicyConditionConditionThresholdArgs(
            filter=filter_,
            comparison="COMPARISON_GT",
            threshold_value=above,
            duration=f"{lasting_s}s",
            aggregations=[
                gcp.monitoring.AlertPolicyConditionConditionThresholdAggregationArgs(
                    alignment_period=f"{period_s}s", per_series_aligner=aligner, cross_series_reducer=reducer
                )
            ],
            trigger=gcp.monitoring.AlertPolicyConditionConditionThresholdTriggerArgs(count=1),
        ),
    )


def absent(filter_: str, *, aligned_s: int, lasting_s: int) -> gcp.monitoring.AlertPolicyConditionArgs:
    """Nothing measured for as long as both together, where something had been."""
    return gcp.monitoring.AlertPolicyConditionArgs(
        display_name="silent",
        condition_absent=gcp.monitoring.AlertPolicyConditionConditionAbsentArgs(
            filter=filter_,
            duration=f"{lasting_s}s",
            aggregations=[
                gcp.monitoring.AlertPolicyConditionConditionAbsentAggregationArgs(
                    alignment_period=f"{aligned_s}s",
                    per_series_aligner="ALIGN_COUNT",
                    cross_series_reducer="REDUCE_SUM",
                )
            ],
            trigger=gcp.monitoring.AlertPolicyConditionConditionAbsentTriggerArgs(count=1),
        ),
    )


def logged(filter_: str) -> gcp.monitoring.AlertPolicyConditionArgs:
    """A line of a log."""
    return gcp.monitoring.AlertPolicyConditionArgs(
        display_name="logged",
        condition_matched_log=gcp.monitoring.AlertPolicyConditionConditionMatchedLogArgs(filter=filter_),
    )
