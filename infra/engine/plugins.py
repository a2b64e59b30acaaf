"""The engine's child processes: the language host and the provider plugins. None outlives the engine.

Each runs in a process group of its own, so that a Ctrl-C reaches the engine alone, and is tethered to the thread that
started it (see ``tether``): a thread that starts a child must live as long as the operation.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, cast

import grpc
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS

from trivet.core import tether
from trivet.core.errors import PlatformError, Unsupported
from trivet.infra.engine.events import Report
from trivet.infra.engine.provider import Provider
from trivet.infra.engine.state import Resource
from trivet.infra.engine.values import Properties, reveal

_HOST = Path(__file__).with_name("host.py")
_GRACE_S = 2.0

DYNAMIC = "pulumi-python"  # the package of dynamic resources, whose plugin ships with the Pulumi SDK
VERSION = "version"  # the input of a provider entry that is the engine's, not the provider's
PORT_S = 60.0

Show = Callable[[str], None]


class Child:
    """A process that prints a port, then serves gRPC on it until it is stopped."""

    def __init__(self, what: str, command: list[str], cwd: Path, env: Mapping[str, str], show: Show) -> None:
        self.what = what
        self._last: deque[str] = deque(maxlen=1)
        self._show = show
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *command],
            cwd=cwd,
            env={"GRPC_VERBOSITY": "NONE", **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self._connected = False
        self._stdout = cast("IO[str]", self._process.stdout)
        self._pumps = [self._pump(cast("IO[str]", self._process.stderr))]

    def channel(self) -> grpc.Channel:
        """Wait for the port and connect.

        :raises PlatformError: when the process ends before it prints one, or prints none for a minute.
        """
        if not select.select([self._stdout], [], [], PORT_S)[0]:
            raise PlatformError(f"{self.what} did not print its port within {PORT_S:.0f} seconds.", "Call again.")
        port = self._stdout.readline().strip()
        if not port.isdigit():
            raise self.ended() or PlatformError(f"{self.what} printed no port, but {port!r}.")
        self._connected = True
        self._pumps.append(self._pump(self._stdout))
        return grpc.insecure_channel(f"127.0.0.1:{port}", options=_GRPC_CHANNEL_OPTIONS)

    def ended(self) -> PlatformError | None:
        """What to say when the process is gone: how it ended and its last line; none while it runs."""
        try:
            code = self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            return None
        for pump in self._pumps:
            pump.join(_GRACE_S)
        how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        last = f": {self._last[0].rstrip('.')}." if self._last else "."
        return PlatformError(f"{self.what} ended {how}{last}", "Call again; what was done is recorded.")

    def stop(self) -> None:
        """End the process and its group; returns when it is gone."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, sign)
                self._process.wait(_GRACE_S)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        self._process.wait()
        for pump in self._pumps:
            pump.join(_GRACE_S)
        if not self._connected:  # else its pump closes it
            self._stdout.close()

    def _pump(self, stream: IO[str]) -> threading.Thread:
        def pump() -> None:
            with stream:
                for line in stream:
                    self._last.extend([line.strip()] if line.strip() else [])
                    self._show(line.rstrip())

        thread = threading.Thread(target=pump, daemon=True)
        thread.start()
        return thread


def language_host(program: Path, env: Mapping[str, str], show: Show) -> Child:
    """The child that runs a program: a folder with ``__main__.py``, or a file."""
    folder = program if program.is_dir() else program.parent
    if not (program / "__main__.py" if program.is_dir() else program).is_file():
        raise PlatformError(f"There is no program at {program}.", "Correct `main` in Pulumi.yaml.")
    command = [sys.executable, "-u", "-P", str(_HOST), str(program)]
    return Child("The program's process", command, folder, env, show)


class Plugins:
    """The provider plugins of one operation: a process per provider entry, started when first needed."""

    def __init__(
        self,
        project: str,
        program: Path,
        config: Mapping[str, str],
        env: Mapping[str, str],
        report: Report,
    ) -> None:
        self._folder = program if program.is_dir() else program.parent
        self._config = dict(config)
        path = os.pathsep.join(filter(None, [str(self._folder), env.get("PYTHONPATH", "")]))
        self._env = {**env, "PULUMI_PROJECT": project, "PYTHONPATH": path}
        self._report = report
        self._engine = ""
        self._children: list[Child] = []
        self._begun: dict[str, Child] = {}
        self._greeted: dict[str, Provider] = {}
        self._configured: dict[tuple[str, str, str], Provider] = {}
        self._lock = threading.Lock()

    def serve(self, engine: str) -> None:
        """Tell where the engine's own service is; before any plugin starts."""
        self._engine = engine

    def has(self, package: str) -> bool:
        """Whether there is an executable for it."""
        return self._executable(package) is not None

    def start(self, package: str) -> None:
        """Start a process for a package's provider without waiting for it."""
        if package not in self._begun:
            self._begun[package] = self._child(package)

    def greeted(self, entry: Resource) -> Provider:
        """The provider of an entry that is not configured yet, or only so with other inputs.

        :raises Unsupported: naming a package that has no plugin here.
        """
        with self._lock:
            return self._greeted_of(entry)

    def of(self, entry: Resource) -> Provider:
        """The provider of an entry, configured with the entry's inputs."""
        key = entry.urn, entry.id, json.dumps(reveal(entry.inputs), sort_keys=True)
        with self._lock:
            if key not in self._configured:
                provider = self._greeted_of(entry)
                provider.configure(entry, self._arguments(entry))
                self._configured[key] = self._greeted.pop(entry.urn)
            return self._configured[key]

    def cancel(self) -> None:
        """Ask every plugin to end what it does soon."""
        for provider in (*self._greeted.values(), *self._configured.values()):
            provider.cancel()

    def stop(self) -> None:
        """End every plugin."""
        for provider in (*self._greeted.values(), *self._configured.values()):
            provider.close()
        for child in self._children:
            child.stop()

    def _greeted_of(self, entry: Resource) -> Provider:
        if entry.urn not in self._greeted:
            package = entry.package_served
            child = self._begun.pop(package, None) or self._child(package)
            provider = Provider(child.channel(), child.ended)
            provider.handshake(self._engine, str(self._folder))
            asked = reveal(entry.inputs.get(VERSION, ""))
            if asked and (found := provider.version()) and found != asked:
                self._report.diagnostic(
                    "warning", f"The program asks for version {asked} of the plugin '{package}'; {found} is on PATH."
                )
            self._greeted[entry.urn] = provider
        return self._greeted[entry.urn]

    def _child(self, package: str) -> Child:
        what = f"The provider plugin '{package}'"
        command = [*self._command(package), self._engine]
        child = Child(what, command, self._folder, self._env, self._report.line)
        self._children.append(child)
        return child

    def _command(self, package: str) -> list[str]:
        if package == DYNAMIC:
            return [sys.executable, "-u", "-m", "pulumi.dynamic"]
        found = self._executable(package)
        if found is None:
            raise Unsupported(
                f"There is no provider plugin for the package '{package}': no pulumi-resource-{package} is on PATH.",
                "Use the pulumi CLI, which downloads it.",
            )
        return [found]

    def _executable(self, package: str) -> str | None:
        return shutil.which(f"pulumi-resource-{package}", path=self._env.get("PATH"))

    def _arguments(self, entry: Resource) -> Properties:
        """What an entry is configured with. Dynamic providers are told the stack's whole config, since each of them
        reads its own part."""
        if entry.package_served == DYNAMIC:
            return dict(self._config)
        return {name: value for name, value in entry.inputs.items() if name != VERSION}
