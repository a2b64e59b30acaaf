"""A page of a list of objects: the same for both APIs."""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

from trivet.rehearsal.fakes.gcp.storage.rules import invalid
from trivet.rehearsal.fakes.gcp.storage.state import Blob, Storage

LARGEST = 1000


class Query(NamedTuple):
    """What is asked for. ``after`` is left out of the list, ``start`` is in it."""

    prefix: str = ""
    delimiter: str = ""
    start: str = ""
    end: str = ""
    after: str = ""
    token: str = ""
    most: int = LARGEST
    versions: bool = False


class Page(NamedTuple):
    """Objects, the folders that others are in, and the token of the next page."""

    blobs: list[Blob]
    prefixes: list[str]
    token: str


def page(storage: Storage, bucket: str, query: Query) -> Page:
    """Objects and folders together are at most as many as were asked for, in the order of their UTF-8.

    :raises Refused: for a token that no page gave.
    """
    last = _name_of(query.token)
    blobs: list[Blob] = []
    prefixes: list[str] = []
    for shown, found in _grouped(storage, bucket, query):
        if shown.encode() <= last.encode() and last:
            continue
        if len(blobs) + len(prefixes) >= max(1, min(query.most, LARGEST)):
            return Page(blobs, prefixes, _token_of(last))
        last = shown
        prefixes += [] if found else [shown]
        blobs += found
    return Page(blobs, prefixes, "")


def _grouped(storage: Storage, bucket: str, query: Query) -> list[tuple[str, list[Blob]]]:
    """What the list shows, in its order: a folder with nothing, or a name with its versions."""
    shown: dict[str, list[Blob]] = {}
    with storage.lock:
        here = storage.bucket(bucket)
        names = {*here.live, *(here.past if query.versions else ())}
        for name in sorted(names, key=str.encode):
            if not name.startswith(query.prefix) or not _within(name, query):
                continue
            cut = name.find(query.delimiter, len(query.prefix)) if query.delimiter else -1
            if cut >= 0:
                shown[name[: cut + len(query.delimiter)]] = []
                continue
            past = here.past.get(name, []) if query.versions else []
            shown[name] = [*past, *([here.live[name]] if name in here.live else [])]
    return sorted(((name, found) for name, found in shown.items()), key=lambda pair: pair[0].encode())


def _within(name: str, query: Query) -> bool:
    key = name.encode()
    return (
        (not query.start or key >= query.start.encode())
        and (not query.end or key < query.end.encode())
        and (not query.after or key > query.after.encode())
    )


def _token_of(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _name_of(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise invalid(f"Invalid page token: '{token}'.") from error
