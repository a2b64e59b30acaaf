"""The buckets and what is in them. Every verb is done whole under one lock, so that of two who race one comes first."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from trivet.rehearsal.fakes.gcp.constraints import Constraints
from trivet.rehearsal.fakes.gcp.refusals import of_storage
from trivet.rehearsal.fakes.gcp.storage.rules import (
    Checksums,
    Preconditions,
    check_bucket_name,
    check_metadata,
    check_object_name,
    check_retained,
    crc32c_of,
    invalid,
    md5_of,
)

MOST_SOURCES = 32
ALWAYS = Preconditions()


def now() -> datetime:
    """The present, to the millisecond."""
    present = datetime.now(UTC)
    return present.replace(microsecond=present.microsecond // 1000 * 1000)


@dataclass(frozen=True)
class Blob:
    """One version of an object; ``properties`` are those that a client may set, by their names in the JSON API."""

    name: str
    data: bytes
    generation: int
    properties: dict[str, Any]
    crc32c: str
    md5: str  # empty for what was put together from parts
    metageneration: int = 1
    components: int = 0  # of how many it was composed
    created: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    deleted: datetime | None = None

    @property
    def version(self) -> tuple[int, int]:
        """Its generation and metageneration."""
        return self.generation, self.metageneration

    @property
    def etag(self) -> str:
        """Another one for every change of data or metadata."""
        return f"{self.generation:x}-{self.metageneration:x}"

    @property
    def metadata(self) -> dict[str, str]:
        """The client's own."""
        return self.properties.get("metadata") or {}


@dataclass
class Bucket:
    """A bucket, its live objects by name, and the versions that are no longer live, oldest first."""

    name: str
    project: str
    properties: dict[str, Any]
    live: dict[str, Blob] = field(default_factory=dict)
    past: dict[str, list[Blob]] = field(default_factory=dict)
    metageneration: int = 1
    created: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)

    @property
    def versioned(self) -> bool:
        """Whether what is replaced or deleted is kept."""
        return bool((self.properties.get("versioning") or {}).get("enabled"))

    def retire(self, name: str) -> None:
        """Let the live version go."""
        blob = self.live.pop(name, None)
        if blob is not None and self.versioned:
            self.past.setdefault(name, []).append(replace(blob, deleted=now()))


class Storage:
    """All buckets of a fake."""

    def __init__(self, constraints: Constraints) -> None:
        self.constraints = constraints
        self.lock = threading.RLock()
        self._buckets: dict[str, Bucket] = {}
        self._last = 0

    def forget(self) -> None:
        """Hold nothing."""
        with self.lock:
            self._buckets.clear()

    def make(self, name: str, project: str, properties: dict[str, Any]) -> Bucket:
        """:raises Refused: for a bad name, and for one that is taken."""
        check_bucket_name(self.constraints, name)
        check_retained(self.constraints, properties)
        with self.lock:
            taken = of_storage(
                409,
                "conflict",
                "BucketAlreadyOwnedByYou",
                "Your previous request to create the named bucket succeeded and you already own it.",
            )
            self.constraints.demand("names-taken", name not in self._buckets, taken)
            self._buckets[name] = Bucket(name, project, properties)
            return self._buckets[name]

    def buckets(self) -> list[Bucket]:
        """By name."""
        with self.lock:
            return [self._buckets[name] for name in sorted(self._buckets)]

    def bucket(self, name: str) -> Bucket:
        """:raises Refused: where it is not there."""
        found = self._buckets.get(name)
        if found is None:
            raise of_storage(404, "notFound", "NoSuchBucket", "The specified bucket does not exist.")
        return found

    def drop(self, name: str) -> None:
        """:raises Refused: where it is not there, or not empty."""
        with self.lock:
            bucket = self.bucket(name)
            full = of_storage(409, "conflict", "BucketNotEmpty", "The bucket you tried to delete is not empty.")
            self.constraints.demand("bucket-empty", not bucket.live and not any(bucket.past.values()), full)
            del self._buckets[name]

    def change_bucket(self, name: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Bucket:
        """Give it other properties.

        :raises Refused: for those that exclude each other.
        """
        with self.lock:
            bucket = self.bucket(name)
            changed = change(bucket.properties)
            check_retained(self.constraints, changed)
            bucket.properties = changed
            bucket.metageneration += 1
            bucket.updated = now()
            return bucket

    def put(
        self,
        bucket: str,
        name: str,
        data: bytes,
        properties: dict[str, Any],
        when: Preconditions = ALWAYS,
        checksums: Checksums = Checksums(),  # noqa: B008  it cannot be changed
        whole: bool = True,
        components: int = 0,
    ) -> Blob:
        """Make a version the live one.

        :param whole: whether it came in one piece, so that it has an MD5.
        :raises Refused: where a precondition does not hold, or the bytes are not what the client says.
        """
        check_object_name(self.constraints, name)
        check_metadata(self.constraints, properties.get("metadata") or {})
        checksums.check(self.constraints, data)
        crc32c, md5 = crc32c_of(data), md5_of(data) if whole else ""
        with self.lock:
            here = self.bucket(bucket)
            found = here.live.get(name)
            when.check(self.constraints, found.version if found else None)
            here.retire(name)
            usual = {"storageClass": here.properties.get("storageClass", "STANDARD")}
            blob = Blob(name, data, self._next(), usual | properties, crc32c, md5, components=components)
            here.live[name] = blob
            return blob

    def get(self, bucket: str, name: str, generation: int | None = None, when: Preconditions = ALWAYS) -> Blob:
        """A version of an object, the live one where none is named.

        :raises Refused: where it is not there, or a precondition does not hold.
        """
        with self.lock:
            here = self.bucket(bucket)
            versions = [*here.past.get(name, []), *([here.live[name]] if name in here.live else [])]
            wanted = here.live.get(name)
            if generation is not None:
                wanted = next((one for one in versions if one.generation == generation), None)
            if wanted is None:
                raise of_storage(404, "notFound", "NoSuchKey", f"No such object: {bucket}/{name}")
            when.check(self.constraints, wanted.version, reading=True)
            return wanted

    def delete(self, bucket: str, name: str, generation: int | None = None, when: Preconditions = ALWAYS) -> None:
        """Let an object go: the live version into the past where there are versions, a named one for good.

        :raises Refused: where it is not there, or a precondition does not hold.
        """
        with self.lock:
            here = self.bucket(bucket)
            found = here.live.get(name)
            if generation is None or (found is not None and found.generation == generation):
                if found is None:
                    raise of_storage(404, "notFound", "NoSuchKey", f"No such object: {bucket}/{name}")
                when.check(self.constraints, found.version)
                here.retire(name) if generation is None else here.live.pop(name)
                return
            gone = self.get(bucket, name, generation)
            when.check(self.constraints, gone.version)
            here.past[name].remove(gone)

    def change(
        self,
        bucket: str,
        name: str,
        generation: int | None,
        change: Callable[[dict[str, Any]], dict[str, Any]],
        when: Preconditions = ALWAYS,
    ) -> Blob:
        """Give a version other properties."""
        with self.lock:
            here = self.bucket(bucket)
            old = self.get(bucket, name, generation)
            when.check(self.constraints, old.version)
            properties = change(old.properties)
            check_metadata(self.constraints, properties.get("metadata") or {})
            new = replace(old, properties=properties, metageneration=old.metageneration + 1, updated=now())
            if here.live.get(name) is old:
                here.live[name] = new
            else:
                here.past[name][here.past[name].index(old)] = new
            return new

    def compose(
        self,
        bucket: str,
        name: str,
        sources: Iterable[tuple[str, int | None, Preconditions]],
        properties: dict[str, Any],
        when: Preconditions = ALWAYS,
    ) -> Blob:
        """Put objects of one bucket together, in their order."""
        sources = list(sources)
        said = f"The number of source components provided ({len(sources)}) must be between 1 and {MOST_SOURCES}."
        self.constraints.demand("compose-sources", 1 <= len(sources) <= MOST_SOURCES, invalid(said))
        with self.lock:
            parts = [self.get(bucket, source, generation) for source, generation, _ in sources]
            for part, (_, _, condition) in zip(parts, sources, strict=True):
                condition.check(self.constraints, part.version)
            data = b"".join(part.data for part in parts)
            count = sum(max(part.components, 1) for part in parts)
            return self.put(bucket, name, data, properties, when, whole=False, components=count)

    def _next(self) -> int:
        """A generation: microseconds since 1970, and never one twice."""
        self._last = max(self._last + 1, time.time_ns() // 1000)
        return self._last
