"""One worker process as its parent sees it, from start to end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from trivet.core import tether
from trivet.core.errors import ExitCode, NotReady, PlatformError, TrivetError
from trivet.serving.config import ServerConfig

METRICS = "metrics"  # folder in which the workers' measures add up
TOKEN = "token"  # noqa: S105  file with what opens the workers' admin planes
CODES = frozenset(ExitCode) - {ExitCode.OK}
FAREWELL = 2.0  # seconds in which a worker that has said why it fails may end by itself


class NotStarted(PlatformError):
    """A worker did not become ready."""

    def __init__(self, sentence: str, code: ExitCode = ExitCode.PLATFORM) -> None:
        super().__init__(sentence)
        self.exit_code = code


class Refused(TrivetError):
    """A worker answered that it will not."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__("A worker refused.")
        self.status = status
        self.body = body


class Worker:
    """A child with its own settings and the common socket. It dies with its parent, be it by kill -9.

    ``ended`` is set when it is gone, ``reason`` says why in one sentence, ``failed`` whether that should not have been.
    """

    def __init__(self, number: int, config: ServerConfig, listener: socket.socket, folder: Path) -> None:
        """Start it.

        :param config: its settings but for the descriptors.
        :param folder: the workers' private folder.
        :raises OSError: when it cannot be started.
        """
        self.number = number
        self.ready = False
        self.failed = False
        self.reason = ""
        self.ended = asyncio.Event()
        self._folder = folder
        self._socket = config.admin.socket if config.admin else None
        answer, writer = os.pipe()
        try:
            settings = config.model_copy(update={"fd": listener.fileno(), "ready_fd": writer})
            path = folder / f"worker-{number}.json"
            path.write_text(settings.model_dump_json())
            self._process = subprocess.Popen(
                _tethered(str(path)),
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder / METRICS)},
                pass_fds=[listener.fileno(), writer],
                process_group=0,  # Ctrl-C is for the parent, which asks its workers to leave once
            )
        except BaseException:
            os.close(answer)
            raise
        finally:
            os.close(writer)
        self.pid = self._process.pid
        self._answer = asyncio.ensure_future(_line(answer))
        self._handle = os.pidfd_open(self.pid)
        asyncio.get_running_loop().add_reader(self._handle, self._bury)

    async def until_ready(self) -> str:
        """Wait until it serves; returns the packages that it serves, as it said them.

        :raises NotStarted: when it does not come to that.
        """
        verdict, _, sentence = (await self._answer).strip().partition(" ")
        if verdict == "ready":
            self.ready = True
            return sentence
        self.reason = sentence
        with suppress(TimeoutError):
            await asyncio.wait_for(self.ended.wait(), FAREWELL)
        self.kill()
        await self.ended.wait()
        code = self._process.returncode
        raise NotStarted(self.reason, ExitCode(code) if code in CODES else ExitCode.PLATFORM)

    async def ask(self, operation: str, parameters: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Have it do something on its admin plane.

        :raises Refused: when it will not.
        :raises NotReady: when it gives no answer.
        """
        body = json.dumps({"parameters": parameters}).encode()
        token = (self._folder / TOKEN).read_text()
        try:
            async with asyncio.timeout(seconds):
                status, answer = await _post(str(self._socket), operation, token, body)
            if status < 400:
                return json.loads(answer)
        except (OSError, ValueError) as error:
            raise NotReady(f"Worker {self.number} gave no answer.", "Send it again in a second.") from error
        raise Refused(status, answer)

    def leave(self) -> None:
        """Ask it to finish its requests and end; asked twice, it ends at once."""
        if not self.ended.is_set():
            self._process.terminate()

    def kill(self, reason: str = "") -> None:
        """End it.

        :param reason: why, where that is not known better.
        """
        self.reason = self.reason or reason
        self._process.kill()

    def _bury(self) -> None:
        asyncio.get_running_loop().remove_reader(self._handle)
        os.close(self._handle)
        code = self._process.wait()
        ending = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        when = "" if self.ready else " before it was ready"
        self.reason = self.reason or f"Worker {self.number} ended with {ending}{when}."
        dismissed = code == -signal.SIGTERM and not self.ready  # while it loads, nothing keeps the signal from it
        self.failed = code not in (ExitCode.OK, ExitCode.INTERRUPTED) and not dismissed
        self.ready = False
        from prometheus_client.multiprocess import mark_process_dead

        with suppress(OSError):
            mark_process_dead(self.pid, str(self._folder / METRICS))  # what it counted stays, what it held does not
        self.ended.set()


def _tethered(path: str) -> list[str]:
    """The command of this very process with another configuration file, tied to its life."""
    command = [sys.executable, *sys.orig_argv[1:-1], path]
    return [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *command]


async def _line(descriptor: int) -> str:
    """The first line that comes through a pipe; empty when it is closed first."""
    reader = asyncio.StreamReader()
    pipe = os.fdopen(descriptor, "rb")
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    try:
        return (await reader.readline()).decode(errors="replace")
    finally:
        transport.close()


async def _post(path: str, operation: str, token: str, body: bytes) -> tuple[int, bytes]:
    """Status and body of the answer to one request over a Unix socket.

    :raises OSError: when nobody listens, or the answer is cut short.
    :raises ValueError: when it is none.
    """
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write(
            f"POST {operation} HTTP/1.1\r\nHost: worker\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        )
        writer.write(body)
        head, _, answer = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    version, _, rest = head.partition(b" ")
    if version != b"HTTP/1.1":
        raise ConnectionError("no answer")
    return int(rest[:3]), answer
