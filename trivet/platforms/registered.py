"""What a cloud's registry has no room for, in the store: whose a number is, approvals, and where aliases point.

The number of a version is claimed by writing an object that must not be there yet, so that of two who register at once
each gets one of its own, and both the same for the same package.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Self

from pydantic import AwareDatetime, ValidationError

from trivet.core.document import Document
from trivet.core.errors import IntegrityError, NotFound
from trivet.core.platform import Store
from trivet.core.specs import Approval, ModelVersion

FOLDER = "registry"


class Claim(Document):
    """Whose a number of a model is, and who registered it first, and when."""

    digest: str
    author: str
    time: AwareDatetime

    @classmethod
    def now(cls, digest: str, author: str) -> Self:
        """One that is made just now."""
        return cls(digest=digest, author=author, time=datetime.now(UTC))


class Registered:
    """The store's part of the registry."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def claim(self, name: str, claim: Claim) -> int:
        """The number of this package: its own, or the first that nobody has.

        Numbers have no gaps, so two who register the same package at once meet at the same number, and one gets it.
        """
        number = 1
        while True:
            key = _claim_key(name, number)
            if self._store.create(key, claim.canonical()):
                return number
            if Claim.model_validate_json(self._store.get(key)).digest == claim.digest:
                return number
            number += 1

    def claimed(self, name: str, number: int) -> Claim:
        """Whose a number is.

        :raises NotFound: when it is nobody's.
        """
        return Claim.model_validate_json(self._store.get(_claim_key(name, number)))

    def pointed(self, name: str, alias: str) -> int | None:
        """The version to which an alias points."""
        try:
            return int(self._store.get(f"{FOLDER}/{name}/aliases/{alias}"))
        except NotFound:
            return None

    def point(self, version: ModelVersion, alias: str) -> None:
        """Have an alias point to a version, and to no other any more."""
        self._store.put(f"{FOLDER}/{version.name}/aliases/{alias}", str(version.version).encode())

    def approve(self, version: ModelVersion, approval: Approval) -> None:
        """Keep an approval; a later one takes its place."""
        self._store.put(_approval_key(version), approval.canonical())

    def whole(self, bare: ModelVersion) -> ModelVersion:
        """A version with its approval and its aliases.

        :raises IntegrityError: when what the store has as its approval is none.
        """
        return bare.model_copy(update={"approval": self._approval(bare), "aliases": self._aliases(bare)})

    def _approval(self, version: ModelVersion) -> Approval | None:
        try:
            return Approval.model_validate_json(self._store.get(_approval_key(version)))
        except NotFound:
            return None
        except ValidationError as error:
            raise IntegrityError(f"The approval of model {version} in the store is none that Trivet wrote.") from error

    def _aliases(self, version: ModelVersion) -> tuple[str, ...]:
        folder = f"{FOLDER}/{version.name}/aliases/"
        there = (key.removeprefix(folder) for key in self._store.list(folder))
        return tuple(alias for alias in there if self._store.get(folder + alias) == str(version.version).encode())


def _claim_key(name: str, number: int) -> str:
    return f"{FOLDER}/{name}/versions/{number:08d}"


def _approval_key(version: ModelVersion) -> str:
    return f"{FOLDER}/{version.name}/approvals/{version.version:08d}.json"
