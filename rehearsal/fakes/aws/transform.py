"""SageMaker's batch transform: a model's container, asked about every record of some objects, and gone again."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPException
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from trivet.rehearsal.fakes.aws import models, objects
from trivet.rehearsal.fakes.aws.logs import TRANSFORM
from trivet.rehearsal.fakes.aws.objects import Place
from trivet.rehearsal.fakes.aws.refusals import invalid
from trivet.rehearsal.fakes.aws.serving import Failed, Server
from trivet.rehearsal.fakes.aws.state import Record, Region, Request, listing, now

KIND = "transform-job"
_MISSING = "Requested resource not found."
_PAYLOAD = 6  # MB, where neither the request nor the container says otherwise; 0 is no limit
# API reference of SageMaker, CreateTransformJob, MaxPayloadInMB. How a job says so is nowhere.
_TOO_LARGE = "MaxPayloadInMB must be greater than, or equal to, the size of a single record."
_TIMEOUT = 600  # seconds; ModelClientConfig, InvocationsTimeoutInSeconds


@dataclass(kw_only=True)
class TransformJob(Record):
    """One job and the thread in which it runs."""

    region: Region
    began: datetime | None = None
    ended: datetime | None = None
    stopping: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Run it."""
        self.status = "InProgress"
        threading.Thread(target=self._run, name=self.name, daemon=True).start()

    def _run(self) -> None:
        variant = {"VariantName": self.name, "ModelName": self.request["ModelName"]}
        server = Server(self.region, self.name, "", variant, TRANSFORM, self._environment())
        status, reason = "Completed", ""
        try:
            server.start()
            server.wait(self.stopping)
            self.began = now()
            self._transform(server)
        except Failed as error:
            status, reason = "Failed", str(error)
        except (ClientError, BotoCoreError, OSError, HTTPException) as error:
            status, reason = "Failed", f"ClientError: {error}"
        finally:
            server.stop()
        with self.region.lock:
            self.ended = now()
            self.to(*(("Stopped", "") if self.stopping.is_set() else (status, reason)))

    def _transform(self, server: Server) -> None:
        source, output = self.request["TransformInput"], self.request["TransformOutput"]
        s3 = self.region.world.client("s3", self.region.name)
        place, target = Place.of(source["DataSource"]["S3DataSource"]["S3Uri"]), Place.of(output["S3OutputPath"])
        for key in objects.keys(s3, place):
            if self.stopping.is_set():
                return
            if key.endswith("/"):
                continue
            content = s3.get_object(Bucket=place.bucket, Key=key)["Body"].read()
            answers = [self._ask(server, body) for body in self._bodies(content)]
            found = target.below(f"{objects.relative(key, place.key)}.out")
            between = b"\n" if output.get("AssembleWith") == "Line" else b""
            body = b"".join(answer + between for answer in answers)
            s3.put_object(Bucket=found.bucket, Key=found.key, Body=body)

    def _bodies(self, content: bytes) -> Iterator[bytes]:
        """What one request holds: the whole object, one record, or as many as fit."""
        most = self.request.get("MaxPayloadInMB", _PAYLOAD) << 20
        whole = self.request["TransformInput"].get("SplitType", "None") == "None"
        single = self.request.get("BatchStrategy") == "SingleRecord"
        batch = b""
        for record in [content] if whole else io.BytesIO(content):
            if most and len(record) > most:
                raise Failed(f"ClientError: {_TOO_LARGE}")
            if batch and (single or len(batch) + len(record) > most):
                yield batch
                batch = b""
            batch += record
        if batch or whole:
            yield batch

    def _ask(self, server: Server, body: bytes) -> bytes:
        given = {"Content-Type": self.request["TransformInput"].get("ContentType")}
        given["Accept"] = self.request["TransformOutput"].get("Accept")
        seconds = self.request.get("ModelClientConfig", {}).get("InvocationsTimeoutInSeconds", _TIMEOUT)
        reply = server.invoke({name: value for name, value in given.items() if value}, body, seconds)
        if reply.status >= 300:
            kind = "ClientError" if reply.status < 500 else "AlgorithmError"
            raise Failed(f"{kind}: See job logs for more information")
        return reply.body

    def _environment(self) -> dict[str, str]:
        """The variables of a batch; the last three only where the request says something."""
        said = {
            "SAGEMAKER_MAX_PAYLOAD_IN_MB": self.request.get("MaxPayloadInMB"),
            "SAGEMAKER_BATCH_STRATEGY": {"SingleRecord": "SINGLE_RECORD", "MultiRecord": "MULTI_RECORD"}.get(
                self.request.get("BatchStrategy", "")
            ),
            "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": self.request.get("MaxConcurrentTransforms"),
        }
        given = {name: str(value) for name, value in said.items() if value is not None}
        return {"SAGEMAKER_BATCH": "true", **given, **self.request.get("Environment", {})}


def create_transform_job(region: Region, request: Request) -> dict[str, Any]:
    """Start a job."""
    demand = region.world.constraints.demand
    name, arn, model = request["TransformJobName"], region.arn(KIND, request["TransformJobName"]), request["ModelName"]
    missing = f'Could not find model "{region.arn(models.MODEL, model)}".'
    demand("config-needs-models", region.find(models.MODEL, model) is not None, missing)
    models.demand_archive(region, model, "SageMaker batch transform")
    source = request["TransformInput"]["DataSource"]["S3DataSource"]
    if source["S3DataType"] != "S3Prefix" or request["TransformInput"].get("SplitType", "None") not in ("None", "Line"):
        raise invalid("This fake of SageMaker transforms inputs of the type S3Prefix, whole or split by lines.")
    found = objects.keys(region.world.client("s3", region.name), Place.of(source["S3Uri"]))
    demand("input-exists", bool(found), f'No S3 objects found under S3 URL "{source["S3Uri"]}".')
    with region.lock:
        taken = (
            "Transform job names must be unique within an AWS account and region, and a transform job with this name"
        )
        unused = arn not in region.retired
        demand("job-names-for-ever", unused, f"{taken} already exists ({arn})", "ResourceInUse")
        region.retired.add(arn)
        job = TransformJob(KIND, name, arn, request, region=region)
        region.add(job, request.get("Tags", []))
    job.start()
    return {"TransformJobArn": arn}


def describe_transform_job(region: Region, request: Request) -> dict[str, Any]:
    """What became of it."""
    job: TransformJob = region.get(KIND, request["TransformJobName"], _MISSING)
    with region.lock:
        return {
            **{member: value for member, value in job.request.items() if member != "Tags"},
            "TransformJobArn": job.arn,
            "TransformJobStatus": job.status,
            "FailureReason": job.reason or None,
            "CreationTime": job.created,
            "TransformStartTime": job.began,
            "TransformEndTime": job.ended,
        }


def list_transform_jobs(region: Region, request: Request) -> dict[str, Any]:
    """Their names and statuses."""
    with region.lock:
        return listing(
            region.all(KIND).values(),
            request,
            "TransformJobSummaries",
            lambda job: {
                "TransformJobName": job.name,
                "TransformJobArn": job.arn,
                "CreationTime": job.created,
                "TransformEndTime": job.ended,
                "LastModifiedTime": job.modified,
                "TransformJobStatus": job.status,
                "FailureReason": job.reason or None,
            },
        )


def stop_transform_job(region: Region, request: Request) -> dict[str, Any]:
    """Ask a job to stop; what it has put into S3 stays."""
    job: TransformJob = region.get(KIND, request["TransformJobName"], _MISSING)
    with region.lock:
        if job.status not in ("InProgress", "Stopping"):
            raise invalid(f"The request was rejected because the transform job is in status {job.status}.")
        job.to("Stopping")
        job.stopping.set()
    return {}


OPERATIONS = {
    "CreateTransformJob": create_transform_job,
    "DescribeTransformJob": describe_transform_job,
    "ListTransformJobs": list_transform_jobs,
    "StopTransformJob": stop_transform_job,
}
