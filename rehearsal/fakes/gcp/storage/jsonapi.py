"""The JSON API: buckets and objects, as google-cloud-storage asks for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import quote

from trivet.rehearsal.fakes.gcp.refusals import JSON, left_out
from trivet.rehearsal.fakes.gcp.storage import resources
from trivet.rehearsal.fakes.gcp.storage.listing import LARGEST, Query, page
from trivet.rehearsal.fakes.gcp.storage.media import media
from trivet.rehearsal.fakes.gcp.storage.rules import Checksums, Preconditions, invalid, number
from trivet.rehearsal.fakes.gcp.storage.state import Blob, Storage
from trivet.rehearsal.fakes.gcp.storage.uploads import Session, Sessions
from trivet.rehearsal.fakes.refusing import Answer
from trivet.rehearsal.fakes.server import Request

UPLOAD, DOWNLOAD, PLAIN = "/upload/storage/v1/", "/download/storage/v1/", "/storage/v1/"
# Parameters of every method; reference of the JSON API, "Standard query parameters". "prettyPrint" is on by default.
_STANDARD = {"alt", "fields", "key", "prettyPrint", "quotaUser", "userIp", "userProject", "projection", "access_token"}
_CONDITIONS = ("ifGenerationMatch", "ifGenerationNotMatch", "ifMetagenerationMatch", "ifMetagenerationNotMatch")
_SOURCE = tuple(name.replace("if", "ifSource", 1) for name in _CONDITIONS)
_WRITE = {*_CONDITIONS, "predefinedAcl", "kmsKeyName"}
_PARAMETERS: dict[str, set[str]] = {
    "buckets.list": {"project", "prefix", "maxResults", "pageToken"},
    "buckets.insert": {"project", "predefinedAcl", "predefinedDefaultObjectAcl", "enableObjectRetention"},
    "buckets.get": {"ifMetagenerationMatch", "ifMetagenerationNotMatch", "generation", "softDeleted"},
    "buckets.patch": {"ifMetagenerationMatch", "ifMetagenerationNotMatch", "predefinedAcl"},
    "buckets.update": {"ifMetagenerationMatch", "ifMetagenerationNotMatch", "predefinedAcl"},
    "buckets.delete": {"ifMetagenerationMatch", "ifMetagenerationNotMatch"},
    "objects.list": {"prefix", "delimiter", "startOffset", "endOffset", "maxResults", "pageToken", "versions"},
    "objects.insert": {*_WRITE, "uploadType", "name", "upload_id", "contentEncoding"},
    "objects.get": {*_CONDITIONS, "generation"},
    "objects.patch": {*_CONDITIONS, "generation", "predefinedAcl"},
    "objects.update": {*_CONDITIONS, "generation", "predefinedAcl"},
    "objects.delete": {*_CONDITIONS, "generation"},
    "objects.compose": {"ifGenerationMatch", "ifMetagenerationMatch", "kmsKeyName", "destinationPredefinedAcl"},
    "objects.rewrite": {
        *(*_CONDITIONS, *_SOURCE, "sourceGeneration", "rewriteToken", "maxBytesRewrittenPerCall"),
        *("destinationPredefinedAcl", "destinationKmsKeyName"),
    },
    "objects.copy": {*_CONDITIONS, *_SOURCE, "sourceGeneration", "destinationPredefinedAcl", "destinationKmsKeyName"},
    "serviceAccount.get": set(),
}


METHODS = tuple(_PARAMETERS)


def operation(request: Request) -> tuple[str, str]:
    """What a request asks for, as the reference names it, and of which bucket and object; empty where for nothing."""
    parts = request.segments()
    while parts and parts[0] in ("upload", "download"):
        parts = parts[1:]
    rest = parts[2:]  # storage, v1
    verb = {"GET": "get", "HEAD": "get", "PATCH": "patch", "PUT": "update", "DELETE": "delete", "POST": "insert"}
    word = verb[request.method]
    match rest:
        case ["b"]:
            return f"buckets.{'list' if word == 'get' else word}", ""
        case ["b", bucket]:
            return f"buckets.{word}", bucket
        case ["b", bucket, "o"]:
            sends = request.path.startswith(UPLOAD)
            return ("objects.insert" if sends else f"objects.{'list' if word == 'get' else word}"), bucket
        case ["b", bucket, "o", name]:
            return f"objects.{word}", f"{bucket}/{name}"
        case ["b", bucket, "o", name, "compose"] if word == "insert":
            return "objects.compose", f"{bucket}/{name}"
        case ["b", _, "o", _, ("copyTo" | "rewriteTo") as what, "b", bucket, "o", name] if word == "insert":
            return f"objects.{what.removesuffix('To')}", f"{bucket}/{name}"
        case ["projects", project, "serviceAccount"] if word == "get":
            return "serviceAccount.get", project
    return "", ""


class JsonApi:
    """Answers what ``operation`` names."""

    def __init__(self, storage: Storage, sessions: Sessions, address: str, project: str, number: str) -> None:
        self._storage = storage
        self._sessions = sessions
        self._address = address
        self._project = project
        self._number = number

    def answer(self, request: Request, operation: str) -> Answer:
        """One request.

        :raises Refused: as Cloud Storage does.
        """
        known = _PARAMETERS.get(operation)
        if known is None:
            raise left_out(f"method of Cloud Storage at {request.method} {request.path}")
        unknown = sorted(set(request.query) - known - _STANDARD)
        self._storage.constraints.demand(
            "query-known", not unknown, invalid(f"Unknown parameter: {', '.join(unknown)}")
        )
        work: Callable[[Request, list[str]], Answer] = getattr(self, f"_{operation.replace('.', '_')}")
        parts = request.segments()
        return work(request, parts[parts.index("v1") + 1 :])

    def _buckets_list(self, request: Request, _parts: list[str]) -> Answer:
        found = [one for one in self._storage.buckets() if one.name.startswith(request.one("prefix"))]
        if not request.one("project"):
            raise invalid("Required parameter: project")
        found = [one for one in found if one.project == request.one("project")]
        items = [resources.bucket_resource(one, self._address, self._number) for one in found]
        return _json({"kind": "storage#buckets", "items": items})

    def _buckets_insert(self, request: Request, _parts: list[str]) -> Answer:
        if not request.one("project"):
            raise invalid("Required parameter: project")
        given = resources.parsed(request.body)
        properties = resources.bucket_properties(self._storage.constraints, given)
        made = self._storage.make(str(properties.pop("name", "")), request.one("project"), properties)
        return _json(resources.bucket_resource(made, self._address, self._number))

    def _buckets_get(self, request: Request, parts: list[str]) -> Answer:
        found = self._storage.bucket(parts[1])
        _conditions(request).check(self._storage.constraints, (0, found.metageneration), reading=True)
        return _json(resources.bucket_resource(found, self._address, self._number))

    def _buckets_patch(self, request: Request, parts: list[str]) -> Answer:
        change = resources.bucket_properties(self._storage.constraints, resources.parsed(request.body))
        return self._change_bucket(request, parts, lambda old: resources.patched(old, change))

    def _buckets_update(self, request: Request, parts: list[str]) -> Answer:
        new = resources.bucket_properties(self._storage.constraints, resources.parsed(request.body))
        return self._change_bucket(request, parts, lambda old: {"location": old.get("location", "US"), **new})

    def _change_bucket(
        self, request: Request, parts: list[str], change: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> Answer:
        with self._storage.lock:
            found = self._storage.bucket(parts[1])
            _conditions(request).check(self._storage.constraints, (0, found.metageneration))
            found = self._storage.change_bucket(parts[1], change)
        return _json(resources.bucket_resource(found, self._address, self._number))

    def _buckets_delete(self, request: Request, parts: list[str]) -> Answer:
        with self._storage.lock:
            found = self._storage.bucket(parts[1])
            _conditions(request).check(self._storage.constraints, (0, found.metageneration))
            self._storage.drop(parts[1])
        return 204, [], b""

    def _objects_list(self, request: Request, parts: list[str]) -> Answer:
        query = Query(
            prefix=request.one("prefix"),
            delimiter=request.one("delimiter"),
            start=request.one("startOffset"),
            end=request.one("endOffset"),
            token=request.one("pageToken"),
            most=number(request.one("maxResults") or str(LARGEST), "maxResults"),
            versions=request.one("versions").lower() == "true",
        )
        found = page(self._storage, parts[1], query)
        answer: dict[str, Any] = {"kind": "storage#objects", "items": [self._shown(parts[1], b) for b in found.blobs]}
        answer |= {"prefixes": found.prefixes} if found.prefixes else {}
        return _json(answer | ({"nextPageToken": found.token} if found.token else {}))

    def _objects_insert(self, request: Request, parts: list[str]) -> Answer:
        if request.one("upload_id"):
            return self._chunk(request)
        kind = request.one("uploadType")
        if kind == "resumable":
            return self._begin(request, parts[1])
        described, data, media_type = _multipart(request) if kind == "multipart" else ({}, request.body, "")
        if kind not in ("media", "multipart"):
            raise invalid(f"Invalid value for uploadType: '{kind}'.")
        media_type = media_type or request.headers.get("content-type", "")
        session = self._described(request, parts[1], described, media_type)
        Checksums.of_headers(request.headers).check(self._storage.constraints, data)
        blob = self._storage.put(
            session.bucket, session.name, data, session.properties, session.when, session.checksums
        )
        return _json(self._shown(parts[1], blob))

    def _begin(self, request: Request, bucket: str) -> Answer:
        kind, size = (request.headers.get(f"x-upload-content-{what}", "") for what in ("type", "length"))
        session = self._described(request, bucket, resources.parsed(request.body), kind)
        session.total = int(size) if size else None
        upload = self._sessions.begin(session)
        place = f"{self._address}{UPLOAD}b/{quote(bucket)}/o?uploadType=resumable&upload_id={upload}"
        return 200, [("Location", place), ("X-GUploader-UploadID", upload)], b""

    def _chunk(self, request: Request) -> Answer:
        upload = request.one("upload_id")
        if request.method == "DELETE":
            self._sessions.cancel(upload)
            return 499, [], b""
        last = Checksums.of_headers(request.headers)
        session = self._sessions.send(upload, request.headers.get("content-range", ""), request.body, last)
        if session.done is None:
            return 308, ([("Range", f"bytes=0-{session.size - 1}")] if session.size else []), b""
        return _json(self._shown(session.bucket, session.done))

    def _described(self, request: Request, bucket: str, described: dict[str, Any], media_type: str) -> Session:
        """What an upload is to become."""
        properties = resources.object_properties(self._storage.constraints, described)
        name = request.one("name") or str(described.get("name", ""))
        if not name:
            raise invalid("Required: name")
        if request.one("contentEncoding"):
            properties.setdefault("contentEncoding", request.one("contentEncoding"))
        properties.setdefault("contentType", media_type or "application/octet-stream")
        said = Checksums(str(described.get("crc32c", "")), str(described.get("md5Hash", "")))
        return Session(bucket, name, properties, _conditions(request), said, None)

    def _objects_get(self, request: Request, parts: list[str]) -> Answer:
        blob = self._storage.get(parts[1], parts[3], _generation(request, "generation"), _conditions(request))
        if request.one("alt") == "media" or request.path.startswith(DOWNLOAD):
            return media(request, blob)
        return _json(self._shown(parts[1], blob))

    def _objects_patch(self, request: Request, parts: list[str]) -> Answer:
        change = resources.object_properties(self._storage.constraints, resources.parsed(request.body))
        return self._change(request, parts, lambda old: resources.patched(old, change))

    def _objects_update(self, request: Request, parts: list[str]) -> Answer:
        new = resources.object_properties(self._storage.constraints, resources.parsed(request.body))
        return self._change(request, parts, lambda old: {"storageClass": old["storageClass"], **new})

    def _change(self, request: Request, parts: list[str], change: Callable[[dict[str, Any]], dict[str, Any]]) -> Answer:
        generation = _generation(request, "generation")
        blob = self._storage.change(parts[1], parts[3], generation, change, _conditions(request))
        return _json(self._shown(parts[1], blob))

    def _objects_delete(self, request: Request, parts: list[str]) -> Answer:
        self._storage.delete(parts[1], parts[3], _generation(request, "generation"), _conditions(request))
        return 204, [], b""

    def _objects_compose(self, request: Request, parts: list[str]) -> Answer:
        given = resources.parsed(request.body)
        unknown = sorted(set(given) - {"destination", "sourceObjects", "kind", "deleteSourceObjects"})
        said = f'Invalid JSON payload received. Unknown name "{", ".join(unknown)}": Cannot find field.'
        self._storage.constraints.demand("properties-known", not unknown, invalid(said))
        sources = []
        for one in given.get("sourceObjects", []):
            match = one.get("objectPreconditions", {}).get("ifGenerationMatch")
            when = Preconditions(number(str(match), "ifGenerationMatch") if match is not None else None)
            wanted = one.get("generation")
            sources.append((one["name"], number(str(wanted), "generation") if wanted is not None else None, when))
        properties = resources.object_properties(self._storage.constraints, given.get("destination", {}))
        blob = self._storage.compose(parts[1], parts[3], sources, properties, _conditions(request))
        return _json(self._shown(parts[1], blob))

    def _objects_copy(self, request: Request, parts: list[str]) -> Answer:
        return _json(self._shown(parts[6], self._copied(request, parts)))

    def _objects_rewrite(self, request: Request, parts: list[str]) -> Answer:
        """Done in one call, which on the service it is within one location and storage class."""
        blob = self._copied(request, parts)
        size = str(len(blob.data))
        answer = {"kind": "storage#rewriteResponse", "totalBytesRewritten": size, "objectSize": size, "done": True}
        return _json(answer | {"resource": self._shown(parts[6], blob)})

    def _copied(self, request: Request, parts: list[str]) -> Blob:
        given = resources.object_properties(self._storage.constraints, resources.parsed(request.body))
        source = self._storage.get(parts[1], parts[3], _generation(request, "sourceGeneration"))
        _conditions(request, _SOURCE).check(self._storage.constraints, source.version)
        return self._storage.put(
            parts[6],
            parts[8],
            source.data,
            given or source.properties,
            _conditions(request),
            whole=bool(source.md5),
            components=source.components,
        )

    def _serviceAccount_get(self, _request: Request, _parts: list[str]) -> Answer:  # noqa: N802  the method's name
        mail = f"service-{self._number}@gs-project-accounts.iam.gserviceaccount.com"
        return _json({"kind": "storage#serviceAccount", "email_address": mail})

    def _shown(self, bucket: str, blob: Blob) -> dict[str, Any]:
        return resources.object_resource(bucket, blob, self._address)


def _json(content: dict[str, Any]) -> Answer:
    return 200, list(JSON), json.dumps(content).encode()


def _conditions(request: Request, names: tuple[str, ...] = _CONDITIONS) -> Preconditions:
    return Preconditions(*(_generation(request, name) for name in names))


def _generation(request: Request, name: str) -> int | None:
    return number(request.one(name), name) if name in request.query else None


def _multipart(request: Request) -> tuple[dict[str, Any], bytes, str]:
    """The description, the bytes and their type of an upload in two parts.

    :raises Refused: where it is not in two parts.
    """
    kind = request.headers.get("content-type", "")
    head = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode(), headersonly=True)
    boundary = head.get_boundary()
    if head.get_content_type() != "multipart/related" or not boundary:
        raise invalid("Missing multipart boundary.")
    _, *pieces = (b"\r\n" + request.body).split(b"\r\n--" + boundary.encode())
    if len(pieces) != 3 or not pieces[2].startswith(b"--"):
        raise invalid("The body is not in two parts.")
    (_, description), (described, data) = (_split(piece) for piece in pieces[:2])
    return resources.parsed(description), data, described.get("content-type", "")


def _split(piece: bytes) -> tuple[dict[str, str], bytes]:
    head, _, body = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    message = BytesParser(policy=HTTP).parsebytes(head + b"\r\n\r\n", headersonly=True)
    return {name.lower(): str(value) for name, value in message.items()}, body
