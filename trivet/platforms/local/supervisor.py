"""``python -m trivet.platforms.local.supervisor FD``: keeps the server of one endpoint alive, in the endpoint's folder.

It binds the port once and hands the listening socket to each server, so that a new release takes over while the old
one finishes its requests, and no request meets a closed port. It lives as long as there is something to serve: it ends
when a first release never becomes ready or a server keeps crashing, and the next apply starts it afresh. The folder is
its working folder and every path in it relative, so that it may be moved.

The standard library only: this process stays for as long as the endpoint does.
"""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trivet.core.errors import Locked
from trivet.core.faults import point
from trivet.core.files import write_atomic
from trivet.core.locks import lock
from trivet.platforms.local.logfile import LogFile
from trivet.platforms.local.processes import detach, myself, tell
from trivet.platforms.local.server import Server, Wanted

WANTED, STATE, IDENTITY, LOG, LOCK = "wanted.json", "state.json", "supervisor.json", "endpoint.log", "supervisor.lock"
BACKLOG = 512
LET_GO = 2.0  # seconds
MINUTE = 60.0  # seconds over which crashes are counted
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0  # seconds before a crashed server is started again


def main() -> None:
    """Bind the port, say that it is up, supervise."""
    detach()
    writer = int(sys.argv[1])
    wanted = json.loads(Path(WANTED).read_text())
    try:
        with lock(Path(LOCK), "The endpoint's supervisor"), _bound(wanted["host"], wanted["port"]) as listener:
            signals = _signals()
            write_atomic(Path(IDENTITY), json.dumps(_identity(wanted["port"])))
            tell(writer)
            Supervisor(listener, signals, LogFile(Path(LOG))).run()
    except Locked as error:
        tell(writer, str(error))
    except OSError as error:
        tell(writer, _no_port(wanted, error))


class Supervisor:
    """One thread, one loop: signals, what the servers say, and deadlines."""

    def __init__(self, listener: socket.socket, signals: int, log: LogFile) -> None:
        self._listener = listener
        self._signals = signals
        self._log = log
        self._current: Server | None = None  # serves; or has crashed and is about to be started again
        self._candidate: Server | None = None  # is to take its place
        self._leaving: list[Server] = []  # finish their requests
        self._crashes: deque[float] = deque()
        self._restart_at: float | None = None
        self._seen = ""  # the last wish that was acted upon
        self._settled = True  # whether the state says that the current server is ready
        self._done = self._stopping = False
        self._state: dict[str, Any] = {"asked": "", "reason": "", "since": None, "restarts": 0, "serving": None}

    def run(self) -> None:
        """Serve until there is nothing left to serve."""
        self._look()
        while not self._done:
            self._wait()
            for server in self._servers():
                self._attend(server)
            self._leaving = [one for one in self._leaving if not one.gone]
            self._settle()
            self._restart_if_due()
            if self._stopping and not self._servers():
                self._done = True
        for server in self._servers():
            server.kill()

    def _servers(self) -> list[Server]:
        return [one for one in (self._current, self._candidate, *self._leaving) if one and not one.gone]

    def _wait(self) -> None:
        """Sleep until a signal, a word of a server or a deadline."""
        deadlines = [*(one.deadline for one in self._servers()), self._restart_at]
        nearest = min((one for one in deadlines if one is not None), default=None)
        pipes = [pipe for one in self._servers() for pipe in one.pipes()]
        pause = None if nearest is None else max(nearest - time.monotonic(), 0)
        if self._signals in select.select([self._signals, *pipes], [], [], pause)[0]:
            numbers = os.read(self._signals, 4096)
            if signal.SIGTERM in numbers:
                self._stop()
            elif signal.SIGHUP in numbers:
                self._look()

    def _look(self) -> None:
        """Start what is wanted now, unless that was done before."""
        wanted = json.loads(Path(WANTED).read_text())
        if wanted["asked"] == self._seen or self._stopping:
            return
        self._seen = wanted["asked"]
        self._restart_at = None
        if self._candidate:
            self._candidate.kill()
        self._report(status="ready" if self._serves() else "starting")
        self._start(wanted)

    def _start(self, wanted: Wanted) -> None:
        deadline = time.monotonic() + wanted["ready_seconds"]
        try:
            self._candidate = Server(wanted, self._listener, self._log, deadline)
        except OSError as error:
            self._refuse(wanted, f"The server could not be started: {error.strerror}.")
            return
        self._say(f"Server {self._candidate.pid} starts {wanted['release']['model']}/{wanted['release']['version']}.")

    def _restart_if_due(self) -> None:
        if self._restart_at is not None and time.monotonic() >= self._restart_at and self._current:
            self._restart_at = None
            self._start(self._current.wanted)

    def _attend(self, server: Server) -> None:
        server.attend()
        late = server.deadline is not None and time.monotonic() >= server.deadline
        if server is self._candidate and not self._stopping:
            self._judge(server, late)
        elif server is self._current and server.gone and not self._stopping:
            self._crashed(f"The server ended with {server.outcome()}.")
        elif late and not server.gone:
            server.kill()

    def _judge(self, candidate: Server, late: bool) -> None:
        if candidate.verdict == "ready" and not candidate.gone:
            self._take(candidate)
        elif candidate.verdict == "failed":
            self._dismiss(candidate, candidate.sentence)
        elif candidate.gone:
            self._dismiss(candidate, f"The server ended with {candidate.outcome()} before it was ready.")
        elif late:
            self._dismiss(candidate, f"The server was not ready within {candidate.wanted['ready_seconds']} s.")

    def _dismiss(self, candidate: Server, sentence: str) -> None:
        candidate.kill()
        self._candidate = None
        self._refuse(candidate.wanted, sentence)

    def _take(self, candidate: Server) -> None:
        digest = candidate.wanted["release"]["digest"]
        if candidate.sentence == digest:
            self._promote(candidate)
        else:
            self._dismiss(candidate, f"The server serves {candidate.sentence[:19]} instead of {digest[:19]}.")

    def _promote(self, candidate: Server) -> None:
        before, self._current, self._candidate = self._current, candidate, None
        candidate.deadline = None
        if candidate.wanted["asked"] != self._state["asked"]:
            self._crashes.clear()
            self._state["restarts"] = 0
        self._report(status="starting", serving=candidate.described())
        self._say(f"Server {candidate.pid} is ready.")
        point("supervisor.promoted")
        if before and not before.gone:
            before.leave(time.monotonic())
            self._leaving.append(before)
        self._settled = False

    def _settle(self) -> None:
        """Ready is what nobody else answers for: the server before may accept requests until it has left."""
        if self._current and not (self._settled or self._leaving or self._current.gone):
            self._settled = True
            answered = self._current.wanted["asked"] == self._seen  # else a wish was refused, and why is still true
            news = {"asked": self._seen, "reason": ""} if answered else {}
            self._report(status="ready", since=datetime.now(UTC).isoformat(), **news)

    def _refuse(self, wanted: Wanted, sentence: str) -> None:
        """What served before goes on, or is started again if it had crashed; where nothing did, this is the end."""
        self._say(f"The release was not taken. {sentence}")
        if self._current and wanted is self._current.wanted:
            self._crashed(sentence)
            return
        if not self._current:
            self._give_up(sentence)
            return
        self._report(asked=wanted["asked"], reason=sentence)
        if self._current.gone:
            self._restart_at = time.monotonic()

    def _crashed(self, sentence: str) -> None:
        """Start the current release again, a little later each time; too often within a minute is the end."""
        assert self._current  # noqa: S101
        now, limit = time.monotonic(), self._current.wanted["restarts_per_minute"]
        self._crashes.append(now)
        while self._crashes[0] < now - MINUTE:
            self._crashes.popleft()
        self._say(f"{sentence} That was crash {len(self._crashes)} within a minute; more than {limit} is too many.")
        if self._candidate:
            self._report(status="starting", reason=sentence)
        elif len(self._crashes) > limit:
            self._give_up(f"{sentence} That was more than {limit} times within a minute.")
        else:
            self._report(status="starting", reason=sentence, restarts=self._state["restarts"] + 1)
            self._restart_at = now + min(FIRST_PAUSE * 2 ** (len(self._crashes) - 1), LONGEST_PAUSE)

    def _give_up(self, reason: str) -> None:
        """Say all at once that it failed and why: a caller must never see the one without the other."""
        self._report(asked=self._seen, status="failed", reason=reason, serving=None)
        self._done = True

    def _stop(self) -> None:
        self._stopping = self._settled = True
        self._restart_at = None
        self._listener.close()
        for server in self._servers():
            server.leave(time.monotonic())
        self._report(status="stopped", serving=None)

    def _serves(self) -> bool:
        return self._current is not None and not self._current.gone

    def _say(self, sentence: str) -> None:
        self._log.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} supervisor: {sentence}\n".encode())

    def _report(self, **changes: Any) -> None:
        self._state.update(changes)
        try:
            write_atomic(Path(STATE), json.dumps(self._state))
        except OSError as error:  # a full disk must not end what serves
            self._say(f"The state could not be written: {error.strerror}.")


def _identity(port: int) -> dict[str, Any]:
    return {**myself()._asdict(), "port": port, "at": str(Path.cwd())}


def _no_port(wanted: Wanted, error: OSError) -> str:
    reason = os.strerror(error.errno or 0).lower()
    return f"Port {wanted['port']} of {wanted['host']} cannot be had, {reason}: end what uses it, then call again."


def _bound(host: str, port: int) -> socket.socket:
    """Listen; the servers of a supervisor that was killed let go of the port in a moment, anybody else does not."""
    end = time.monotonic() + LET_GO
    while True:
        try:
            return socket.create_server((host, port), backlog=BACKLOG)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= end:
                raise
            time.sleep(0.05)


def _signals() -> int:
    """A pipe on which the signals that matter here arrive as bytes, so that none interrupts anything."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, lambda _number, _frame: None)
    return reader


if __name__ == "__main__":
    main()
