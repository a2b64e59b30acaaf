"""What is left of a stack: what a cloud answers when it is asked for all that bears the stack's name or tags."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from pydantic import AwareDatetime, Field

from trivet.core.document import Document

STACK_TAG, PROJECT_TAG = "trivet:stack", "trivet:project"
ENVIRONMENT_TAG, MANAGED_TAG = "trivet:environment", "trivet:managed-by"
ENDPOINT_TAG = "trivet:endpoint"


class Place(NamedTuple):
    """Where to look.

    :param prefix: what names of the stack begin with.
    :param home: the stack's folder on this machine.
    """

    project: str
    stack: str
    region: str
    account: str | None
    assume_role: str | None
    prefix: str
    home: Path


class Left(Document):
    """One thing that is still there."""

    kind: str = Field(description="In the words of the cloud, such as `KMS key`.")
    id: str = Field(description="How the cloud names it.")
    state: str = Field(description="Such as `in use` or `pending deletion`.")
    until: AwareDatetime | None = Field(description="When it goes by itself; none where it does not, or nobody knows.")
    note: str = Field(description="Why it is there, or until when where that is no date.")
    release: str = Field(description="What deletes it.")


class Auditor(Protocol):
    """Lists what is left; reads only."""

    def __call__(self, place: Place) -> Sequence[Left]:
        """Everything that is found.

        :raises PlatformError: where the cloud could not be asked, so that an empty answer means empty.
        """
        ...
