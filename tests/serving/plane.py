"""The operator of a server, who changes its models, and the crowd that asks them meanwhile."""

from __future__ import annotations

import shutil
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from .rawhttp import INFER, ask, parse, wait_for

TOKEN = "a-token-of-more-than-sixteen-characters"
LOAD = "/v2/repository/models/loan/load"


def repository_of(folder: Path, **packages: Any) -> Path:
    """A folder of packages of the model, each under its version: ``_1=made``."""
    for version, package in packages.items():
        shutil.copytree(package.folder, folder / "loan" / version.strip("_"))
    return folder


def with_admin(start: Any, made: Any, repository: Path, **settings: Any) -> tuple[Any, Plane]:
    """A server with an admin plane, and its operator."""
    token, path = repository.with_name("token"), repository.with_name("admin.sock")
    token.write_text(TOKEN + "\n")
    token.chmod(0o600)
    admin = {"socket": str(path), "token_file": str(token), "repository": str(repository)}
    server = start(made, admin=admin, **settings)
    wait_for(path.exists)
    return server, Plane(path, repository)


def stranger(path: Path) -> httpx.Client:
    """A client of an admin plane, without its token; keeps no connection."""
    return httpx.Client(
        transport=httpx.HTTPTransport(uds=str(path)),
        base_url="http://admin",
        headers={"connection": "close"},
        timeout=60,
    )


class Plane:
    """The admin plane of a server, as its operator calls it."""

    def __init__(self, socket_path: Path, repository: Path) -> None:
        self.socket = socket_path
        self.repository = repository
        self.client = stranger(socket_path)
        self.client.headers["authorization"] = f"Bearer {TOKEN}"

    def load(self, version: Any = None, name: str = "loan") -> httpx.Response:
        """Load a version, or the newest."""
        body = {} if version is None else {"parameters": {"version": version}}
        return self.client.post(f"/v2/repository/models/{name}/load", json=body)

    def unload(self) -> httpx.Response:
        """Unload the model."""
        return self.client.post("/v2/repository/models/loan/unload", json={})

    def loaded(self) -> dict[str, str]:
        """The version of every model that is served."""
        index = self.client.post("/v2/repository/index", json={"ready": True}).json()
        return {one["name"]: one["version"] for one in index}

    def raw(self, path: str, body: bytes = b"{}", token: str = TOKEN) -> int:
        """The status for a path that no client library would send."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(20)
            connection.connect(str(self.socket))
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
            connection.sendall(head.encode() + f"Authorization: Bearer {token}\r\n\r\n".encode() + body)
            data = b"".join(iter(lambda: connection.recv(65536), b""))
        answers, _ = parse(data)
        return answers[0].status if answers else 0


class Crowd:
    """Clients of every front that ask one request after the other, and hold each answer to its package."""

    def __init__(self, server: Any, packages: dict[str, Any]) -> None:
        self.answers: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.broken = 0
        self.stop = threading.Event()
        self._url = server.url
        first = next(iter(packages.values()))
        row = {name: None if value != value else value for name, value in first.rows(1)[0].items()}
        self._fronts = [
            (INFER, first.request(), lambda body: body["outputs"][0]["data"][0]),
            ("/v1/models/loan:predict", {"instances": [row]}, lambda body: body["predictions"][0]["score"]),
            ("/invocations", {"instances": [row]}, lambda body: body["predictions"][0]["score"]),
        ]
        self._known = {
            package.digest: (f"loan/{version}", _score(package, first)) for version, package in packages.items()
        }

    @contextmanager
    def asking(self, clients: int = 4) -> Iterator[None]:
        """Ask until the end of the context."""
        with ThreadPoolExecutor(clients) as pool:
            jobs = [pool.submit(self._ask_on, number) for number in range(clients)]
            try:
                yield
            finally:
                self.stop.set()
            for job in jobs:
                job.result(60)

    def _ask_on(self, number: int) -> None:
        with httpx.Client(trust_env=False, timeout=30, base_url=self._url) as client:
            while not self.stop.is_set() and len(self.wrong) < 10:
                path, body, score = self._fronts[number % len(self._fronts)]
                number += 1
                try:
                    response = client.post(path, json=body)
                except httpx.TransportError:
                    self.broken += 1
                    continue
                self._check(path, response, score)

    def _check(self, path: str, response: httpx.Response, score: Callable[[Any], float]) -> None:
        digest = response.headers.get("trivet-package", "")
        if response.status_code != 200 or digest not in self._known:
            self.wrong.append(f"{path}: {response.status_code} {digest} {response.text[:200]}")
            return
        model, expected = self._known[digest]
        others = [one for one in self._known if one != digest and one in response.text]
        if response.headers["trivet-model"] != model or digest not in response.text or others:
            self.wrong.append(f"{path}: {dict(response.headers)} {response.text[:200]}")
        elif abs(score(response.json()) - expected) > 1e-5:
            self.wrong.append(f"{path}: {score(response.json())} by {model}, which says {expected}")
        else:
            self.answers[digest] += 1


def _score(package: Any, first: Any) -> float:
    """What a package's own pipeline says of the first row of the first package's data."""
    return float(package.pipeline.predict_proba(first.frame.iloc[:1])[0, 1])


def digest_of(server: Any, made: Any) -> str:
    """Which package answers now."""
    return ask(server, made.request()).json()["parameters"]["package"]
