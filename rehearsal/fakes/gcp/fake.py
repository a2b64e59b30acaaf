"""The fake of Google Cloud in a process of its own, as whoever started it holds it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from trivet.rehearsal.fakes.gcp import credentials
from trivet.rehearsal.fakes.gcp.settings import Settings
from trivet.rehearsal.fakes.gcp.world import NUMBER, PROJECT
from trivet.rehearsal.fakes.handle import Handle

LOCATION = "europe-west3"


class Fake(Handle):
    """Starts it, and ends it together with all its containers. It dies with this process, be that by kill -9.

    :param folder: for its log and its containers' files; made when absent.
    :param images: from patterns on image URIs to entry points, see :class:`~trivet.rehearsal.fakes.images.Images`.
    :param mode: ``namespaces`` or ``variables``; the former where the kernel allows it.
    :param settings: see :class:`~.settings.Settings`.
    """

    cloud = "Google Cloud"
    program: ClassVar[tuple[str, ...]] = ("-m", "trivet.rehearsal.fakes.gcp")
    hidden = ("GOOGLE_", "GCE_", "CLOUDSDK_", "STORAGE_EMULATOR_HOST")

    def __init__(
        self, folder: Path, images: Mapping[str, Any], *, location: str = LOCATION, mode: str = "", **settings: Any
    ) -> None:
        """:raises ConfigError: where a setting or an image is wrong. :raises PlatformError: where it does not start."""
        Settings().change(settings)
        self.location = location
        self.project, self.number = PROJECT, NUMBER
        super().__init__(folder, images, mode, settings)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead google-cloud-storage and obstore here and nowhere else."""
        return credentials.environment(self.folder / "containers", self.endpoint, self.project)

    def interrupt(self, job: str) -> None:
        """Take the machine of a custom job away, by the job's number; its code begins again on another one."""
        self._ask("POST", "interrupt", {"name": job})

    def force(self, job: str, word: str) -> None:
        """Have a custom job, by its number, be shown in a state of this name, be there such a state or not."""
        self._ask("POST", "force", {"name": job, "word": word})

    def alert(self, policy: str, state: str = "OPEN") -> None:
        """Have an alert of an alert policy open, by the policy's display name; with ``CLOSED``, close what is open."""
        self._ask("POST", "alert", {"policy": policy, "state": state})

    def deny(self, *permissions: str) -> None:
        """Have tests of permissions tell that these are not given, and all others are."""
        self._ask("POST", "deny", {"permissions": permissions})

    def disable(self, *services: str) -> None:
        """Have the project's list of APIs say that these are not enabled, and all others are."""
        self._ask("POST", "disable", {"services": services})
