"""A fake in a process of its own, as whoever started it holds it: what all fakes have in common."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import IO, Any, ClassVar, Self
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from trivet.core.errors import ConfigError, PlatformError
from trivet.rehearsal.fakes.containers import tethered
from trivet.rehearsal.fakes.images import Images

PREFIX = "/trivet-fake/"  # of the control API's paths
_LOG, _TABLE = "fake.log", "images.json"
_OPENER = build_opener(ProxyHandler({}))  # loopback is asked directly, whatever proxy the environment names


class Handle(AbstractContextManager["Handle"]):
    """Starts a fake, and ends it together with all its containers. It dies with this process, be that by kill -9.

    :param folder: for its log and its containers' files; made when absent.
    :param images: from patterns on image URIs to entry points, see :class:`~.images.Images`.
    :param mode: how containers are kept, see :mod:`~.containers`; namespaces where the kernel allows them.
    :param settings: of the fake's own class.
    """

    cloud: ClassVar[str]
    """Its name in sentences."""
    program: ClassVar[tuple[str, ...]]
    """What Python runs; another one takes the same arguments."""
    hidden: ClassVar[tuple[str, ...]]
    """How variables begin that are the user's own: they reach neither the fake nor, through it, a container."""

    def __init__(self, folder: Path, images: Mapping[str, Any], mode: str, settings: Mapping[str, Any]) -> None:
        """:raises ConfigError: where an image is wrong. :raises PlatformError: where it does not start."""
        Images(images)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        (folder / _TABLE).write_text(json.dumps(dict(images)))
        reader, writer = os.pipe()
        command = [
            *(sys.executable, "-P", *self.program),
            *("--folder", str(folder / "containers"), "--images", str(folder / _TABLE)),
            *("--settings", json.dumps(dict(settings)), "--mode", mode, "--ready-fd", str(writer)),
        ]
        with os.fdopen(reader) as ready, (folder / _LOG).open("wb") as log:
            self._process = self._start(command, writer, log)
            port = ready.readline().strip()
        if not port:
            self._process.wait()
            said = (folder / _LOG).read_text(errors="replace").strip().splitlines() or ["It said nothing."]
            raise PlatformError(f"The fake of {self.cloud} did not start: {said[-1]}", f"Read {folder / _LOG}.")
        self.pid = self._process.pid
        self.endpoint = f"http://127.0.0.1:{port}"

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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def reset(self) -> None:
        """Forget all that was made, all faults, switches and calls, in all services. Settings stay."""
        self._ask("POST", "reset")

    def set(self, **settings: Any) -> None:
        """Change settings, see the fake's class of them."""
        self._ask("POST", "settings", settings)

    def switch(self, constraint: str, on: bool) -> None:
        """Let a constraint hold or not, by its name in the fake's table of them."""
        self._ask("POST", "constraint", {"name": constraint, "on": on})

    def constraints(self) -> dict[str, bool]:
        """Every constraint, and whether it holds."""
        return self._ask("GET", "state")["constraints"]

    def fault(self, operation: str = "*", **fault: Any) -> None:
        """Have something befall the next calls, see the fake's ``Fault``."""
        self._ask("POST", "fault", {"operation": operation, **fault})

    def clear_faults(self) -> None:
        """Have nothing befall calls any more."""
        self._ask("DELETE", "fault")

    def calls(self) -> list[dict[str, str]]:
        """Every operation called so far, with its ``service``, ``operation`` and ``resource``."""
        return self._ask("GET", "calls")

    def forget_calls(self) -> None:
        """Start the list of calls anew."""
        self._ask("DELETE", "calls")

    def processes(self) -> list[int]:
        """The processes of all containers that run."""
        return self._ask("GET", "processes")

    def _start(self, command: list[str], writer: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(self.hidden)}
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
        request = Request(f"{self.endpoint}{PREFIX}{verb}", json.dumps(content or {}).encode(), method=method)  # noqa: S310
        try:
            with _OPENER.open(request, timeout=60) as answer:
                return json.load(answer)
        except HTTPError as error:
            said = {}
            with suppress(ValueError):
                said = json.load(error)
            raise ConfigError(said.get("message") or f"The fake of {self.cloud} answered {error.code}.") from error
        except OSError as error:
            raise PlatformError(f"The fake of {self.cloud} does not answer.", f"Read {self.folder / _LOG}.") from error
