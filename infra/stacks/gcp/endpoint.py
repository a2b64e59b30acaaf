"""Endpoint shells: an endpoint of Vertex AI without a model, and its alert policies; the runtime deploys to it.

They are shared public endpoints, which answer whoever IAM lets. One of Private Service Connect would be asked within
the network alone, but its service attachment is "only populated if the endpoint is deployed" (Vertex AI,
PrivateServiceConnectConfig), so that no stack can lead the network to it before the runtime has deployed a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import pulumi
import pulumi_gcp as gcp

from trivet.clouds.gcpnames import labels
from trivet.core.leftovers import ENDPOINT_TAG
from trivet.infra.settings import EndpointSettings
from trivet.infra.stacks.context import TEAM_TAG
from trivet.infra.stacks.gcp.alerts import Alerts, policy, threshold
from trivet.infra.stacks.gcp.context import Context
from trivet.infra.stacks.gcp.keys import Keys

_MOST_ERRORS, _SLOW_MS = 0.5, 1000  # more than none in a minute; Monitoring knows no "at least"
_LASTING_S = 120
RUNTIMES = ["trafficSplit"]
"""What deploying changes, and `up` leaves alone."""


@dataclass(frozen=True)
class Shell:
    """One endpoint before any model.

    :param number: the id that Vertex AI knows it by.
    """

    endpoint: str
    number: str
    name: pulumi.Output[str]
    host: str
    most_instances: int
    alarms: Sequence[str]


def create(context: Context, keys: Keys, alerts: Alerts) -> list[Shell]:
    """A shell for each endpoint."""
    return [_shell(context, keys, one, alerts) for one in context.settings.endpoints]


def number(prefix: str, endpoint: str) -> str:
    """An endpoint's id: nine digits, the first no zero, always the same for a stack and a name.

    Source: Pulumi's and Terraform's ``vertex.AiEndpoint``, ``name``: up to ten digits, and no other character.
    """
    return str(100_000_000 + int(sha256(f"{prefix}/{endpoint}".encode()).hexdigest(), 16) % 900_000_000)


def _shell(context: Context, keys: Keys, settings: EndpointSettings, alerts: Alerts) -> Shell:
    name = context.name(settings.name)
    own = labels({ENDPOINT_TAG: settings.name} | ({TEAM_TAG: settings.team} if settings.team else {}))
    endpoint = gcp.vertex.AiEndpoint(
        f"endpoint-{settings.name}",
        name=number(context.prefix, settings.name),
        display_name=name,
        description=f"{settings.name} of {context.prefix}",
        location=context.region,
        region=context.region,
        encryption_spec=gcp.vertex.AiEndpointEncryptionSpecArgs(kms_key_name=keys.data),
        labels=own,
        opts=pulumi.ResourceOptions.merge(
            keys.after(context, "aiplatform"), pulumi.ResourceOptions(ignore_changes=RUNTIMES)
        ),
    )
    known = number(context.prefix, settings.name)
    errors = threshold(
        measured(known, "response_count", ' AND metric.labels.response_code = starts_with("5")'),
        aligner="ALIGN_DELTA",
        reducer="REDUCE_SUM",
        above=_MOST_ERRORS,
        lasting_s=_LASTING_S,
    )
    latency = threshold(
        measured(known, "prediction_latencies"),
        aligner="ALIGN_PERCENTILE_99",
        reducer="REDUCE_MAX",
        above=_SLOW_MS,
        lasting_s=_LASTING_S,
    )
    inside = context.under(endpoint)
    alarms = {what: context.name(f"{settings.name}-{what}") for what in ("errors", "latency")}
    for what, meaning, condition in (
        ("errors", "Answers that failed, for more than two minutes on end.", errors),
        ("latency", "Answers that took more than a second, at the 99th percentile.", latency),
    ):
        policy(inside, f"{what}-{settings.name}", alarms[what], meaning, condition, alerts, own)
    host = f"{context.region}-aiplatform.googleapis.com"
    return Shell(settings.name, known, endpoint.name, host, settings.most_instances, [*alarms.values()])


def measured(endpoint: str, metric: str, more: str = "") -> str:
    """A filter of what Vertex AI measures of an endpoint."""
    return (
        'resource.type = "aiplatform.googleapis.com/Endpoint" AND '
        f'resource.labels.endpoint_id = "{endpoint}" AND '
        f'metric.type = "aiplatform.googleapis.com/prediction/online/{metric}"{more}'
    )
