"""The APIs that a stack calls: enabled with it, and left enabled when it goes."""

from __future__ import annotations

from trivet.infra.settings import Settings
from trivet.infra.stacks.gcp.keys import encrypting

_ALWAYS = (
    "aiplatform",
    "cloudkms",
    "cloudresourcemanager",
    "compute",
    "iam",
    "iamcredentials",
    "logging",
    "monitoring",
    "pubsub",
    "storage",
)


def needed(settings: Settings) -> list[str]:
    """What the stack's parts call."""
    budgeted = settings.budget or any(one.budget for one in settings.endpoints)
    some = {
        "billingbudgets": budgeted,
        "cloudbilling": budgeted,  # which says to whom the project is charged
        "cloudquotas": settings.quotas,
        "cloudscheduler": settings.schedules,
        "containerscanning": settings.images.mode == "create",
        "dataplex": settings.catalog.mode == "create",
        "dns": "create" in (settings.network.mode, settings.database.mode),
        "sts": settings.repository and settings.oidc.mode != "off",
    }
    return sorted({*_ALWAYS, *encrypting(settings), *(name for name, wanted in some.items() if wanted)})
