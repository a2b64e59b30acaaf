"""Google Cloud: Vertex AI trains and serves, Cloud Storage keeps, Cloud Monitoring measures."""

from __future__ import annotations

from types import MappingProxyType

from trivet.clouds.gcpnames import NAMING
from trivet.core.capabilities import Capability, Claim, Cloud, Support

# Regions with Vertex AI. Source: SUPPORTED_REGIONS of google-cloud-aiplatform, but those that its guide, "Vertex AI
# locations", does not show for training, registry and prediction.
REGIONS = (
    *("us-central1", "us-east1", "us-east4", "us-east5", "us-south1", "us-west1", "us-west2", "us-west3", "us-west4"),
    *("northamerica-northeast1", "northamerica-northeast2", "southamerica-east1", "southamerica-west1"),
    *("europe-central2", "europe-north1", "europe-southwest1", "europe-west1", "europe-west2", "europe-west3"),
    *("europe-west4", "europe-west6", "europe-west8", "europe-west9", "europe-west12"),
    *("asia-east1", "asia-east2", "asia-northeast1", "asia-northeast2", "asia-northeast3", "asia-south1"),
    *("asia-southeast1", "asia-southeast2", "australia-southeast1", "australia-southeast2"),
    *("me-central1", "me-central2", "me-west1", "africa-south1"),
)

GCP = Cloud(
    name="gcp",
    title="Google Cloud",
    extra="gcp",
    regions=REGIONS,
    platform="trivet.platforms.gcp.session:connect",
    evidence="a strict fake: the SDK's own messages, real containers' processes. In a real project: never",
    naming=NAMING,
    left="trivet.platforms.gcp.left:audit",
    claims=MappingProxyType(
        {
            Capability.STORE: Claim(Support.NATIVE, "a bucket of Cloud Storage"),
            Capability.JOBS: Claim(
                Support.NATIVE,
                "Vertex AI custom jobs on one machine each; their time-out bounds what they cost, not a price",
            ),
            Capability.BATCH_SCORING: Claim(
                Support.EMULATED, "a custom job scores file after file, and goes on after its last complete one"
            ),
            Capability.MODELS: Claim(
                Support.NATIVE,
                "Vertex AI model versions; numbers, aliases and approvals by model lie in the store beside them",
            ),
            Capability.ENDPOINTS: Claim(
                Support.NATIVE, "Vertex AI endpoints; steps of a rollout, and their taking back, are Trivet's own"
            ),
            Capability.WORKFLOWS: Claim(
                Support.REFUSED, "Vertex AI Pipelines are not used yet; call `trivet run` from a CI job."
            ),
            Capability.SCHEDULES: Claim(
                Support.REFUSED,
                "Vertex AI Pipelines are not used yet; call `trivet run --if-needed` from a CI schedule, or have "
                "`trivet:schedules` start a job.",
            ),
            Capability.SCHEDULED_JOBS: Claim(
                Support.NATIVE, "Cloud Scheduler starts a custom job, which runs what `trivet schedule` said"
            ),
            Capability.METRICS: Claim(Support.NATIVE, "Cloud Monitoring"),
            Capability.TRAFFIC_SPLIT: Claim(Support.NATIVE, "deployed models with shares of the traffic"),
            Capability.SHADOW_TRAFFIC: Claim(
                Support.REFUSED,
                "Vertex AI copies no requests; compare two releases with `trivet endpoints compare`.",
            ),
            Capability.AUTOSCALING: Claim(Support.NATIVE, "replicas by the use of their processors"),
            Capability.SCALE_TO_ZERO: Claim(
                Support.REFUSED,
                "a deployed model has one replica at least; use `trivet pause` to free the machines.",
            ),
            Capability.ACCELERATORS: Claim(Support.NATIVE, "machine types with GPUs, or GPUs attached"),
            Capability.PRIVATE_NETWORK: Claim(
                Support.NATIVE,
                "jobs are in the stack's network by a network attachment, and reach Google's APIs and the internet by "
                "Google's own; an endpoint is a shared public one, asked from the network at Google's private address",
            ),
        }
    ),
)
