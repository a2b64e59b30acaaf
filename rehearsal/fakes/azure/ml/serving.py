"""The container of an online deployment: started with its model mounted, probed, started again, and drained.

Instances are counted and shown, but one process answers for all of them.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import isodate

from trivet.rehearsal.fakes.azure.ml.places import place_of
from trivet.rehearsal.fakes.azure.ml.state import Ml, Resource, Workspace, find_resource
from trivet.rehearsal.fakes.azure.refusals import invalid
from trivet.rehearsal.fakes.azure.world import MODELS
from trivet.rehearsal.fakes.containers import NAMESPACES, Container, Mounts
from trivet.rehearsal.fakes.refusing import Refused
from trivet.rehearsal.fakes.served import Served
from trivet.rehearsal.ports import HOST

if TYPE_CHECKING:
    from trivet.rehearsal.fakes.images import Image

GRACE = 30.0  # seconds from SIGTERM to SIGKILL; not documented for deployments, so Kubernetes' own
_LINES = 10_000  # of a log that are kept


class Server(Served):
    """One deployment's container."""

    def __init__(self, ml: Ml, workspace: Workspace, resource: Resource) -> None:
        super().__init__(resource.name, ml.closed)
        self.said: deque[str] = deque(maxlen=_LINES)
        self.ready = False
        self.failed = False
        self._ml, self._world = ml, ml.world
        self._workspace = workspace
        self._shown = resource.properties
        self._capacity = lambda: int((resource.more.get("sku") or {}).get("capacity", 1))
        environment = find_resource(ml, self._shown.get("environmentId") or "", "environments")
        self._environment: dict[str, Any] = environment.properties if environment else {}
        self._folder = ml.world.scratch(f"server-{resource.name}")
        self._image: Image | None = None
        self._busy, self._counting = 0, threading.Lock()
        self._coming, self._until = False, 0.0

    def start(self) -> None:
        """Start it and wait until it is ready.

        :raises Refused: where it does not become so.
        """
        uri = self._environment.get("image") or ""
        self._image = self._world.images.find(uri)
        said = (
            f"ImageBuildFailure: the image {uri or '(none)'} cannot be pulled: push it, and name it as it was pushed."
        )
        if self._image is None:
            raise Refused("UserError", said)
        self._mount()
        self._run()
        probe = self._shown["readinessProbe"]
        self._ml.closed.wait(self._seconds(probe, "initialDelay"))
        timeout = isodate.parse_duration(probe["timeout"]).total_seconds()
        if not self.good(
            lambda: self.is_well(self.route("readinessRoute"), timeout), self._world.settings.startup, self._ml.closed
        ):
            self._refuse()
        self.ready = True
        self.keep(self._again, lambda: self._world.settings.restarts and not self.failed)
        threading.Thread(target=self._probe, name=f"probes of {self.name}", daemon=True).start()

    def stop(self) -> None:
        """Have it finish and leave."""
        self.drain(self.request_seconds, GRACE * self._world.settings.grace)
        shutil.rmtree(self._folder, ignore_errors=True)

    def route(self, name: str) -> str:
        """The path of a route, as the environment says it."""
        return ((self._environment.get("inferenceConfig") or {}).get(name) or {}).get("path", "/")

    @property
    def request_seconds(self) -> float:
        """How long a request may take."""
        return isodate.parse_duration(self._shown["requestSettings"]["requestTimeout"]).total_seconds()

    def enter(self) -> bool:
        """Count one more request in, unless all instances have as many as they take: twice what each does at once."""
        each = int(self._shown["requestSettings"]["maxConcurrentRequestsPerInstance"])
        with self._counting:
            holds = self._world.constraints.holds("concurrency")
            if holds and self._busy >= 2 * each * self._capacity():
                return False
            self._busy += 1
        self.take()
        return True

    def leave(self) -> None:
        """Count one less."""
        with self._counting:
            self._busy -= 1
        self.release()

    def _refuse(self) -> None:
        code = self._container.code if self._container else None
        said = "The readiness probe did not succeed within its time."
        if code is not None:
            said = f"The user container has crashed or terminated: exit code {code}."
        raise Refused("UserError", f"User container has crashed or terminated. {said} Read its logs by get_logs.", 400)

    def _mount(self) -> None:
        """Lay the model down, below its name and version, as the folder or the file that it was registered as."""
        (self._folder / "work").mkdir(exist_ok=True)
        model = find_resource(self._ml, self._shown.get("model") or "", "models")
        root = self._folder / "app"
        self._model = ""
        root.mkdir(exist_ok=True)
        if model is None:
            return
        place = place_of(self._ml, self._workspace, model.properties["modelUri"])
        parts = model.id.split("/")
        inner = Path(self._shown.get("modelMountPath") or MODELS / "azureml-models").relative_to(MODELS)
        self._model = str(inner / parts[-3] / parts[-1])
        to = root / self._model
        if not place.is_file(self._world.storage):
            to /= place.path.rstrip("/").rpartition("/")[2]
        to.mkdir(parents=True, exist_ok=True)
        place.fill(self._world.storage, to)

    def _run(self) -> None:
        assert self._image is not None  # noqa: S101  it was found before
        image = self._image
        root = self._folder / "app"
        inside = MODELS if self._world.runtime.mode == NAMESPACES else root

        def start(port: int) -> Container:
            own = self._shown.get("environmentVariables") or {}
            environment = {**image.environment, **self._world.environment(), **own}
            environment |= {"AZUREML_MODEL_DIR": str(inside / self._model)} if self._model else {}
            environment |= {
                "TRIVET_HOST": HOST,
                "TRIVET_PORT": str(port),
            }  # a container has all ports; here one is free
            mounts = Mounts({str(MODELS): root}, read_only=frozenset({str(MODELS)}))
            argv = list(image.argv)
            closed = self._ml.closed
            return self._world.runtime.start(self._folder / "work", argv, environment, self._note, closed, mounts)

        try:
            self.run_on(start)
        except OSError as error:
            raise invalid(f"The container cannot be started: {error.strerror}.", "UserError") from error

    def _note(self, lines: list[bytes]) -> None:
        self.said.extend(line.decode(errors="replace") for line in lines)

    def _again(self) -> None:
        self.ready, self._coming = False, True
        self._until = time.monotonic() + self._world.settings.startup
        with suppress(Refused):
            self._run()

    def _seconds(self, probe: dict[str, Any], name: str) -> float:
        return isodate.parse_duration(probe[name]).total_seconds() * self._world.settings.probe

    def _probe(self) -> None:
        """Ask as its probes say: one that is not alive is started again, one that is not ready gets no requests.

        One that was started again gets its time to come up before its life counts.
        """
        bad = {"livenessProbe": 0, "readinessProbe": 0}
        while not self._leaving.is_set() and not self._ml.closed.is_set():
            self._leaving.wait(self._seconds(self._shown["readinessProbe"], "period"))
            for name, route in (("readinessProbe", "readinessRoute"), ("livenessProbe", "livenessRoute")):
                timeout = isodate.parse_duration(self._shown[name]["timeout"]).total_seconds()
                well = self.is_well(self.route(route), timeout)
                bad[name] = 0 if well else bad[name] + 1
                over = bad[name] >= self._shown[name]["failureThreshold"]
                if name == "readinessProbe":
                    self.ready = well or (self.ready and not over)
                    self._coming = self._coming and not well and time.monotonic() < self._until
                elif over and not self._coming and self._container is not None and not self._leaving.is_set():
                    bad[name] = 0
                    self._container.kill()
