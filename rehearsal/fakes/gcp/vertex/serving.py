"""The container of a deployed model: started with the variables of Vertex AI's contract, watched, and drained.

Replicas are counted and shown, but one process answers for all of them.
"""

from __future__ import annotations

import shutil
import threading
from contextlib import suppress
from typing import Any

from trivet.rehearsal.fakes.containers import Container
from trivet.rehearsal.fakes.gcp.refusals import precondition
from trivet.rehearsal.fakes.gcp.vertex.logs import endpoint_log
from trivet.rehearsal.fakes.gcp.vertex.models import Version
from trivet.rehearsal.fakes.gcp.vertex.names import expanded
from trivet.rehearsal.fakes.gcp.vertex.state import Vertex
from trivet.rehearsal.fakes.refusing import Refused
from trivet.rehearsal.fakes.served import Served
from trivet.rehearsal.ports import HOST

GRACE = 30.0  # seconds from SIGTERM to SIGKILL; not documented for Vertex AI, so Kubernetes' own
_HEALTH = 10.0  # seconds; "Custom container requirements": 200 within 10 s
_LOGS = "https://console.cloud.google.com/logs/viewer?project={}&resource=aiplatform.googleapis.com%2FEndpoint"


class Server(Served):
    """One deployed model."""

    def __init__(self, vertex: Vertex, endpoint: str, deployed: Any, version: Version) -> None:
        """
        :param endpoint: its name.
        :param deployed: the deployed model, with its id.
        """
        super().__init__(deployed.id, vertex.closed)
        self.deployed = deployed
        self.version = version
        self.health, self.predict = self._routes(endpoint.rpartition("/")[2])
        self._vertex = vertex
        self._world = vertex.world
        self._endpoint = endpoint
        _, _, _, location, _, number = endpoint.split("/")
        self._log = endpoint_log(vertex, location, number, deployed.id)
        self._folder = vertex.world.scratch(f"server-{deployed.id}")

    def start(self) -> None:
        """Start it and wait until it is healthy.

        :raises Refused: where it does not become so.
        """
        image = self._world.images.find(self.version.shown.container_spec.image_uri)
        if image is None:
            raise precondition(f"The image {self.version.shown.container_spec.image_uri} cannot be pulled.")
        self._image = image
        self._run()
        seconds = self._world.settings.startup
        if self.good(lambda: self.is_well(self.health, _HEALTH), seconds, self._vertex.closed):
            self.keep(self._again, lambda: self._world.settings.restarts)
            return
        code = self._container.code if self._container else None
        where = _LOGS.format(self._vertex.number)
        said = "Please validate that your model file or container configuration are valid."
        said = f"Model server never became ready. {said}"
        if code is not None:
            said = f'Model server terminated: model server container terminated: exit_code: {code} reason: "Error".'
        raise precondition(f"{said} Model server logs can be found at {where}.")

    def stop(self) -> None:
        """Have it finish and leave."""
        self.drain(self._world.settings.invocation, GRACE * self._world.settings.grace)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self) -> None:
        spec = self.version.shown.container_spec

        def start(port: int) -> Container:
            environment = self._environment(port)
            argv = [*(list(spec.command) or self._image.argv), *spec.args]
            argv = [expanded(part, environment) for part in argv]
            closed: threading.Event = self._vertex.closed
            return self._world.runtime.start(self._folder, argv, environment, self._log, closed)

        try:
            self.run_on(start)
        except OSError as error:
            raise precondition(f"Model server container cannot be started: {error.strerror}.") from error

    def _again(self) -> None:
        with suppress(Refused):
            self._run()

    def _environment(self, port: int) -> dict[str, str]:
        """The variables of "Custom container requirements". The port is a free one, whatever the model says."""
        endpoint, deployed = self._endpoint.rpartition("/")[2], self.deployed.id
        contract = {
            "AIP_HTTP_PORT": str(port),
            "AIP_HEALTH_ROUTE": self.health,
            "AIP_PREDICT_ROUTE": self.predict,
            "AIP_STORAGE_URI": self.version.artifacts,
            "AIP_ENDPOINT_ID": endpoint,
            "AIP_MODEL_NAME": endpoint,
            "AIP_DEPLOYED_MODEL_ID": deployed,
            "AIP_VERSION_NAME": deployed,
            "AIP_MODE": "PREDICTION",
            "AIP_MODE_VERSION": "1.0.0",
            "AIP_FRAMEWORK": "CUSTOM_CONTAINER",
            "AIP_PROJECT_NUMBER": self._vertex.number,
            "AIP_MACHINE_TYPE": self.deployed.dedicated_resources.machine_spec.machine_type,
        }
        environment = {**self._image.environment, **self._world.environment()}
        for one in self.version.shown.container_spec.env:
            environment[one.name] = expanded(one.value, environment)
        return {**environment, **contract, "TRIVET_HOST": HOST}  # in a container, all addresses are its own

    def _routes(self, endpoint: str) -> tuple[str, str]:
        spec = self.version.shown.container_spec
        usual = f"/v1/endpoints/{endpoint}/deployedModels/{self.deployed.id}"
        return spec.health_route or f"{usual}:predict", spec.predict_route or f"{usual}:predict"
