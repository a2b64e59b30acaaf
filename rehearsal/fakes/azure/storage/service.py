"""The door of Blob Storage: who asks, what for, and how it is answered."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote

from trivet.rehearsal.fakes.azure.names import BLOB, left_out
from trivet.rehearsal.fakes.azure.storage import listing
from trivet.rehearsal.fakes.azure.storage.batch import batch
from trivet.rehearsal.fakes.azure.storage.blobs import OPERATIONS as OF_BLOBS
from trivet.rehearsal.fakes.azure.storage.blobs import Blobs
from trivet.rehearsal.fakes.azure.storage.rules import check_conditions, metadata
from trivet.rehearsal.fakes.azure.storage.state import Container
from trivet.rehearsal.fakes.refusing import Answer, Refused
from trivet.rehearsal.fakes.server import Request

if TYPE_CHECKING:
    from trivet.rehearsal.fakes.azure.world import World

_EARLIEST = "2017-11-09"  # the first version of the service that takes tokens of Entra ID
_OF_CONTAINERS = {  # by verb, restype and comp
    ("PUT", "container", ""): "CreateContainer",
    ("GET", "container", ""): "GetContainerProperties",
    ("HEAD", "container", ""): "GetContainerProperties",
    ("DELETE", "container", ""): "DeleteContainer",
    ("GET", "container", "list"): "ListBlobs",
    ("POST", "container", "batch"): "BlobBatch",
    ("POST", "", "batch"): "BlobBatch",
    ("GET", "", "list"): "ListContainers",
}
OPERATIONS = frozenset({*(name for name, _ in OF_BLOBS.values()), *_OF_CONTAINERS.values()})


class BlobService:
    """Answers what ``operation`` names."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._storage = world.storage

    def operation(self, request: Request) -> tuple[str, str]:
        """What a request asks for, as the reference calls it, and of what; empty where it asks for nothing known."""
        found = self._find(request)
        return (found[0] if found else ""), "/".join(filter(None, _named(request)))

    def answer(self, request: Request) -> Answer:
        """One request.

        :raises Refused: as Blob Storage does.
        """
        self._check_bearer(request)
        found = self._find(request)
        if found is None:
            raise left_out(f"operation of Blob Storage at {request.method} with comp={request.one('comp')}")
        status, headers, body = found[1](request)
        version = request.headers.get("x-ms-version", _EARLIEST)
        return status, [*headers, ("x-ms-version", version), *_identified(request)], body

    def alone(self, request: Request) -> Answer:
        """One request of a batch, which came with the batch's own authorization or has one."""
        found = self._find(request)
        if found is None or found[0] != "DeleteBlob":
            raise left_out("batches of anything but deletes")
        return found[1](request)

    def _find(self, request: Request) -> tuple[str, Callable[[Request], Answer]] | None:
        account, container, name = _named(request)
        comp, method = request.one("comp"), request.method
        if name:
            comp = "copy" if (method, comp) == ("PUT", "") and "x-ms-copy-source" in request.headers else comp
            found = OF_BLOBS.get((method, comp))
            blobs = Blobs(self._storage, account, container, name)
            return (found[0], lambda given: found[1](blobs, given)) if found else None
        operation = _OF_CONTAINERS.get((method, request.one("restype"), comp))
        if operation is None or bool(container) != (request.one("restype") == "container"):
            return None
        methods: dict[str, Callable[[Request], Answer]] = {
            "CreateContainer": self._create,
            "GetContainerProperties": self._described,
            "DeleteContainer": self._delete,
            "ListBlobs": lambda given: listing.blobs(self._storage, account, container, given),
            "BlobBatch": lambda given: batch(given, self.alone),
            "ListContainers": lambda given: listing.containers(self._storage, account, given),
        }
        return operation, methods[operation]

    def _create(self, request: Request) -> Answer:
        account, container, _ = _named(request)
        made = self._storage.create(account, container, metadata(self._storage.constraints, request))
        return 201, _of_container(made), b""

    def _described(self, request: Request) -> Answer:
        account, container, _ = _named(request)
        found = self._storage.container(account, container)
        own = [(f"x-ms-meta-{name}", value) for name, value in found.metadata.items()]
        return 200, [*_of_container(found), *own, ("x-ms-lease-state", "available")], b""

    def _delete(self, request: Request) -> Answer:
        account, container, _ = _named(request)
        check_conditions(self._storage.constraints, request, self._storage.container(account, container))
        self._storage.delete(account, container)
        return 202, [], b""

    def _check_bearer(self, request: Request) -> None:
        """:raises Refused: where nobody asks whom the account knows. Its keys are switched off, as they should be."""
        given = request.headers.get("authorization", "")
        if given.startswith("SharedKey"):
            said = "Key based authentication is not permitted on this storage account."
            raise Refused("KeyBasedAuthenticationNotPermitted", said, 403)
        if not given and request.one("sig"):
            return self._check_signature(request)
        version = request.headers.get("x-ms-version", "")
        said = f"Requests with a token need x-ms-version {_EARLIEST} or later."
        error = Refused("InvalidHeaderValue", said)
        self._world.constraints.demand("mandatory-headers", not given or version >= _EARLIEST, error)
        code = "InvalidAuthenticationInfo" if given else "NoAuthenticationInformation"
        return self._world.tokens.check(given, "blob", lambda said: Refused(code, said, 401, _CHALLENGE))

    def _check_signature(self, request: Request) -> None:
        account, container, name = _named(request)
        signed = self._storage.signed(request.one("sig"))
        said = "Server failed to authenticate the request: the signature is not valid for it, or no longer."
        denied = Refused("AuthenticationFailed", said, 403)
        good = signed is not None and (signed.account, signed.container) == (account, container)
        self._world.constraints.demand("tokens", good and signed is not None and signed.until > time.time(), denied)
        needed = "l" if request.one("comp") == "list" else "d" if request.method == "DELETE" else ""
        needed = needed or ("r" if request.method in ("GET", "HEAD") else "cw")
        said = "This request is not authorized to perform this operation using this permission."
        denied = Refused("AuthorizationPermissionMismatch", said, 403)
        allowed = signed is None or any(one in signed.permissions for one in needed)
        self._world.constraints.demand("tokens", allowed and (bool(name) or needed == "l"), denied)


_CHALLENGE = {
    "headers": [
        (
            "WWW-Authenticate",
            "Bearer authorization_uri=https://login.microsoftonline.com/common/oauth2/authorize"
            " resource_id=https://storage.azure.com",
        )
    ]
}


def _named(request: Request) -> tuple[str, str, str]:
    """Account, container and blob; the latter two are empty where none is named."""
    container, _, name = request.path.lstrip("/").partition("/")
    return request.host.removesuffix(f".{BLOB}"), unquote(container), unquote(name)


def _of_container(one: Container) -> list[tuple[str, str]]:
    return [("ETag", f'"{one.etag}"'), ("Last-Modified", format_datetime(one.updated, usegmt=True))]


def _identified(request: Request) -> list[tuple[str, str]]:
    own = request.headers.get("x-ms-client-request-id")
    return [("x-ms-client-request-id", own)] if own else []
