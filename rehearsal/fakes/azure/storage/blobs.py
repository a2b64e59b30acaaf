"""What is asked of one blob: put whole or in blocks, copied, read, described, deleted."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit

from trivet.rehearsal.fakes.azure.names import BLOB, left_out
from trivet.rehearsal.fakes.azure.refusals import XML, xml
from trivet.rehearsal.fakes.azure.storage.rules import check_block_id, check_body, check_conditions, metadata
from trivet.rehearsal.fakes.azure.storage.state import MOST_BLOCKS, Blob, Container, Storage, md5
from trivet.rehearsal.fakes.ranges import span
from trivet.rehearsal.fakes.refusing import Answer, Refused
from trivet.rehearsal.fakes.server import Request

_PROPERTIES = ("content-type", "content-encoding", "content-language", "content-disposition", "cache-control")
_MD5 = "x-ms-blob-content-md5"


class Blobs:
    """The blob ``name`` of a container, for one request."""

    def __init__(self, storage: Storage, account: str, container: str, name: str) -> None:
        self._storage = storage
        self._account, self._container, self._name = account, container, name

    def get(self, request: Request) -> Answer:
        """All of it, or a range."""
        with self._storage.lock:
            blob = self._found(request)
            headers, data = described(blob), blob.data
        text = request.headers.get("x-ms-range") or request.headers.get("range", "")
        found = span(text, len(data))
        if found is None:
            digest = blob.properties.get("content-md5")
            return 200, [*headers, *([("Content-MD5", digest)] if digest else [])], data
        first, last = found
        if first >= len(data):
            size = [("Content-Range", f"bytes */{len(data)}")]
            raise Refused("InvalidRange", "The range specified is invalid.", 416, {"headers": size})
        part = data[first : last + 1]
        headers.append(("Content-Range", f"bytes {first}-{last}/{len(data)}"))
        if digest := blob.properties.get("content-md5"):
            headers.append((_MD5, digest))
        if request.headers.get("x-ms-range-get-content-md5") == "true":
            headers.append(("Content-MD5", md5(part)))
        return 206, headers, part

    def head(self, request: Request) -> Answer:
        """What is known of it."""
        with self._storage.lock:
            blob = self._found(request)
            digest = blob.properties.get("content-md5")
            return (
                200,
                [*described(blob), *([("Content-MD5", digest)] if digest else [])],
                blob.data,
            )  # counted, not sent

    def put(self, request: Request) -> Answer:
        """Write it whole."""
        kind = request.headers.get("x-ms-blob-type", "")
        if kind != "BlockBlob":
            if kind in ("AppendBlob", "PageBlob"):
                raise left_out(f"blobs of type {kind}")
            missing = "An HTTP header that's mandatory for this request is not specified: x-ms-blob-type."
            self._storage.constraints.demand("mandatory-headers", False, Refused("MissingRequiredHeader", missing))
        check_body(self._storage.constraints, request)
        given = metadata(self._storage.constraints, request)
        with self._storage.lock:
            self._check(request)
            blob = self._write(request.body, _properties(request), given)
        return 201, [*_changed(blob), ("Content-MD5", md5(request.body))], b""

    def put_block(self, request: Request) -> Answer:
        """Bring a part of it, which counts once a list of blocks names it."""
        check_body(self._storage.constraints, request)
        block = request.one("blockid")
        with self._storage.lock:
            place = self._place()
            pending = place.pending.setdefault(self._name, {})
            check_block_id(self._storage.constraints, block, list(pending))
            pending[block] = request.body
        return 201, [("Content-MD5", md5(request.body)), _ENCRYPTED], b""

    def put_blocks(self, request: Request) -> Answer:
        """Make it of blocks."""
        check_body(self._storage.constraints, request)
        given = metadata(self._storage.constraints, request)
        wanted = _block_list(request.body)
        said = "The block list may not contain more than 50,000 blocks."
        demand = self._storage.constraints.demand
        demand("block-count", len(wanted) <= MOST_BLOCKS, Refused("BlockListTooLong", said))
        with self._storage.lock:
            self._check(request)
            place = self._place()
            blocks = [(block, _block(place, self._name, kind, block)) for kind, block in wanted]
            unknown = [block for block, data in blocks if data is None]
            said = "The specified block list is invalid."
            demand("blocks-known", not unknown, Refused("InvalidBlockList", said))
            data = b"".join(data or b"" for _, data in blocks)
            properties = {"content-md5": "", **_properties(request)}  # the service makes no digest of many blocks
            blob = self._write(data, properties, given)
            blob.blocks = [(block, len(part or b"")) for block, part in blocks]
        return 201, _changed(blob), b""

    def get_blocks(self, request: Request) -> Answer:
        """Which blocks there are, committed and not."""
        kind = request.one("blocklisttype", "committed")
        with self._storage.lock:
            place = self._place()
            blob, pending = place.blobs.get(self._name), place.pending.get(self._name, {})
            if blob is None and not pending:
                raise Refused("BlobNotFound", "The specified blob does not exist.", 404)
            committed = blob.blocks if blob and kind in ("committed", "all") else []
            waiting = [(block, len(data)) for block, data in pending.items()] if kind != "committed" else []
        inner = f"<CommittedBlocks>{_shown(committed)}</CommittedBlocks>"
        inner += f"<UncommittedBlocks>{_shown(waiting)}</UncommittedBlocks>" if kind != "committed" else ""
        return 200, list(XML), xml(f"<BlockList>{inner}</BlockList>")

    def copy(self, request: Request) -> Answer:
        """Write it as another blob of these accounts is."""
        account, container, name = _source(request.headers["x-ms-copy-source"])
        with self._storage.lock:
            source = self._storage.blob(account, container, name)
            check_conditions(self._storage.constraints, request, source, "x-ms-source-")
            self._check(request)
            own = metadata(self._storage.constraints, request) or source.metadata
            blob = self._write(source.data, source.properties, own)
            blob.blocks = list(source.blocks)
        at_once = request.headers.get("x-ms-requires-sync") == "true"
        copied = [("x-ms-copy-id", f"{blob.etag}"), ("x-ms-copy-status", "success")]
        return 202 if not at_once else 201, [*_changed(blob), *copied], b""

    def delete(self, request: Request) -> Answer:
        """Let go of it."""
        with self._storage.lock:
            self._found(request)
            del self._place().blobs[self._name]
        return 202, [("x-ms-delete-type-permanent", "true")], b""

    def get_metadata(self, request: Request) -> Answer:
        """Its metadata alone."""
        with self._storage.lock:
            blob = self._found(request)
            return 200, [*_changed(blob), *_metadata(blob)], b""

    def set_metadata(self, request: Request) -> Answer:
        """Give it other metadata."""
        given = metadata(self._storage.constraints, request)
        with self._storage.lock:
            blob = self._found(request)
            blob.metadata = given
            blob.touch()
            return 200, _changed(blob), b""

    def set_properties(self, request: Request) -> Answer:
        """Give it other properties; those that are not named are gone."""
        with self._storage.lock:
            blob = self._found(request)
            blob.properties = {"content-type": "application/octet-stream", **_properties(request)}
            blob.touch()
            return 200, _changed(blob), b""

    def _place(self) -> Container:
        return self._storage.container(self._account, self._container)

    def _found(self, request: Request) -> Blob:
        blob = self._storage.blob(self._account, self._container, self._name)
        check_conditions(self._storage.constraints, request, blob)
        return blob

    def _check(self, request: Request) -> None:
        check_conditions(self._storage.constraints, request, self._place().blobs.get(self._name))

    def _write(self, data: bytes, properties: dict[str, str], given: dict[str, str]) -> Blob:
        return self._storage.put(self._account, self._container, self._name, data, properties, given)


OPERATIONS: dict[tuple[str, str], tuple[str, Callable[[Blobs, Request], Answer]]] = {
    ("GET", ""): ("GetBlob", Blobs.get),
    ("HEAD", ""): ("GetBlobProperties", Blobs.head),
    ("PUT", ""): ("PutBlob", Blobs.put),
    ("PUT", "copy"): ("CopyBlob", Blobs.copy),
    ("DELETE", ""): ("DeleteBlob", Blobs.delete),
    ("PUT", "block"): ("PutBlock", Blobs.put_block),
    ("PUT", "blocklist"): ("PutBlockList", Blobs.put_blocks),
    ("GET", "blocklist"): ("GetBlockList", Blobs.get_blocks),
    ("GET", "metadata"): ("GetBlobMetadata", Blobs.get_metadata),
    ("HEAD", "metadata"): ("GetBlobMetadata", Blobs.get_metadata),
    ("PUT", "metadata"): ("SetBlobMetadata", Blobs.set_metadata),
    ("PUT", "properties"): ("SetBlobProperties", Blobs.set_properties),
}
_ENCRYPTED = ("x-ms-request-server-encrypted", "true")


def described(blob: Blob) -> list[tuple[str, str]]:
    """What headers say of a blob, but its digest, which depends on how it is read."""
    given = [(name.title(), blob.properties[name]) for name in _PROPERTIES if blob.properties.get(name)]
    return [
        *given,
        ("ETag", f'"{blob.etag}"'),
        ("Last-Modified", format_datetime(blob.updated, usegmt=True)),
        ("Accept-Ranges", "bytes"),
        ("x-ms-creation-time", format_datetime(blob.created, usegmt=True)),
        ("x-ms-blob-type", "BlockBlob"),
        ("x-ms-lease-status", "unlocked"),
        ("x-ms-lease-state", "available"),
        ("x-ms-server-encrypted", "true"),
        ("x-ms-access-tier", "Hot"),
        *_metadata(blob),
    ]


def _metadata(blob: Blob) -> list[tuple[str, str]]:
    return [(f"x-ms-meta-{name}", value) for name, value in blob.metadata.items()]


def _changed(blob: Blob) -> list[tuple[str, str]]:
    return [("ETag", f'"{blob.etag}"'), ("Last-Modified", format_datetime(blob.updated, usegmt=True)), _ENCRYPTED]


def _properties(request: Request) -> dict[str, str]:
    """Put Blob takes them by the headers of HTTP too; those that are the blob's own come first."""
    plain = {name: request.headers[name] for name in ("content-type",) if name in request.headers}
    own = {name: request.headers.get(f"x-ms-blob-{name}", "") for name in (*_PROPERTIES, "content-md5")}
    return {**plain, **{name: value for name, value in own.items() if value}}


def _block_list(body: bytes) -> list[tuple[str, str]]:
    try:
        root = ET.fromstring(body)  # noqa: S314  a client's own on this machine
    except ET.ParseError as error:
        said = "The XML specified is not syntactically valid."
        raise Refused("InvalidXmlDocument", said) from error
    return [(one.tag, (one.text or "").strip()) for one in root]


def _block(place: Container, name: str, kind: str, block: str) -> bytes | None:
    """A block's bytes; the latest of both where it may be either."""
    pending = place.pending.get(name, {}).get(block)
    if kind == "Uncommitted" or (kind == "Latest" and pending is not None):
        return pending
    blob, at = place.blobs.get(name), 0
    for known, size in blob.blocks if blob else []:
        if known == block and blob is not None:
            return blob.data[at : at + size]
        at += size
    return None


def _shown(blocks: list[tuple[str, int]]) -> str:
    return "".join(f"<Block><Name>{name}</Name><Size>{size}</Size></Block>" for name, size in blocks)


def _source(url: str) -> tuple[str, str, str]:
    parts = urlsplit(url)
    host, (container, _, name) = parts.hostname or "", parts.path.lstrip("/").partition("/")
    if not host.endswith(f".{BLOB}"):
        raise left_out("copies from elsewhere")
    return host.removesuffix(f".{BLOB}"), unquote(container), unquote(name)
