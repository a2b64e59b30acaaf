"""Files between S3 and a container's folder, as SageMaker moves them."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from botocore.exceptions import ClientError


class Place(NamedTuple):
    """A bucket and a key, or the beginning of keys."""

    bucket: str
    key: str

    @classmethod
    def of(cls, uri: str) -> Place:
        """From ``s3://BUCKET/KEY``."""
        parts = urlsplit(uri, allow_fragments=False)
        return cls(parts.netloc, parts.path.removeprefix("/"))

    def below(self, *names: str) -> Place:
        """A place below this one."""
        return Place(self.bucket, "/".join([*([self.key.rstrip("/")] if self.key.strip("/") else []), *names]))

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def keys(s3: Any, place: Place) -> list[str]:
    """Every key that begins so; none where there is no such bucket."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=place.key)
    try:
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchBucket":
            return []
        raise


def download(s3: Any, place: Place, folder: Path) -> int:
    """Every object whose key begins so, as files below ``folder``; how many there were.

    A key that is the whole prefix is one file under its own name; else names begin after the prefix's last slash,
    or after the one that follows the prefix.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = 0
    for key in keys(s3, place):
        if key.endswith("/"):
            continue
        target = folder / relative(key, place.key)
        if not target.resolve().is_relative_to(folder.resolve()):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            shutil.copyfileobj(s3.get_object(Bucket=place.bucket, Key=key)["Body"], file)
        found += 1
    return found


def upload(s3: Any, folder: Path, place: Place, extra: dict[str, str] | None = None) -> int:
    """Every file below a folder, as objects below a place; how many there were."""
    found = 0
    for path in files(folder):
        name = path.relative_to(folder).as_posix()
        with path.open("rb") as file:
            s3.put_object(Bucket=place.bucket, Key=place.below(name).key, Body=file, **extra or {})
        found += 1
    return found


def files(folder: Path) -> Iterator[Path]:
    """Every plain file below a folder, in the order of names; none where there is no folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path


def pack(folder: Path) -> bytes:
    """A folder as ``.tar.gz``, with names relative to it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, arcname=path.name)
    return buffer.getvalue()


def unpack(data: bytes, folder: Path) -> None:
    """A ``.tar.gz`` into a folder.

    :raises tarfile.TarError: where it is none, or a member would leave the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        archive.extractall(folder, filter="data")


def relative(key: str, prefix: str) -> str:
    """The name of an object within the prefix that it was found by."""
    if key == prefix:
        return key.rpartition("/")[2]
    if key.startswith(f"{prefix}/"):
        return key[len(prefix) + 1 :]
    return key[len(prefix.rpartition("/")[0]) :].lstrip("/")
