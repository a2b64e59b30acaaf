"""The fake of AWS in a process of its own, as whoever started it holds it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from trivet.rehearsal.fakes.aws import credentials
from trivet.rehearsal.fakes.aws.settings import Settings
from trivet.rehearsal.fakes.handle import Handle

REGION = "eu-central-1"


class Fake(Handle):
    """Starts it, and ends it together with all its containers. It dies with this process, be that by kill -9.

    :param folder: for its log and its containers' files; made when absent.
    :param images: from patterns on image URIs to entry points, see :class:`~trivet.rehearsal.fakes.images.Images`.
    :param mode: ``namespaces`` or ``variables``; the former where the kernel allows it.
    :param settings: see :class:`~.settings.Settings`.
    """

    cloud = "AWS"
    program: ClassVar[tuple[str, ...]] = ("-m", "trivet.rehearsal.fakes.aws")
    hidden = ("AWS_",)

    def __init__(
        self, folder: Path, images: Mapping[str, Any], *, region: str = REGION, mode: str = "", **settings: Any
    ) -> None:
        """:raises ConfigError: where a setting or an image is wrong. :raises PlatformError: where it does not start."""
        Settings().change(settings)
        self.region = region
        super().__init__(folder, images, mode, settings)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead boto3 and obstore here and nowhere else."""
        return credentials.environment(self.endpoint, self.region)

    def lag(self, kind: str, calls: int) -> None:
        """Have Describe answer as before for so many calls after each write of a kind, as ``TrainingJob``."""
        self._ask("POST", "lag", {"kind": kind, "calls": calls})

    def force(self, kind: str, name: str, status: str, reason: str = "") -> None:
        """Give a ``job`` or an ``endpoint`` a status, which it then keeps."""
        self._ask("POST", "status", {"kind": kind, "name": name, "status": status, "reason": reason})

    def interrupt(self, job: str) -> None:
        """Take the spot instance of a training job away; it starts again from its checkpoints."""
        self._ask("POST", "interrupt", {"name": job})

    def settle(self) -> None:
        """Wait until what endpoints counted so far is in CloudWatch."""
        self._ask("POST", "settle")
