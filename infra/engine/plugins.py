"""The engine's child processes: the language host and the provider plugins. None outlives the engine.

Each runs in a process group of its own, so that a Ctrl-C reaches the engine alone, and is tethered to the thread that
started it (see ``tether``): a thread that starts a child must live as long as the operation.
"""

from __future__ import annotations

import os
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
from trivet.infra.engine.provider import Provider

_HOST = Path(__file__).with_name("host.py")
_GRACE_S = 2.0

# Dynamic resources: their plugin ships with the Pulumi SDK.
_COMMANDS = {"pulumi-python": [sys.executable, "-u", "-m", "pulumi.dynamic"]}

Show = Callable[[str], None]


def require(package: str) -> None:
    """:raises Unsupported: naming a package that has no plugin here."""
    if package not in _COMMANDS:
        raise Unsupported(
            f"The embedded engine has no provider plugin for the package '{package}'.",
            "Use the pulumi CLI, which downloads it.",
        )


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

        :raises PlatformError: when the process ends before it prints one.
        """
        port = self._stdout.readline().strip()
        if not port.isdigit():
            raise self.ended()
        self._connected = True
        self._pumps.append(self._pump(self._stdout))
        return grpc.insecure_channel(f"127.0.0.1:{port}", options=_GRPC_CHANNEL_OPTIONS)

    def ended(self) -> PlatformError:
        """What to say when the process is gone: how it ended and its last line."""
        try:
            code = self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            return PlatformError(f"{self.what} does not answer.", "Call again.")
        for pump in self._pumps:
            pump.join(_GRACE_S)
        how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        last = f": {self._last[0]}" if self._last else "."
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
                    self._last.append(line.rstrip())
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
    """The provider plugins of one operation: one process per package, started when first needed."""

    def __init__(
        self,
        project: str,
        program: Path,
        config: Mapping[str, str],
        env: Mapping[str, str],
        show: Show,
    ) -> None:
        self._folder = program if program.is_dir() else program.parent
        self._config = dict(config)
        path = os.pathsep.join(filter(None, [str(self._folder), env.get("PYTHONPATH", "")]))
        self._env = {**env, "PULUMI_PROJECT": project, "PYTHONPATH": path}
        self._show = show
        self._children: dict[str, Child] = {}
        self._providers: dict[str, Provider] = {}
        self._lock = threading.Lock()

    def start(self, package: str) -> None:
        """Start a package's process without waiting for it."""
        require(package)
        if package not in self._children:
            what = f"The provider plugin '{package}'"
            self._children[package] = Child(what, _COMMANDS[package], self._folder, self._env, self._show)

    def get(self, package: str) -> Provider:
        """The configured provider of a package.

        :raises Unsupported: naming a package that has no plugin here.
        """
        with self._lock:
            if package not in self._providers:
                self.start(package)
                child = self._children[package]
                self._providers[package] = Provider(child.channel(), self._config, child.ended)
            return self._providers[package]

    def cancel(self) -> None:
        """Ask every plugin to end what it does soon."""
        for provider in self._providers.values():
            provider.cancel()

    def stop(self) -> None:
        """End every plugin."""
        for provider in self._providers.values():
            provider.close()
        for child in self._children.values():
            child.stop()
