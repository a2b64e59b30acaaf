"""Buckets as folders of a container at ``/gcs``: filled before it runs, and taken back after."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from trivet.rehearsal.fakes.gcp.refusals import invalid
from trivet.rehearsal.fakes.gcp.storage.listing import LARGEST, Query, page
from trivet.rehearsal.fakes.gcp.storage.state import Blob, Storage
from trivet.rehearsal.fakes.refusing import Refused

_LONGEST = 255  # bytes of a file's name


class Place(NamedTuple):
    """A bucket and the beginning of names."""

    bucket: str
    prefix: str

    @classmethod
    def of(cls, uri: str) -> Place:
        """From ``gs://BUCKET/PREFIX``.

        :raises Refused: for any other address.
        """
        bucket, _, prefix = uri.removeprefix("gs://").partition("/")
        if not uri.startswith("gs://") or not bucket:
            raise invalid(f"Invalid Cloud Storage URI: '{uri}'.")
        return cls(bucket, prefix)


class Mounted:
    """The buckets of a project as folders. What runs does not see what others write meanwhile, and they not its own."""

    def __init__(self, storage: Storage, project: str, folder: Path) -> None:
        self._storage = storage
        self._project = project
        self._folder = folder
        self._filled: dict[tuple[str, str], tuple[int, str]] = {}  # generation and digest of what was there

    def fill(self) -> None:
        """Write every object as a file; one whose name is none is left out."""
        for bucket in self._storage.buckets():
            if bucket.project != self._project:
                continue
            (self._folder / bucket.name).mkdir(parents=True, exist_ok=True)
            for blob in blobs(self._storage, Place(bucket.name, "")):
                if self._write(bucket.name, blob):
                    self._filled[bucket.name, blob.name] = blob.generation, _digest(blob.data)

    def take(self) -> None:
        """Write back what is new or another, and delete what is gone; a bucket that is gone is passed over."""
        seen = set()
        for path in sorted(self._folder.rglob("*")):
            if not path.is_file() or path.is_symlink():
                continue
            bucket, _, name = path.relative_to(self._folder).as_posix().partition("/")
            seen.add((bucket, name))
            data = path.read_bytes()
            if self._filled.get((bucket, name), (0, ""))[1] != _digest(data):
                self._put(bucket, name, data)
        for (bucket, name), (generation, _) in self._filled.items():
            if (bucket, name) not in seen:
                self._delete(bucket, name, generation)

    def _write(self, bucket: str, blob: Blob) -> bool:
        parts = blob.name.split("/")
        if any(part in ("", ".", "..") or len(part.encode()) > _LONGEST or "\0" in part for part in parts):
            return False
        path = self._folder.joinpath(bucket, *parts)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(blob.data)
        except (FileExistsError, IsADirectoryError, NotADirectoryError):
            return False  # a file and a folder of one name
        return True

    def _put(self, bucket: str, name: str, data: bytes) -> None:
        try:
            self._storage.put(bucket, name, data, {"contentType": "application/octet-stream"})
        except Refused:
            return

    def _delete(self, bucket: str, name: str, generation: int) -> None:
        try:
            if self._storage.get(bucket, name).generation == generation:
                self._storage.delete(bucket, name)
        except Refused:
            return


def blobs(storage: Storage, place: Place) -> list[Blob]:
    """Every object whose name begins so; none where there is no such bucket."""
    found: list[Blob] = []
    token = ""
    try:
        while True:
            one = page(storage, place.bucket, Query(prefix=place.prefix, token=token, most=LARGEST))
            found += one.blobs
            token = one.token
            if not token:
                return found
    except Refused:
        return found


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
