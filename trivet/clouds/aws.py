"""AWS: SageMaker trains and serves, S3 keeps, CloudWatch measures."""

from __future__ import annotations

from types import MappingProxyType

from trivet.clouds.awsnames import NAMING
from trivet.core.capabilities import Capability, Claim, Cloud, Support

# Regions with SageMaker's training, hosting and registry. Source: AWS Regional Services list, as of 2026-11.
REGIONS = (
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "ca-west-1", "mx-central-1", "sa-east-1"),
    *("eu-central-1", "eu-central-2", "eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1", "eu-south-1", "eu-south-2"),
    *("ap-east-1", "ap-south-1", "ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3"),
    *("ap-southeast-4", "ap-southeast-5", "ap-southeast-7", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3"),
    *("me-central-1", "me-south-1", "il-central-1", "af-south-1"),
    *("us-gov-east-1", "us-gov-west-1", "cn-north-1", "cn-northwest-1"),
)

AWS = Cloud(
    name="aws",
    title="AWS",
    extra="aws",
    regions=REGIONS,
    platform="trivet.platforms.aws.session:connect",
    evidence="a strict fake: moto, botocore's service models, real containers' processes. On a real account: never",
    naming=NAMING,
    left="trivet.platforms.aws.left:audit",
    claims=MappingProxyType(
        {
            Capability.STORE: Claim(Support.NATIVE, "a bucket of S3"),
            Capability.JOBS: Claim(Support.NATIVE, "SageMaker training jobs"),
            Capability.BATCH_SCORING: Claim(
                Support.NATIVE, "SageMaker batch transform, which begins again when it is run again"
            ),
            Capability.MODELS: Claim(
                Support.NATIVE,
                "SageMaker model packages; numbers, aliases and approvals by model lie in the store beside them",
            ),
            Capability.ENDPOINTS: Claim(Support.NATIVE, "SageMaker real-time endpoints"),
            Capability.WORKFLOWS: Claim(
                Support.REFUSED, "SageMaker Pipelines are not used yet; call `trivet run` from a CI job."
            ),
            Capability.SCHEDULES: Claim(
                Support.REFUSED,
                "SageMaker Pipelines are not used yet; call `trivet run --if-needed` from a CI schedule, or have "
                "`trivet:schedules` start a job.",
            ),
            Capability.SCHEDULED_JOBS: Claim(
                Support.NATIVE, "EventBridge Scheduler starts a training job, which runs what `trivet schedule` said"
            ),
            Capability.METRICS: Claim(Support.NATIVE, "CloudWatch; a point is a minute's mean, kept for 15 days"),
            Capability.TRAFFIC_SPLIT: Claim(Support.NATIVE, "production variants with weights"),
            Capability.SHADOW_TRAFFIC: Claim(
                Support.NATIVE, "a shadow variant, of an endpoint that serves one release"
            ),
            Capability.AUTOSCALING: Claim(Support.NATIVE, "Application Auto Scaling by requests per instance"),
            Capability.SCALE_TO_ZERO: Claim(
                Support.REFUSED,
                "a serverless endpoint has neither a private network nor a shadow, and its first answer may take "
                "minutes; use `trivet pause` to free the machines.",
            ),
            Capability.ACCELERATORS: Claim(Support.NATIVE, "instance types with GPUs"),
            Capability.PRIVATE_NETWORK: Claim(Support.NATIVE, "jobs and servers in the stack's own subnets"),
        }
    ),
    # API reference of CreateEndpointConfig, ShadowProductionVariants.
    apart=MappingProxyType(
        {
            frozenset((Capability.SHADOW_TRAFFIC, Capability.TRAFFIC_SPLIT)): (
                "SageMaker takes one production variant beside a shadow; serve one release, or leave the shadow out."
            )
        }
    ),
)
