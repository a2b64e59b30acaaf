"""SageMaker's operations on training jobs."""

from __future__ import annotations

from typing import Any

from trivet.rehearsal.fakes.aws import objects
from trivet.rehearsal.fakes.aws.objects import Place
from trivet.rehearsal.fakes.aws.refusals import invalid
from trivet.rehearsal.fakes.aws.state import Region, Request, listing
from trivet.rehearsal.fakes.aws.training import TrainingJob

KIND = "training-job"
_ECHOED = (
    "HyperParameters",
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "VpcConfig",
    "StoppingCondition",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
    "CheckpointConfig",
    "Environment",
    "RetryStrategy",
    "ExperimentConfig",
    "DebugHookConfig",
    "ProfilerConfig",
    "TensorBoardOutputConfig",
    "InfraCheckConfig",
    "RemoteDebugConfig",
    "MlflowConfig",
    "ModelPackageConfig",
)
_MISSING = "Requested resource not found."


def create_training_job(region: Region, request: Request) -> dict[str, Any]:
    """Start a job; it runs in a thread of its own."""
    name = request["TrainingJobName"]
    _check(region, request)
    arn = region.arn(KIND, name)
    with region.lock:
        taken = arn in region.retired or region.find(KIND, name) is not None
        region.world.constraints.demand(
            "job-names-for-ever",
            not taken,
            "Training job names must be unique within an AWS account and region, and a training job with this name"
            f" already exists ({arn})",
            "ResourceInUse",
        )
        region.retired.add(arn)
        job = TrainingJob(KIND, name, arn, request, region=region)
        region.add(job, request.get("Tags", []))
    job.start()
    return {"TrainingJobArn": arn}


def describe_training_job(region: Region, request: Request) -> dict[str, Any]:
    """What became of it."""
    job: TrainingJob = region.get(KIND, request["TrainingJobName"], _MISSING)
    with region.lock:
        return {
            "TrainingJobName": job.name,
            "TrainingJobArn": job.arn,
            "TrainingJobStatus": job.status,
            "SecondaryStatus": job.secondary,
            "SecondaryStatusTransitions": [dict(one) for one in job.transitions],
            "ModelArtifacts": {"S3ModelArtifacts": job.artifacts},
            "FailureReason": job.reason or None,
            "CreationTime": job.created,
            "LastModifiedTime": job.modified,
            "TrainingStartTime": job.began,
            "TrainingEndTime": job.ended,
            "TrainingTimeInSeconds": job.seconds,
            "BillableTimeInSeconds": job.seconds,
            "FinalMetricDataList": job.metrics() or None,
            **{member: request_value for member in _ECHOED if (request_value := job.request.get(member)) is not None},
            "EnableManagedSpotTraining": job.request.get("EnableManagedSpotTraining", False),
            "EnableNetworkIsolation": job.request.get("EnableNetworkIsolation", False),
            "StoppingCondition": job.request.get("StoppingCondition", {"MaxRuntimeInSeconds": 86400}),
        }


def list_training_jobs(region: Region, request: Request) -> dict[str, Any]:
    """Their names and statuses."""
    with region.lock:
        return listing(
            region.all(KIND).values(),
            request,
            "TrainingJobSummaries",
            lambda job: {
                "TrainingJobName": job.name,
                "TrainingJobArn": job.arn,
                "CreationTime": job.created,
                "TrainingEndTime": job.ended,
                "LastModifiedTime": job.modified,
                "TrainingJobStatus": job.status,
                "SecondaryStatus": job.secondary,
            },
            "Ascending",
        )


def stop_training_job(region: Region, request: Request) -> dict[str, Any]:
    """Ask a job to stop; it gets SIGTERM, and SIGKILL 120 seconds later."""
    job: TrainingJob = region.get(KIND, request["TrainingJobName"], _MISSING)
    with region.lock:
        if job.status not in ("InProgress", "Stopping"):
            raise invalid(f"The request was rejected because the training job is in status {job.status}.")
        job.stop()
    return {}


def _check(region: Region, request: Request) -> None:
    demand = region.world.constraints.demand
    image = request["AlgorithmSpecification"].get("TrainingImage", "") if "AlgorithmSpecification" in request else ""
    if not image or "ResourceConfig" not in request:
        raise invalid("A training job names AlgorithmSpecification.TrainingImage and ResourceConfig.")
    known = region.world.images.find(image) is not None
    demand("image-exists", known, f"Cannot find the requested image: {image}.")
    environment = request.get("Environment", {})
    longest = max((len(text) for pair in environment.items() for text in pair), default=0)
    demand(
        "job-environment",
        len(environment) <= 100 and longest <= 512,
        "Environment has more than 100 entries, or one of more than 512 characters.",
    )
    limits = request.get("StoppingCondition", {})
    wait, longest_run = limits.get("MaxWaitTimeInSeconds"), limits.get("MaxRuntimeInSeconds", 86400)
    if request.get("EnableManagedSpotTraining"):
        demand("spot-wait", wait is not None and wait >= longest_run, _SPOT)
    else:
        demand("spot-wait", wait is None, "MaxWaitTimeInSeconds is only supported with EnableManagedSpotTraining.")
    if request["ResourceConfig"].get("InstanceCount", 1) != 1 or request["ResourceConfig"].get("InstanceGroups"):
        raise invalid("This fake of SageMaker runs a training job on one instance: set InstanceCount to 1.")
    local = request.get("CheckpointConfig", {}).get("LocalPath", "/opt/ml/checkpoints")
    if not f"{local}/".startswith("/opt/ml/"):
        raise invalid("This fake of SageMaker keeps checkpoints below /opt/ml: leave LocalPath out.")
    _check_channels(region, request)


_SPOT = "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds."


def _check_channels(region: Region, request: Request) -> None:
    s3 = region.world.client("s3", region.name)
    for channel in request.get("InputDataConfig", []):
        source = channel["DataSource"].get("S3DataSource")
        if source is None or source["S3DataType"] != "S3Prefix":
            raise invalid("This fake of SageMaker reads channels of the type S3Prefix.")
        place = Place.of(source["S3Uri"])
        region.world.constraints.demand(
            "input-exists",
            bool(objects.keys(s3, place)),
            f'No S3 objects found under S3 URL "{source["S3Uri"]}" given in input data source. Please ensure that the'
            f" bucket exists in the selected region ({region.name}), that objects exist under that S3 prefix, and that"
            f' the role "{request["RoleArn"]}" has "s3:ListBucket" permissions on bucket "{place.bucket}".',
        )


OPERATIONS = {
    "CreateTrainingJob": create_training_job,
    "DescribeTrainingJob": describe_training_job,
    "ListTrainingJobs": list_training_jobs,
    "StopTrainingJob": stop_training_job,
}
