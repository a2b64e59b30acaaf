"""What jobs of the stack need beside their service account: quotas, and the store of what pipelines note."""

from __future__ import annotations

import re

import pulumi_gcp as gcp

from trivet.core.errors import ConfigError
from trivet.infra.names import fitted
from trivet.infra.settings import HOW, Settings
from trivet.infra.stacks.gcp.context import Context
from trivet.infra.stacks.gcp.keys import Keys

_LONGEST_PREFERENCE = 63  # characters, as resource ids of Google's have: AIP-122


def check(settings: Settings) -> None:
    """:raises ConfigError: for a quota that nobody is named for, whom Google asks about it."""
    if settings.quotas and not settings.alert_emails:
        raise ConfigError("Google asks for an address with each quota, and trivet:alert_emails names none.", HOW)


def create(context: Context, keys: Keys) -> None:
    """Ask for quotas; and make the region's store of metadata where this stack is told to.

    There is one preference for a quota in a region, and Cloud Quotas deletes none: it is called after what it is for,
    and stays when the stack goes. Who asks again has to import it first.
    Vertex AI makes the store by itself at the first pipeline, without the stack's key, and there is one in a region: so
    one stack of a project has to own it.
    """
    for quota, value in sorted(context.settings.quotas.items()):
        gcp.cloudquota.SQuotaPreference(
            f"quota-{quota}",
            parent=f"projects/{context.project}",
            name=fitted(re.sub(r"[^a-z0-9-]", "-", f"{quota}-{context.region}".lower()), _LONGEST_PREFERENCE),
            service="aiplatform.googleapis.com",
            quota_id=quota,
            dimensions={"region": context.region},
            quota_config=gcp.cloudquota.SQuotaPreferenceQuotaConfigArgs(preferred_value=str(value)),
            contact_email=context.settings.alert_emails[0],
            opts=context.keeping(context.options, keeps=True),
        )
    if context.settings.owns_metadata:
        gcp.vertex.AiMetadataStore(
            "metadata",
            name="default",
            region=context.region,
            description="What pipelines note",
            encryption_spec=gcp.vertex.AiMetadataStoreEncryptionSpecArgs(kms_key_name=keys.data),
            opts=keys.holding(context, "aiplatform"),
        )
