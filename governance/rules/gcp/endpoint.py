"""Machine learning: what Vertex AI keeps is encrypted with the stack's key, and no notebook is on the internet."""

from __future__ import annotations

from collections.abc import Iterator

from trivet.governance.rules.base import Resource, Setting, rule
from trivet.governance.rules.gcp.identity import strangers

ENDPOINT = "gcp:vertex/aiEndpoint:AiEndpoint"
KEPT = (
    ENDPOINT,
    "gcp:vertex/aiDataset:AiDataset",
    "gcp:vertex/aiFeatureOnlineStore:AiFeatureOnlineStore",
    "gcp:vertex/aiMetadataStore:AiMetadataStore",
    "gcp:vertex/aiTensorboard:AiTensorboard",
)
MEMBERS = (
    "gcp:vertex/aiEndpointIamMember:AiEndpointIamMember",
    "gcp:vertex/aiEndpointIamBinding:AiEndpointIamBinding",
)
NOTEBOOK = "gcp:workbench/instance:Instance"


@rule("gai-encrypted", "What Vertex AI keeps is encrypted with the stack's key", "Checkov CKV2_GCP_24", "high", *KEPT)
def encrypted(resource: Resource, _: Setting) -> Iterator[str]:
    if "kmsKeyName" not in (resource.inputs.get("encryptionSpec") or {}):
        yield "its key is Google's"


@rule("gai-members", "No endpoint answers anybody", "Google, Vertex AI access control", "critical", *MEMBERS)
def members(resource: Resource, _: Setting) -> Iterator[str]:
    if found := strangers(resource):
        yield f"{found} may ask it"


@rule("gai-notebook", "No notebook is on the internet", "Google, VAI-CO-4.1; Checkov CKV2_GCP_28", "high", NOTEBOOK)
def notebook(resource: Resource, _: Setting) -> Iterator[str]:
    if (resource.inputs.get("gceSetup") or {}).get("disablePublicIp") is not True:
        yield "it has a public address"
