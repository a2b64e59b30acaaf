"""Servers of several processes: who belongs to one, what it leaves behind, and a load that is kept on it."""

from __future__ import annotations

import json
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil
import pytest

from .rawhttp import wait_for

TOKEN = "a-token-that-is-long-enough"


@pytest.fixture(autouse=True, name="runtime")
def runtime_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where parents make their folders; none is left when they have ended. Short, as paths of sockets must be."""
    folder = Path(tempfile.mkdtemp(prefix="t-"))
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    shutil.rmtree(folder)


class Repository:
    """Versions of the model on the disk, and the admin plane that loads them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "repository"
        self.token = folder / "token"
        self.token.write_text(TOKEN)
        self.token.chmod(0o600)
        self.settings = {
            "admin": {"socket": str(folder / "admin"), "token_file": str(self.token), "repository": str(self.folder)}
        }
        transport = httpx.HTTPTransport(uds=str(folder / "admin"))
        self.client = httpx.Client(transport=transport, timeout=60, headers={"Authorization": f"Bearer {TOKEN}"})

    def add(self, made: Any, version: str, name: str = "loan") -> None:
        """A copy of a package as a version of a model."""
        shutil.copytree(made.folder, self.folder / name / version)

    def do(self, what: str, **parameters: Any) -> httpx.Response:
        """``loan/load``, ``loan/unload``."""
        return self.client.post(f"http://admin/v2/repository/models/{what}", json={"parameters": parameters})

    def index(self) -> list[dict[str, Any]]:
        """What is served."""
        return self.client.post("http://admin/v2/repository/index").json()


@pytest.fixture(name="repository")
def repository_of_two(runtime: Path, made: Any, other: Any) -> Iterator[Repository]:
    """Two versions, of which none is loaded by being there."""
    repository = Repository(runtime)
    repository.add(made, "1")
    repository.add(other, "2")
    yield repository
    repository.client.close()


def begun(server: Any) -> list[int]:
    """The workers that were there at the start, by their places."""
    [line] = wait_for(lambda: server.lines("workers ready"))
    return line["workers"]


def workers_of(server: Any) -> list[int]:
    """The workers that live."""
    return sorted(child.pid for child in psutil.Process(server.process.pid).children() if not gone(child.pid))


def folders(runtime: Path) -> list[Path]:
    """The folders of parents, dead or alive."""
    return list(runtime.glob("trivet-*"))


def gone(pid: int) -> bool:
    """Whether a process has ended, which it may do while one looks."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def refuses(port: int) -> bool:
    """Whether nobody listens."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    return False


class Answer(NamedTuple):
    """What came back, and when."""

    asked: float
    answered: float
    status: int
    package: str
    body: bytes


class Load:
    """Clients that ask the same again and again, half of them on a new connection each time."""

    def __init__(self, server: Any, body: Any) -> None:
        self.answers: list[Answer] = []
        self.broken: list[str] = []
        self.stop = threading.Event()
        self._url = f"{server.model}/infer"
        self._body = json.dumps(body).encode()

    def ask(self, kept: bool) -> None:
        """Ask until told to stop."""
        client = httpx.Client(trust_env=False, timeout=30)
        while not self.stop.is_set():
            asked = time.monotonic()
            try:
                response = client.post(self._url, content=self._body)
                package = response.headers.get("trivet-package", "")
                self.answers.append(Answer(asked, time.monotonic(), response.status_code, package, response.content))
            except httpx.TransportError as error:
                self.broken.append(repr(error))
            if not kept:
                client.close()
                client = httpx.Client(trust_env=False, timeout=30)
        client.close()

    def more(self, count: int = 100) -> None:
        """Wait for that many more answers."""
        wanted = len(self.answers) + count
        wait_for(lambda: len(self.answers) >= wanted)


@contextmanager
def load_on(server: Any, body: Any, clients: int = 4) -> Iterator[Load]:
    """Requests from that many clients, for the time of the block."""
    load = Load(server, body)
    with ThreadPoolExecutor(clients) as pool:
        asking = [pool.submit(load.ask, number % 2 == 0) for number in range(clients)]
        try:
            yield load
        finally:
            load.stop.set()
        for each in asking:
            each.result(30)


def packages_of(server: Any, body: Any, count: int = 30) -> set[str]:
    """Who answers, on many connections at once so that every worker gets some."""

    def ask(_: int) -> str:
        with httpx.Client(trust_env=False, timeout=30) as client:
            return client.post(f"{server.model}/infer", json=body).headers["trivet-package"]

    with ThreadPoolExecutor(8) as pool:
        return set(pool.map(ask, range(count)))
