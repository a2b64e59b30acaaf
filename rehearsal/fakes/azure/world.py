"""All that a running fake of Azure holds together."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from trivet.rehearsal.fakes.azure import access
from trivet.rehearsal.fakes.azure.access import Tokens
from trivet.rehearsal.fakes.azure.certificates import AUTHORITY, Authority
from trivet.rehearsal.fakes.azure.constraints import Constraints
from trivet.rehearsal.fakes.azure.names import ACCOUNT
from trivet.rehearsal.fakes.azure.settings import Settings
from trivet.rehearsal.fakes.azure.storage.state import Storage
from trivet.rehearsal.fakes.containers import Runtime
from trivet.rehearsal.fakes.images import Images

MODELS = Path("/var/azureml-app")


class World:
    """One fake. ``address`` is set once its port is known."""

    def __init__(self, folder: Path, images: Images, settings: Settings, mode: str = "") -> None:
        self.images = images
        self.settings = settings
        self.constraints = Constraints()
        self.runtime = Runtime(mode, [MODELS])
        self.storage = Storage(self.constraints)
        self.tokens = Tokens(self.constraints, settings)
        self.authority = Authority(folder)
        self.address = ""
        self._folder = folder
        self.begin()

    def begin(self) -> None:
        """Have what a subscription has before anybody made anything: the storage of its workspace."""
        self.storage.open(ACCOUNT)

    def environment(self) -> dict[str, str]:
        """What a container is given to reach the fake by."""
        return access.environment(self._folder, self.address)

    def scratch(self, name: str) -> Path:
        """A new folder, for one container."""
        return Path(tempfile.mkdtemp(prefix=f"{name[:40]}-", dir=self._folder))

    def forget(self) -> None:
        """End every container and forget every resource."""
        self.runtime.kill_all()
        self.storage.forget()
        self.tokens.forget()
        for path in self._folder.iterdir():
            if path.name != AUTHORITY:
                shutil.rmtree(path, ignore_errors=True)
