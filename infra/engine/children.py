"""The engine's child processes: the language host, the provider plugins and the policy packs. None outlives the engine.

Each runs in a process group of its own, so that a Ctrl-C reaches the engine alone, and is tethered to the thread that
started it (see ``tether``): a thread that starts a child must live as long as the operation. Pulumi's SDK is imported
only when a child is spoken to: the program's process can start before that, and both take their time at once.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from trivet.core import tether
from trivet.core.errors import PlatformError

if TYPE_CHECKING:
    import grpc

_HOST = Path(__file__).with_name("host.py")
_GRACE_S = 2.0

PORT_S = 60.0

Show = Callable[[str], None]


class Child:
    """A process that prints a port, then serves gRPC on it until it is stopped. What else it says waits until
    :meth:`hear`, which comes before :meth:`channel`."""

    def __init__(self, what: str, command: list[str], cwd: Path, env: Mapping[str, str]) -> None:
        self.what = what
        self._last: deque[str] = deque(maxlen=1)
        self._show: Show
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
        self._connected = self._stopped = False
        self._stdout = cast("IO[str]", self._process.stdout)
        self._stderr = cast("IO[str]", self._process.stderr)
        self._pumps: list[threading.Thread] = []

    def hear(self, show: Show) -> None:
        """Show what it has said and says."""
        self._show = show
        self._pumps.append(self._pump(self._stderr))

    def channel(self) -> grpc.Channel:
        """Wait for the port and connect.

        :raises PlatformError: when the process ends before it prints one, or prints none for a minute.
        """
        import grpc
        from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS

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
        """End the process and its group; returns when it is gone. Once is enough, and a second time does nothing."""
        if self._stopped:
            return
        self._stopped = True
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
        if not self._pumps:
            self._stderr.close()

    def _pump(self, stream: IO[str]) -> threading.Thread:
        def pump() -> None:
            with stream:
                for line in stream:
                    self._last.extend([line.strip()] if line.strip() else [])
                    self._show(line.rstrip())

        thread = threading.Thread(target=pump, daemon=True)
        thread.start()
        return thread


def language_host(program: Path, env: Mapping[str, str]) -> Child:
    """The child that runs a program: a folder with ``__main__.py``, or a file.

    :raises PlatformError: when there is none.
    """
    folder = program if program.is_dir() else program.parent
    if not (program / "__main__.py" if program.is_dir() else program).is_file():
        raise PlatformError(f"There is no program at {program}.", "Correct `main` in Pulumi.yaml.")
    command = [sys.executable, "-u", "-P", str(_HOST), str(program)]
    return Child("The program's process", command, folder, env)
