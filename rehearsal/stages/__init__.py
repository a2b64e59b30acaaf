"""Stages: each makes a cloud's fake, and what leads programs to it, ready for one rehearsal of the whole life."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import MappingProxyType

from trivet.core.errors import Unsupported
from trivet.core.named import named

STAGES = MappingProxyType(
    {"aws": "trivet.rehearsal.stages.aws:AwsStage", "gcp": "trivet.rehearsal.stages.gcp:GcpStage"}
)
OURS = ("PULUMI_", "TRIVET_", "AWS_", "GOOGLE_", "ARM_", "AZURE_")  # what must not come from the user's own shell


class Stage(AbstractContextManager["Stage"], ABC):
    """A cloud's fake in a folder of its own."""

    title: str
    evidence: str  # which fake it is
    proves: str
    proves_not: str

    @abstractmethod
    def __init__(self, folder: Path) -> None:
        """Start it, with whatever it keeps in ``folder``."""

    @property
    @abstractmethod
    def environment(self) -> Mapping[str, str]:
        """Variables that lead the cloud's SDK and Pulumi's providers here and nowhere else."""

    @property
    @abstractmethod
    def config(self) -> Mapping[str, str]:
        """The stack's config, without its endpoints."""

    @abstractmethod
    def operations(self) -> Mapping[str, int]:
        """How many operations of each service were called so far: by the SDK, by providers and by containers."""

    @abstractmethod
    def left(self) -> Sequence[str]:
        """What is still there, but what stays for good by the cloud's own rules."""

    @abstractmethod
    def close(self) -> None:
        """End the fake and all that runs in it."""

    def __exit__(self, *_: object) -> None:
        self.close()


def stage_of(cloud: str) -> type[Stage]:
    """The stage of a cloud; only that cloud's packages are imported.

    :raises Unsupported: where there is none.
    """
    if cloud not in STAGES:
        raise Unsupported(f"There is no rehearsal of {cloud}.", f"Choose one of: {', '.join(STAGES)}.")
    return named(STAGES[cloud])


@contextmanager
def surroundings(environment: Mapping[str, str], without: tuple[str, ...] = OURS) -> Iterator[None]:
    """These variables, and none of the user's own that lead to a cloud, for as long as the block runs.

    :param without: what the names of the latter begin with.
    """
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith(without)]:
        del os.environ[name]
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
