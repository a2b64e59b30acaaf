"""A training job that runs: its folder filled, its container watched, its files taken back to S3."""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from trivet.rehearsal.fakes.aws import credentials, objects
from trivet.rehearsal.fakes.aws.checkpoints import Checkpoints
from trivet.rehearsal.fakes.aws.constraints import STRICT
from trivet.rehearsal.fakes.aws.logs import TRAINING, LogStream
from trivet.rehearsal.fakes.aws.mounts import of_job
from trivet.rehearsal.fakes.aws.objects import Place
from trivet.rehearsal.fakes.aws.state import Record, Region, now
from trivet.rehearsal.fakes.containers import Container
from trivet.rehearsal.fakes.images import Image

GRACE = 120.0  # seconds from SIGTERM to SIGKILL; "How Amazon SageMaker AI runs your training image"
_TICK = 0.05


class _End(Exception):
    """The job is over: its last status, secondary status and reason."""

    def __init__(self, status: str, secondary: str, reason: str = "") -> None:
        super().__init__(reason)
        self.outcome = status, secondary, reason


@dataclass(kw_only=True)
class TrainingJob(Record):
    """One job and the thread in which it runs."""

    region: Region
    secondary: str = ""
    transitions: list[dict[str, Any]] = field(default_factory=list)
    artifacts: str = ""
    began: datetime | None = None
    ended: datetime | None = None
    seen: list[str] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _interrupted: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Run it."""
        self.status = "InProgress"
        self.enter("Starting", "Preparing the instances for training")
        threading.Thread(target=self._run, name=self.name, daemon=True).start()

    def stop(self) -> None:
        """Have it stopped. Called with the region's lock held."""
        if not self._stopping.is_set():
            self.to("Stopping")
            self.enter("Stopping", "Stopping the training job")
            self._stopping.set()

    def interrupt(self) -> None:
        """Take its spot instance away; it starts again from its checkpoints."""
        self._interrupted.set()

    @property
    def seconds(self) -> int | None:
        """How long it trained; None before that."""
        end = self.ended or now()
        return max(1, round((end - self.began).total_seconds())) if self.began else None

    def enter(self, secondary: str, message: str = "") -> None:
        """A new secondary status; the one before ends with it."""
        present = now()
        with self.region.lock:
            if self.transitions:
                self.transitions[-1].setdefault("EndTime", present)
            self.secondary, self.modified = secondary, present
            self.transitions.append({"Status": secondary, "StartTime": present, "StatusMessage": message})

    def metrics(self) -> list[dict[str, Any]]:
        """The last value of each metric that the job defines by a pattern and has printed."""
        found = {}
        for definition in self.request["AlgorithmSpecification"].get("MetricDefinitions", []):
            for line in self.seen:
                with suppress(ValueError, IndexError, AttributeError):
                    found[definition["Name"]] = float(re.search(definition["Regex"], line).group(1))  # type: ignore[union-attr]
        return [{"MetricName": name, "Value": value, "Timestamp": self.modified} for name, value in found.items()]

    def _run(self) -> None:
        try:
            self._live()
        except _End as end:
            self._finish(*end.outcome)
        except (ClientError, BotoCoreError) as error:
            self._finish("Failed", "Failed", f"ClientError: {error}")
        except Exception as error:
            self._finish("Failed", "Failed", f"InternalServerError: {type(error).__name__}: {error}")
            if self.region.world.constraints.holds(STRICT) and not self.region.closed.is_set():
                raise  # a mistake of this fake's

    def _finish(self, status: str, secondary: str, reason: str) -> None:
        with self.region.lock:
            self.ended = now()
            self.enter(secondary, reason[:1024])
            self.transitions[-1]["EndTime"] = self.ended
            self.to(status, reason)

    def _live(self) -> None:
        image = self.region.world.images.find(self.request["AlgorithmSpecification"]["TrainingImage"])
        if image is None:
            raise _End("Failed", "Failed", "ClientError: Cannot find the requested image.")
        self._deadline = time.monotonic() + self.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", 86400)
        while not self._train(image):
            self.enter("Interrupted", "The spot instance was reclaimed")
            self.enter("Starting", "Preparing the instances for training")

    def _train(self, image: Image) -> bool:
        """One run in one container; False when its instance was taken away."""
        folder = self.region.world.scratch(self.name)
        try:
            self.enter("Downloading", "Downloading input data")
            self._fill(folder)
            checkpoints = Checkpoints(self._s3, self.request.get("CheckpointConfig"), folder)
            checkpoints.fetch()
            self._give_up_if_stopped()
            self.enter("Training", "Training image download completed. Training in progress.")
            self.began = self.began or now()
            container = self._launch(image, folder)
            why = self._watch(container, checkpoints)
            if why == "interrupted":
                self._interrupted.clear()
                return False
            self._conclude(folder, container.code or 0, why)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return True

    def _fill(self, folder: Path) -> None:
        for name in ("input/config", "input/data", "model", "output/data", "checkpoints"):
            (folder / name).mkdir(parents=True)
        channels = {}
        for channel in self.request.get("InputDataConfig", []):
            name, source = channel["ChannelName"], channel["DataSource"]["S3DataSource"]
            if not objects.download(self._s3, Place.of(source["S3Uri"]), folder / "input/data" / name):
                reason = f'ClientError: Data download failed:No S3 objects found under S3 URL "{source["S3Uri"]}".'
                raise _End("Failed", "Failed", reason)
            channels[name] = {
                "TrainingInputMode": channel.get("InputMode", self._algorithm["TrainingInputMode"]),
                "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
                "RecordWrapperType": channel.get("RecordWrapperType", "None"),
                **({"ContentType": channel["ContentType"]} if "ContentType" in channel else {}),
            }
        instance = self.request["ResourceConfig"].get("InstanceType", "ml.m5.large")
        group = {"instance_group_name": "homogeneousCluster", "instance_type": instance, "hosts": ["algo-1"]}
        config = {
            "hyperparameters": self.request.get("HyperParameters", {}),
            "inputdataconfig": channels,
            "resourceconfig": {
                "current_host": "algo-1",
                "hosts": ["algo-1"],
                "network_interface_name": "lo",
                "current_instance_type": instance,
                "current_group_name": "homogeneousCluster",
                "instance_groups": [group],
            },
        }
        for name, content in config.items():
            (folder / "input/config" / f"{name}.json").write_text(json.dumps(content))

    def _launch(self, image: Image, folder: Path) -> Container:
        world = self.region.world
        stream = LogStream(world, self.region.name, TRAINING, f"{self.name}/algo-1-{int(time.time())}")

        def said(lines: list[bytes]) -> None:
            self.seen = [*self.seen, *(line.decode(errors="replace") for line in lines)][-1000:]
            stream.write(lines)

        entry = self._algorithm.get("ContainerEntrypoint")
        arguments = self._algorithm.get("ContainerArguments", [] if entry else ["train"])
        try:
            return world.runtime.start(
                folder,
                [*(entry or image.argv), *arguments],
                {
                    **image.environment,
                    **credentials.of_role(world, self.request["RoleArn"], self.region.name),
                    "TRAINING_JOB_NAME": self.name,
                    "TRAINING_JOB_ARN": self.arn,
                    **self.request.get("Environment", {}),
                },
                said,
                self.region.closed,
                of_job(folder),
            )
        except OSError as error:
            raise _End("Failed", "Failed", f"AlgorithmError: {error.strerror}, exit code: 127") from error

    def _watch(self, container: Container, checkpoints: Checkpoints) -> str:
        """Wait for its end; why it was ended, or an empty text when it ended by itself."""
        why = ""
        while not why and container.wait(_TICK) is None:
            checkpoints.send()
            if self._interrupted.is_set():
                why = "interrupted"
            elif self._stopping.is_set():
                why = "stopped"
            elif time.monotonic() >= self._deadline:
                why = "too long"
        if why:
            container.stop(GRACE * self.region.world.settings.grace)
        checkpoints.send(last=True)
        return why

    def _conclude(self, folder: Path, code: int, why: str) -> None:
        failed = code != 0 and not why
        if not failed:
            self.enter("Uploading", "Uploading generated training model")
            self._upload_model(folder)
        self._upload_output(folder)
        if failed:
            raise _End("Failed", "Failed", f"AlgorithmError: {_failure(folder)}, exit code: {code}")
        if why == "too long":
            raise _End("Stopped", "MaxRuntimeExceeded", "")
        if why == "stopped":
            raise _End("Stopped", "Stopped", "")
        raise _End("Completed", "Completed", "")

    def _upload_model(self, folder: Path) -> None:
        place = self._output.below("output")
        if self.request["OutputDataConfig"].get("CompressionType") == "NONE":
            objects.upload(self._s3, folder / "model", place.below("model"), self._encryption)
            self.artifacts = f"{place.below('model')}/"
            return
        target = place.below("model.tar.gz")
        body = objects.pack(folder / "model")
        self._s3.put_object(Bucket=target.bucket, Key=target.key, Body=body, **self._encryption)
        self.artifacts = str(target)

    def _upload_output(self, folder: Path) -> None:
        data, place = folder / "output/data", self._output.below("output")
        if not any(objects.files(data)):
            return
        if self.request["OutputDataConfig"].get("CompressionType") == "NONE":
            objects.upload(self._s3, data, place.below("data"), self._encryption)
            return
        target = place.below("output.tar.gz")
        self._s3.put_object(Bucket=target.bucket, Key=target.key, Body=objects.pack(data), **self._encryption)

    def _give_up_if_stopped(self) -> None:
        if self._stopping.is_set():
            raise _End("Stopped", "Stopped")

    @property
    def _algorithm(self) -> dict[str, Any]:
        return self.request["AlgorithmSpecification"]

    @property
    def _output(self) -> Place:
        return Place.of(self.request["OutputDataConfig"]["S3OutputPath"]).below(self.name)

    @property
    def _encryption(self) -> dict[str, str]:
        key = self.request["OutputDataConfig"].get("KmsKeyId")
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}

    @property
    def _s3(self) -> Any:
        return self.region.world.client("s3", self.region.name)


def _failure(folder: Path) -> str:
    """What the job wrote about its failure; the reason takes 1024 characters of it."""
    with suppress(OSError):
        return (folder / "output/failure").read_text(errors="replace")
    return ""
