"""Batch scoring as batch transform of SageMaker: the requests that say what is wanted.

SageMaker itself reads the files and writes the answers, with the role of jobs. The container, which serves the release
as an endpoint's does, is cut off from any network and has no credentials.
"""

from __future__ import annotations

from typing import Any

from trivet.clouds.awsinstances import has_local_disks
from trivet.clouds.awsnames import SCORING
from trivet.core.canonical import digest_json
from trivet.core.outputs import AwsNative, Outputs
from trivet.core.specs import ScoringSpec
from trivet.platforms.aws.tags import tags
from trivet.platforms.aws.variants import DIGITS, MOST_NAME, model_of, packed
from trivet.platforms.packed import packed_key

PRESET = "sagemaker-batch"
LIMIT = "TRIVET_BATCH_SECONDS"
PAYLOAD_MB = 1  # of rows in a request; their answers are several times as large
ANSWER_SECONDS, RETRIES = 600, 1  # by which a job may pass its limit: what runs out of time may be asked again
LINES = "application/jsonlines"

Request = dict[str, Any]


def scoring_model(spec: ScoringSpec, outputs: Outputs, native: AwsNative) -> Request:
    """The model, named by what it says: jobs of the same release share it."""
    release = spec.release
    environment = {"TRIVET_PRESET": PRESET, "TRIVET_ENDPOINT": "batch"}
    request = model_of(release, native.trainer_role, spec.native.aws.image, environment, outputs, native)
    request["PrimaryContainer"] = packed(request["PrimaryContainer"], packed_key(release.digest), outputs)
    request["EnableNetworkIsolation"] = True
    own = digest_json(request)[7 : 7 + DIGITS]
    most = MOST_NAME - DIGITS - len(SCORING) - 1
    named_tags = tags(outputs, model=release.model, model_version=str(release.version))
    return request | {"ModelName": f"{native.prefix[:most]}-{own}{SCORING}", "Tags": named_tags}


def transform(spec: ScoringSpec, form: str, seconds: int, name: str, outputs: Outputs, native: AwsNative) -> Request:
    """The job. Batch transform knows no limit of time: the container refuses what comes after it, and so it fails.

    :param form: content type of the files.
    :param seconds: after which it is ended.
    """
    chosen = spec.native.aws
    source = {"S3DataType": "S3Prefix", "S3Uri": f"{outputs.store}/{spec.input}/"}
    resources: Request = {"InstanceType": chosen.instance_type, "InstanceCount": chosen.instances}
    if not has_local_disks(chosen.instance_type):
        resources["VolumeKmsKeyId"] = native.key
    return {
        "TransformJobName": name,
        "ModelName": scoring_model(spec, outputs, native)["ModelName"],
        "BatchStrategy": "MultiRecord",
        "MaxPayloadInMB": PAYLOAD_MB,
        "MaxConcurrentTransforms": 1,
        "ModelClientConfig": {"InvocationsTimeoutInSeconds": ANSWER_SECONDS, "InvocationsMaxRetries": RETRIES},
        "TransformInput": {
            "DataSource": {"S3DataSource": source},
            "ContentType": form,
            "SplitType": "Line",
        },
        "TransformOutput": {
            "S3OutputPath": f"{outputs.store}/{spec.output}",
            "Accept": LINES,
            "AssembleWith": "None",  # answers end their lines themselves
            "KmsKeyId": native.key,
        },
        "TransformResources": resources,
        "Environment": {LIMIT: str(seconds)},
        "Tags": tags(outputs, model=spec.release.model, model_version=str(spec.release.version)),
    }
