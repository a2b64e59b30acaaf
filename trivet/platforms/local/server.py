"""One server process as its supervisor sees it, from start to end. The standard library only, as there."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

from trivet.core.files import write_atomic
from trivet.platforms.local.logfile import LogFile
from trivet.platforms.local.processes import identify, tethered

CONFIG = "server.json"
Wanted = dict[str, Any]  # ``supervision.Wanted`` as JSON


class Server:
    """A child that listens on the socket it is given and says once on a pipe whether it is ready.

    It dies with the supervisor. ``verdict`` is what it said, ``deadline`` when it must have moved on.
    """

    def __init__(self, wanted: Wanted, listener: socket.socket, log: LogFile, deadline: float) -> None:
        self.wanted = wanted
        self._log = log
        self.deadline: float | None = deadline
        self.verdict = ""
        self.sentence = ""
        self.gone = False
        self._heard = b""
        self._answer, answer_writer = _pipe()
        self._output, output_writer = _pipe()
        try:
            descriptors = {"fd": listener.fileno(), "ready_fd": answer_writer}
            write_atomic(Path(CONFIG), json.dumps({**wanted["server"], **descriptors}))
            self._process = subprocess.Popen(
                tethered([*wanted["command"], CONFIG]),
                stdin=subprocess.DEVNULL,
                stdout=output_writer,
                stderr=output_writer,
                pass_fds=[listener.fileno(), answer_writer],
            )
        finally:
            os.close(answer_writer)
            os.close(output_writer)
        self.pid = self._process.pid
        self._id = identify(self.pid)

    def pipes(self) -> list[int]:
        """What to listen on for news of it."""
        return [pipe.number for pipe in (self._answer, self._output) if not pipe.ended]

    def attend(self) -> None:
        """Take in what it has said, printed and come to since."""
        over = self._process.poll() is not None  # asked first: what it wrote before its end is read below
        self._log.write(self._output.read())
        self._heard += self._answer.read()
        line, newline, _ = self._heard.partition(b"\n")
        if newline and not self.verdict:
            self.verdict, _, self.sentence = line.decode(errors="replace").partition(" ")
        if over:
            self._answer.close()
            self._output.close()
            self.gone = True

    def outcome(self) -> str:
        """How it ended."""
        code = self._process.wait()
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def leave(self, now: float) -> None:
        """Ask it to finish its requests and end."""
        self.deadline = now + self.wanted["leave_seconds"]
        self._process.terminate()

    def kill(self) -> None:
        """End it now, and take in its last words."""
        self._process.kill()
        self._process.wait()
        self.attend()

    def described(self) -> dict[str, Any]:
        """What the state says of the server that serves."""
        born = self._id.born if self._id else ""
        return {
            "generation": self.wanted["generation"],
            "release": self.wanted["release"],
            "pid": self.pid,
            "born": born,
        }


class _Pipe:
    """The reading end of a pipe, never waited for; closed when its writers are gone."""

    def __init__(self, number: int) -> None:
        os.set_blocking(number, False)
        self.number = number
        self.ended = False

    def read(self) -> bytes:
        """All that is there now."""
        data = b""
        while not self.ended:
            try:
                chunk = os.read(self.number, 1 << 16)
            except BlockingIOError:
                break
            data += chunk
            if not chunk:
                self.close()
        return data

    def close(self) -> None:
        if not self.ended:
            self.ended = True
            os.close(self.number)


def _pipe() -> tuple[_Pipe, int]:
    reader, writer = os.pipe()
    return _Pipe(reader), writer
