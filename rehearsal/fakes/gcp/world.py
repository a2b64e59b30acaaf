"""All that a running fake of Google Cloud holds together."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from trivet.rehearsal.fakes.containers import Runtime
from trivet.rehearsal.fakes.gcp import credentials
from trivet.rehearsal.fakes.gcp.constraints import Constraints
from trivet.rehearsal.fakes.gcp.names import NUMBER, PROJECT
from trivet.rehearsal.fakes.gcp.settings import Settings
from trivet.rehearsal.fakes.gcp.storage.state import Storage
from trivet.rehearsal.fakes.images import Images

__all__ = ["GCS", "NUMBER", "PROJECT", "World"]

GCS = Path("/gcs")


class World:
    """One fake. ``address`` is set once its port is known, what asks Cloud KMS and IAM by whoever has these."""

    def __init__(self, folder: Path, images: Images, settings: Settings, mode: str = "") -> None:
        self.images = images
        self.settings = settings
        self.constraints = Constraints()
        self.runtime = Runtime(mode, [GCS])
        self.storage = Storage(self.constraints)
        self.address = ""
        self.encrypts: Callable[[str], bool] = lambda _key: False
        self.is_account: Callable[[str], bool] = lambda _email: False
        self._folder = folder

    def listens(self, address: str) -> None:
        """It is there from now on."""
        self.address = address
        credentials.write(self._folder, address)

    def environment(self) -> dict[str, str]:
        """What a container is given to reach the fake by."""
        return credentials.environment(self._folder, self.address, PROJECT)

    def scratch(self, name: str) -> Path:
        """A new folder, for one container."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f"{name[:40]}-", dir=self._folder))

    def forget(self) -> None:
        """End every container and forget every resource."""
        self.runtime.kill_all()
        self.storage.forget()
        for path in self._folder.glob("*/"):
            shutil.rmtree(path, ignore_errors=True)
