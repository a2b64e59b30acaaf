"""Lists: of the containers of an account, and of the blobs of a container, by prefix, delimiter and page."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from email.utils import format_datetime
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from trivet.rehearsal.fakes.azure.refusals import XML, xml
from trivet.rehearsal.fakes.azure.storage.state import Blob, Container, Storage
from trivet.rehearsal.fakes.refusing import Answer, Refused
from trivet.rehearsal.fakes.server import Request

LARGEST = 5000  # entries of a page; ref List Blobs, maxresults


class _Page(NamedTuple):
    names: list[str]
    marker: str


def blobs(storage: Storage, account: str, container: str, request: Request) -> Answer:
    """List Blobs. Names that go on after a delimiter are told once, up to it."""
    prefix, delimiter = request.one("prefix"), request.one("delimiter")
    with storage.lock:
        place = storage.container(account, container)
        names: dict[str, Blob | None] = {}
        for name in sorted(place.blobs):
            if not name.startswith(prefix):
                continue
            end = name.find(delimiter, len(prefix)) if delimiter else -1
            if end >= 0:
                names.setdefault(name[: end + len(delimiter)], None)
            else:
                names[name] = place.blobs[name]
        page = _page(list(names), request)
        include = request.one("include").split(",")
        inner = "".join(_entry(name, names[name], "metadata" in include) for name in page.names)
    return _answer(request, "Blobs", inner, page.marker, container)


def containers(storage: Storage, account: str, request: Request) -> Answer:
    """List Containers."""
    with storage.lock:
        held = storage.containers(account)
        page = _page(sorted(name for name in held if name.startswith(request.one("prefix"))), request)
        inner = "".join(_container(held[name]) for name in page.names)
    return _answer(request, "Containers", inner, page.marker)


def _page(names: list[str], request: Request) -> _Page:
    given = request.one("maxresults", str(LARGEST))
    said = "One of the query parameters specified in the request URI is outside the permissible range."
    if not given.isdecimal() or int(given) < 1:
        raise Refused("OutOfRangeQueryParameterValue", said)
    if marker := request.one("marker"):
        try:
            begin = urlsafe_b64decode(marker).decode()
        except ValueError as error:
            raise Refused("InvalidQueryParameterValue", "The marker is none that a page gave.") from error
        names = [name for name in names if name >= begin]
    size = min(int(given), LARGEST)
    following = urlsafe_b64encode(names[size].encode()).decode() if len(names) > size else ""
    return _Page(names[:size], following)


def _answer(request: Request, kind: str, inner: str, marker: str, container: str = "") -> Answer:
    asked = "".join(
        f"<{tag}>{escape(request.one(name))}</{tag}>"
        for tag, name in (
            ("Prefix", "prefix"),
            ("Marker", "marker"),
            ("MaxResults", "maxresults"),
            ("Delimiter", "delimiter"),
        )
        if request.one(name)
    )
    of = f" ContainerName={quoteattr(container)}" if container else ""
    content = f"{asked}<{kind}>{inner}</{kind}><NextMarker>{escape(marker)}</NextMarker>"
    where = quoteattr(f"https://{request.host}/")
    return 200, list(XML), xml(f"<EnumerationResults ServiceEndpoint={where}{of}>{content}</EnumerationResults>")


def _entry(name: str, blob: Blob | None, with_metadata: bool) -> str:
    if blob is None:
        return f"<BlobPrefix><Name>{escape(name)}</Name></BlobPrefix>"
    told = {
        "Creation-Time": format_datetime(blob.created, usegmt=True),
        "Last-Modified": format_datetime(blob.updated, usegmt=True),
        "Etag": blob.etag,
        "Content-Length": str(len(blob.data)),
        "Content-Type": blob.properties.get("content-type", ""),
        "Content-Encoding": blob.properties.get("content-encoding", ""),
        "Content-MD5": blob.properties.get("content-md5", ""),
        "BlobType": "BlockBlob",
        "AccessTier": "Hot",
        "LeaseStatus": "unlocked",
        "LeaseState": "available",
        "ServerEncrypted": "true",
    }
    properties = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in told.items())
    own = _metadata(blob.metadata) if with_metadata else ""
    return f"<Blob><Name>{escape(name)}</Name><Properties>{properties}</Properties>{own}</Blob>"


def _container(one: Container) -> str:
    told = f"<Last-Modified>{format_datetime(one.updated, usegmt=True)}</Last-Modified><Etag>{one.etag}</Etag>"
    return f"<Container><Name>{one.name}</Name><Properties>{told}</Properties></Container>"


def _metadata(given: dict[str, str]) -> str:
    return f"<Metadata>{''.join(f'<{key}>{escape(value)}</{key}>' for key, value in given.items())}</Metadata>"
