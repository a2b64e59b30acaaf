"""Batch jobs: they run while nobody looks, so that somebody is told when one fails.

Scoring files needs nothing of the stack but what training and serving have: the trainer's account, the key, the store.
"""

from __future__ import annotations

from trivet.infra.stacks.gcp.alerts import Alerts, logged, policy
from trivet.infra.stacks.gcp.context import Context

FAILED = 'resource.type = "ml_job" AND resource.labels.task_name = "service" AND severity >= ERROR'
"""What Vertex AI itself says in the log of a job that ends without its result."""


def create(context: Context, alerts: Alerts) -> None:
    """Tell the channels of each job of the project's that fails. Lines of a job's log name its number alone."""
    if context.settings.batch.mode == "create":
        policy(
            context, "batch-failed", context.name("batch-failed"),
            "A job of Vertex AI ended without its result: `trivet logs` says why.", logged(FAILED), alerts,
        )  # fmt: skip
