"""One fake for these tests, empty before each, and Microsoft's own SDKs and obstore led to it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.core.exceptions import HttpResponseError
from azure.identity import ManagedIdentityCredential
from azure.storage.blob import BlobServiceClient, ContainerClient

from trivet.rehearsal.fakes.azure import Fake

HERE = Path(__file__).parent
HUB = "rehearsal.azurecr.io"
TRAIN, TOY, SERVE = f"{HUB}/training:1", f"{HUB}/toy:1", f"{HUB}/serving:1"
PATH = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"])
IMAGES = {
    "*/training:*": {"argv": ["true"], "env": {"PATH": PATH}},
    "*/toy:*": {"argv": [sys.executable, str(HERE / "toy.py")], "env": {"TOY_NAME": "toy"}},
    "*/serving:*": [sys.executable, "-Pm", "trivet.serving", "serve"],
}
SETTINGS = {"operation": 0.0, "queued": 0.0, "probe": 0.01, "grace": 0.02, "startup": 20.0, "restarts": True}
SETTINGS["token"] = 3600.0
CONTAINER = "store-1"
ARM, STORAGE, KEYS, MONITOR = (
    "https://management.azure.com",
    "https://storage.azure.com",
    "https://vault.azure.net",
    "https://monitoring.azure.com",
)
API = "2025-12-01"


class Subscription:
    """A subscription in the fake: its blobs by Microsoft's client, and the plainest client of HTTP."""

    def __init__(self, fake: Fake) -> None:
        self.fake = fake
        self.credential = ManagedIdentityCredential()
        self.blobs = BlobServiceClient(self.url, credential=self.credential, retry_total=0)

    @property
    def url(self) -> str:
        """Where its storage is."""
        return f"https://{self.fake.account}.blob.core.windows.net"

    @property
    def container(self) -> ContainerClient:
        return self.blobs.get_container_client(CONTAINER)

    @property
    def workspace(self) -> str:
        """The id of its workspace."""
        group = f"/subscriptions/{self.fake.subscription}/resourceGroups/{self.fake.group}"
        return f"{group}/providers/Microsoft.MachineLearningServices/workspaces/{self.fake.workspace}"

    def names(self, prefix: str = "") -> list[str]:
        return [blob.name for blob in self.container.list_blobs(name_starts_with=prefix)]

    def token(self, resource: str) -> str:
        return self.credential.get_token(f"{resource}/.default").token

    def send(self, method: str, url: str, resource: str = ARM, **given: Any) -> requests.Response:
        """Exactly this request, with a token for a resource."""
        headers = {"Authorization": f"Bearer {self.token(resource)}", **given.pop("headers", {})}
        return requests.request(method, url, headers=headers, timeout=60, **given)

    def arm(self, method: str, path: str, body: Any = None, **query: str) -> requests.Response:
        """A request to ARM; a path without a slash before it is one of the workspace."""
        where = f"{ARM}{path if path.startswith('/') else f'{self.workspace}/{path}'}"
        return self.send(method, where, json=body, params={"api-version": API, **query})

    def blob(self, method: str, path: str, **given: Any) -> requests.Response:
        """A request to Blob Storage; the path begins with the container."""
        headers = {"x-ms-version": "2023-11-03", **given.pop("headers", {})}
        return self.send(method, f"{self.url}/{path}", STORAGE, headers=headers, **given)


def refused(action: Callable[[], Any]) -> str:
    """What a service says to it; an empty text where it takes it."""
    try:
        action()
    except HttpResponseError as error:
        return str(error)
    return ""


def said(answer: requests.Response) -> str:
    """The same of a plain request: code and sentence."""
    if answer.status_code < 400:
        return ""
    return answer.headers.get("x-ms-error-code") or "{code}: {message}".format(**answer.json()["error"])


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
    for name in [name for name in os.environ if name.startswith(("AZURE_", "ARM_", "IDENTITY_", "MSI_"))]:
        monkeypatch.delenv(name)
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    return running


@pytest.fixture
def azure(fake: Fake) -> Subscription:
    """A subscription with a container in its storage."""
    found = Subscription(fake)
    found.blobs.create_container(CONTAINER)
    fake.forget_calls()
    return found
