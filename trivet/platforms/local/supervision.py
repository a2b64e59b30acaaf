"""What the rest of Trivet says to an endpoint's supervisor and reads from it: files of the endpoint's folder."""

from __future__ import annotations

import signal
import sys
import uuid
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime

from trivet.core.document import Document
from trivet.core.errors import NotReady
from trivet.core.faults import point
from trivet.core.files import write_atomic
from trivet.core.specs import Release
from trivet.core.waiting import wait_for
from trivet.platforms.local import supervisor
from trivet.platforms.local.processes import ProcessId, alive, end, launch, send

SERVER = (sys.executable, "-P", "-m", "trivet.serving")
READY_SECONDS = 60.0
LEAVE_SECONDS = 20.0  # more than a server takes to answer its last requests
MARGIN = 10.0


class Wanted(Document):
    """What is to be served. ``asked`` tells one apply from another, ``generation`` one wish from another."""

    asked: str
    generation: str
    host: str
    port: int
    release: Release
    command: tuple[str, ...]
    server: dict[str, Any]
    restarts_per_minute: int
    ready_seconds: float = READY_SECONDS
    leave_seconds: float = LEAVE_SECONDS

    @classmethod
    def of(cls, **fields: Any) -> Wanted:
        """A wish with a name of its own."""
        wish = cls(asked="", generation="", **fields)
        return wish.model_copy(update={"generation": wish.content_digest()}).again()

    def again(self) -> Wanted:
        """The same wish, asked anew."""
        return self.model_copy(update={"asked": uuid.uuid4().hex})


class Serving(Document):
    """The server that answers, and what it serves."""

    generation: str
    release: Release
    pid: int
    born: str


class Supervised(Document):
    """How the supervisor last described itself. ``asked`` names the apply that it has decided on last."""

    asked: str
    status: Literal["starting", "ready", "failed", "stopped"]
    reason: str
    since: AwareDatetime | None
    restarts: int
    serving: Serving | None


class Identity(Document):
    """The supervisor itself: the process, its port and the folder that it was started in."""

    pid: int
    born: str
    port: int
    at: str

    @property
    def process(self) -> ProcessId:
        """Which process it is."""
        return ProcessId(self.pid, self.born)

    def is_in(self, folder: Path) -> bool:
        """Whether the folder is still where it was."""
        return Path(self.at) == folder.resolve()


def supervised(folder: Path) -> Supervised | None:
    """What the supervisor wrote; None before it ever ran."""
    path = folder / supervisor.STATE
    return Supervised.read(path) if path.exists() else None


def running(folder: Path) -> Identity | None:
    """The supervisor that lives now, if one does."""
    path = folder / supervisor.IDENTITY
    identity = Identity.read(path) if path.exists() else None
    return identity if identity and alive(identity.process) else None


def ask(folder: Path, wanted: Wanted) -> Supervised:
    """Have ``wanted`` served, and return the supervisor's word that it is.

    :raises NotReady: with the reason why it is not.
    """
    there = running(folder)
    if there and (there.port != wanted.port or not there.is_in(folder)):
        stop(folder)  # the stack has another port now, or was moved
    write_atomic(folder / supervisor.WANTED, wanted.canonical())
    point("apply.wanted")
    word = _outcome(folder, wanted) or _outcome(folder, wanted)  # the first may have woken one that was about to end
    if word is None:
        raise NotReady(f"The supervisor of endpoint {folder.name} ended without a word.", "Its log may say why.")
    if word.status != "ready" or word.serving is None or word.serving.generation != wanted.generation:
        release = f"{wanted.release.model}/{wanted.release.version}"
        raise NotReady(f"The endpoint {folder.name} did not take {release}: {word.reason}")
    return word


def stop(folder: Path) -> None:
    """End the supervisor and its servers and return when they have ended; nothing happens where none runs."""
    there = running(folder)
    last = supervised(folder)
    if there:
        end(there.process, LEAVE_SECONDS + MARGIN)
    if last and last.serving:
        # The kernel ends the server with its supervisor; this waits for it.
        end(ProcessId(last.serving.pid, last.serving.born), LEAVE_SECONDS)


def _outcome(folder: Path, wanted: Wanted) -> Supervised | None:
    """Have the supervisor look at the wish and wait for its word; None when it ended without one."""
    there = running(folder)
    if there is None or not send(there.process, signal.SIGHUP):
        launch("trivet.platforms.local.supervisor", folder, folder / supervisor.LOG)
    point("apply.woken")

    def probe() -> tuple[Supervised | None] | None:
        lives = running(folder)  # asked first: what it wrote before its end is read below
        word = supervised(folder)
        if word and word.asked == wanted.asked:
            return (word,)
        return None if lives else (None,)

    patience = wanted.ready_seconds + wanted.leave_seconds + MARGIN
    return wait_for(probe, f"The endpoint {folder.name}", seconds=patience, longest=0.1)[0]
