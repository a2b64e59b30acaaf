"""Schedules and queues: encrypted, and nothing that could not be started is lost."""

from __future__ import annotations

from collections.abc import Iterator

from trivet.governance.rules.base import Resource, Setting, rule

SCHEDULE = "aws:scheduler/schedule:Schedule"
QUEUE = "aws:sqs/queue:Queue"


@rule("schedule-encrypted", "Schedules are encrypted with the stack's key", "Checkov CKV_AWS_297", "medium", SCHEDULE)
def encrypted(resource: Resource, _: Setting) -> Iterator[str]:
    if not resource.has("kmsKeyArn"):
        yield "what it starts is encrypted with a key of AWS's"


@rule("schedule-kept", "What a schedule could not start is kept", "AWS Well-Architected REL05-BP02", "medium", SCHEDULE)
def kept(resource: Resource, _: Setting) -> Iterator[str]:
    target = resource.inputs.get("target")
    if isinstance(target, dict) and not target.get("deadLetterConfig"):
        yield "what it could not start is lost"


@rule("sqs-encrypted", "Queues are encrypted with the stack's key", "Security Hub SQS.1; Checkov CKV_AWS_27", "medium",
      QUEUE)  # fmt: skip
def queue(resource: Resource, _: Setting) -> Iterator[str]:
    if not resource.has("kmsMasterKeyId"):
        yield "it is encrypted with a key of AWS's, or with none"
