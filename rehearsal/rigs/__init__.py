"""Rigs: each makes one cloud ready for the shared tests, and leaves nothing behind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType

from trivet.core.errors import Unsupported
from trivet.core.named import named
from trivet.core.platform import Platform
from trivet.core.refs import JobRef

RIGS = MappingProxyType(
    {
        "local": "trivet.rehearsal.rigs.local:LocalRig",
        "aws": "trivet.rehearsal.rigs.aws:AwsRig",
        "gcp": "trivet.rehearsal.rigs.gcp:GcpRig",
    }
)
LIVE_RIGS = MappingProxyType({"aws": "trivet.rehearsal.rigs.awslive:AwsLiveRig"})


class Rig(AbstractContextManager["Rig"], ABC):
    """One cloud, ready: its platform, and what a test must be able to do behind the platform's back."""

    platform: Platform
    evidence: str  # what a pass proves: ``this machine``, ``fake (version)`` or ``live (date)``
    patience: float = 60.0  # the longest, in seconds, that a test waits for anything

    @abstractmethod
    def __init__(self, folder: Path) -> None:
        """Make the cloud ready, with whatever it keeps here in ``folder``, and two endpoints."""

    @abstractmethod
    def reconnect(self) -> Platform:
        """Another platform of the same stack, as another process would have it."""

    @abstractmethod
    def force_job_state(self, ref: JobRef, word: str) -> None:
        """Have the cloud report ``word`` as the state of a job."""

    @abstractmethod
    def close(self) -> None:
        """Take everything down.

        :raises RuntimeError: naming what is left.
        """

    def __exit__(self, *_: object) -> None:
        self.close()


def rig_of(cloud: str, *, live: bool = False) -> type[Rig]:
    """The rig of a cloud, on a real account where ``live``; only that cloud's packages are imported.

    :raises Unsupported: where there is none on a real account.
    """
    if live and cloud not in LIVE_RIGS:
        raise Unsupported(f"No test runs on a real account of {cloud}.", f"Choose one of: {', '.join(LIVE_RIGS)}.")
    return named((LIVE_RIGS if live else RIGS)[cloud])


def without_rig(clouds: Iterable[str]) -> list[str]:
    """The clouds that nothing here makes ready."""
    return sorted(set(clouds) - set(RIGS))
