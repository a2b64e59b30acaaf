"""What Blob Storage holds: accounts, containers, blobs, and blocks that no blob has yet."""

from __future__ import annotations

import hashlib
import itertools
import secrets
import threading
import time
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

from trivet.rehearsal.fakes.azure.constraints import Constraints
from trivet.rehearsal.fakes.azure.names import BLOB
from trivet.rehearsal.fakes.azure.storage.rules import CONTAINER_NAME, check_blob_name
from trivet.rehearsal.fakes.refusing import Refused

MOST_BLOCKS = 50_000  # committed in one blob; ref Put Block List
_TAGS = itertools.count(0x8DE000000000000)


def new_etag() -> str:
    """One that nothing else had."""
    return f"0x{next(_TAGS):X}"


@dataclass
class Blob:
    """One block blob. ``etag`` is without quotes; ``properties`` by the names of their headers."""

    name: str
    data: bytes
    properties: dict[str, str]
    metadata: dict[str, str]
    blocks: list[tuple[str, int]] = field(default_factory=list)
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated: datetime = field(default_factory=lambda: datetime.now(UTC))
    etag: str = field(default_factory=new_etag)

    def touch(self) -> None:
        """It is another from now on."""
        self.etag, self.updated = new_etag(), datetime.now(UTC)


@dataclass
class Container:
    """One container, and the blocks that were put into it but not committed, by blob and id."""

    name: str
    metadata: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, Blob] = field(default_factory=dict)
    pending: dict[str, dict[str, bytes]] = field(default_factory=dict)
    updated: datetime = field(default_factory=lambda: datetime.now(UTC))
    etag: str = field(default_factory=new_etag)


@dataclass(frozen=True)
class Signature:
    """What a shared access signature of a container lets its bearer do, until when."""

    account: str
    container: str
    permissions: str
    until: float


class Storage:
    """Every account. Whoever reads and then writes holds ``lock`` meanwhile."""

    def __init__(self, constraints: Constraints) -> None:
        self.constraints = constraints
        self.lock = threading.RLock()
        self._accounts: dict[str, dict[str, Container]] = {}
        self._signatures: dict[str, Signature] = {}

    def open(self, account: str) -> None:
        """Have an account of this name; nothing happens where it is there."""
        with self.lock:
            self._accounts.setdefault(account, {})

    def close(self, account: str) -> None:
        """Have it no more, with all that is in it."""
        with self.lock:
            self._accounts.pop(account, None)

    def accounts(self) -> list[str]:
        """The names of those that there are."""
        with self.lock:
            return list(self._accounts)

    def containers(self, account: str) -> dict[str, Container]:
        """:raises Refused: where there is no such account; in Azure its name has no address then."""
        if account not in self._accounts:
            raise Refused("ResourceNotFound", f"There is no storage account {account}.", 404)
        return self._accounts[account]

    def container(self, account: str, name: str) -> Container:
        """:raises Refused: where there is none."""
        found = self.containers(account).get(name)
        if found is None:
            raise Refused("ContainerNotFound", "The specified container does not exist.", 404)
        return found

    def create(self, account: str, name: str, metadata: dict[str, str]) -> Container:
        """:raises Refused: for a name that no container may have, and one that is taken."""
        demand = self.constraints.demand
        said = "The specified resource name contains invalid characters."
        good = bool(CONTAINER_NAME.fullmatch(name)) or name in ("$root", "$logs", "$web")
        demand("container-names", good, Refused("InvalidResourceName", said))
        with self.lock:
            taken = Refused("ContainerAlreadyExists", "The specified container already exists.", 409)
            demand("names-taken", name not in self.containers(account), taken)
            made = self.containers(account)[name] = Container(name, metadata)
            return made

    def delete(self, account: str, name: str) -> None:
        """With all blobs."""
        with self.lock:
            self.container(account, name)
            del self.containers(account)[name]

    def blob(self, account: str, container: str, name: str) -> Blob:
        """:raises Refused: where there is none."""
        found = self.container(account, container).blobs.get(name)
        if found is None:
            raise Refused("BlobNotFound", "The specified blob does not exist.", 404)
        return found

    def put(
        self,
        account: str,
        container: str,
        name: str,
        data: bytes,
        properties: dict[str, str] | None = None,
        metadata: dict[str, str] | None = None,
    ) -> Blob:
        """Write a blob in place of what was there."""
        check_blob_name(self.constraints, name)
        with self.lock:
            place = self.container(account, container)
            place.pending.pop(name, None)
            usual = {"content-type": "application/octet-stream", "content-md5": md5(data)}
            made = Blob(name, data, {**usual, **(properties or {})}, dict(metadata or {}))
            if name in place.blobs:
                made.created = place.blobs[name].created
            place.blobs[name] = made
            return made

    def under(self, account: str, container: str, prefix: str) -> list[Blob]:
        """Blobs whose name begins so, in the order of their names; none where there is no such container."""
        with self.lock:
            place = self._accounts.get(account, {}).get(container)
            return [place.blobs[name] for name in sorted(place.blobs) if name.startswith(prefix)] if place else []

    def sign(self, account: str, container: str, permissions: str, seconds: float = 3600) -> str:
        """A shared access signature: the query of an address. Opaque to clients, and only its bearer's."""
        token = secrets.token_urlsafe(32)
        until = time.time() + seconds
        with self.lock:
            self._signatures[token] = Signature(account, container, permissions, until)
        end = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"sv=2023-11-03&sr=c&sp={permissions}&se={quote(end)}&sig={token}"

    def signed(self, token: str) -> Signature | None:
        """What was signed so."""
        return self._signatures.get(token)

    def forget(self) -> None:
        """Hold nothing."""
        with self.lock:
            self._accounts.clear()
            self._signatures.clear()


def address(account: str, container: str, name: str = "") -> str:
    """The URL of a container, or of a blob in it."""
    path = f"{container}/{quote(name)}" if name else container
    return f"https://{account}.{BLOB}/{path}"


def md5(data: bytes) -> str:
    """The digest, as headers have it."""
    return b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
