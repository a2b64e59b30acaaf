"""The containers of an endpoint: one per variant, started with the variant's model, pinged, asked and drained.

``InitialInstanceCount`` is counted and shown, but one process answers for all instances of a variant.
"""

from __future__ import annotations

import shutil
import tarfile
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from trivet.rehearsal.fakes.aws import credentials, models, objects
from trivet.rehearsal.fakes.aws.logs import LogStream
from trivet.rehearsal.fakes.aws.mounts import of_server
from trivet.rehearsal.fakes.aws.objects import Place
from trivet.rehearsal.fakes.aws.refusals import Refused
from trivet.rehearsal.fakes.aws.state import Region
from trivet.rehearsal.fakes.containers import Container
from trivet.rehearsal.fakes.served import Reply, Served, pick
from trivet.rehearsal.ports import HOST

GRACE = 30.0  # seconds from SIGTERM to SIGKILL; "Use your own inference code with hosting services"
_USUAL_STARTUP = 480.0  # the same page: 8 minutes
_PING = 2.0  # the same page: a ping is answered within 2 seconds


class Failed(Exception):
    """A variant cannot serve; the sentence becomes the endpoint's FailureReason."""


class Server(Served):
    """One container of one variant."""

    def __init__(
        self,
        region: Region,
        endpoint: str,
        config: str,
        variant: dict[str, Any],
        group: str = "",
        environment: dict[str, str] | None = None,
    ) -> None:
        """
        :param group: of its log, where that is not the endpoint's.
        :param environment: what its model does not say.
        """
        super().__init__(variant["VariantName"], region.closed)
        self.variant = variant
        self.config = config
        self._region = region
        self._world = region.world
        self._folder = region.world.scratch(f"{endpoint}-{self.name}")
        self._definition: dict[str, Any] = {}
        self._group = group or f"/aws/sagemaker/Endpoints/{endpoint}"
        self._more = environment or {}
        self.log = self._new_log()

    def start(self) -> None:
        """Fetch the model and start the container.

        :raises Failed: where one of both is not to be had.
        """
        model = self._region.find(models.MODEL, self.variant.get("ModelName", ""))
        if model is None:
            raise Failed(f'Could not find model "{self._region.arn(models.MODEL, self.variant.get("ModelName", ""))}".')
        self._role = model.request.get("ExecutionRoleArn", "")
        self._definition = definition(self._region, model.request)
        self._image = self._world.images.find(self._definition.get("Image", ""))
        if self._image is None:
            raise Failed(
                f"Please make sure all images included in the model for the production variant {self.name} exist, and"
                " that the execution role used to create the model has permissions to access them."
            )
        self._fetch()
        self._run()

    def wait(self, cancelled: threading.Event) -> None:
        """Ping until it answers well.

        :raises Failed: when it ends before, or its time is over.
        """
        allowed = self.variant.get("ContainerStartupHealthCheckTimeoutInSeconds", _USUAL_STARTUP)
        if self.good(self.ping, min(allowed, self._world.settings.startup), cancelled):
            self.keep(self._again, lambda: self._world.settings.restarts)
            return
        raise Failed(
            f"The primary container for production variant {self.name} did not pass the ping health check. Please check"
            " CloudWatch logs for this endpoint."
        )

    def ping(self) -> bool:
        """Whether it says that it can serve."""
        return self.is_well("/ping", _PING)

    def invoke(self, headers: dict[str, str], body: bytes, seconds: float) -> Reply:
        """Pass on a request.

        :raises TimeoutError: when no answer comes in time.
        :raises OSError: when nothing listens, or it ends before it has answered; so does HTTPException.
        """
        return self.ask("POST", "/invocations", headers, body, seconds)

    def stop(self) -> None:
        """Have it finish and leave."""
        self.drain(self._world.settings.invocation, GRACE * self._world.settings.grace)
        shutil.rmtree(self._folder, ignore_errors=True)

    def images(self) -> list[dict[str, Any]]:
        """The image that it was started from, as SageMaker shows it."""
        image = self._definition.get("Image", "")
        return [{"SpecifiedImage": image, "ResolvedImage": image}] if image else []

    def _fetch(self) -> None:
        target = self._folder / "model"
        target.mkdir(parents=True, exist_ok=True)
        s3 = self._world.client("s3", self._region.name)
        source = self._definition.get("ModelDataSource", {}).get("S3DataSource", {})
        address = source.get("S3Uri") or self._definition.get("ModelDataUrl", "")
        if not address:
            return
        place = Place.of(address)
        try:
            if source.get("CompressionType") == "None":
                if not objects.download(s3, place, target):
                    raise Failed(f"Could not find model data at {address}.")
            else:
                objects.unpack(s3.get_object(Bucket=place.bucket, Key=place.key)["Body"].read(), target)
        except (ClientError, BotoCoreError) as error:
            raise Failed(f"Could not find model data at {address}.") from error
        except (tarfile.TarError, EOFError, OSError) as error:
            raise Failed(
                f"Failed to extract model data archive from URL {address}. Please ensure that the object located at the"
                " URL is a valid tar.gz archive."
            ) from error

    def _run(self) -> None:
        assert self._image is not None  # noqa: S101  start() has found it
        environment = {
            **self._image.environment,
            **credentials.of_role(self._world, self._role, self._region.name),
            **self._definition.get("Environment", {}),
            **self._more,
            "TRIVET_HOST": HOST,  # in a container, all addresses are the container's own
        }
        argv = [*self._image.argv, "serve"]
        mounts = of_server(self._folder)

        def start(port: int) -> Container:
            given = environment | {"SAGEMAKER_BIND_TO_PORT": str(port)}
            return self._world.runtime.start(self._folder, argv, given, self.log.write, self._region.closed, mounts)

        try:
            self.run_on(start)
        except OSError as error:
            raise Failed(
                f"The primary container for production variant {self.name} cannot be started: {error}"
            ) from error

    def _again(self) -> None:
        with suppress(Failed):
            self.log = self._new_log()
            self._run()

    def _new_log(self) -> LogStream:
        instance = f"i-{time.time_ns():017x}"[:19]
        return LogStream(self._world, self._region.name, self._group, f"{self.name}/{instance}")


class Fleet:
    """The servers of one endpoint configuration."""

    def __init__(self, region: Region, endpoint: str, config: str, request: dict[str, Any]) -> None:
        self.config = config
        self.request = request
        self.servers = {
            one["VariantName"]: Server(region, endpoint, config, one) for one in request["ProductionVariants"]
        }
        shadows = request.get("ShadowProductionVariants", [])
        self.shadows = {one["VariantName"]: Server(region, endpoint, config, one) for one in shadows}
        self.weights = {name: server.variant.get("InitialVariantWeight", 1.0) for name, server in self.servers.items()}
        every = {**self.servers, **self.shadows}
        self.counts = {name: server.variant.get("InitialInstanceCount", 1) for name, server in every.items()}

    def launch(self, cancelled: threading.Event) -> None:
        """Start all servers and wait until each serves.

        :raises Failed: for the first that does not.
        """
        for server in self.all():
            server.start()
        for server in self.all():
            server.wait(cancelled)

    def choose(self, point: float) -> Server:
        """The server for a point in [0, 1), by the weights; the first where all are nought."""
        return self.servers[pick(self.weights, point)]

    def stop(self) -> None:
        """Drain all of them, side by side."""
        threads = [threading.Thread(target=server.stop, daemon=True) for server in self.all()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def all(self) -> Iterable[Server]:
        """Shadows too."""
        return [*self.servers.values(), *self.shadows.values()]


def definition(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """The one container of a model, with what its model package says where it names one.

    :raises Failed: where there is none, or more than this fake runs.
    """
    found = models.containers(request)
    if len(found) != 1 or found[0].get("Mode") == "MultiModel":
        raise Failed("This fake of SageMaker serves models of one container that holds one model.")
    [container] = found
    if "ModelPackageName" not in container:
        return container
    try:
        package = region.get("model-package", container["ModelPackageName"].partition(":model-package/")[2])
    except Refused as error:
        raise Failed(error.message) from error
    packaged = package.request.get("InferenceSpecification", {}).get("Containers", [{}])[0]
    environment = packaged.get("Environment", {}) | container.get("Environment", {})
    return {**packaged, **container, "Environment": environment}
