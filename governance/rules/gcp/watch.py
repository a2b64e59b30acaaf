"""Logs that are kept and encrypted, alerts that somebody hears, and who looked at the data."""

from __future__ import annotations

from collections.abc import Iterator

from trivet.governance.rules.base import Graph, Resource, Setting, rule, stack_rule
from trivet.governance.rules.gcp.identity import strangers

LOGS = "gcp:logging/projectBucketConfig:ProjectBucketConfig"
AUDIT = "gcp:projects/iAMAuditConfig:IAMAuditConfig"
TOPIC = "gcp:pubsub/topic:Topic"
MEMBERS = ("gcp:pubsub/topicIAMMember:TopicIAMMember", "gcp:pubsub/topicIAMBinding:TopicIAMBinding")
ALERT = "gcp:monitoring/alertPolicy:AlertPolicy"
BUCKET = "gcp:storage/bucket:Bucket"
_YEAR_DAYS, _REGULATED_DAYS = 365, 3650
_KINDS = {"ADMIN_READ", "DATA_READ", "DATA_WRITE"}


@rule("glog-kept", "Logs are kept for a year, of regulated decisions for ten", "CIS GCP 5.0 2.4", "medium", LOGS)
def kept(resource: Resource, setting: Setting) -> Iterator[str]:
    days = int(resource.inputs.get("retentionDays") or 0)
    if days < (_REGULATED_DAYS if setting.regulated else _YEAR_DAYS):
        yield f"it keeps them {days} days"


@rule("glog-encrypted", "Logs are encrypted with the stack's key", "Google, CMEK for Cloud Logging", "medium", LOGS)
def encrypted(resource: Resource, _: Setting) -> Iterator[str]:
    if "kmsKeyName" not in (resource.inputs.get("cmekSettings") or {}):
        yield "its key is Google's"


@rule("glog-locked", "Nobody shortens the logs of a regulated stack in prod", "CIS GCP 5.0 2.4", "high", LOGS)
def locked(resource: Resource, setting: Setting) -> Iterator[str]:
    if setting.regulated and setting.environment == "prod" and resource.inputs.get("locked") is not True:
        yield "an administrator may shorten them"


@rule("gaudit-kinds", "Audit logs say who read, wrote and looked", "CIS GCP 5.0 2.1", "high", AUDIT)
def kinds(resource: Resource, _: Setting) -> Iterator[str]:
    present = {one.get("logType") for one in resource.inputs.get("auditLogConfigs") or []}
    if missing := sorted(_KINDS - present):
        yield f"they do not say {', '.join(missing)}"
    if any(one.get("exemptedMembers") for one in resource.inputs.get("auditLogConfigs") or []):
        yield "somebody is exempted"


@stack_rule("gaudit-there", "A stack that matters logs who looked at its data", "CIS GCP 5.0 2.1, 2.3", "high")
def audited(graph: Graph, setting: Setting) -> Iterator[str]:
    if setting.regulated and graph.of(BUCKET) and not graph.of(AUDIT):
        yield "nobody sees who looked"


@rule("gtopic-encrypted", "Topics are encrypted with the stack's key", "Checkov CKV_GCP_83", "medium", TOPIC)
def topics(resource: Resource, _: Setting) -> Iterator[str]:
    if not resource.has("kmsKeyName"):
        yield "its key is Google's"


@rule("gtopic-members", "No topic is anybody's", "Checkov CKV_GCP_99", "high", *MEMBERS)
def members(resource: Resource, _: Setting) -> Iterator[str]:
    if found := strangers(resource):
        yield f"{found} may {resource.inputs.get('role')}"


@rule("galert-heard", "Every alert tells somebody", "Google Well-Architected, Operational excellence", "medium", ALERT)
def heard(resource: Resource, _: Setting) -> Iterator[str]:
    if not resource.has("notificationChannels") or resource.inputs.get("notificationChannels") == []:
        yield "nobody hears it"
