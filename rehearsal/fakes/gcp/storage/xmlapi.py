"""The XML API: objects, lists and uploads in parts, as obstore asks for them."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from trivet.rehearsal.fakes.gcp.refusals import left_out, of_storage, xml
from trivet.rehearsal.fakes.gcp.storage.listing import LARGEST, Query, page
from trivet.rehearsal.fakes.gcp.storage.media import described, media
from trivet.rehearsal.fakes.gcp.storage.resources import stamp
from trivet.rehearsal.fakes.gcp.storage.rules import Checksums, Preconditions, invalid, md5_of, number
from trivet.rehearsal.fakes.gcp.storage.state import Blob, Storage
from trivet.rehearsal.fakes.gcp.storage.uploads import Session, Sessions
from trivet.rehearsal.fakes.refusing import Answer
from trivet.rehearsal.fakes.server import Request

_XML = ("Content-Type", "application/xml; charset=UTF-8")
_LEAST_PART, _MOST_PARTS = 5 << 20, 10_000
_PROPERTIES = {
    "content-type": "contentType",
    "content-encoding": "contentEncoding",
    "content-disposition": "contentDisposition",
    "content-language": "contentLanguage",
    "cache-control": "cacheControl",
    "x-goog-storage-class": "storageClass",
}
_META = "x-goog-meta-"


@dataclass
class Parts:
    """An upload in parts that has begun."""

    bucket: str
    name: str
    properties: dict[str, Any]
    when: Preconditions
    held: dict[int, bytes] = field(default_factory=dict)
    tags: dict[int, str] = field(default_factory=dict)


def operation(request: Request) -> tuple[str, str]:
    """What a request asks for, in the words of the JSON API, and of what; empty where for nothing."""
    bucket, name = address(request)
    method = request.method
    if not bucket:
        return "", ""
    if not name:
        return ("objects.list", bucket) if method in ("GET", "HEAD") and "uploads" not in request.query else ("", "")
    where = f"{bucket}/{name}"
    if "uploads" in request.query:
        return ("multipart.initiate" if method == "POST" else ""), where
    if "uploadId" in request.query:
        words = {"PUT": "multipart.upload", "POST": "multipart.complete", "DELETE": "multipart.abort"}
        return words.get(method, ""), where
    if "upload_id" in request.query or "x-goog-resumable" in request.headers:
        return "objects.insert", where
    if method == "PUT":
        return ("objects.copy" if "x-goog-copy-source" in request.headers else "objects.insert"), where
    return {"GET": "objects.get", "HEAD": "objects.get", "DELETE": "objects.delete"}.get(method, ""), where


def address(request: Request) -> tuple[str, str]:
    """The bucket and the name of the object in a path."""
    bucket, _, name = request.path.removeprefix("/").partition("/")
    return unquote(bucket), unquote(name)


class XmlApi:
    """Answers what ``operation`` names."""

    def __init__(self, storage: Storage, sessions: Sessions, address: str) -> None:
        self._storage = storage
        self._sessions = sessions
        self._address = address
        self._lock = threading.Lock()
        self._uploads: dict[str, Parts] = {}

    def clear(self) -> None:
        """Let all uploads go."""
        self._uploads.clear()

    def answer(self, request: Request, operation: str) -> Answer:
        """One request.

        :raises Refused: as Cloud Storage does.
        """
        bucket, name = address(request)
        match operation:
            case "objects.list":
                return self._list(request, bucket)
            case "objects.get":
                blob = self._storage.get(bucket, name, _number(request.query, "generation"), _conditions(request))
                _if_match(request, blob)
                return media(request, blob)
            case "objects.delete":
                self._storage.delete(bucket, name, _number(request.query, "generation"), _conditions(request))
                return 204, [], b""
            case "objects.copy":
                return self._copy(request, bucket, name)
            case "objects.insert":
                return self._insert(request, bucket, name)
            case "multipart.initiate":
                return self._initiate(request, bucket, name)
            case "multipart.upload":
                return self._part(request)
            case "multipart.complete":
                return self._complete(request)
            case "multipart.abort":
                self._get(request)
                del self._uploads[request.one("uploadId")]
                return 204, [], b""
        raise left_out(f"method of the XML API at {request.method} {request.path}")

    def _list(self, request: Request, bucket: str) -> Answer:
        query = Query(
            prefix=request.one("prefix"),
            delimiter=request.one("delimiter"),
            after=request.one("start-after") or request.one("marker"),
            token=request.one("continuation-token"),
            most=number(request.one("max-keys") or str(LARGEST), "max-keys"),
        )
        found = page(self._storage, bucket, query)
        shown = [
            f"<Contents><Key>{escape(blob.name)}</Key><Generation>{blob.generation}</Generation>"
            f"<MetaGeneration>{blob.metageneration}</MetaGeneration><LastModified>{stamp(blob.updated)}</LastModified>"
            f'<ETag>"{blob.etag}"</ETag><Size>{len(blob.data)}</Size></Contents>'
            for blob in found.blobs
        ]
        folders = [f"<CommonPrefixes><Prefix>{escape(one)}</Prefix></CommonPrefixes>" for one in found.prefixes]
        more = f"<NextContinuationToken>{found.token}</NextContinuationToken>" if found.token else ""
        content = (
            f"<ListBucketResult xmlns='http://doc.s3.amazonaws.com/2006-03-01'><Name>{escape(bucket)}</Name>"
            f"<Prefix>{escape(query.prefix)}</Prefix><IsTruncated>{str(bool(found.token)).lower()}</IsTruncated>"
            f"{more}{''.join(shown)}{''.join(folders)}</ListBucketResult>"
        )
        return 200, [_XML], xml(content)

    def _insert(self, request: Request, bucket: str, name: str) -> Answer:
        if request.one("upload_id"):
            return self._chunk(request)
        when, properties = _conditions(request), _properties(request.headers)
        if request.headers.get("x-goog-resumable") == "start":
            said = Checksums.of_headers(request.headers)
            upload = self._sessions.begin(Session(bucket, name, properties, when, said, None))
            place = f"{self._address}/{quote(bucket)}/{quote(name)}?upload_id={upload}"
            return 201, [("Location", place)], b""
        said = Checksums.of_headers(request.headers)
        return 200, _written(self._storage.put(bucket, name, request.body, properties, when, said)), b""

    def _chunk(self, request: Request) -> Answer:
        upload = request.one("upload_id")
        if request.method == "DELETE":
            self._sessions.cancel(upload)
            return 204, [], b""
        last = Checksums.of_headers(request.headers)
        session = self._sessions.send(upload, request.headers.get("content-range", ""), request.body, last)
        if session.done is None:
            return 308, ([("Range", f"bytes=0-{session.size - 1}")] if session.size else []), b""
        return 200, _written(session.done), b""

    def _copy(self, request: Request, bucket: str, name: str) -> Answer:
        source_bucket, _, source_name = unquote(request.headers["x-goog-copy-source"]).lstrip("/").partition("/")
        source = self._storage.get(
            source_bucket, source_name, _number(request.headers, "x-goog-copy-source-generation")
        )
        match = _number(request.headers, "x-goog-copy-source-if-generation-match")
        Preconditions(match).check(self._storage.constraints, source.version)
        replaced = request.headers.get("x-goog-metadata-directive", "COPY").upper() == "REPLACE"
        properties = _properties(request.headers) if replaced else source.properties
        copied = self._storage.put(bucket, name, source.data, properties, _conditions(request), whole=bool(source.md5))
        inner = f'<LastModified>{stamp(copied.updated)}</LastModified><ETag>"{copied.etag}"</ETag>'
        return 200, [_XML, *_written(copied)], xml(f"<CopyObjectResult>{inner}</CopyObjectResult>")

    def _initiate(self, request: Request, bucket: str, name: str) -> Answer:
        self._storage.bucket(bucket)
        upload = uuid.uuid4().hex
        self._uploads[upload] = Parts(bucket, name, _properties(request.headers), _conditions(request))
        inner = f"<Bucket>{escape(bucket)}</Bucket><Key>{escape(name)}</Key><UploadId>{upload}</UploadId>"
        return 200, [_XML], xml(f"<InitiateMultipartUploadResult>{inner}</InitiateMultipartUploadResult>")

    def _part(self, request: Request) -> Answer:
        parts = self._get(request)
        at = number(request.one("partNumber"), "partNumber")
        said = f"Part number must be an integer between 1 and {_MOST_PARTS}."
        self._storage.constraints.demand("part-size", 1 <= at <= _MOST_PARTS, invalid(said))
        Checksums.of_headers(request.headers).check(self._storage.constraints, request.body)
        with self._lock:
            parts.held[at] = request.body
            parts.tags[at] = f'"{md5_of(request.body)}"'
            return 200, [("ETag", parts.tags[at])], b""

    def _complete(self, request: Request) -> Answer:
        parts = self._get(request)
        with self._lock:
            data = b"".join(self._ordered(parts, request.body))
            blob = self._storage.put(parts.bucket, parts.name, data, parts.properties, parts.when, whole=False)
            self._uploads.pop(request.one("uploadId"), None)
        inner = f'<Bucket>{escape(parts.bucket)}</Bucket><Key>{escape(parts.name)}</Key><ETag>"{blob.etag}"</ETag>'
        content = f"<CompleteMultipartUploadResult>{inner}</CompleteMultipartUploadResult>"
        return 200, [_XML, *_written(blob)], xml(content)

    def _ordered(self, parts: Parts, body: bytes) -> list[bytes]:
        """The parts that are named, in their order.

        :raises Refused: for one that did not come, or is too small, and where they are not in order.
        """
        try:
            root = ElementTree.fromstring(body)  # noqa: S314  a test's own client on loopback
        except ElementTree.ParseError as error:
            raise invalid(
                "The XML you provided was not well-formed.", "MalformedCompleteMultipartUploadRequest"
            ) from error
        named = [
            {entry.tag.rpartition("}")[2]: (entry.text or "") for entry in part}
            for part in root
            if part.tag.rpartition("}")[2] == "Part"
        ]
        numbers = [number(one.get("PartNumber", ""), "PartNumber") for one in named]
        if not numbers or any(a >= b for a, b in itertools.pairwise(numbers)):
            raise invalid("The list of parts was not in ascending order.", "InvalidPartOrder")
        for at, one in zip(numbers, named, strict=True):
            if parts.tags.get(at, "").strip('"') != one.get("ETag", "").strip('"') or at not in parts.held:
                raise invalid("One or more of the specified parts could not be found.", "InvalidPart")
        small = [at for at in numbers[:-1] if len(parts.held[at]) < _LEAST_PART]
        said = f"Parts but the last are at least {_LEAST_PART} bytes; part {(small or [0])[0]} is not."
        self._storage.constraints.demand("part-size", not small, invalid(said, "EntityTooSmall"))
        return [parts.held[at] for at in numbers]

    def _get(self, request: Request) -> Parts:
        found = self._uploads.get(request.one("uploadId"))
        if found is None or (found.bucket, found.name) != address(request):
            raise of_storage(404, "notFound", "NoSuchUpload", "The requested upload was not found.")
        return found


def _properties(headers: Mapping[str, str]) -> dict[str, Any]:
    """An object's properties, from the headers that say them."""
    found: dict[str, Any] = {_PROPERTIES[name]: value for name, value in headers.items() if name in _PROPERTIES}
    metadata = {name.removeprefix(_META): value for name, value in headers.items() if name.startswith(_META)}
    return {"contentType": "application/octet-stream", **found, **({"metadata": metadata} if metadata else {})}


def _conditions(request: Request) -> Preconditions:
    named = ("generation", "metageneration")
    generation, metageneration = (_number(request.headers, f"x-goog-if-{name}-match") for name in named)
    return Preconditions(generation, None, metageneration)


def _if_match(request: Request, blob: Blob) -> None:
    """HTTP's own conditions on a read.

    :raises Refused: 412 or 304.
    """
    wanted, known = (request.headers.get(name, "").strip('"') for name in ("if-match", "if-none-match"))
    if wanted not in ("", "*", blob.etag):
        raise of_storage(412, "conditionNotMet", "PreconditionFailed", "Precondition Failed")
    if known and known in ("*", blob.etag):
        raise of_storage(304, "notModified", "NotModified", "Not Modified")


def _number(given: Mapping[str, Any], name: str) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    return number(value if isinstance(value, str) else value[-1], name)


def _written(blob: Blob) -> list[tuple[str, str]]:
    """What headers say of what was written."""
    return [
        one
        for one in described(blob)
        if one[0] in ("ETag", "x-goog-generation", "x-goog-metageneration", "x-goog-hash")
    ]
