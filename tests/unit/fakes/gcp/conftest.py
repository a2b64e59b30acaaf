"""One fake for these tests, empty before each, and Google's own SDKs pointed at it."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from trivet.rehearsal.fakes.gcp import Fake

HERE = Path(__file__).parent
HUB = "europe-west3-docker.pkg.dev/rehearsal-project/trivet"
TRAIN, TOY, SERVE = f"{HUB}/training:1", f"{HUB}/toy:1", f"{HUB}/serving:1"
IMAGES = {
    "*/training:*": [sys.executable, str(HERE / "job.py")],
    "*/toy:*": {"argv": [sys.executable, str(HERE / "toy.py")], "env": {"TOY_NAME": "toy"}},
    "*/serving:*": [sys.executable, "-Pm", "trivet.serving", "serve"],
}
SETTINGS = {"operation": 0.0, "queued": 0.0, "grace": 0.02, "startup": 20.0, "invocation": 60.0, "restarts": True}
SETTINGS |= {"machines": 100, "aborted": False}
BUCKET = "store-1"


class Project:
    """A project in the fake: a client of Cloud Storage, and the plainest one of HTTP."""

    def __init__(self, fake: Fake) -> None:
        self.fake = fake
        self.storage = storage.Client(
            project=fake.project,
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": fake.endpoint},
        )

    @property
    def bucket(self) -> Any:
        return self.storage.bucket(BUCKET)

    def put(self, name: str, data: bytes) -> str:
        self.bucket.blob(name).upload_from_string(data, retry=None)
        return f"gs://{BUCKET}/{name}"

    def get(self, name: str) -> bytes:
        return self.bucket.blob(name).download_as_bytes(retry=None)

    def names(self, prefix: str = "") -> list[str]:
        return [blob.name for blob in self.storage.list_blobs(BUCKET, prefix=prefix)]

    def send(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Exactly this request: status, headers with their names in lower case, body."""
        return send(f"{self.fake.endpoint}{path}", method, body, headers)


def send(
    url: str, method: str = "GET", body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    class Plain(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Plain)
    request = urllib.request.Request(url, body or None, headers or {}, method=method)
    try:
        with opener.open(request, timeout=30) as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {name.lower(): value for name, value in error.headers.items()}, error.read()


def start(folder: Path, mode: str = "", **settings: Any) -> Fake:
    """A fake of these tests' images."""
    return Fake(folder, IMAGES, mode=mode, **{**SETTINGS, **settings})


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fake]:
    with start(tmp_path_factory.mktemp("fake")) as fake:
        yield fake
        log = (fake.folder / "fake.log").read_text()
    assert "Traceback" not in log, log


@pytest.fixture
def fake(running: Fake, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """The fake, empty; the environment leads to it and nowhere else."""
    running.reset()
    running.set(**SETTINGS)
    for name in [name for name in os.environ if name.startswith(("GOOGLE_", "GCE_", "CLOUDSDK_"))]:
        monkeypatch.delenv(name)
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    return running


@pytest.fixture
def ask(gcp: Project) -> Callable[..., tuple[int, dict[str, Any]]]:
    """A request in JSON, and its answer in JSON: for services of which no SDK is installed."""

    def send(method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        status, _, answer = gcp.send(method, path, b"" if body is None else json.dumps(body).encode())
        return status, json.loads(answer)

    return send


@pytest.fixture
def gcp(fake: Fake) -> Project:
    """A project with a bucket in it."""
    project = Project(fake)
    project.storage.create_bucket(BUCKET, location=fake.location)
    return project
