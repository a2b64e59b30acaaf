"""What Cloud Storage demands of names, checksums, metadata and preconditions."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import google_crc32c

from trivet.rehearsal.fakes.gcp.constraints import Constraints
from trivet.rehearsal.fakes.gcp.refusals import of_storage
from trivet.rehearsal.fakes.refusing import Refused

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_LONGEST_COMPONENT, _LONGEST_NAME, MOST_METADATA = 63, 1024, 8192
UNMET = "At least one of the pre-conditions you specified did not hold."


def invalid(message: str, xml: str = "InvalidArgument") -> Refused:
    """What is wrong in a request."""
    return of_storage(400, "invalid", xml, message)


def check_bucket_name(constraints: Constraints, name: str) -> None:
    """:raises Refused: for a name that no bucket may have."""
    good = (
        _BUCKET.fullmatch(name) is not None
        and all(0 < len(part) <= _LONGEST_COMPONENT for part in name.split("."))
        and not name.startswith("goog")
        and "google" not in name
        and not _is_address(name)
    )
    constraints.demand("bucket-names", good, invalid(f"Invalid bucket name: '{name}'", "InvalidBucketName"))


def check_retained(constraints: Constraints, bucket: Mapping[str, Any]) -> None:
    """:raises Refused: for a bucket that is to keep versions of what cannot be written over."""
    both = bool(bucket.get("retentionPolicy")) and bool((bucket.get("versioning") or {}).get("enabled"))
    said = "Object versioning cannot be enabled on a bucket with a retention policy."
    constraints.demand("retained-or-versioned", not both, invalid(said))


def check_object_name(constraints: Constraints, name: str) -> None:
    """:raises Refused: for a name that no object may have."""
    size = len(name.encode(errors="surrogatepass"))
    good = (
        0 < size <= _LONGEST_NAME
        and not {"\r", "\n"} & set(name)
        and name not in (".", "..")
        and not name.startswith(".well-known/acme-challenge/")
    )
    constraints.demand("object-names", good, invalid(f"Invalid object name: '{name[:200]}'", "InvalidObjectName"))


def check_metadata(constraints: Constraints, metadata: dict[str, str]) -> None:
    """:raises Refused: where an object's own metadata is too much."""
    size = sum(len(key.encode()) + len(value.encode()) for key, value in metadata.items())
    said = f"The metadata of {size} bytes exceeds the limit of {MOST_METADATA}."
    constraints.demand("metadata-size", size <= MOST_METADATA, invalid(said, "MetadataTooLarge"))


def crc32c_of(data: bytes) -> str:
    """In base64, in the order of the network, as the APIs have it."""
    return base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode()


def md5_of(data: bytes) -> str:
    """In base64."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


@dataclass(frozen=True)
class Checksums:
    """What a client says that its bytes are; empty where it says nothing."""

    crc32c: str = ""
    md5: str = ""

    @classmethod
    def of_headers(cls, headers: dict[str, str]) -> Checksums:
        """From ``x-goog-hash`` and ``content-md5``."""
        given: dict[str, str] = {}
        for part in headers.get("x-goog-hash", "").split(","):
            name, _, value = part.strip().partition("=")
            given[name] = value
        return cls(given.get("crc32c", ""), given.get("md5", "") or headers.get("content-md5", ""))

    def check(self, constraints: Constraints, data: bytes) -> None:
        """:raises Refused: where the bytes are others."""
        for name, said, found in (
            ("CRC32C", self.crc32c, crc32c_of(data) if self.crc32c else ""),
            ("MD5", self.md5, md5_of(data) if self.md5 else ""),
        ):
            message = f'Provided {name} hash "{said}" doesn\'t match calculated {name} hash "{found}".'
            constraints.demand("checksums", said == found, invalid(message, "BadDigest"))


@dataclass(frozen=True)
class Preconditions:
    """On the live version of an object, by number; generation 0 stands for none being there."""

    generation: int | None = None
    not_generation: int | None = None
    metageneration: int | None = None
    not_metageneration: int | None = None

    def check(self, constraints: Constraints, found: tuple[int, int] | None, reading: bool = False) -> None:
        """Hold them against generation and metageneration of what is there.

        :raises Refused: 412, or 304 where what one reads has not changed.
        """
        generation, metageneration = found or (0, None)
        met = self.generation in (None, generation) and self.metageneration in (None, metageneration)
        constraints.demand("preconditions", met, of_storage(412, "conditionNotMet", "PreconditionFailed", UNMET))
        same = self.not_generation == generation or (found and self.not_metageneration == metageneration)
        if reading and same:
            constraints.demand("preconditions", False, of_storage(304, "notModified", "NotModified", "Not Modified"))
        constraints.demand("preconditions", not same, of_storage(412, "conditionNotMet", "PreconditionFailed", UNMET))


def number(text: str, name: str) -> int:
    """A whole number in a parameter.

    :raises Refused: where it is none.
    """
    if not re.fullmatch(r"-?[0-9]{1,19}", text):
        raise invalid(f"Invalid value for {name}: '{text}'.")
    return int(text)


def _is_address(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True
