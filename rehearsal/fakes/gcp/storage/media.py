"""The bytes of an object, whole or a range of them, with what both APIs say of it in headers."""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime

from trivet.rehearsal.fakes.gcp.refusals import of_storage
from trivet.rehearsal.fakes.gcp.storage.state import Blob
from trivet.rehearsal.fakes.ranges import span
from trivet.rehearsal.fakes.refusing import Answer
from trivet.rehearsal.fakes.server import Request

_HEADERS = {
    "contentType": "Content-Type",
    "contentEncoding": "Content-Encoding",
    "contentDisposition": "Content-Disposition",
    "contentLanguage": "Content-Language",
    "cacheControl": "Cache-Control",
}


def media(request: Request, blob: Blob) -> Answer:
    """What was asked for of the bytes. A range that cannot be read is passed over, as HTTP wants it.

    :raises Refused: 416 for a range that begins behind the end.
    """
    size = len(blob.data)
    headers = described(blob)
    found = span(request.headers.get("range", ""), size)
    if found is None:
        return 200, headers, blob.data
    first, last = found
    if first >= size:
        said = "The requested range cannot be satisfied."
        raise of_storage(416, "requestedRangeNotSatisfiable", "InvalidRange", said)
    return 206, [*headers, ("Content-Range", f"bytes {first}-{last}/{size}")], blob.data[first : last + 1]


def described(blob: Blob) -> list[tuple[str, str]]:
    """What headers say of an object."""
    hashes = [f"crc32c={blob.crc32c}", *([f"md5={blob.md5}"] if blob.md5 else [])]
    usual = {"contentType": "application/octet-stream"}
    given = {name: value for name, value in {**usual, **blob.properties}.items() if name in _HEADERS}
    return [
        *((_HEADERS[name], str(value)) for name, value in given.items()),
        ("ETag", f'"{blob.etag}"'),
        ("Last-Modified", http_date(blob.updated)),
        ("Accept-Ranges", "bytes"),
        ("x-goog-generation", str(blob.generation)),
        ("x-goog-metageneration", str(blob.metageneration)),
        ("x-goog-storage-class", str(blob.properties.get("storageClass", "STANDARD"))),
        ("x-goog-stored-content-length", str(len(blob.data))),
        ("x-goog-stored-content-encoding", str(blob.properties.get("contentEncoding", "identity"))),
        ("x-goog-hash", ",".join(hashes)),
        *((f"x-goog-meta-{name}", value) for name, value in blob.metadata.items()),
    ]


def http_date(moment: datetime) -> str:
    """A time as HTTP has it."""
    return format_datetime(moment, usegmt=True)
