"""``Store`` for every cloud, on obstore: a folder of this machine, S3, Google Cloud Storage or Azure Blob by URL."""

from __future__ import annotations

import hashlib
import re
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, from_url

from trivet.core.canonical import digest, digest_file
from trivet.core.errors import ConfigError, NotFound
from trivet.core.faults import point
from trivet.core.platform import Store
from trivet.platforms.storeerrors import failure

MAX_KEY = 1024  # bytes of UTF-8; the limit of S3 and of Google Cloud Storage
CHUNK = 256 << 10  # bytes of a file in the memory at once, about
_PLAIN = re.compile(r"[A-Za-z0-9_-]{2,}")
MAX_SEGMENT = 240  # a file name has 255 bytes, of which obstore adds some while it writes
# A separator elsewhere; obstore's mark of a half-written file; what it takes for a drive's letter; a quote in logs.
_FORBIDDEN = frozenset('\\#:|"')


class ObjectStore(Store):
    """Whole files by key. A key is a relative path of printable segments."""

    def __init__(self, url: str, **options: Any) -> None:
        """Open the store at ``url``: ``file:///folder`` (made if absent), ``s3://``, ``gs://`` or ``az://``.

        :param options: what obstore takes for that kind, beside what it finds in the environment.
        :raises ConfigError: when the URL names no store.
        """
        self.url = url
        try:
            self._store = _open(url, **options)
        except (ValueError, BaseError) as error:
            raise ConfigError(f"{url} names no store: {_first_line(error)}.") from error

    def put(self, key: str, source: Path | bytes) -> str:
        check_key(key)
        if isinstance(source, Path):
            wanted, size = digest_file(source), source.stat().st_size
        else:
            wanted, size = digest(source), len(source)
        with self._told(key):
            if not self._holds(key, wanted, size):
                obstore.put(self._store, key, source)
        return wanted

    def create(self, key: str, data: bytes) -> bool:
        check_key(key)
        with self._told(key):
            try:
                obstore.put(self._store, key, data, mode="create", use_multipart=False)
            except (AlreadyExistsError, FileExistsError):
                return False
        return True

    def get(self, key: str) -> bytes:
        check_key(key)
        with self._told(key):
            return obstore.get(self._store, key).bytes().to_bytes()

    def stream(self, key: str) -> Iterator[bytes]:
        check_key(key)
        with self._told(key):
            yield from filter(None, map(bytes, obstore.get(self._store, key).stream(CHUNK)))

    def list(self, prefix: str) -> Sequence[str]:
        # obstore matches whole segments only, so the folder is listed, from about there, and the rest matched here.
        folder, _, leaf = prefix.rpartition("/")
        if folder:
            check_key(folder)
        before = prefix[:-1] if _PLAIN.fullmatch(leaf) else None
        with self._told(prefix):
            pages = obstore.list(self._store, folder or None, offset=before)
            found = [item["path"] for page in pages for item in page]
        return sorted(key for key in found if key.startswith(prefix))

    def delete(self, key: str) -> None:
        check_key(key)
        try:
            with self._told(key):
                obstore.delete(self._store, key)
        except NotFound:
            return

    def _holds(self, key: str, wanted: str, size: int) -> bool:
        try:
            if obstore.head(self._store, key)["size"] != size:
                return False
            sha = hashlib.sha256()
            for chunk in obstore.get(self._store, key).stream(CHUNK):
                sha.update(chunk)
        except FileNotFoundError:
            return False
        return f"sha256:{sha.hexdigest()}" == wanted

    @contextmanager
    def _told(self, key: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise NotFound(f"The store has no {key!r}.") from error
        except (BaseError, OSError) as error:
            raise failure(self.url, key, error) from error


def check_key(key: str) -> str:
    """Return ``key`` if it is one that every cloud can hold.

    :raises ConfigError: for an absolute key, ``.`` or ``..``, an empty segment, a backslash, a control character or
        one of ``# : | "``, and for more bytes than every cloud takes.
    """
    segments = key.split("/")
    good = (
        all(segment not in ("", ".", "..") and _bytes(segment) <= MAX_SEGMENT for segment in segments)
        and all(character.isprintable() and character not in _FORBIDDEN for character in key)
        and _bytes(key) <= MAX_KEY
    )
    if not good:
        raise ConfigError(
            f"{key!r} is no key of a store.", "Use a relative path of plain names, without \\ # : | or quotes."
        )
    return key


def _bytes(text: str) -> int:
    return len(text.encode(errors="replace"))


def put_folder(store: Store, folder: Path, prefix: str, *, last: str = "") -> list[str]:
    """Store every file of ``folder`` under ``prefix/`` and return the keys; ``last`` names the file that goes last.

    A reader that asks for ``last`` therefore never sees half a folder.

    :raises ConfigError: for a link or a device in the folder.
    """
    names = sorted(names_in(folder), key=lambda name: (name == last, name))
    for name in names:
        store.put(f"{prefix}/{name}", folder / name)
    return [f"{prefix}/{name}" for name in names]


def get_folder(store: Store, prefix: str, folder: Path, *, last: str = "") -> None:
    """Fetch every key under ``prefix/`` into ``folder``, which must not exist; it appears when it is whole.

    :raises NotFound: when there is nothing there, or not yet the file ``last`` that completes it.
    """
    keys = store.list(f"{prefix}/")
    if not keys or (last and f"{prefix}/{last}" not in keys):
        raise NotFound(f"The store has no complete folder {prefix!r}.")
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    for key in keys:
        path = part / check_key(key).removeprefix(f"{prefix}/")
        path.parent.mkdir(parents=True, exist_ok=True)
        get_file(store, key, path)
    point("folder.fetched")
    part.rename(folder)


def get_file(store: Store, key: str, path: Path) -> None:
    """Fetch what is under ``key`` into a file, however large it is.

    :raises NotFound: when there is nothing.
    """
    with path.open("wb") as file:
        file.writelines(store.stream(key))


def names_in(folder: Path) -> Iterator[str]:
    """The files under a folder, as relative POSIX paths.

    :raises ConfigError: for a link or a device.
    """
    for path in folder.rglob("*"):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode):
            yield path.relative_to(folder).as_posix()
        elif not stat.S_ISDIR(mode):
            raise ConfigError(f"{path.name} is a link or no regular file.", "Leave plain files and folders only.")


def path_of(url: str) -> Path:
    """The path that a ``file:`` URL names; a relative one stays relative.

    :raises ConfigError: for another scheme or a host.
    """
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc or not parts.path:
        raise ConfigError(f"{url!r} is no file: URL.")
    return Path(unquote(parts.path))


def _open(url: str, **options: Any) -> obstore.store.ObjectStore:
    if url.startswith("file:"):
        return LocalStore(path_of(url), mkdir=True, automatic_cleanup=True)
    return from_url(url, **checked(url), **options)


def checked(url: str) -> dict[str, Any]:
    """What a client of a store must be told so that its uploads say their checksum: S3 asks for it where objects are
    locked, and compares it everywhere."""
    return {"checksum_algorithm": "SHA256"} if url.startswith("s3:") else {}


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(". ")
