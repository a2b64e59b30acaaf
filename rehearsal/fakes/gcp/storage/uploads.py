"""Resumable uploads of both APIs: begun with a description, sent in chunks, asked how far they came."""

from __future__ import annotations

import re
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any

from trivet.rehearsal.fakes.gcp.refusals import of_storage
from trivet.rehearsal.fakes.gcp.storage.rules import Checksums, Preconditions, invalid
from trivet.rehearsal.fakes.gcp.storage.state import Blob, Storage

_CHUNK = 256 << 10
_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


@dataclass
class Session:
    """One upload that has begun."""

    bucket: str
    name: str
    properties: dict[str, Any]
    when: Preconditions
    checksums: Checksums
    total: int | None
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    done: Blob | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class Sessions:
    """All uploads that have begun."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._held: dict[str, Session] = {}

    def begin(self, session: Session) -> str:
        """Its id, which is a secret."""
        self._storage.bucket(session.bucket)
        upload = uuid.uuid4().hex
        self._held[upload] = session
        return upload

    def get(self, upload: str) -> Session:
        """:raises Refused: where there is none, or it was cancelled."""
        found = self._held.get(upload)
        if found is None:
            raise of_storage(404, "notFound", "NoSuchUpload", "No such upload session.")
        return found

    def cancel(self, upload: str) -> None:
        """Let an upload go."""
        self.get(upload)
        del self._held[upload]

    def clear(self) -> None:
        """Let all go."""
        self._held.clear()

    def send(self, upload: str, content_range: str, body: bytes, last: Checksums) -> Session:
        """Take a chunk, or none where it is only asked how far the upload came; ``done`` is set by the last one.

        :param last: checksums that come with the chunk; they are of the whole object.
        :raises Refused: where the chunk is not the next one, or the object that it completes is not taken.
        """
        session = self.get(upload)
        with session.lock:
            if session.done is not None:
                return session
            begin, end, total = _range(content_range, len(body))
            session.total = total if total is not None else session.total
            if begin is not None:
                self._append(session, begin, end, body)
            if session.total is not None and session.size > session.total:
                raise invalid(f"The upload has {session.size} bytes, and was to have {session.total}.")
            if session.total == session.size and (begin is not None or not session.size):
                self._finish(session, last)
        return session

    def _append(self, session: Session, begin: int, end: int, body: bytes) -> None:
        if begin > session.size:
            said = f"The chunk begins at {begin}, and {session.size} bytes have come."
            raise of_storage(503, "backendError", "ServiceUnavailable", said)
        fresh = body[session.size - begin :]
        complete = session.total is not None and end + 1 == session.total
        said = f"A chunk of {len(body)} bytes is no multiple of {_CHUNK}, and not the last one."
        self._storage.constraints.demand("chunk-size", complete or len(body) % _CHUNK == 0, invalid(said))
        session.parts.append(fresh)
        session.size += len(fresh)

    def _finish(self, session: Session, last: Checksums) -> None:
        data = b"".join(session.parts)
        last.check(self._storage.constraints, data)
        session.done = self._storage.put(
            session.bucket, session.name, data, session.properties, session.when, session.checksums
        )
        session.parts.clear()


def _range(text: str, size: int) -> tuple[int | None, int, int | None]:
    """First and last byte, None for no bytes, and how many there are in all, None where that is not known yet."""
    if not text:
        return 0, size - 1, size
    found = _RANGE.fullmatch(text)
    if found is None:
        raise invalid(f"Failed to parse Content-Range header: {text}.")
    total = None if found[3] == "*" else int(found[3])
    if found[1] is None:
        if size:
            raise invalid(f"Content-Range names no bytes, and {size} came.")
        return None, -1, total
    begin, end = int(found[1]), int(found[2])
    if end - begin + 1 != size:
        raise invalid(f"Content-Range names {end - begin + 1} bytes, and {size} came.")
    return begin, end, total
