"""Processes that live as containers do: their own ``/opt/ml``, their own process numbers, nothing left when they end.

Mode ``namespaces``: user, mount and process namespaces of the kernel; the command is process 1 there, so that a SIGTERM
which it does not handle is ignored, as in a container. Mode ``variables``, where these are forbidden: the command gets
the folder in an environment variable instead (``TRIVET_ML``, and ``TRIVET_MODEL`` for a server).

Network and files otherwise are this machine's: servers are told by ``TRIVET_HOST`` to listen on 127.0.0.1.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil

from trivet.core import tether
from trivet.rehearsal.fakes.aws import hold

ML = Path("/opt/ml")
NAMESPACES, VARIABLES = "namespaces", "variables"
_UNSHARE = ("unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
# unshare's own standard error is closed: it complains there when its child is killed.
_ENTER = 'exec 2>&1; mount --bind "$1" /opt/ml && shift && exec "$@"'
# A model is for reading only; "Use your own inference code with hosting services".
_ENTER_SERVING = (
    'exec 2>&1; mount --bind "$1" /opt/ml && mount --bind /opt/ml/model /opt/ml/model'
    ' && mount -o remount,bind,ro /opt/ml/model && shift && exec "$@"'
)
_PASSED = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH", "TMPDIR")


class Container:
    """A started command. ``code`` is its exit code once it has ended; 128 and more for a signal."""

    def __init__(self, process: subprocess.Popen[bytes], mode: str, output: Callable[[list[bytes]], None]) -> None:
        self._process = process
        self._mode = mode
        self._output = output
        self._reader = threading.Thread(target=self._read, name=f"output of {process.pid}", daemon=True)
        self._reader.start()

    @property
    def code(self) -> int | None:
        """None while it runs."""
        code = self._process.poll()
        return 128 - code if code is not None and code < 0 else code

    def wait(self, seconds: float) -> int | None:
        """Its exit code, or None when it still runs after that time. All that it said was passed on before."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
            self._reader.join(seconds)
        return self.code

    def terminate(self) -> None:
        """Ask it to end."""
        if (first := self._first()) is not None:
            first.terminate()

    def kill(self) -> None:
        """End it and all that it started, now."""
        first = self._first()
        if self._mode == NAMESPACES and first is not None:
            first.kill()  # the kernel ends all others of its namespace first, and unshare waits for that
        elif self._mode == VARIABLES and self._process.poll() is None:
            self._process.send_signal(signal.SIGUSR1)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._process.kill()
        self._process.wait()

    def stop(self, grace: float) -> int:
        """Ask it to end, and end it when it has not done so after ``grace`` seconds; its exit code."""
        self.terminate()
        if self.wait(grace) is None:
            self.kill()
        self._reader.join(5)
        return self.code or 0

    def pids(self) -> list[int]:
        """Every process of it, by its number outside."""
        with suppress(psutil.NoSuchProcess):
            mine = psutil.Process(self._process.pid)
            return [mine.pid, *(child.pid for child in mine.children(recursive=True))]
        return []

    def _first(self) -> psutil.Process | None:
        """The command's own process; None once it has ended."""
        with suppress(psutil.NoSuchProcess):
            outer = psutil.Process(self._process.pid)
            if self._mode == VARIABLES:
                return outer
            end = time.monotonic() + 5
            while time.monotonic() < end and self._process.poll() is None:
                if children := outer.children():
                    return children[0]
                time.sleep(0.005)
        return None

    def _read(self) -> None:
        pipe = self._process.stdout
        assert pipe is not None  # noqa: S101  asked for below
        rest = b""
        while chunk := os.read(pipe.fileno(), 1 << 16):
            *lines, rest = (rest + chunk).split(b"\n")
            if lines:
                self._output(lines)
        if rest:
            self._output([rest])
        pipe.close()


class Runtime:
    """Starts containers, and ends those that are left."""

    def __init__(self, mode: str = "") -> None:
        # The kernel ties a child's life to the thread that started it: this one lives as long as the process.
        self._starter = ThreadPoolExecutor(1, "containers")
        self._started: list[Container] = []
        self.mode = mode or (NAMESPACES if self._starter.submit(can_unshare).result() else VARIABLES)

    def start(
        self,
        folder: Path,
        argv: Sequence[str],
        environment: Mapping[str, str],
        output: Callable[[list[bytes]], None],
        closed: threading.Event,
        serving: bool = False,
    ) -> Container:
        """Run a command with ``folder`` as its ``/opt/ml``; its lines go to ``output``, in order, from one thread.

        :param closed: once this is set, nothing is started any more.
        :raises OSError: then, and where there is no such command.
        """
        passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
        environment = {**passed, **environment}
        if self.mode == NAMESPACES:
            script = _ENTER_SERVING if serving else _ENTER
            command = [*tethered(), *_UNSHARE, "sh", "-c", script, "sh", str(folder), *argv]
        else:
            environment |= {"TRIVET_MODEL": str(folder / "model")} if serving else {"TRIVET_ML": str(folder)}
            command = [sys.executable, "-I", "-S", hold.__file__, str(os.getpid()), *argv]
        return self._starter.submit(self._start, command, environment, folder, output, closed).result()

    def pids(self) -> list[int]:
        """The processes of all containers."""
        return [pid for container in self._started for pid in container.pids()]

    def kill_all(self) -> None:
        """End every container, those included whose start was asked for before."""
        self._starter.submit(lambda: None).result()
        for container in self._started:
            container.kill()

    def _start(
        self,
        command: list[str],
        environment: dict[str, str],
        folder: Path,
        output: Callable[[list[bytes]], None],
        closed: threading.Event,
    ) -> Container:
        if closed.is_set():
            raise ConnectionAbortedError(errno.ECONNABORTED, "the fake was reset")
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if self.mode == NAMESPACES else subprocess.STDOUT,
            start_new_session=True,
        )
        container = Container(process, self.mode, output)
        self._started = [one for one in self._started if one.code is None] + [container]
        return container


def tethered() -> list[str]:
    """What a command is begun with so that it dies with this process."""
    return [sys.executable, "-I", "-S", tether.__file__, str(os.getpid())]


def can_unshare() -> bool:
    """Whether the kernel lets a command have an ``/opt/ml`` of its own."""
    with suppress(OSError):
        ML.mkdir(parents=True, exist_ok=True)
    if not ML.is_dir():
        return False
    with tempfile.TemporaryDirectory() as folder, suppress(OSError, subprocess.TimeoutExpired):
        (Path(folder) / "model").mkdir()
        command = [*_UNSHARE, "sh", "-c", _ENTER_SERVING, "sh", folder, "true"]
        return subprocess.run(command, capture_output=True, check=False, timeout=30).returncode == 0
    return False
