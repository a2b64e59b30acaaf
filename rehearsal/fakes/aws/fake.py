"""A fake in a process of its own, as whoever started it holds it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import IO, Any, ClassVar
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from trivet.core.errors import ConfigError, PlatformError
from trivet.rehearsal.fakes.aws import credentials
from trivet.rehearsal.fakes.aws.containers import tethered
from trivet.rehearsal.fakes.aws.images import Images
from trivet.rehearsal.fakes.aws.settings import Settings

REGION = "eu-central-1"
_LOG, _TABLE = "fake.log", "images.json"
_OPENER = build_opener(ProxyHandler({}))  # loopback is asked directly, whatever proxy the environment names


class Fake(AbstractContextManager["Fake"]):
    """Starts it, and ends it together with all its containers. It dies with this process, be that by kill -9.

    :param folder: for its log and its containers' files; made when absent.
    :param images: from patterns on image URIs to entry points, see :class:`~.images.Images`.
    :param mode: ``namespaces`` or ``variables``; the former where the kernel allows it.
    :param settings: see :class:`~.settings.Settings`.
    """

    program: ClassVar[tuple[str, ...]] = ("-m", "trivet.rehearsal.fakes.aws")
    """What Python runs; another one takes the same arguments."""

    def __init__(
        self, folder: Path, images: Mapping[str, Any], *, region: str = REGION, mode: str = "", **settings: Any
    ) -> None:
        """:raises ConfigError: where a setting or an image is wrong. :raises PlatformError: where it does not start."""
        Images(images)
        Settings().change(settings)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.region = region
        (folder / _TABLE).write_text(json.dumps(dict(images)))
        reader, writer = os.pipe()
        command = [
            *(sys.executable, "-P", *self.program),
            *("--folder", str(folder / "containers"), "--images", str(folder / _TABLE)),
            *("--settings", json.dumps(settings), "--mode", mode, "--ready-fd", str(writer)),
        ]
        with os.fdopen(reader) as ready, (folder / _LOG).open("wb") as log:
            self._process = self._start(command, writer, log)
            port = ready.readline().strip()
        if not port:
            self._process.wait()
            said = (folder / _LOG).read_text(errors="replace").strip().splitlines() or ["It said nothing."]
            raise PlatformError(f"The fake of AWS did not start: {said[-1]}", f"Read {folder / _LOG}.")
        self.pid = self._process.pid
        self.endpoint = f"http://127.0.0.1:{port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead boto3 and obstore here and nowhere else."""
        return credentials.environment(self.endpoint, self.region)

    @property
    def mode(self) -> str:
        """How containers are kept: ``namespaces`` or ``variables``."""
        return self._ask("GET", "state")["mode"]

    def close(self) -> None:
        """End it and its containers."""
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it without notice; the kernel ends its containers."""
        self._process.kill()
        self._process.wait()

    def __exit__(self, *_: object) -> None:
        self.close()

    def reset(self) -> None:
        """Forget all that was made, all faults, switches and calls, in all services. Settings stay."""
        self._ask("POST", "reset")

    def set(self, **settings: Any) -> None:
        """Change settings, see :class:`~.settings.Settings`."""
        self._ask("POST", "settings", settings)

    def switch(self, constraint: str, on: bool) -> None:
        """Let a constraint hold or not, by its name in :data:`~.constraints.TABLE`."""
        self._ask("POST", "constraint", {"name": constraint, "on": on})

    def constraints(self) -> dict[str, bool]:
        """Every constraint, and whether it holds."""
        return self._ask("GET", "state")["constraints"]

    def fault(self, operation: str = "*", **fault: Any) -> None:
        """Have something befall the next calls, see :class:`~.faults.Fault`."""
        self._ask("POST", "fault", {"operation": operation, **fault})

    def clear_faults(self) -> None:
        """Have nothing befall calls any more."""
        self._ask("DELETE", "fault")

    def lag(self, kind: str, calls: int) -> None:
        """Have Describe answer as before for so many calls after each write of a kind, as ``TrainingJob``."""
        self._ask("POST", "lag", {"kind": kind, "calls": calls})

    def force(self, kind: str, name: str, status: str, reason: str = "") -> None:
        """Give a ``job`` or an ``endpoint`` a status, which it then keeps."""
        self._ask("POST", "status", {"kind": kind, "name": name, "status": status, "reason": reason})

    def interrupt(self, job: str) -> None:
        """Take the spot instance of a training job away; it starts again from its checkpoints."""
        self._ask("POST", "interrupt", {"name": job})

    def settle(self) -> None:
        """Wait until what endpoints counted so far is in CloudWatch."""
        self._ask("POST", "settle")

    def calls(self) -> list[dict[str, str]]:
        """Every operation called so far: ``service``, ``operation``, ``resource``, ``principal``, ``region``."""
        return self._ask("GET", "calls")

    def forget_calls(self) -> None:
        """Start the list of calls anew."""
        self._ask("DELETE", "calls")

    def processes(self) -> list[int]:
        """The processes of all containers that run."""
        return self._ask("GET", "processes")

    def _start(self, command: list[str], writer: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
        # AWS_* of the user's own must reach neither the fake nor, through it, a container.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        try:
            return subprocess.Popen(
                [*tethered(), *command],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[writer],
                start_new_session=True,
            )
        finally:
            os.close(writer)

    def _ask(self, method: str, verb: str, content: Any = None) -> Any:
        request = Request(f"{self.endpoint}/trivet-fake/{verb}", json.dumps(content or {}).encode(), method=method)  # noqa: S310
        try:
            with _OPENER.open(request, timeout=60) as answer:
                return json.load(answer)
        except HTTPError as error:
            said = {}
            with suppress(ValueError):
                said = json.load(error)
            raise ConfigError(said.get("message") or f"The fake of AWS answered {error.code}.") from error
        except OSError as error:
            raise PlatformError("The fake of AWS does not answer.", f"Read {self.folder / _LOG}.") from error
