"""What is watched, and who looked at the data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_gcp as gcp

from trivet.clouds.gcpnames import METRIC_RESOURCE
from trivet.core.findings import ENDPOINT, LEVELS, VERDICT, Level
from trivet.infra.stacks.gcp.alerts import Alerts, absent, policy, threshold
from trivet.infra.stacks.gcp.context import Context
from trivet.infra.stacks.gcp.endpoint import Shell, measured
from trivet.infra.stacks.gcp.keys import Keys
from trivet.infra.stacks.gcp.storage import Storage

_FINDING_S = 900  # long enough for a monitor that takes its time: a point bears the time at which it is put
_COUNTED_S, _SILENT_S = 25 * 3600, 23 * 3600
"""Two days together: a period has 25 hours at most in an alert policy, and an absence 23 and a half."""
_AUDITED = ("aiplatform", "cloudkms", "storage")
_MOST_LOG_DAYS = 3650  # that a bucket of logs keeps


def namespace(context: Context) -> str:
    """What the types of the stack's own metrics begin with."""
    return f"custom.googleapis.com/trivet/{context.prefix}"


def findings(context: Context, shells: Sequence[Shell], alerts: Alerts) -> None:
    """Two alert policies for each endpoint: on its monitors' worst finding, and on monitors that have fallen silent.

    Monitors run when somebody runs them: the second says nothing before they have spoken for the first time. A policy
    over a metric that nobody has described is refused, so that the stack describes it before anybody has measured.
    """
    if not shells:
        return
    verdict = gcp.monitoring.MetricDescriptor(
        "verdict",
        type=f"{namespace(context)}/{VERDICT}",
        metric_kind="GAUGE",
        value_type="DOUBLE",
        display_name=f"Worst finding, {context.prefix}",
        description="0 ok, 1 warn, 2 alarm, 3 unknown",
        labels=[gcp.monitoring.MetricDescriptorLabelArgs(key=ENDPOINT, value_type="STRING", description="whose")],
        opts=context.options,
    )
    for shell in shells:
        spoken = _spoken(context, shell)
        policy(
            context, f"findings-{shell.endpoint}", context.name(f"{shell.endpoint}-findings"),
            "A monitor's finding is alarm (2), or unknown (3).",
            threshold(
                spoken, aligner="ALIGN_MAX", reducer="REDUCE_MAX", above=LEVELS[Level.ALARM] - 0.5, period_s=_FINDING_S
            ),
            alerts, None, verdict,
        )  # fmt: skip
        policy(
            context, f"silence-{shell.endpoint}", context.name(f"{shell.endpoint}-silence"),
            "No monitor has spoken for two days, and some had: is `trivet monitor` still run?",
            absent(spoken, aligned_s=_COUNTED_S, lasting_s=_SILENT_S),
            alerts, None, verdict,
        )  # fmt: skip


def _spoken(context: Context, shell: Shell) -> str:
    """A filter of what monitors say of an endpoint, as :class:`~trivet.platforms.gcp.metrics.GcpMetrics` writes it."""
    return (
        f'resource.type = "{METRIC_RESOURCE}" AND metric.type = "{namespace(context)}/{VERDICT}" AND '
        f'metric.labels.{ENDPOINT} = "{shell.endpoint}"'
    )


def dashboard(context: Context, shells: Sequence[Shell]) -> None:
    """Requests, errors, latency and findings of each endpoint on one page."""
    tiles = [tile for row, shell in enumerate(shells) for tile in _row(context, shell, row * 16)]
    if tiles:
        shown = {"displayName": context.name("endpoints", 255), "mosaicLayout": {"columns": 48, "tiles": tiles}}
        gcp.monitoring.Dashboard("dashboard", dashboard_json=json.dumps(shown, sort_keys=True), opts=context.options)


def _row(context: Context, shell: Shell, y: int) -> list[dict[str, Any]]:
    own = _spoken(context, shell)
    shown = [
        ("requests", measured(shell.number, "prediction_count"), "ALIGN_RATE", "REDUCE_SUM"),
        ("errors", measured(shell.number, "error_count"), "ALIGN_RATE", "REDUCE_SUM"),
        ("latency (ms)", measured(shell.number, "prediction_latencies"), "ALIGN_PERCENTILE_99", "REDUCE_MAX"),
        ("worst finding", own, "ALIGN_MAX", "REDUCE_MAX"),
    ]
    return [
        {
            "xPos": column * 12,
            "yPos": y,
            "width": 12,
            "height": 16,
            "widget": {
                "title": f"{shell.endpoint}: {title}",
                "xyChart": {"dataSets": [_data(filter_, aligner, reducer)]},
            },
        }
        for column, (title, filter_, aligner, reducer) in enumerate(shown)
    ]


def _data(filter_: str, aligner: str, reducer: str) -> dict[str, Any]:
    aggregation = {"alignmentPeriod": "300s", "perSeriesAligner": aligner, "crossSeriesReducer": reducer}
    return {
        "plotType": "LINE",
        "timeSeriesQuery": {"timeSeriesFilter": {"filter": filter_, "aggregation": aggregation}},
    }


def trail(context: Context, keys: Keys, storage: Storage) -> None:
    """Who read or wrote which object, who used which key, who called which endpoint; and what jobs and servers said.

    Which services log who read and wrote is the project's own setting, one for each service, whoever makes it: it stays
    when the stack goes, as another stack, or whoever set up the project, may rely on it.

    Both go to a bucket of logs of the stack's own, beside what the project keeps for everybody.
    """
    if context.settings.audit.mode != "create":
        return
    kind = gcp.projects.IAMAuditConfigAuditLogConfigArgs
    for service in _AUDITED:
        gcp.projects.IAMAuditConfig(
            f"audit-{service}",
            project=context.project,
            service=f"{service}.googleapis.com",
            audit_log_configs=[kind(log_type=one) for one in ("ADMIN_READ", "DATA_READ", "DATA_WRITE")],
            opts=context.keeping(context.options, keeps=True),
        )
    settings = context.settings
    bucket = gcp.logging.ProjectBucketConfig(
        "trail",
        project=context.project,
        location=context.region,
        bucket_id=keys.once(context, "trail", 100),
        description=f"Who did what in {context.prefix}",
        retention_days=min(context.profile.log_days, _MOST_LOG_DAYS),
        locked=settings.regulated and settings.environment == "prod",
        cmek_settings=gcp.logging.ProjectBucketConfigCmekSettingsArgs(kms_key_name=keys.data),
        opts=context.keeping(keys.holding(context, "logging"), keeps=settings.regulated),
    )
    gcp.logging.ProjectSink(
        "trail",
        name=context.name("trail", 100),
        project=context.project,
        destination=pulumi.Output.concat("logging.googleapis.com/", bucket.id),
        filter=_kept(storage),
        unique_writer_identity=True,
        opts=context.options,
    )


def _kept(storage: Storage) -> pulumi.Output[str]:
    """Audit logs of the stack's buckets and of what knows the project only, and the logs of jobs and endpoints."""
    buckets = pulumi.Output.concat('"', storage.store.name, '" OR "', storage.records.name, '"')
    return pulumi.Output.concat(
        '(logName : "cloudaudit.googleapis.com" AND (resource.labels.bucket_name = (',
        buckets,
        ') OR protoPayload.serviceName = ("aiplatform.googleapis.com" OR "cloudkms.googleapis.com"))) OR ',
        'resource.type = ("ml_job" OR "aiplatform.googleapis.com/Endpoint")',
    )
