"""What holds for names, metadata, checksums and conditions of Blob Storage; see the reference of each operation."""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

from trivet.rehearsal.fakes.azure.constraints import Constraints
from trivet.rehearsal.fakes.refusing import Refused
from trivet.rehearsal.fakes.server import Request

CONTAINER_NAME = re.compile(r"(?=.{3,63}$)[a-z0-9](?:-?[a-z0-9])*")
_LONGEST = 1024  # characters of a blob's name
_MOST_SEGMENTS = 254
_METADATA = 8 << 10  # bytes, names and values
_META = "x-ms-meta-"
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BLOCK = 64  # bytes of a block's id, before Base64


class Dated(Protocol):
    """What conditions are held against."""

    @property
    def etag(self) -> str: ...
    @property
    def updated(self) -> datetime: ...


def check_blob_name(constraints: Constraints, name: str) -> None:
    """:raises Refused: for one that no blob may have."""
    good = 1 <= len(name) <= _LONGEST and name.count("/") < _MOST_SEGMENTS and not name.endswith(("/", "."))
    said = "The specified resource name contains invalid characters."
    constraints.demand("blob-names", good, Refused("InvalidResourceName", said))


def metadata(constraints: Constraints, request: Request) -> dict[str, str]:
    """What the headers of a request say of a blob or a container.

    :raises Refused: for names that are no identifiers, and for too much of it.
    """
    given = {request.spelled.get(key, key): value for key, value in request.headers.items() if key.startswith(_META)}
    found = {name[len(_META) :]: value for name, value in given.items()}
    bad = [name for name in found if not _IDENTIFIER.fullmatch(name)]
    said = "The metadata specified is invalid. It has characters that are not permitted."
    constraints.demand("metadata-names", not bad, Refused("InvalidMetadata", said))
    size = sum(len(name) + len(value) for name, value in found.items())
    said = "The metadata specified exceeds the maximum permissible limit (8KB)."
    constraints.demand("metadata-size", size <= _METADATA, Refused("MetadataTooLarge", said))
    return found


def check_body(constraints: Constraints, request: Request) -> None:
    """:raises Refused: where the bytes are not those of the digest that came with them."""
    given = request.headers.get("content-md5")
    if given is None:
        return
    try:
        wanted = b64decode(given, validate=True)
    except ValueError:
        wanted = b""
    said = "The MD5 value specified in the request is invalid. MD5 value must be 128 bits and base64 encoded."
    constraints.demand("checksums", len(wanted) == 16, Refused("InvalidMd5", said))
    said = "The MD5 value specified in the request did not match with the MD5 value calculated by the server."
    met = wanted == hashlib.md5(request.body, usedforsecurity=False).digest()
    constraints.demand("checksums", met, Refused("Md5Mismatch", said))


def check_block_id(constraints: Constraints, given: str, others: list[str]) -> None:
    """:raises Refused: for an id that is no Base64, is too long, or is not as long as the others of its blob."""
    try:
        size = len(b64decode(given, validate=True))
    except ValueError:
        size = 0
    said = "The value for one of the query parameters specified in the request URI is invalid."
    constraints.demand("block-ids", 1 <= size <= _BLOCK, Refused("InvalidQueryParameterValue", said))
    said = "The specified blob or block content is invalid."
    same = not others or len(others[0]) == len(given)
    constraints.demand("block-ids", same, Refused("InvalidBlobOrBlock", said))


def check_conditions(constraints: Constraints, request: Request, found: Dated | None, prefix: str = "") -> None:
    """Hold ``If-Match`` and its like against what is there; ref "Specifying conditional headers".

    :param prefix: of the headers' names, for those of the source of a copy.
    :raises Refused: 304 for a read, 412 or, for a blob that must not be there and is, 409.
    """
    if not constraints.holds("preconditions"):
        return
    reads = request.method in ("GET", "HEAD")
    given = {name: request.headers.get(f"{prefix}{name}") for name in _CONDITIONS}
    unmet = Refused("ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.", 412)
    same = Refused("ConditionNotMet", unmet.message, 304) if reads else unmet
    match, none_match = given["if-match"], given["if-none-match"]
    if match is not None and (found is None or not _names(match, found)):
        raise unmet
    if none_match is not None and found is not None and _names(none_match, found):
        exists = Refused("BlobAlreadyExists", "The specified blob already exists.", 409)
        raise exists if none_match == "*" and not reads and not prefix else same
    if found is None:
        return
    since, until = _time(given["if-modified-since"]), _time(given["if-unmodified-since"])
    whole = found.updated.replace(microsecond=0)
    if until is not None and whole > until:
        raise unmet
    if since is not None and whole <= since:
        raise same


_CONDITIONS = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")


def _names(condition: str, found: Dated) -> bool:
    return condition == "*" or found.etag in (one.strip().strip('"') for one in condition.split(","))


def _time(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
