"""All that a running fake holds together: regions, images, containers, clients of its own, settings and switches."""

from __future__ import annotations

import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

import botocore.session
from botocore.config import Config

from trivet.rehearsal.fakes.aws.constraints import Constraints
from trivet.rehearsal.fakes.aws.mounts import ML
from trivet.rehearsal.fakes.aws.settings import Settings
from trivet.rehearsal.fakes.aws.state import Region
from trivet.rehearsal.fakes.containers import Runtime
from trivet.rehearsal.fakes.images import Images

OWN_KEY = "AKIAFAKESOWNSERVICE0"


class World:
    """One fake. ``endpoint`` is set once its port is known."""

    def __init__(self, folder: Path, images: Images, settings: Settings, mode: str = "") -> None:
        self.images = images
        self.settings = settings
        self.constraints = Constraints()
        self.runtime = Runtime(mode, [ML])
        self.endpoint = ""
        self.scaling = False  # whether anything was ever asked of application auto scaling; its start takes long
        self.principals: dict[str, str] = {}  # access key: the role whose container has it
        self._folder = folder
        self._lock = threading.Lock()
        self._regions: dict[str, Region] = {}
        self._clients: dict[tuple[str, str], Any] = {}
        self._session = botocore.session.Session(
            session_vars={
                "profile": (None, [], None, None),
                "config_file": (None, None, "/dev/null", None),
                "credentials_file": (None, None, "/dev/null", None),
            }
        )

    def region(self, name: str) -> Region:
        """SageMaker in a region, made when first asked for."""
        with self._lock:
            me: Any = self  # the checker knows this file by the name of its link too
            return self._regions.setdefault(name, Region(name, me))

    def regions(self) -> list[Region]:
        """Those that were asked for."""
        with self._lock:
            return list(self._regions.values())

    def client(self, service: str, region: str) -> Any:
        """A client of another service of this fake, for what SageMaker does there by itself."""
        with self._lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = self._session.create_client(
                    service,
                    region_name=region,
                    endpoint_url=self.endpoint,
                    config=Config(proxies={}, retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
                    aws_access_key_id=OWN_KEY,
                    aws_secret_access_key=OWN_KEY,
                )
            return self._clients[service, region]

    def scratch(self, name: str) -> Path:
        """A new folder, for one container."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f"{name[:40]}-", dir=self._folder))

    def forget(self) -> None:
        """End every container and forget every resource of SageMaker."""
        for region in self.regions():
            region.closed.set()
        with self._lock:
            self._regions.clear()
            self.principals.clear()
        self.runtime.kill_all()
        for path in self._folder.glob("*"):
            shutil.rmtree(path, ignore_errors=True)
