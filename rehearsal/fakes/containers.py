"""Processes that live as containers do: folders where their cloud has them, their own process numbers, nothing left.

Mode ``namespaces``: user, mount and process namespaces of the kernel; the command is process 1 there, so that a SIGTERM
which it does not handle is ignored, as in a container. Mode ``variables``, where these are forbidden: the command gets
its folders in environment variables instead, which whoever starts it names.

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
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from trivet.core import tether
from trivet.rehearsal.fakes import hold

NAMESPACES, VARIABLES = "namespaces", "variables"
_UNSHARE = ("unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
# unshare's own standard error is closed: it complains there when its child is killed. What follows are triples of a
# path in the container, the folder that it is, and whether it is for reading only (ro) or not (rw); then the command.
_ENTER = """exec 2>&1
while [ "$1" != -- ]; do
    mount --bind "$2" "$1" || exit 125
    [ "$3" = rw ] || mount -o remount,bind,ro "$1" || exit 125
    shift 3
done
shift
exec "$@"
"""
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


@dataclass(frozen=True)
class Mounts:
    """What a container finds where its cloud puts it.

    :ivar folders: from a path in the container to a folder of this machine. A path is there on this machine too, or in
        a folder that comes before it.
    :ivar read_only: those of the paths that are for reading only.
    :ivar variables: what the command gets instead in the mode ``variables``.
    """

    folders: Mapping[str, Path] = field(default_factory=dict)
    read_only: frozenset[str] = frozenset()
    variables: Mapping[str, str] = field(default_factory=dict)

    def arguments(self) -> list[str]:
        """As the script that enters a container takes them."""
        found = []
        for path, folder in self.folders.items():
            found += [path, str(folder), "ro" if path in self.read_only else "rw"]
        return [*found, "--"]


class Runtime:
    """Starts containers, and ends those that are left.

    :param roots: the folders of this machine that containers may have others in place of; made when absent.
    """

    def __init__(self, mode: str = "", roots: Sequence[Path] = ()) -> None:
        # The kernel ties a child's life to the thread that started it: this one lives as long as the process.
        self._starter = ThreadPoolExecutor(1, "containers")
        self._started: list[Container] = []
        self.mode = mode or (NAMESPACES if self._starter.submit(can_unshare, roots).result() else VARIABLES)

    def start(
        self,
        folder: Path,
        argv: Sequence[str],
        environment: Mapping[str, str],
        output: Callable[[list[bytes]], None],
        closed: threading.Event,
        mounts: Mounts | None = None,
    ) -> Container:
        """Run a command in ``folder``; its lines go to ``output``, in order, from one thread.

        :param closed: once this is set, nothing is started any more.
        :raises OSError: then, and where there is no such command.
        """
        mounts = mounts or Mounts()
        passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
        environment = {**passed, **environment}
        if self.mode == NAMESPACES:
            command = [*tethered(), *_UNSHARE, "sh", "-c", _ENTER, "sh", *mounts.arguments(), *argv]
        else:
            environment |= mounts.variables
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


def can_unshare(roots: Sequence[Path]) -> bool:
    """Whether the kernel lets a command have folders of its own in place of these."""
    for root in roots:
        with suppress(OSError):
            root.mkdir(parents=True, exist_ok=True)
        if not root.is_dir():
            return False
    with tempfile.TemporaryDirectory() as folder, suppress(OSError, subprocess.TimeoutExpired):
        mounts = Mounts({str(root): Path(folder) for root in roots}, frozenset(map(str, roots)))
        command = [*_UNSHARE, "sh", "-c", _ENTER, "sh", *mounts.arguments(), "true"]
        return subprocess.run(command, capture_output=True, check=False, timeout=30).returncode == 0
    return False
